/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * auto.h - find zone files by their names: the `auto` directive.
 */
#ifndef LANE53_AUTO_H
#define LANE53_AUTO_H

#include "plan/plan.h"

struct config_source;
struct report;

struct auto_zone {
	char *path;
	struct plan_name origin; /* lower case */
};

struct auto_zones {
	struct auto_zone *at; /* in the order of path */
	unsigned count;
};

/*
 * Scan the directory of @source (SOURCE_AUTO) and those below it, but for hidden ones.
 * A file whose name @source's pattern matches anywhere is the zone that its template
 * gives.  Reported and left out: what gives no domain name, a zone outside of the
 * directive's, a second file for a zone.
 * On success @ret_zones is the caller's, for auto_zones_deinit().
 * Return: 0; -EINVAL: the directory cannot be read or the pattern is wrong (reported);
 * -ENOMEM.
 */
int auto_scan(struct auto_zones *ret_zones, const struct config_source *source,
	      struct report *report);
void auto_zones_deinit(struct auto_zones *zones);

#endif
