/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ingress.c - see ingress.h.
 *
 *   eth0.10 ─ vlan 10 ─► eth0: a rule "eth0, vlan 10"?  its scope
 *              └─ none ─► eth0.10: a rule "eth0.10", untagged?  its scope;  none: default
 *   br0 ─ ports ─► each port's scope; one that no rule names: br0's own
 *
 * Ways that lead to different scopes are all kept, as it cannot be known which was taken.
 */
#include "ingress.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include "plan/plan.h"

/* Interfaces on interfaces; deeper ones are left as not known. */
#define DEPTH_MAX 8
#define TAGS_MAX  2 /* as XDP reads them */

/* Outermost first. */
struct tags {
	uint16_t id[TAGS_MAX];
	unsigned count; /* > TAGS_MAX: no rule can name them */
};

/* Where a packet may have been decided upon. */
struct found {
	unsigned *scopes; /* without doubles */
	unsigned count;
	bool unclaimed; /* or by no rule at all */
	bool lost;      /* too deep to tell */
};

struct build {
	const struct ingress_inputs *in;
	struct plan *out;
	bool no_memory;
};

static void *grow(struct build *b, void *at, unsigned count, size_t bytes)
{
	void *grown = realloc(at, (count + 1) * bytes);

	if (!grown)
		b->no_memory = true;
	return grown;
}

static void add_found(struct build *b, struct found *found, unsigned scope)
{
	unsigned *grown;

	for (unsigned i = 0; i < found->count; i++)
		if (found->scopes[i] == scope)
			return;
	grown = grow(b, found->scopes, found->count, sizeof(*grown));
	if (!grown)
		return;
	found->scopes = grown;
	found->scopes[found->count++] = scope;
}

/* ---- scopes ---- */

static bool is_same_scope(const struct plan_scope *a, const struct plan_scope *b)
{
	return a->tenant == b->tenant && a->view == b->view &&
	       a->source_count == b->source_count &&
	       (!a->source_count ||
		!memcmp(a->sources, b->sources, a->source_count * sizeof(*a->sources)));
}

/* The number of @scope, whose sources are taken over. */
static unsigned intern(struct build *b, struct plan_scope *scope)
{
	struct plan *out = b->out;
	struct plan_scope *grown;

	for (unsigned i = 0; i < out->scope_count; i++)
		if (is_same_scope(&out->scopes[i], scope)) {
			free(scope->sources);
			return i;
		}
	grown = grow(b, out->scopes, out->scope_count, sizeof(*grown));
	if (!grown) {
		free(scope->sources);
		return 0;
	}
	out->scopes = grown;
	out->scopes[out->scope_count] = *scope;
	return out->scope_count++;
}

/* Before those that are shorter, behind those as long; the first of a prefix counts. */
static void add_source(struct build *b, struct plan_scope *scope,
		       const struct xdp_prefix *prefix, uint32_t tenant)
{
	struct plan_source *grown;
	unsigned at = 0;

	while (at < scope->source_count && scope->sources[at].bits >= prefix->bits) {
		if (scope->sources[at].bits == prefix->bits &&
		    !memcmp(scope->sources[at].addr, prefix->addr, 16))
			return;
		at++;
	}
	grown = grow(b, scope->sources, scope->source_count, sizeof(*grown));
	if (!grown)
		return;
	scope->sources = grown;
	memmove(grown + at + 1, grown + at,
		(scope->source_count - at) * sizeof(*grown));
	memset(&grown[at], 0, sizeof(*grown)); /* compared with its padding */
	memcpy(grown[at].addr, prefix->addr, 16);
	grown[at].bits = prefix->bits;
	grown[at].tenant = tenant;
	scope->source_count++;
}

static bool names_tags(const struct xdp_rule *rule, const struct tags *tags)
{
	return tags->count <= TAGS_MAX &&
	       rule->vlan == (tags->count > 0 ? tags->id[0] : 0) &&
	       rule->vlan_inner == (tags->count > 1 ? tags->id[1] : 0);
}

/* Does a rule name @iface and @tags?  Then its scope is added to @found. */
static bool claim(struct build *b, const struct iface *iface, const struct tags *tags,
		  struct found *found)
{
	bool named = false, has_tenant = false, hijacks = false;
	struct plan_scope scope = { 0 };

	for (unsigned i = 0; i < b->in->rule_count; i++) {
		const struct xdp_rule *rule = &b->in->rules[i];

		if (!names_tags(rule, tags) || fnmatch(rule->pattern, iface->name, 0))
			continue;
		named = true;
		if (!rule->from_count && !has_tenant) {
			scope.tenant = rule->tenant;
			has_tenant = true;
		}
		for (unsigned f = 0; f < rule->from_count; f++)
			add_source(b, &scope, &rule->from[f], rule->tenant);
		if (rule->hijack && !hijacks) {
			scope.view = rule->view;
			hijacks = true;
		}
	}
	if (named)
		add_found(b, found, intern(b, &scope));
	return named;
}

/* ---- down to where the frame came in ---- */

static const struct iface *by_index(const struct ingress_inputs *in, unsigned ifindex)
{
	for (unsigned i = 0; i < in->iface_count; i++)
		if (in->ifaces[i].ifindex == ifindex)
			return &in->ifaces[i];
	return NULL;
}

