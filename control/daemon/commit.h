/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * commit.h - change what is answered, as one step, in the store and in XDP.
 *
 *   commit_begin ─► write records, commit_changed() each owner, commit_plan()
 *   commit_end:  unpublish what changes ─► LMDB commit ─► publish ─► flush caches ─► done
 *
 * Between the first and the third step changed names take the lane, where the worker
 * sees either the old snapshot or the new one, never half of it.  A name that begins or
 * ceases to be ours is flushed, it and all below it, from every cache before `done`.
 */
#ifndef LANE53_COMMIT_H
#define LANE53_COMMIT_H

#include <stdbool.h>
#include <stdint.h>

struct commit;
struct commits;
struct plan;
struct publisher;
struct store;
struct store_read;
struct store_write;

/* Called once for each flush(), now or later. */
typedef void commit_flushed(void *context);

struct commits_config {
	struct store *store;         /* borrowed, STORE_READ_WRITE */
	struct publisher *publisher; /* borrowed */
	/*
	 * Drop cached answers at and below @name (wire; NULL = all) of @view everywhere,
	 * then call @flushed.  NULL: there are no caches.
	 */
	void (*flush)(void *context, uint32_t view, const uint8_t *name,
		      commit_flushed *flushed, void *flushed_context);
	void *context;
};

/*
 * Begin with the plan that the store holds, if any.
 * Return: 0, -ENOMEM, -EIO.
 */
int commits_open(struct commits **ret, const struct commits_config *config);
void commits_close(struct commits *commits);

/* The plan last committed; borrowed until the next commit_end().  NULL: none yet. */
const struct plan *commits_plan(const struct commits *commits);

/* Publish everything anew without a gap: a new or possibly incomplete table. */
void commits_publish_all(struct commits *commits);

/* A table is attached now (publisher_attach()): fill it, or make it true again. */
void commits_attached(struct commits *commits);

/* Names that XDP has no room for. */
unsigned commits_left_out(const struct commits *commits);

/* Return: 0 or what store_write_begin() says.  One at a time. */
int commit_begin(struct commit **ret, struct commits *commits);
struct store_write *commit_writer(struct commit *commit);
struct store_read *commit_reader(struct commit *commit); /* before the change */

/* @owner's records in @source change with this commit. Return: 0 or -ENOMEM. */
int commit_changed(struct commit *commit, uint32_t source, const uint8_t *owner);

/* The plan from this commit on; taken over.  Its generation is set by commit_end(). */
void commit_plan(struct commit *commit, struct plan *plan);

struct commit_result {
	int error;          /* 0, or negative errno: nothing has changed */
	bool plan_changed;  /* workers should wake up */
	unsigned names;     /* owners whose records changed */
	unsigned published; /* owners brought up to date in XDP */
};

typedef void commit_done(void *context, const struct commit_result *result);

/* Why nothing was committed, for people; static, or as strerror(). */
const char *commit_error_text(int error);

/*
 * Carry it out.  The store is written when this returns; @done (NULL allowed) is called
 * once, perhaps from within, when no cache holds anything older.
 * Return: 0, or a negative errno (told to @done as well): nothing has changed.
 */
int commit_end(struct commit *commit, commit_done *done, void *context);
void commit_abort(struct commit *commit);

#endif
