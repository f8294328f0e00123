/* SPDX-License-Identifier: BSD-3-Clause */
/* publish.c - see publish.h. */
#include "publish.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cache/table.h"
#include "daemon/aliases.h"
#include "daemon/nameset.h"
#include "dns/name.h"
#include "lane53/wire.h"
#include "plan/plan.h"
#include "respond/engine.h"
#include "store/store.h"

/* What does not fit a blob is not published; room to find that out. */
#define ANSWER_ROOM 4096

/*
 * With so many slots in use answers that only say NODATA are left to the lane: a million
 * names would take three million slots, 200 bytes each, to say of most that they have no
 * AAAA and no HTTPS.  2^18 slots are 16 MiB, and more names than a node's cluster has.
 */
#define NEGATIVES_UP_TO (1u << 18)

/* More types at one name than this: the rest takes the lane. */
#define TYPES_MAX 64

/* One name to so many answers may stay without room: see publisher_settle(). */
#define LEFT_OUT_RATIO 64

struct publisher {
	struct table *table;
	struct publish_growth growth;
	struct aliases aliases;
	struct nameset
		full;      /* names with answers that found no room; word: 1 = so now */
	unsigned left_out; /* how many of them */
	unsigned skipped;  /* names not even tried: the table is far too small */
	/*
	 * Names with answers of types that they do not have: NODATA, or an alias's; word:
	 * 1 = so now.  Of a million names most have none (NEGATIVES_UP_TO), so that a new
	 * serial, which changes all NODATA of a zone, is not the business of each.
	 */
	struct nameset extra;
	size_t extra_count; /* with word 1 */
	bool is_fresh;      /* the table is being filled: nothing to take back */
};

/* ---- names without room ---- */

static void note_full(struct publisher *p, uint32_t view, const uint8_t *owner)
{
	size_t n = nameset_add(&p->full, view, owner);

	if (n == NAMESET_NONE || p->full.at[n].word)
		return;
	p->full.at[n].word = 1;
	p->left_out++;
}

static void forget_full(struct publisher *p, uint32_t view, const uint8_t *owner)
{
	size_t n = p->left_out ? nameset_find(&p->full, view, owner) : NAMESET_NONE;

	if (n == NAMESET_NONE || !p->full.at[n].word)
		return;
	p->full.at[n].word = 0;
	p->left_out--;
}

/* ---- names with answers of types that they do not have ---- */

static void note_extra(struct publisher *p, uint32_t view, const uint8_t *owner,
		       bool has)
{
	size_t n = has ? nameset_add(&p->extra, view, owner)
		       : nameset_find(&p->extra, view, owner);

	if (n == NAMESET_NONE)
		return;
	p->extra_count += has;
	p->extra_count -= p->extra.at[n].word;
	p->extra.at[n].word = has;
}

/* Names come and go: without those that have gone, once they are the most. */
static void tidy_extra(struct publisher *p)
{
	struct nameset kept;

	if (p->extra.count < 1024 || p->extra.count / 2 < p->extra_count)
		return;
	nameset_init(&kept);
	for (size_t n = 0; n < p->extra.count; n++) {
		const struct nameset_member *m = &p->extra.at[n];
		size_t k = m->word ? nameset_add(&kept, m->view, m->name) : 0;

		if (k == NAMESET_NONE) {
			nameset_deinit(&kept);
			return;
		}
		if (m->word)
			kept.at[k].word = 1;
	}
	nameset_deinit(&p->extra);
	p->extra = kept;
}

int publisher_each_extra(const struct publisher *p, uint32_t view, const uint8_t *top,
			 int (*each)(void *context, const uint8_t *owner),
			 void *context)
{
	int r = 0;

	for (size_t n = 0; n < p->extra.count && r == 0; n++) {
		const struct nameset_member *m = &p->extra.at[n];

		if (m->word && m->view == view && name_is_below(m->name, top))
			r = each(context, m->name);
	}
	return r;
}

static void forget_all(struct publisher *p)
{
	nameset_deinit(&p->extra);
	p->extra_count = 0;
	nameset_deinit(&p->full);
	p->left_out = p->skipped = 0;
}

