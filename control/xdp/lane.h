/* SPDX-License-Identifier: BSD-3-Clause */
/* lane.h - the private veth pairs between the XDP programs and the DPDK worker. */
#ifndef LANE53_LANE_H
#define LANE53_LANE_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

struct problem;

struct lane {
	char name_a[IF_NAMESIZE], name_b[IF_NAMESIZE];
	unsigned ifindex_a, ifindex_b;
	uint8_t mac_a[6], mac_b[6];
};

/*
 * Make pair number @idx of @instance, or adopt the one that is there; both ends up, MTU
 * LANE53_LANE_MTU, silent (no ARP, no IPv6).
 * Return: 0, -EBUSY (the name is taken by something else), -EPERM, negative errno.
 */
int lane_open(struct lane *ret_lane, const char *instance, unsigned idx,
	      struct problem *problem);

/* Delete the pairs of @instance from number @first on.  Absent, or not ours: 0. */
int lanes_remove(const char *instance, unsigned first, struct problem *problem);

/* Is @name an end of one of @instance's lanes, whether that is there or not? */
bool lane_has_end(const char *instance, const char *name);

#endif
