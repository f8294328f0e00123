/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dirty.h - which published names a change of records touches.
 */
#ifndef LANE53_DIRTY_H
#define LANE53_DIRTY_H

#include <stdbool.h>
#include <stdint.h>
#include "daemon/nameset.h"

struct plan;
struct plan_view;
struct publisher;
struct store_read;

#define CHANGE_EXISTENCE 0x1 /* the name came or went */
#define CHANGE_CUT       0x2 /* NS below an apex, or DNAME: all below the name */
#define CHANGE_SOA       0x4 /* negative answers at and below the name */

struct dirty_inputs {
	const struct plan *plan;
	struct store_read *before, *after;
	const struct nameset *changed; /* by source; words from dirty_classify() */
	const struct publisher *publisher;
};

/* Set the word of each member of @changed (keyed by source). */
void dirty_classify(struct nameset *changed, struct store_read *before,
		    struct store_read *after);

/*
 * Add to @dirty what is to be published anew in @view, words being enum publish_extent.
 * Return: 0 or -ENOMEM.
 */
int dirty_gather(const struct dirty_inputs *inputs, const struct plan_view *view,
		 struct nameset *dirty);

#endif
