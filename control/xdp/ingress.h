/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ingress.h - the rules as sockets meet them: whose is what comes in by an interface.
 *
 * XDP sees a frame where it comes in, with its tags; a socket is told the interface that
 * the kernel handed the packet up by: eth0.10, or br0.  From there down to where XDP
 * stands, the first interface whose rules name these tags decides, as in XDP.
 */
#ifndef LANE53_INGRESS_H
#define LANE53_INGRESS_H

#include <stdbool.h>
#include "ifaces.h"
#include "xdp.h"

struct plan;

struct ingress_inputs {
	const struct xdp_rule *rules;
	unsigned rule_count;
	const struct iface *ifaces; /* as ifaces_list() */
	unsigned iface_count;
};

/*
 * Give @plan its scopes and ingresses, in place of what it has; none if no rule has a
 * tenant.  Return: 0, or -ENOMEM (@plan is as it was).
 */
int ingress_build(struct plan *plan, const struct ingress_inputs *inputs);

/*
 * May XDP answer on @iface what comes in there with these tags (0 = none)?  Not if rules
 * of an interface below it say otherwise than its own.
 */
bool ingress_is_own(const struct ingress_inputs *inputs, const struct iface *iface,
		    uint16_t vlan, uint16_t vlan_inner);

#endif
