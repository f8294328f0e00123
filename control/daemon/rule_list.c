/* SPDX-License-Identifier: BSD-3-Clause */
/* rule_list.c - see rule_list.h. */
#include "daemon/rule_list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "corefile/config.h"
#include "xdp/xdp.h"

static enum attach_mode mode_of(enum config_xdp_mode mode)
{
	switch (mode) {
	case XDP_AUTO:
		return ATTACH_AUTO;
	case XDP_NATIVE:
		return ATTACH_NATIVE;
	case XDP_GENERIC:
		return ATTACH_GENERIC;
	}
	return ATTACH_AUTO;
}

void rule_list_deinit(struct rule_list *rules)
{
	free(rules->at);
	free(rules->prefixes);
	free(rules->directive);
}

static bool make_room(struct rule_list *rules, const struct config *config)
{
	unsigned patterns = 1, prefixes = 1;

	for (unsigned i = 0; i < config->xdp_count; i++) {
		patterns += config->xdp[i].pattern_count;
		prefixes += config->xdp[i].from_count;
	}
	*rules = (struct rule_list){ calloc(patterns, sizeof(*rules->at)),
				     calloc(prefixes, sizeof(*rules->prefixes)),
				     calloc(patterns, sizeof(*rules->directive)), 0 };
	return rules->at && rules->prefixes && rules->directive;
}

/* Prefixes are shared by the patterns of a directive. */
int rule_list_make(struct rule_list *rules, const struct config *config,
		   const struct plan_origins *origins)
{
	struct xdp_prefix *prefix;

	if (!make_room(rules, config))
		return -ENOMEM;
	prefix = rules->prefixes;
	for (unsigned i = 0; i < config->xdp_count; i++) {
		const struct config_xdp *x = &config->xdp[i];
		struct xdp_prefix *first = prefix;

		for (unsigned f = 0; f < x->from_count; f++, prefix++) {
			memcpy(prefix->addr, x->from[f].addr, 16);
			prefix->bits = x->from[f].bits;
		}
		for (unsigned p = 0; p < x->pattern_count; p++) {
			rules->directive[rules->count] = x;
			rules->at[rules->count++] = (struct xdp_rule){
				.pattern = x->patterns[p],
				.mode = mode_of(x->mode),
				.vlan = x->vlan,
				.from = first,
				.from_count = x->from_count,
				.tenant = origins->tenants ? origins->tenants[i] : 0,
			};
		}
	}
	return 0;
}