/* ---- life ---- */

int publisher_open(struct publisher **ret, struct table *table,
		   const struct publish_growth *growth)
{
	struct publisher *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->table = table;
	if (growth)
		p->growth = *growth;
	aliases_init(&p->aliases);
	nameset_init(&p->full);
	nameset_init(&p->extra);
	*ret = p;
	return 0;
}

void publisher_close(struct publisher *p)
{
	if (!p)
		return;
	table_close(p->table);
	aliases_deinit(&p->aliases);
	forget_all(p);
	free(p);
}

void publisher_attach(struct publisher *p, struct table *table,
		      const struct publish_growth *growth)
{
	p->table = table;
	if (growth)
		p->growth = *growth;
}

void publisher_detach(struct publisher *p)
{
	table_close(p->table);
	p->table = NULL;
	aliases_deinit(&p->aliases);
	forget_all(p);
}

bool publisher_is_on(const struct publisher *p)
{
	return p->table != NULL;
}

const struct table *publisher_table(const struct publisher *p)
{
	return p->table;
}

void publisher_clear(struct publisher *p)
{
	if (p->table)
		table_clear(p->table);
	aliases_deinit(&p->aliases);
	forget_all(p);
}

/* ---- what a view draws from ---- */

void publish_each_source(const struct plan *plan, const struct plan_view *view,
			 bool (*each)(void *context, uint32_t source), void *context)
{
	if (view->manual && !each(context, view->manual))
		return;
	for (unsigned b = 0; b < view->block_count; b++) {
		const struct plan_block *block = &plan->blocks[view->blocks[b]];

		for (unsigned s = 0; s < block->step_count; s++)
			if (block->steps[s].source &&
			    !each(context, block->steps[s].source))
				return;
	}
}

static bool is_not(void *context, uint32_t source)
{
	uint32_t *wanted = context;

	if (source != *wanted)
		return true;
	*wanted = 0;
	return false;
}

bool publish_view_uses(const struct plan *plan, const struct plan_view *view,
		       uint32_t source)
{
	publish_each_source(plan, view, is_not, &source);
	return source == 0;
}

/* ---- the types to ask about ---- */

struct types {
	uint16_t at[TYPES_MAX];
	unsigned count, present; /* the first are those that the name has */
	bool is_alias;           /* every other type has an answer as well */
	struct store_read *read;
	const uint8_t *owner;
};

static bool types_has(const struct types *types, uint16_t type)
{
	for (unsigned i = 0; i < types->count; i++)
		if (types->at[i] == type)
			return true;
	return false;
}

static void types_add(struct types *types, uint16_t type)
{
	if (!types_has(types, type) && types->count < TYPES_MAX)
		types->at[types->count++] = type;
}

static bool add_set(void *context, const struct rrset *set)
{
	/* Every name of a signed zone has them, and nobody asks for them. */
	if (set->type != TYPE_RRSIG && set->type != TYPE_NSEC)
		types_add(context, set->type);
	return true;
}

static bool add_source(void *context, uint32_t source)
{
	struct types *types = context;

	store_each_type(types->read, source, types->owner, add_set, types);
	return true;
}

/* Stub resolvers ask for these of every name. */
static const uint16_t always[] = { TYPE_A, TYPE_AAAA, TYPE_HTTPS };

#define ALWAYS_COUNT (sizeof(always) / sizeof(always[0]))

/* Return: does the name have any records?  Those that have none are not published. */
static bool types_gather(struct types *types, const struct plan *plan,
			 const struct plan_view *view, enum publish_extent extent)
{
	struct types present = { .read = types->read, .owner = types->owner };

	publish_each_source(plan, view, add_source, &present);
	for (unsigned i = 0; i < present.count && extent == PUBLISH_WHOLE; i++)
		types_add(types, present.at[i]);
	types->present = types->count;
	types->is_alias = types_has(&present, TYPE_CNAME);
	for (unsigned i = 0; i < ALWAYS_COUNT; i++)
		if (extent == PUBLISH_WHOLE || !types_has(&present, always[i]))
			types_add(types, always[i]);
	return present.count > 0;
}

