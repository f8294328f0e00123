/* SPDX-License-Identifier: BSD-3-Clause */
/* commit.c - see commit.h. */
#include "commit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/dirty.h"
#include "daemon/nameset.h"
#include "daemon/publish.h"
#include "plan/plan.h"
#include "store/store.h"

/* More names to flush than this in one view: the view's cache goes as a whole. */
#define FLUSH_NAMES_MAX 32

struct commits {
	struct store *store;
	struct publisher *publisher;
	void (*flush)(void *context, uint32_t view, const uint8_t *name,
		      commit_flushed *flushed, void *flushed_context);
	void *context;
	struct plan *plan;
	unsigned left_out;
};

struct commit {
	struct commits *commits;
	struct store_write *write;
	struct store_read *before;
	struct nameset changed; /* by source */
	struct nameset dirty;   /* by view */
	struct plan *plan;      /* the new one; NULL: stays */
	/* carrying it out */
	struct commit_result result;
	commit_done *done;
	void *done_context;
	unsigned flushing;
};

/* ---- the present plan ---- */

static int load_plan(struct commits *c)
{
	struct store_read *read;
	const void *text;
	size_t len;
	int r = store_read_begin(c->store, &read);

	if (r < 0)
		return r;
	/* A plan of another format is as good as none: everything is made anew. */
	if (store_meta_get(read, PLAN_KEY, &text, &len) &&
	    plan_decode(&c->plan, text, len) < 0)
		c->plan = NULL;
	store_read_end(read);
	return 0;
}

int commits_open(struct commits **ret, const struct commits_config *config)
{
	struct commits *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	c->store = config->store;
	c->publisher = config->publisher;
	c->flush = config->flush;
	c->context = config->context;
	r = load_plan(c);
	if (r < 0) {
		free(c);
		return r;
	}
	*ret = c;
	return 0;
}

void commits_close(struct commits *c)
{
	if (!c)
		return;
	plan_free(c->plan);
	free(c);
}

const struct plan *commits_plan(const struct commits *c)
{
	return c->plan;
}

unsigned commits_left_out(const struct commits *c)
{
	return c->left_out;
}

void commits_publish_all(struct commits *c)
{
	struct store_read *read;

	if (!c->plan || !publisher_is_on(c->publisher) ||
	    store_read_begin(c->store, &read) < 0)
		return;
	for (unsigned v = 0; v < c->plan->view_count; v++)
		publisher_publish_view(c->publisher, c->plan, read,
				       c->plan->views[v].id);
	c->left_out = publisher_settle(c->publisher, c->plan, read);
	store_read_end(read);
}

void commits_attached(struct commits *c)
{
	/*
	 * Without a plan the store is new, so an adopted table tells of another store.
	 * With one, answers are replaced in place and chains of aliases learnt again.
	 */
	if (!c->plan)
		publisher_clear(c->publisher);
	commits_publish_all(c);
}

/* ---- one commit ---- */

const char *commit_error_text(int error)
{
	switch (error) {
	case -EADDRNOTAVAIL:
		return "no address to listen at";
	case -EIO: /* LMDB's, of a write cut short */
	case -ENOSPC:
		return "the zone store cannot be written: its disk is full, or fails; "
		       "make room there, or use -state DIR";
	}
	return strerror(-error);
}

int commit_begin(struct commit **ret, struct commits *commits)
{
	struct commit *commit = calloc(1, sizeof(*commit));
	int r;

	if (!commit)
		return -ENOMEM;
	commit->commits = commits;
	r = store_read_begin(commits->store, &commit->before);
	if (r < 0)
		goto err_commit;
	r = store_write_begin(commits->store, &commit->write);
	if (r < 0)
		goto err_read;
	nameset_init(&commit->changed);
	nameset_init(&commit->dirty);
	*ret = commit;
	return 0;

err_read:
	store_read_end(commit->before);
err_commit:
	free(commit);
	return r;
}

struct store_write *commit_writer(struct commit *commit)
{
	return commit->write;
}

struct store_read *commit_reader(struct commit *commit)
{
	return commit->before;
}

int commit_changed(struct commit *commit, uint32_t source, const uint8_t *owner)
{
	size_t n = nameset_add(&commit->changed, source, owner);

	return n == NAMESET_NONE ? -ENOMEM : 0;
}

