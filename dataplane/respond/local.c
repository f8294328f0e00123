/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * local.c - what local records say: engine_answer_local().
 *
 *   sname ─► route to its block ─► manual, hosts, zone ─► answer
 *     ▲                                              └──► alias: append, next sname
 *     └──────────────────────────────────────────────────────┘
 *
 * Every alias is routed anew, so a chain may lead from one zone file into another, or
 * into hosts, of the same view; where it leaves local data, the caller goes on.
 */
#include <string.h>
#include "lane53/abi.h"
#include "lane53/wire.h"
#include "cache/answer.h"
#include "dns/name.h"
#include "plan/plan.h"
#include "respond/build.h"
#include "respond/engine.h"
#include "respond/signed.h"
#include "respond/special.h"
#include "respond/state.h"
#include "store/store.h"
#include "store/zone.h"

/* CoreDNS's limit too; a longer chain is a loop or might as well be one. */
#define ALIASES_MAX 8

struct walk {
	const struct plan *plan;
	const struct plan_view *view;
	struct store_read *read;
	uint16_t qtype;
	struct build build;
	unsigned aliases;
	uint8_t sname[255];
	bool is_manual; /* sname has records set by hand: it exists */
	bool dnssec;    /* the zone looked at is signed, and the query has DO */
	struct signed_part *signed_part;
};

enum found {
	FOUND_NOTHING, /* the next step */
	FOUND_ANSWER,  /* complete */
	FOUND_ALIAS,   /* sname is the next name */
	FOUND_FAILURE, /* SERVFAIL, and no further step */
};

static enum found put_set(struct walk *w, const struct rrset *set)
{
	if (set->type == TYPE_RRSIG)
		signed_put_all(w->signed_part, w->sname, set);
	else
		build_rrset(&w->build, SECTION_ANSWER, w->sname, set, set->ttl_s);
	return FOUND_ANSWER;
}

static enum found fail(struct walk *w, enum lane53_cause cause)
{
	w->build.answer->cause = (uint8_t)cause;
	return FOUND_FAILURE;
}

static enum found follow(struct walk *w, const uint8_t *target)
{
	name_lower(w->sname, target);
	w->aliases++;
	return FOUND_ALIAS;
}

struct first {
	struct walk *walk;
	bool found;
	uint16_t type;
	uint32_t ttl_s;
};

static bool put_first(void *context, const struct rrset *set)
{
	struct first *first = context;

	if (set->type == TYPE_RRSIG || set->type == TYPE_NSEC)
		return true;
	put_set(first->walk, set);
	first->found = true;
	first->type = set->type;
	first->ttl_s = set->ttl_s;
	return false;
}

/*
 * ANY: the first RRset of @node, shown under sname (RFC 8482 4.1: a subset will do).
 * Return: was there one?
 */
static bool put_any(struct walk *w, uint32_t source, const uint8_t *node)
{
	struct first first = { .walk = w };

	store_each_type(w->read, source, node, put_first, &first);
	if (first.found && w->dnssec)
		signed_signatures(w->signed_part, SECTION_ANSWER, source, node,
				  w->sname, first.type, first.ttl_s);
	return first.found;
}

/* ---- records set by hand: they win at their exact name and type ---- */

static enum found look_manual(struct walk *w)
{
	const uint32_t source = w->view->manual;
	const uint8_t *target;
	struct rrset set;

	w->is_manual =
		source && store_presence(w->read, source, w->sname) == STORE_NAME;
	if (!w->is_manual)
		return FOUND_NOTHING;
	if (w->qtype == TYPE_ANY)
		return put_any(w, source, w->sname) ? FOUND_ANSWER : FOUND_NOTHING;
	if (store_get(w->read, source, w->sname, w->qtype, &set))
		return put_set(w, &set);
	if (!store_get(w->read, source, w->sname, TYPE_CNAME, &set))
		return FOUND_NOTHING;
	target = rrset_name(&set);
	if (!target)
		return fail(w, LANE53_CAUSE_RECORDS);
	put_set(w, &set);
	return follow(w, target);
}

/* ---- hosts (spec 4.14) ---- */

static bool has_address(struct walk *w, uint32_t source, const uint8_t *name)
{
	struct rrset set;

	return store_get(w->read, source, name, TYPE_A, &set) ||
	       store_get(w->read, source, name, TYPE_AAAA, &set);
}