static void visit(struct build *b, const struct iface *iface, const struct tags *tags,
		  struct found *found, unsigned depth);

static struct tags inside(uint16_t vlan, const struct tags *tags)
{
	struct tags out = { .id = { vlan, tags->id[0] }, .count = tags->count + 1 };

	return out;
}

/* A port of a bridge that sorts VLANs may have had the frame with any tag, or none. */
static void visit_any_tags(struct build *b, const struct iface *port,
			   struct found *found, unsigned depth)
{
	for (unsigned i = 0; i < b->in->rule_count; i++) {
		const struct xdp_rule *rule = &b->in->rules[i];
		const struct tags tags = {
			.id = { rule->vlan, rule->vlan_inner },
			.count = (rule->vlan != 0) + (rule->vlan_inner != 0),
		};

		if (rule->vlan && !fnmatch(rule->pattern, port->name, 0))
			visit(b, port, &tags, found, depth);
	}
	visit(b, port, &(struct tags){ 0 }, found, depth);
}

/* What the interfaces under @iface say; unclaimed if there are none. */
static void visit_below(struct build *b, const struct iface *iface,
			const struct tags *tags, struct found *found, unsigned depth)
{
	const struct iface *lower = by_index(b->in, iface->lower);
	bool any = false;

	if (lower && iface->vlan) {
		const struct tags outer = inside(iface->vlan, tags);

		visit(b, lower, &outer, found, depth);
		any = true;
	} else if (!strcmp(iface->kind, "vlan")) {
		found->lost =
			true; /* its ID, or what it stands on, is not known here */
	} else if (lower &&
		   (!strncmp(iface->kind, "macv", 4) ||
		    !strncmp(iface->kind, "ipv", 3)) &&
		   !memcmp(iface->mac, lower->mac, sizeof(lower->mac))) {
		visit(b, lower, tags, found, depth); /* the same frames */
		any = true;
	}
	for (unsigned i = 0; i < b->in->iface_count; i++) {
		const struct iface *port = &b->in->ifaces[i];

		if (port->master != iface->ifindex)
			continue;
		if (iface->sorts_vlans)
			visit_any_tags(b, port, found, depth);
		else
			visit(b, port, tags, found, depth);
		any = true;
	}
	if (!any)
		found->unclaimed = true;
}

/*
 * Add to @found what decides on frames that come up by @iface, where @tags have been
 * taken off since.
 */
static void visit(struct build *b, const struct iface *iface, const struct tags *tags,
		  struct found *found, unsigned depth)
{
	struct found below = { 0 };

	if (depth == DEPTH_MAX) {
		found->lost = true;
		return;
	}
	visit_below(b, iface, tags, &below, depth + 1);
	if (below.unclaimed)
		below.unclaimed = !claim(b, iface, tags, &below);
	for (unsigned i = 0; i < below.count; i++)
		add_found(b, found, below.scopes[i]);
	free(below.scopes);
	found->unclaimed |= below.unclaimed;
	found->lost |= below.lost;
}

bool ingress_is_own(const struct ingress_inputs *inputs, const struct iface *iface,
		    uint16_t vlan, uint16_t vlan_inner)
{
	const struct tags tags = { .id = { vlan, vlan_inner },
				   .count = (vlan != 0) + (vlan_inner != 0) };
	struct plan scratch = { 0 };
	struct build b = { .in = inputs, .out = &scratch };
	struct found found = { 0 };
	bool own;

	/* its own first; then any other makes two */
	own = claim(&b, iface, &tags, &found);
	visit(&b, iface, &tags, &found, 0);
	own = own && found.count == 1 && !found.lost && !b.no_memory;
	free(found.scopes);
	plan_take_ingresses(&scratch, &(struct plan){ 0 });
	return own;
}

/* ---- the whole ---- */

static void add_ingress(struct build *b, const struct iface *iface)
{
	struct plan *out = b->out;
	struct found found = { 0 };
	struct plan_ingress *grown;

	visit(b, iface, &(struct tags){ 0 }, &found, 0);
	if (found.unclaimed)
		add_found(b, &found, intern(b, &(struct plan_scope){ 0 }));
	if (found.lost)
		found.count = 0; /* nobody knows */
	grown = grow(b, out->ingresses, out->ingress_count, sizeof(*grown));
	if (!grown) {
		free(found.scopes);
		return;
	}
	out->ingresses = grown;
	out->ingresses[out->ingress_count++] = (struct plan_ingress){
		.ifindex = iface->ifindex,
		.scopes = found.scopes,
		.scope_count = found.count,
	};
}

int ingress_build(struct plan *plan, const struct ingress_inputs *inputs)
{
	struct plan fresh = { 0 };
	struct build b = { .in = inputs, .out = &fresh };
	bool has_tenants = false;

	for (unsigned i = 0; i < inputs->rule_count; i++)
		has_tenants |= inputs->rules[i].tenant != 0;
	for (unsigned i = 0; has_tenants && i < inputs->iface_count; i++)
		add_ingress(&b, &inputs->ifaces[i]);
	if (!b.no_memory)
		plan_take_ingresses(plan, &fresh);
	plan_take_ingresses(&fresh, &(struct plan){ 0 });
	return b.no_memory ? -ENOMEM : 0;
}
