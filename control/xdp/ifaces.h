/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ifaces.h - the interfaces and addresses of this network namespace, kept current.
 *
 * One rtnetlink socket: a dump at the start, then notifications.  Needs no privilege, so
 * it also serves `bind eth0` without XDP.  A burst of notifications is one on_change().
 */
#ifndef LANE53_IFACES_H
#define LANE53_IFACES_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

struct ifaces;
struct problem;
struct uv_loop_s;

struct iface {
	unsigned ifindex;
	char name[IF_NAMESIZE];
	char kind
		[16]; /* "veth", "tun" (tap too), "bridge", "vlan" ...; "" = hardware, lo */
	uint8_t mac[6];
	bool up;
	bool loopback;
	unsigned
		peer; /* veth: ifindex of the other end, in its own namespace; 0 = none */
	bool peer_elsewhere; /* veth: the other end is in another network namespace */
	unsigned lower;      /* vlan, macvlan ...: what it stands on, here; 0 = none */
	unsigned master;     /* the bridge, bond, VRF ... it is a port of; 0 = none */
	uint16_t vlan;       /* vlan: its ID; 0 = not told */
	bool sorts_vlans; /* bridge: with vlan_filtering, which puts tags on and off */
};

struct iface_address {
	uint8_t addr[16];   /* IPv4 as ::ffff:a.b.c.d */
	uint8_t prefix_len; /* of the address as written: 24 for 192.0.2.1/24 */
	unsigned ifindex;
};

/*
 * Open, and read the present state.  @loop (NULL: no notifications, see
 * ifaces_refresh()) watches for changes and calls @on_change (NULL allowed) after the
 * lists below are up to date.  On success *@ret_ifaces is the caller's; with a loop,
 * ifaces_close() must be called before the loop is closed, and the loop run once more.
 * Return: 0, -ENOMEM, -errno of the socket (@problem, NULL allowed, says it in words).
 */
int ifaces_open(struct ifaces **ret_ifaces, struct uv_loop_s *loop,
		void (*on_change)(void *context), void *context,
		struct problem *problem);
/* NULL is allowed. */
void ifaces_close(struct ifaces *ifaces);

/* Read everything anew.  Return: 0, -ENOMEM, -errno (the lists stay as they were). */
int ifaces_refresh(struct ifaces *ifaces);

/* Borrowed until the next on_change() or refresh; sorted by ifindex. */
const struct iface *ifaces_list(const struct ifaces *ifaces, unsigned *ret_count);
const struct iface *iface_find(const struct ifaces *ifaces, unsigned ifindex);
const struct iface *iface_by_name(const struct ifaces *ifaces, const char *name);

/* Borrowed likewise: every address but tentative and failed ones, lo's included. */
const struct iface_address *ifaces_addresses(const struct ifaces *ifaces,
					     unsigned *ret_count);

#endif