/* The host entry for sname: its own, or a wildcard in place of its first label; NULL = none. */
static const uint8_t *find_host(struct walk *w, uint32_t source, uint8_t room[257])
{
	const uint8_t *parent;

	if (has_address(w, source, w->sname))
		return w->sname;
	if (!*w->sname)
		return NULL;
	parent = name_parent(w->sname);
	if (!*parent)
		return NULL; /* a wildcard at the root is no host's */
	room[0] = 1;
	room[1] = '*';
	memcpy(room + 2, parent, name_size(parent));
	return has_address(w, source, room) ? room : NULL;
}

static bool falls_through(const struct walk *w, const struct plan_step *step)
{
	return step->fallthrough.on && plan_names_cover(&step->fallthrough.zones,
							w->sname, name_size(w->sname));
}

static enum found look_hosts(struct walk *w, const struct plan_step *step)
{
	uint8_t room[257];
	const uint8_t *host;
	struct rrset set;

	/* A PTR without an entry always goes on, even without fallthrough. */
	if (w->qtype == TYPE_PTR)
		return store_get(w->read, step->source, w->sname, TYPE_PTR, &set)
			       ? put_set(w, &set)
			       : FOUND_NOTHING;
	if (!plan_names_cover(&step->zones, w->sname, name_size(w->sname)))
		return FOUND_NOTHING;
	host = find_host(w, step->source, room);
	if (!host)
		return falls_through(w, step) || w->is_manual
			       ? FOUND_NOTHING
			       : fail(w, LANE53_CAUSE_HOSTS);
	if (w->qtype == TYPE_ANY)
		put_any(w, step->source, host);
	else if (store_get(w->read, step->source, host, w->qtype, &set))
		put_set(w, &set);
	return FOUND_ANSWER; /* NODATA without SOA: hosts has none */
}

/* ---- zone files ---- */

/* RFC 2308 3, 5: the SOA with the lesser of its TTL and MINIMUM (the last 4 bytes). */
static void put_soa(struct walk *w, const struct plan_step *step,
		    const struct rrset *soa)
{
	const uint8_t *origin = step->zones.at[0].wire;
	const uint8_t *rdata;
	uint16_t len;
	size_t pos = 0;
	uint32_t ttl_s;

	if (!rrset_next(soa, &pos, &rdata, &len) || len < 4)
		return;
	ttl_s = ttl_read(rdata + len - 4);
	if (soa->ttl_s < ttl_s)
		ttl_s = soa->ttl_s;
	build_rrset(&w->build, SECTION_AUTHORITY, origin, soa, ttl_s);
	if (w->dnssec)
		signed_signatures(w->signed_part, SECTION_AUTHORITY, step->source,
				  origin, origin, TYPE_SOA, ttl_s);
}

/* RFC 4035 3.1.3.1, 3.1.3.4: that there is no more at @node, sname or its wildcard. */
static void put_nodata(struct walk *w, const struct plan_step *step,
		       const struct zone_result *zone)
{
	put_soa(w, step, &zone->soa);
	if (!w->dnssec)
		return;
	signed_prove(w->signed_part, step->source, zone->node);
	if (zone->wildcard)
		signed_prove(w->signed_part, step->source, w->sname);
}

/* RFC 4035 3.1.3.2: that there is neither the name nor a wildcard for it. */
static void put_nxdomain(struct walk *w, const struct plan_step *step,
			 const struct zone_result *zone)
{
	put_soa(w, step, &zone->soa);
	if (!w->dnssec)
		return;
	signed_prove(w->signed_part, step->source, w->sname);
	signed_prove(w->signed_part, step->source, zone->node_room);
}

/* The set of sname, its own or a wildcard's (RFC 4035 3.1.3.3). */
static void put_zone_set(struct walk *w, const struct plan_step *step,
			 const struct zone_result *zone)
{
	put_set(w, &zone->set);
	if (!w->dnssec)
		return;
	signed_signatures(w->signed_part, SECTION_ANSWER, step->source, zone->node,
			  w->sname, zone->set.type, zone->set.ttl_s);
	if (zone->wildcard)
		signed_prove_later(w->signed_part, step->source, w->sname);
}

static void put_dname_set(struct walk *w, const struct plan_step *step,
			  const struct zone_result *zone)
{
	build_rrset(&w->build, SECTION_ANSWER, zone->owner, &zone->set,
		    zone->set.ttl_s);
	if (w->dnssec)
		signed_signatures(w->signed_part, SECTION_ANSWER, step->source,
				  zone->owner, zone->owner, TYPE_DNAME,
				  zone->set.ttl_s);
}

