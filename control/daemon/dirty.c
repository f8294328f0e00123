/* SPDX-License-Identifier: BSD-3-Clause */
/* dirty.c - see dirty.h. */
#include "dirty.h"

#include <errno.h>
#include <string.h>

#include "daemon/publish.h"
#include "dns/name.h"
#include "lane53/wire.h"
#include "plan/plan.h"
#include "store/store.h"

/* ---- what kind of change ---- */

struct node {
	bool exists, has_cut;
	struct rrset soa; /* count 0 = none */
};

static bool look_at(void *context, const struct rrset *set)
{
	struct node *node = context;

	node->exists = true;
	if (set->type == TYPE_NS || set->type == TYPE_DNAME)
		node->has_cut = true;
	if (set->type == TYPE_SOA)
		node->soa = *set;
	return true;
}

static struct node node_at(struct store_read *read, uint32_t source,
			   const uint8_t *owner)
{
	struct node node = { .exists = false };

	store_each_type(read, source, owner, look_at, &node);
	return node;
}

static bool is_same_set(const struct rrset *a, const struct rrset *b)
{
	return a->count == b->count && a->ttl_s == b->ttl_s &&
	       a->rdata_bytes == b->rdata_bytes &&
	       (!a->rdata_bytes || !memcmp(a->rdata, b->rdata, a->rdata_bytes));
}

static bool has_dname(struct store_read *read, uint32_t source, const uint8_t *owner)
{
	struct rrset set;

	return store_get(read, source, owner, TYPE_DNAME, &set);
}

void dirty_classify(struct nameset *changed, struct store_read *before,
		    struct store_read *after)
{
	for (size_t i = 0; i < changed->count; i++) {
		struct nameset_member *m = &changed->at[i];
		struct node was = node_at(before, m->view, m->name);
		struct node is = node_at(after, m->view, m->name);
		bool apex = was.soa.count || is.soa.count;

		m->word = 0;
		if (was.exists != is.exists)
			m->word |= CHANGE_EXISTENCE;
		if (!is_same_set(&was.soa, &is.soa))
			m->word |= CHANGE_SOA;
		/* NS at an apex is no cut (RFC 1034 4.2.1), DNAME there covers all. */
		if ((was.has_cut || is.has_cut) &&
		    (!apex || has_dname(before, m->view, m->name) ||
		     has_dname(after, m->view, m->name)))
			m->word |= CHANGE_CUT;
	}
}

/* ---- which names ---- */

struct gathering {
	const struct dirty_inputs *inputs;
	const struct plan_view *view;
	struct nameset *dirty;
	struct nameset roots; /* what aliases may depend on */
	bool existence;
	const uint8_t *top;
	struct store_read *read;
	int error;
};

static void mark(struct gathering *g, const uint8_t *owner, enum publish_extent extent)
{
	size_t n = nameset_add(g->dirty, g->view->id, owner);

	if (n == NAMESET_NONE)
		g->error = -ENOMEM;
	else
		g->dirty->at[n].word |= extent;
}

static bool mark_owner(void *context, const uint8_t *owner, const struct rrset *set)
{
	struct gathering *g = context;

	(void)set;
	mark(g, owner, PUBLISH_WHOLE);
	return !g->error;
}

static bool mark_source(void *context, uint32_t source)
{
	struct gathering *g = context;

	store_each(g->read, source, g->top, mark_owner, g);
	return !g->error;
}

static void mark_below(struct gathering *g, const uint8_t *top)
{
	g->top = top;
	g->read = g->inputs->before;
	publish_each_source(g->inputs->plan, g->view, mark_source, g);
	g->read = g->inputs->after;
	publish_each_source(g->inputs->plan, g->view, mark_source, g);
}

static int mark_extra(void *context, const uint8_t *owner)
{
	struct gathering *g = context;

	mark(g, owner, PUBLISH_NEGATIVE);
	return g->error;
}

static void mark_root(struct gathering *g, const uint8_t *name)
{
	if (nameset_add(&g->roots, g->view->id, name) == NAMESET_NONE)
		g->error = -ENOMEM;
}

/*
 * A name that comes or goes makes empty non-terminals above it come and go, and with
 * them the closest encloser of names that a wildcard answers (RFC 4592 3.3.1).
 */
static void mark_enclosers(struct gathering *g, uint32_t source, const uint8_t *name)
{
	const uint8_t *up = name_parent(name);

	g->existence = true;
	while (*up && store_presence(g->inputs->before, source, up) !=
			      store_presence(g->inputs->after, source, up)) {
		mark_root(g, up);
		up = name_parent(up);
	}
}

static void take_change(struct gathering *g, const struct nameset_member *m)
{
	mark(g, m->name, PUBLISH_WHOLE);
	mark_root(g, m->name);
	if (m->name[0] == 1 && m->name[1] == '*')
		mark_root(g, name_parent(m->name));
	if (m->word & CHANGE_EXISTENCE)
		mark_enclosers(g, m->view, m->name);
	if (m->word & CHANGE_CUT)
		mark_below(g, m->name);
	else if (m->word & CHANGE_SOA)
		(void)publisher_each_extra(g->inputs->publisher, g->view->id, m->name,
					   mark_extra, g);
}

int dirty_gather(const struct dirty_inputs *inputs, const struct plan_view *view,
		 struct nameset *dirty)
{
	struct gathering g = { .inputs = inputs, .view = view, .dirty = dirty };

	nameset_init(&g.roots);
	for (size_t i = 0; i < inputs->changed->count && !g.error; i++) {
		const struct nameset_member *m = &inputs->changed->at[i];

		if (publish_view_uses(inputs->plan, view, m->view))
			take_change(&g, m);
	}
	if (!g.error && g.roots.count)
		g.error = publisher_dirty_aliases(inputs->publisher, view->id, &g.roots,
						  g.existence, dirty);
	nameset_deinit(&g.roots);
	return g.error;
}
