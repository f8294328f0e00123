/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * zone.h - what a zone says about a name and a type: RFC 1034 4.3.2 step 3, with
 * wildcards (RFC 4592), empty non-terminals (RFC 8020), zone cuts and DNAME (RFC 6672).
 *
 * The zone is a source of the store whose apex, @origin, has a SOA.  Following aliases
 * is the caller's business.
 */
#ifndef LANE53_ZONE_H
#define LANE53_ZONE_H

#include <stdbool.h>
#include <stdint.h>
#include "store/store.h"

enum zone_status {
	ZONE_ABSENT,   /* the source has no SOA at @origin: nothing is loaded */
	ZONE_FOUND,    /* set is the answer; its owner is the QNAME */
	ZONE_CNAME,    /* set is the CNAME of the QNAME; go on with target */
	ZONE_DNAME,    /* set is the DNAME of owner; the QNAME is an alias of target */
	ZONE_YXDOMAIN, /* as ZONE_DNAME, but the target is too long (RFC 6672 2.2) */
	ZONE_DELEGATION, /* set is the NS of owner, a zone cut at or above the QNAME */
	ZONE_NODATA,     /* the name exists, without this type */
	ZONE_NXDOMAIN,
};

struct zone_result {
	enum zone_status status;
	struct rrset set;
	const uint8_t *owner; /* part of the @name given: of set; else the QNAME */
	bool wildcard;        /* what exists is the wildcard that covers the QNAME */
	const uint8_t *node; /* whose types they are: the QNAME or that wildcard, unless
			       * ABSENT or NXDOMAIN; for store_each_type() (ANY) */
	struct rrset soa;    /* of the zone, unless ZONE_ABSENT */
	bool is_signed;      /* its apex has signatures */
	uint8_t target[255]; /* ZONE_CNAME, ZONE_DNAME */
	uint8_t node_room[255]; /* NXDOMAIN: the wildcard that would have covered it */
};

/*
 * Look up @name, at or below @origin, and @qtype; both names wire format,
 * lower case.  For qtype ANY an existing name is ZONE_NODATA with its node (a CNAME is
 * not followed).  A DS at a zone cut is answered here, on the parent's side (RFC 4035
 * 3.1.4.1).  @ret borrows from @read, @name and itself (do not copy it).
 */
void zone_lookup(struct store_read *read, uint32_t source, const uint8_t *origin,
		 const uint8_t *name, uint16_t qtype, struct zone_result *ret);

/*
 * The name that is the RDATA of the first RR of @set (CNAME, DNAME, NS).  The store's
 * bytes are not believed: a damaged file may hold anything.
 * Return: borrowed from @set; NULL: it is no name.
 */
const uint8_t *rrset_name(const struct rrset *set);

/*
 * The glue for @target, an NS of a delegation, of @type (A or AAAA).
 * Return: does the zone have it?
 */
bool zone_glue(struct store_read *read, uint32_t source, const uint8_t *origin,
	       const uint8_t *target, uint16_t type, struct rrset *ret_set);

#endif