/* RFC 6672 3.1: the DNAME, and a CNAME made from it with the same TTL. */
static enum found put_dname(struct walk *w, const struct plan_step *step,
			    const struct zone_result *zone)
{
	struct message_rr cname = {
		.owner = w->sname,
		.type = TYPE_CNAME,
		.class_ = CLASS_IN,
		.ttl_s = zone->set.ttl_s,
		.rdata = zone->target,
		.rdata_len = (uint16_t)name_size(zone->target),
	};

	put_dname_set(w, step, zone);
	build_rr(&w->build, SECTION_ANSWER, &cname);
	if (w->qtype == TYPE_CNAME)
		return FOUND_ANSWER;
	return follow(w, zone->target);
}

/* RFC 4035 3.1.4: is what is below the cut signed too? */
static void put_delegation_proof(struct walk *w, uint32_t source, const uint8_t *cut)
{
	struct rrset ds;

	if (!store_get(w->read, source, cut, TYPE_DS, &ds)) {
		signed_prove(w->signed_part, source, cut);
		return;
	}
	build_rrset(&w->build, SECTION_AUTHORITY, cut, &ds, ds.ttl_s);
	signed_signatures(w->signed_part, SECTION_AUTHORITY, source, cut, cut, TYPE_DS,
			  ds.ttl_s);
}

/* A referral: NS of the cut, and the addresses that the zone has for them. */
static enum found put_referral(struct walk *w, const struct plan_step *step,
			       const struct zone_result *zone)
{
	static const uint16_t types[] = { TYPE_A, TYPE_AAAA };
	const uint8_t *target;
	struct rrset glue;
	uint16_t len;

	build_rrset(&w->build, SECTION_AUTHORITY, zone->owner, &zone->set,
		    zone->set.ttl_s);
	if (w->dnssec)
		put_delegation_proof(w, step->source, zone->owner);
	signed_proofs(w->signed_part); /* before the additional section begins */
	for (unsigned i = 0; i < 2; i++)
		for (size_t pos = 0; rrset_next(&zone->set, &pos, &target, &len);)
			if (name_length(target, len) == len &&
			    zone_glue(w->read, step->source, step->zones.at[0].wire,
				      target, types[i], &glue))
				build_rrset(&w->build, SECTION_ADDITIONAL, target,
					    &glue, glue.ttl_s);
	if (!w->aliases)
		w->build.answer->flags &= (uint16_t)~FLAG_AA;
	return FOUND_ANSWER;
}

static enum found look_zone(struct walk *w, const struct plan_step *step)
{
	struct zone_result zone;

	zone_lookup(w->read, step->source, step->zones.at[0].wire, w->sname, w->qtype,
		    &zone);
	w->build.answer->is_signed |= zone.is_signed;
	w->dnssec = zone.is_signed && w->build.answer->dnssec_ok;
	switch (zone.status) {
	case ZONE_ABSENT:
		return fail(w, LANE53_CAUSE_ZONE);
	case ZONE_FOUND:
		put_zone_set(w, step, &zone);
		return FOUND_ANSWER;
	case ZONE_CNAME:
		put_zone_set(w, step, &zone);
		return follow(w, zone.target);
	case ZONE_DNAME:
		return put_dname(w, step, &zone);
	case ZONE_YXDOMAIN:
		put_dname_set(w, step, &zone);
		w->build.answer->flags |= RCODE_YXDOMAIN;
		return FOUND_ANSWER;
	case ZONE_DELEGATION:
		return put_referral(w, step, &zone);
	case ZONE_NODATA:
		if (w->qtype != TYPE_ANY || !put_any(w, step->source, zone.node))
			put_nodata(w, step, &zone);
		else if (w->dnssec && zone.wildcard)
			signed_prove_later(w->signed_part, step->source, w->sname);
		return FOUND_ANSWER;
	case ZONE_NXDOMAIN:
		break;
	}
	if (w->is_manual) {
		put_soa(w, step, &zone.soa);
		return FOUND_ANSWER;
	}
	if (falls_through(w, step))
		return FOUND_NOTHING;
	w->build.answer->flags |= RCODE_NXDOMAIN; /* of the chain's end: RFC 6604 2.1 */
	put_nxdomain(w, step, &zone);
	return FOUND_ANSWER;
}

/* ---- all of it ---- */

static bool goes_on(const struct walk *w, const struct plan_block *block)
{
	return forward_step(block, w->sname) ||
	       (!w->aliases && special_step(block, STEP_WHOAMI, w->sname));
}

static bool is_zone_above(const struct plan_step *step, const uint8_t *name)
{
	return step->kind == STEP_ZONE && step->zones.count &&
	       name_is_below(name, step->zones.at[0].wire);
}