/* ---- one answer, one name ---- */

static bool has_room_for_negatives(const struct publisher *p)
{
	struct table_usage usage;

	table_usage(p->table, &usage);
	return usage.slots_used < NEGATIVES_UP_TO;
}

static void take_back(struct publisher *p, const struct table_key *key)
{
	if (!p->is_fresh)
		(void)table_retract(p->table, key);
}

/* Return: is it published? */
static bool publish_type(struct publisher *p, const struct plan *plan,
			 const struct types *types, uint32_t view, uint16_t type)
{
	uint8_t bytes[ANSWER_ROOM], sname[255];
	struct answer answer = { .bytes = bytes, .room = sizeof(bytes) };
	struct table_key key = { .qname = types->owner, .qtype = type, .view = view };
	struct table_meta meta = { .expires_s = LANE53_NEVER_EXPIRES };
	const struct plan_block *block = NULL;
	const struct plan_zone *zone = NULL;
	enum answer_result result;
	bool referral = false;

	result = engine_answer_local(plan, types->read, view, types->owner, type,
				     &answer, sname, &block, &zone);
	/* Also of a chain that loops: the change of a name in it may end that. */
	if (result != ANSWER_REFUSED)
		(void)aliases_note(&p->aliases, view, types->owner, &answer,
				   result == ANSWER_FORWARD ? sname : NULL, &referral);
	/* A referral is not authoritative, and its glue has owners of its own. */
	if (result != ANSWER_DONE || !(answer.flags & FLAG_AA) || referral || !block ||
	    (!answer.ancount && !has_room_for_negatives(p))) {
		take_back(p, &key);
		return false;
	}
	meta.label = zone ? (uint8_t)zone->label : 0;
	meta.directive = answer.directive;
	meta.log = block->log != 0;
	meta.no_do = answer.is_signed;
	if (table_publish(p->table, &key, &answer, &meta) == TABLE_FULL)
		note_full(p, view, types->owner);
	return true;
}

/* Types that the name does not have: NODATA, where there is room, or an alias's. */
static void publish_extra(struct publisher *p, const struct plan *plan,
			  const struct types *types, uint32_t view)
{
	const bool any = types->is_alias || has_room_for_negatives(p);
	bool some = false;

	for (unsigned i = types->present; i < types->count; i++) {
		const struct table_key key = { .qname = types->owner,
					       .qtype = types->at[i],
					       .view = view };

		if (any)
			some |= publish_type(p, plan, types, view, types->at[i]);
		else
			take_back(p, &key);
	}
	note_extra(p, view, types->owner, some);
}

void publisher_publish(struct publisher *p, const struct plan *plan,
		       struct store_read *read, uint32_t view, const uint8_t *owner,
		       enum publish_extent extent)
{
	const struct plan_view *v = plan_view_find(plan, view);
	struct types types = { .read = read, .owner = owner };

	if (!p->table || !v)
		return;
	if (extent == PUBLISH_WHOLE)
		aliases_forget(&p->aliases, view, owner);
	if (!types_gather(&types, plan, v, extent)) {
		note_extra(p, view, owner, false);
		return;
	}
	for (unsigned i = 0; i < types.present; i++)
		(void)publish_type(p, plan, &types, view, types.at[i]);
	publish_extra(p, plan, &types, view);
}

void publisher_retract(struct publisher *p, const struct plan *plan,
		       struct store_read *read, uint32_t view, const uint8_t *owner,
		       enum publish_extent extent)
{
	const struct plan_view *v = plan_view_find(plan, view);
	struct types types = { .read = read, .owner = owner };

	if (!p->table || !v)
		return;
	(void)types_gather(&types, plan, v, extent);
	if (extent == PUBLISH_WHOLE)
		forget_full(p, view, owner);
	for (unsigned i = 0; i < types.count; i++) {
		struct table_key key = { .qname = owner,
					 .qtype = types.at[i],
					 .view = view };

		(void)table_retract(p->table, &key);
	}
}

/* ---- a whole view ---- */