void commit_plan(struct commit *commit, struct plan *plan)
{
	plan_free(commit->plan);
	commit->plan = plan;
}

static void release(struct commit *commit)
{
	nameset_deinit(&commit->changed);
	nameset_deinit(&commit->dirty);
	plan_free(commit->plan);
	free(commit);
}

void commit_abort(struct commit *commit)
{
	store_write_abort(commit->write);
	store_read_end(commit->before);
	release(commit);
}

/* ---- which views answer differently under another plan ---- */

/* All of @view that decides an answer, as text; NULL when out of memory. */
static char *fingerprint(const struct plan *plan, const struct plan_view *view)
{
	struct plan_view alone = *view;
	struct plan part = { .udp_payload = plan->udp_payload,
			     .views = &alone,
			     .view_count = 1,
			     .block_count = view->block_count };
	char *text = NULL;

	part.blocks = calloc(view->block_count + 1, sizeof(*part.blocks));
	alone.blocks = calloc(view->block_count + 1, sizeof(*alone.blocks));
	if (part.blocks && alone.blocks) {
		for (unsigned b = 0; b < view->block_count; b++) {
			part.blocks[b] = plan->blocks[view->blocks[b]];
			alone.blocks[b] = b;
		}
		text = plan_encode(&part);
	}
	free(part.blocks);
	free(alone.blocks);
	return text;
}

/* Does view @id answer alike under both plans? */
static bool is_same_view(const struct plan *a, const struct plan *b, uint32_t id)
{
	const struct plan_view *va = a ? plan_view_find(a, id) : NULL;
	const struct plan_view *vb = b ? plan_view_find(b, id) : NULL;
	char *ta, *tb;
	bool same;

	if (!va || !vb)
		return false;
	ta = fingerprint(a, va);
	tb = fingerprint(b, vb);
	same = ta && tb && !strcmp(ta, tb);
	free(ta);
	free(tb);
	return same;
}

/* Is view @id published by names (true), or taken back and published as a whole? */
static bool by_difference(const struct commit *commit, uint32_t id)
{
	return !commit->plan || is_same_view(commit->commits->plan, commit->plan, id);
}

/* ---- the steps ---- */

/* Put the plan, if it differs in more than its generation. */
static int put_plan(struct commit *commit)
{
	struct commits *c = commit->commits;
	char *text, *old;
	int r = 0;

	if (!commit->plan)
		return 0;
	commit->plan->generation = c->plan ? c->plan->generation : 0;
	text = plan_encode(commit->plan);
	old = c->plan ? plan_encode(c->plan) : NULL;
	if (text && old && !strcmp(text, old)) {
		plan_free(commit->plan);
		commit->plan = NULL;
		goto out;
	}
	free(text);
	commit->plan->generation++;
	text = plan_encode(commit->plan);
	r = text ? store_meta_put(commit->write, PLAN_KEY, text, strlen(text))
		 : -ENOMEM;
	commit->result.plan_changed = true;
out:
	free(text);
	free(old);
	return r;
}

static int gather(struct commit *commit)
{
	struct commits *c = commit->commits;
	struct dirty_inputs inputs = {
		.plan = c->plan,
		.before = commit->before,
		.after = store_write_reader(commit->write),
		.changed = &commit->changed,
		.publisher = c->publisher,
	};
	int r = 0;

	dirty_classify(&commit->changed, inputs.before, inputs.after);
	if (!publisher_is_on(c->publisher) || !c->plan)
		return 0;
	for (unsigned v = 0; v < c->plan->view_count && r == 0; v++)
		if (by_difference(commit, c->plan->views[v].id))
			r = dirty_gather(&inputs, &c->plan->views[v], &commit->dirty);
	return r;
}

static void unpublish(struct commit *commit)
{
	struct commits *c = commit->commits;

	if (!publisher_is_on(c->publisher) || !c->plan)
		return;
	for (unsigned v = 0; v < c->plan->view_count; v++)
		if (!by_difference(commit, c->plan->views[v].id))
			publisher_retract_view(c->publisher, c->plan, commit->before,
					       c->plan->views[v].id);
	for (size_t i = 0; i < commit->dirty.count; i++) {
		const struct nameset_member *m = &commit->dirty.at[i];

		publisher_retract(
			c->publisher, c->plan, commit->before, m->view, m->name,
			m->word & PUBLISH_WHOLE ? PUBLISH_WHOLE : PUBLISH_NEGATIVE);
	}
}

