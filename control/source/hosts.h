/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hosts.h - records from a hosts file and from lines in the Corefile, as CoreDNS's
 * `hosts` understands them.
 *
 *   ADDRESS NAME [NAME...]      # comment
 *
 * Each line gives A or AAAA records, and, unless no_reverse is set, PTR records of the
 * address for every name that is not a wildcard.  Names of inline lines override the
 * file: its entries of those names are ignored.  An address with a zone (fe80::1%eth0)
 * means nothing to another machine: its line is ignored.
 */
#ifndef LANE53_HOSTS_H
#define LANE53_HOSTS_H

struct config_source;
struct records;
struct report;

enum { HOSTS_NO_FILE = 1 };

/*
 * Read the file and the inline lines of @source (SOURCE_HOSTS).  A bad line is reported
 * and left out.  On 0 and HOSTS_NO_FILE *@ret_records is the caller's, ended.
 * Return: 0; HOSTS_NO_FILE: the file cannot be read (reported), the records are those of
 * the inline lines; -ENOMEM.
 */
int hosts_read(struct records **ret_records, const struct config_source *source,
	       struct report *report);

#endif