struct walk {
	struct publisher *publisher;
	const struct plan *plan;
	struct store_read *read;
	uint32_t view;
	uint8_t last[255]; /* a name's types follow each other: visit it once */
	bool retract;
};

/* Each answer costs more than a look at the table: settle() will grow it first. */
static bool is_hopeless(const struct publisher *p)
{
	struct table_usage usage;

	if (!p->left_out || !p->growth.begin)
		return false;
	table_usage(p->table, &usage);
	return p->left_out > usage.slots;
}

static bool visit_owner(void *context, const uint8_t *owner, const struct rrset *set)
{
	struct walk *walk = context;

	(void)set;
	if (name_equal(walk->last, owner) && walk->last[0])
		return true;
	memcpy(walk->last, owner, name_size(owner));
	if (!walk->retract && is_hopeless(walk->publisher))
		walk->publisher->skipped++;
	else if (walk->retract)
		publisher_retract(walk->publisher, walk->plan, walk->read, walk->view,
				  owner, PUBLISH_WHOLE);
	else
		publisher_publish(walk->publisher, walk->plan, walk->read, walk->view,
				  owner, PUBLISH_WHOLE);
	return true;
}

static bool visit_source(void *context, uint32_t source)
{
	static const uint8_t root[1] = { 0 };
	struct walk *walk = context;

	memset(walk->last, 0, sizeof(walk->last));
	store_each(walk->read, source, root, visit_owner, walk);
	return true;
}

static void walk_view(struct walk *walk)
{
	const struct plan_view *view = plan_view_find(walk->plan, walk->view);

	if (walk->publisher->table && view)
		publish_each_source(walk->plan, view, visit_source, walk);
}

void publisher_publish_view(struct publisher *p, const struct plan *plan,
			    struct store_read *read, uint32_t view)
{
	walk_view(&(struct walk){ p, plan, read, view, { 0 }, false });
}

void publisher_retract_view(struct publisher *p, const struct plan *plan,
			    struct store_read *read, uint32_t view)
{
	walk_view(&(struct walk){ p, plan, read, view, { 0 }, true });
	aliases_forget_view(&p->aliases, view);
}

/* ---- room ---- */

static void publish_all(struct publisher *p, const struct plan *plan,
			struct store_read *read)
{
	for (unsigned v = 0; v < plan->view_count; v++)
		publisher_publish_view(p, plan, read, plan->views[v].id);
}

/* Return: are all answers in a larger table now, as far as they fit? */
static bool grow(struct publisher *p, const struct table_room *need,
		 const struct plan *plan, struct store_read *read)
{
	struct table *old = p->table, *grown;

	if (!p->growth.begin || p->growth.begin(p->growth.context, need, &grown) < 0)
		return false;
	p->table = grown;
	forget_all(p);
	p->is_fresh = true;
	publish_all(p, plan, read);
	p->is_fresh = false;
	if (p->growth.commit(p->growth.context) == 0) {
		table_close(old);
		return true;
	}
	table_close(grown);
	p->table = old; /* the one XDP still reads */
	forget_all(p);
	publish_all(p, plan, read);
	return false;
}

unsigned publisher_settle(struct publisher *p, const struct plan *plan,
			  struct store_read *read)
{
	struct table_usage usage;

	tidy_extra(p);
	while (p->left_out) {
		const uint32_t names = p->left_out + p->skipped;
		const uint32_t negatives = names * (ALWAYS_COUNT - 1);
		struct table_room need;

		table_usage(p->table, &usage);
		need = (struct table_room){
			.slots = usage.slots_used + names +
				 (negatives < NEGATIVES_UP_TO ? negatives
							      : NEGATIVES_UP_TO),
			.small = usage.small_used + usage.small_refused,
			.large = usage.large_used + usage.large_refused,
		};
		if (names <= usage.slots_used / LEFT_OUT_RATIO ||
		    !grow(p, &need, plan, read))
			break;
	}
	return p->left_out + p->skipped;
}

int publisher_dirty_aliases(const struct publisher *p, uint32_t view,
			    const struct nameset *changed, bool existence,
			    struct nameset *dirty)
{
	return aliases_dirty(&p->aliases, view, changed, existence, dirty);
}
