/* SPDX-License-Identifier: BSD-3-Clause */
/* rules.c - the rules as given, copied, and what they say about one interface. */
#include "state.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

bool rule_matches(const struct xdp_rule *rule, const char *name)
{
	return fnmatch(rule->pattern, name, 0) == 0;
}

struct rule_match rules_match(const struct xdp *xdp, const char *name)
{
	struct rule_match match = { 0 };
	bool has_tenant = false;

	if (lane_has_end(xdp->instance, name))
		return match;
	for (unsigned i = 0; i < xdp->rule_count; i++) {
		const struct xdp_rule *rule = &xdp->rules[i];

		if (!rule_matches(rule, name))
			continue;
		if (!match.any)
			match.mode = rule->mode;
		match.any = true;
		if (rule->hijack && !match.view)
			match.view = rule->view;
		if (rule->vlan) {
			match.has_vlan = true;
		} else if (!rule->from_count && !has_tenant) {
			match.tenant = rule->tenant;
			has_tenant = true;
		}
	}
	return match;
}

bool xdp_rule_waits(const struct xdp *xdp, unsigned rule)
{
	for (unsigned i = 0; i < xdp->interface_count && rule < xdp->rule_count; i++)
		if (rule_matches(&xdp->rules[rule], xdp->interfaces[i].name))
			return false;
	return true;
}

static void free_rules(struct xdp_rule *rules, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		free((char *)rules[i].pattern);
		free((struct xdp_prefix *)rules[i].from);
	}
	free(rules);
}

static int copy_rule(struct xdp_rule *to, const struct xdp_rule *from)
{
	const size_t bytes = from->from_count * sizeof(*from->from);
	struct xdp_prefix *prefixes = NULL;

	*to = *from;
	to->from = NULL;
	to->pattern = strdup(from->pattern);
	if (bytes) {
		prefixes = malloc(bytes);
		if (prefixes)
			memcpy(prefixes, from->from, bytes);
	}
	to->from = prefixes;
	return to->pattern && (prefixes || !bytes) ? 0 : -ENOMEM;
}

int rules_set(struct xdp *xdp, const struct xdp_rule *rules, unsigned count)
{
	struct xdp_rule *copy = calloc(count ? count : 1, sizeof(*copy));
	int r = copy ? 0 : -ENOMEM;

	for (unsigned i = 0; i < count && r == 0; i++)
		r = copy_rule(&copy[i], &rules[i]);
	if (r < 0) {
		if (copy)
			free_rules(copy, count);
		return r;
	}
	rules_deinit(xdp);
	xdp->rules = copy;
	xdp->rule_count = count;
	return 0;
}

void rules_deinit(struct xdp *xdp)
{
	free_rules(xdp->rules, xdp->rule_count);
	xdp->rules = NULL;
	xdp->rule_count = 0;
}
