/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rule_list.h - the `xdp` directives of a configuration as the rules they are, for XDP and
 * for what sockets are told of tenants.
 */
#ifndef LANE53_RULE_LIST_H
#define LANE53_RULE_LIST_H

struct config;
struct config_xdp;
struct plan_origins;
struct xdp_prefix;
struct xdp_rule;

/* One rule per pattern; borrows the configuration's strings. */
struct rule_list {
	struct xdp_rule *at;
	struct xdp_prefix *prefixes;
	const struct config_xdp **directive; /* of each rule */
	unsigned count;
};

/* @ret goes to rule_list_deinit(), also on failure.  Return: 0 or -ENOMEM. */
int rule_list_make(struct rule_list *ret, const struct config *config,
		   const struct plan_origins *origins);
void rule_list_deinit(struct rule_list *rules);

#endif