/*
 * Bytes of the longest origin of the block's zones that sname is in, 0 = none: of a zone
 * and one below it, the lower one answers; but a DS is its parent's (RFC 4035 3.1.4.1).
 */
static unsigned longest_origin(const struct walk *w, const struct plan_block *block)
{
	unsigned longest = 0, apex = 0;

	for (unsigned i = 0; i < block->step_count; i++) {
		const struct plan_step *step = &block->steps[i];
		unsigned len;

		if (!is_zone_above(step, w->sname))
			continue;
		len = step->zones.at[0].len;
		if (w->qtype == TYPE_DS && len == name_size(w->sname))
			apex = len;
		else if (len > longest)
			longest = len;
	}
	return longest ? longest : apex;
}

/* Of a chain, who had its first name. */
static void answered_by(struct walk *w, enum lane53_directive directive,
			enum found found)
{
	if (found != FOUND_NOTHING && w->build.answer->directive == LANE53_BY_NONE)
		w->build.answer->directive = (uint8_t)directive;
}

static enum found look(struct walk *w, const struct plan_block *block)
{
	const unsigned longest = longest_origin(w, block);
	enum found found;

	w->dnssec = false; /* what is set by hand, and hosts, are not signed */
	found = look_manual(w);

	answered_by(w, LANE53_BY_RECORD, found);
	for (unsigned i = 0; i < block->step_count && found == FOUND_NOTHING; i++) {
		const struct plan_step *step = &block->steps[i];

		if (step->kind == STEP_HOSTS) {
			found = look_hosts(w, step);
			answered_by(w, LANE53_BY_HOSTS, found);
		} else if (is_zone_above(step, w->sname) &&
			   step->zones.at[0].len == longest) {
			found = look_zone(w, step);
			answered_by(w,
				    step->automatic ? LANE53_BY_AUTO : LANE53_BY_FILE,
				    found);
		}
	}
	/* It exists, and nobody else is asked: NODATA. */
	if (found == FOUND_NOTHING && w->is_manual && !goes_on(w, block)) {
		found = FOUND_ANSWER;
		answered_by(w, LANE53_BY_RECORD, found);
	}
	return found;
}

static enum answer_result walk_chain(struct walk *w, const struct plan_block *block)
{
	w->build.answer->cause = LANE53_CAUSE_NOT_FOUND;
	for (;;) {
		enum found found = block ? look(w, block) : FOUND_FAILURE;

		if (found == FOUND_ANSWER)
			return ANSWER_DONE;
		if (found == FOUND_NOTHING && goes_on(w, block))
			return ANSWER_FORWARD;
		/* The chain leads to where nobody answers: it is all there is to say. */
		if (found != FOUND_ALIAS)
			return w->aliases ? ANSWER_DONE : ANSWER_FAILED;
		if (w->aliases > ALIASES_MAX) {
			w->build.answer->cause = LANE53_CAUSE_CHAIN;
			return ANSWER_FAILED;
		}
		block = plan_route(w->plan, w->view, w->sname, w->qtype, NULL);
	}
}

enum answer_result engine_answer_local(const struct plan *plan, struct store_read *read,
				       uint32_t view, const uint8_t *qname,
				       uint16_t qtype, struct answer *ret,
				       uint8_t ret_sname[255],
				       const struct plan_block **ret_block,
				       const struct plan_zone **ret_zone)
{
	size_t len = name_size(qname);
	struct signed_part part; /* large: not to be cleared for each query */
	struct walk w = {
		.plan = plan,
		.view = plan_view_find(plan, view),
		.read = read,
		.qtype = qtype,
		.signed_part = &part,
	};
	enum answer_result result;

	*ret_block = NULL;
	*ret_zone = NULL;
	if (w.view)
		*ret_block = plan_route(plan, w.view, qname, qtype, ret_zone);
	if (!*ret_block)
		return ANSWER_REFUSED;
	memcpy(w.sname, qname, len);
	build_begin(&w.build, ret, qname);
	signed_begin(w.signed_part, &w.build, read);
	ret->local = true;
	ret->flags = FLAG_AA;
	if ((*ret_block)->recursion)
		ret->flags |= FLAG_RA;
	result = walk_chain(&w, *ret_block);
	signed_proofs(w.signed_part);
	memcpy(ret_sname, w.sname, name_size(w.sname));
	if (build_end(&w.build))
		return result;
	ret->cause = LANE53_CAUSE_RECORDS;
	return ANSWER_FAILED;
}
