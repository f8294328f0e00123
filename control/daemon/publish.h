/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * publish.h - keep XDP's `local` table equal to what the engine says.
 *
 * For every owner name of a view's records, its types and A, AAAA and HTTPS are asked of
 * engine_answer_local(), and complete authoritative answers are published.  In a table
 * that is large already (NEGATIVES_UP_TO) only the types that there are: two of three
 * slots would say NODATA, and the lane says that too.  Aliases
 * that leave local data, referrals and what a table refuses take the lane.
 *
 * An answer of a name without aliases depends on that name, on the SOA of its zone if it
 * is negative, and on cuts above it.  An answer through CNAME or DNAME depends on every
 * name of its chain; those owners are remembered with their chains (`aliases`).
 */
#ifndef LANE53_PUBLISH_H
#define LANE53_PUBLISH_H

#include <stdbool.h>
#include <stdint.h>

struct nameset;
struct plan;
struct plan_view;
struct publisher;
struct store_read;
struct table;
struct table_room;

/* Make the table larger; see xdp_local_grow_begin().  Every call may be NULL together. */
struct publish_growth {
	/* *@ret_table: a new, empty table with at least twice the slots of the present one,
	 * and so many that @need->slots of them in use are a fair load; blobs as needed.
	 * The publisher's from then on. */
	int (*begin)(void *context, const struct table_room *need,
		     struct table **ret_table);
	/* The new table is XDP's from now on, and the old one's memory gone.  On a negative
	 * errno it is the other way round. */
	int (*commit)(void *context);
	void *context;
};

/*
 * @table (NULL: nothing is published, only counted as such) belongs to the publisher
 * from now on.  On success *@ret is the caller's.  Return: 0 or -ENOMEM.
 */
int publisher_open(struct publisher **ret, struct table *table,
		   const struct publish_growth *growth);
void publisher_close(struct publisher *publisher);

/* Give a publisher without a table one; likewise its own from now on. */
void publisher_attach(struct publisher *publisher, struct table *table,
		      const struct publish_growth *growth);

/* Let go of the table; nothing is published from now on. */
void publisher_detach(struct publisher *publisher);

/* Is there a table at all?  If not, callers need not work out what changed. */
bool publisher_is_on(const struct publisher *publisher);
const struct table *publisher_table(const struct publisher *publisher);

/* Forget all that is published (also what another life of the daemon left). */
void publisher_clear(struct publisher *publisher);

/* How much of a name's answers are meant. */
enum publish_extent {
	PUBLISH_NEGATIVE = 1, /* only those of types that the name does not have */
	PUBLISH_WHOLE = 2,
};

/* Publish, or take back, @owner's answers in @view as @plan and @read have them. */
void publisher_publish(struct publisher *publisher, const struct plan *plan,
		       struct store_read *read, uint32_t view, const uint8_t *owner,
		       enum publish_extent extent);
void publisher_retract(struct publisher *publisher, const struct plan *plan,
		       struct store_read *read, uint32_t view, const uint8_t *owner,
		       enum publish_extent extent);

/*
 * Names at and below @top in @view that have answers of types published that they do not
 * have themselves: what a new SOA changes.  @each returns 0, or what ends it.
 */
int publisher_each_extra(const struct publisher *publisher, uint32_t view,
			 const uint8_t *top,
			 int (*each)(void *context, const uint8_t *owner),
			 void *context);

/* Publish, or take back, all names of @view. */
void publisher_publish_view(struct publisher *publisher, const struct plan *plan,
			    struct store_read *read, uint32_t view);
void publisher_retract_view(struct publisher *publisher, const struct plan *plan,
			    struct store_read *read, uint32_t view);

/*
 * If names are left out for want of room: grow and publish all, until there is at most
 * one to 64 answers: a neighbourhood that happens to be full is not worth doubling
 * everything.  Return: how many names have answers without room (they take the lane).
 */
unsigned publisher_settle(struct publisher *publisher, const struct plan *plan,
			  struct store_read *read);

/*
 * Add to @dirty, with extent PUBLISH_WHOLE, the aliases of @view whose chain meets a
 * member of @changed (same view), a name below one, or, if @existence (a name came or
 * went), may end elsewhere now.
 */
int publisher_dirty_aliases(const struct publisher *publisher, uint32_t view,
			    const struct nameset *changed, bool existence,
			    struct nameset *dirty);

/*
 * The sources that @view draws records from; every owner in them is a candidate.
 * @each returns false to stop.
 */
void publish_each_source(const struct plan *plan, const struct plan_view *view,
			 bool (*each)(void *context, uint32_t source), void *context);
bool publish_view_uses(const struct plan *plan, const struct plan_view *view,
		       uint32_t source);

#endif
