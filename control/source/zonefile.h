/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * zonefile.h - records from a master file (RFC 1035 5).
 *
 * $ORIGIN and $TTL are known, $INCLUDE and $GENERATE are not.  Without $TTL and TTL a
 * record has 3600 s, as in CoreDNS.
 *
 * Fatal: an entry that is not in every word a directive or a record (zonerecord.h); no
 * SOA at the origin, or more than one; a CNAME beside other data (RFC 2181 10.1), a
 * second one, or a second DNAME (RFC 6672 2.4); a class other than IN.
 * Warned about and left out: records out of the zone.  Warned about: no NS; a file that
 * does not end with a newline; a name that looks like an address; a TTL above 2^31 - 1;
 * signatures that have expired.  NSEC3 (RFC 5155) is left out with a warning: such a zone
 * is served with its signatures, but without proofs of what there is not.
 */
#ifndef LANE53_ZONEFILE_H
#define LANE53_ZONEFILE_H

#include <stdbool.h>
#include <stdint.h>

struct records;
struct report;

/*
 * Read the zone @origin (wire, lower case) from @path.
 * On success *@ret_records is the caller's, ended.
 * Return: 0; -EINVAL: not to be used, the report says why; -ENOMEM.
 */
int zonefile_read(struct records **ret_records, const char *path, const uint8_t *origin,
		  struct report *report);

/* The serial of the SOA of @origin.  Return: is there one? */
bool zonefile_serial(struct records *records, const uint8_t *origin,
		     uint32_t *ret_serial);

#endif