static void publish(struct commit *commit, const struct plan *old)
{
	struct commits *c = commit->commits;
	struct store_read *read;

	if (!publisher_is_on(c->publisher) || store_read_begin(c->store, &read) < 0)
		return;
	for (unsigned v = 0; v < c->plan->view_count; v++) {
		uint32_t id = c->plan->views[v].id;

		if (commit->result.plan_changed && !is_same_view(old, c->plan, id))
			publisher_publish_view(c->publisher, c->plan, read, id);
	}
	for (size_t i = 0; i < commit->dirty.count; i++) {
		const struct nameset_member *m = &commit->dirty.at[i];

		publisher_publish(c->publisher, c->plan, read, m->view, m->name,
				  m->word & PUBLISH_WHOLE ? PUBLISH_WHOLE
							  : PUBLISH_NEGATIVE);
	}
	commit->result.published = (unsigned)commit->dirty.count;
	c->left_out = publisher_settle(c->publisher, c->plan, read);
	store_read_end(read);
}

static void on_flushed(void *context)
{
	struct commit *commit = context;

	if (--commit->flushing > 0)
		return;
	if (commit->done)
		commit->done(commit->done_context, &commit->result);
	release(commit);
}

static void flush_one(struct commit *commit, uint32_t view, const uint8_t *name)
{
	struct commits *c = commit->commits;

	if (!c->flush)
		return;
	commit->flushing++;
	c->flush(c->context, view, name, on_flushed, commit);
}

static bool view_forwards(const struct plan *plan, const struct plan_view *view)
{
	for (unsigned b = 0; b < view->block_count; b++)
		if (plan->blocks[view->blocks[b]].recursion)
			return true;
	return false;
}

static void flush_names(struct commit *commit, const struct plan_view *view)
{
	const struct plan *plan = commit->commits->plan;
	const struct nameset *changed = &commit->changed;
	unsigned count = 0;

	for (size_t i = 0; i < changed->count && count <= FLUSH_NAMES_MAX; i++)
		if (changed->at[i].word & CHANGE_EXISTENCE &&
		    publish_view_uses(plan, view, changed->at[i].view))
			count++;
	if (count > FLUSH_NAMES_MAX) {
		flush_one(commit, view->id, NULL);
		return;
	}
	for (size_t i = 0; i < changed->count; i++)
		if (changed->at[i].word & CHANGE_EXISTENCE &&
		    publish_view_uses(plan, view, changed->at[i].view))
			flush_one(commit, view->id, changed->at[i].name);
}

static void flush_caches(struct commit *commit, const struct plan *old)
{
	const struct plan *plan = commit->commits->plan;

	for (unsigned v = 0; v < plan->view_count; v++) {
		const struct plan_view *view = &plan->views[v];

		if (commit->result.plan_changed && !is_same_view(old, plan, view->id)) {
			/* also of a new one: numbers last, and caches longer than plans */
			if (old)
				flush_one(commit, view->id, NULL);
		} else if (view_forwards(plan, view)) {
			flush_names(commit, view);
		}
	}
}

int commit_end(struct commit *commit, commit_done *done, void *context)
{
	struct commits *c = commit->commits;
	struct plan *old = NULL;
	int r;

	commit->done = done;
	commit->done_context = context;
	commit->flushing = 1; /* of our own, until all flushes are on their way */
	commit->result.names = (unsigned)commit->changed.count;
	r = put_plan(commit);
	if (r == 0)
		r = gather(commit);
	if (r < 0) {
		store_write_abort(commit->write);
		goto failed;
	}
	unpublish(commit);
	r = store_write_commit(commit->write);
	if (r < 0) {
		/* What was taken back is still true: back with it. */
		store_read_end(commit->before);
		commits_publish_all(c);
		goto failed_read_ended;
	}
	store_read_end(commit->before);
	if (commit->plan) {
		old = c->plan;
		c->plan = commit->plan;
		commit->plan = NULL;
	}
	if (c->plan) {
		publish(commit, old);
		flush_caches(commit, old);
	}
	plan_free(old);
	on_flushed(commit);
	return 0;

failed:
	store_read_end(commit->before);
failed_read_ended:
	commit->result = (struct commit_result){ .error = r };
	on_flushed(commit);
	return r;
}
