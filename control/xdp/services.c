/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * services.c - whose frames are ours: `interfaces`, `sources`, `services`.
 *
 *   rules × attached interfaces ──► (ifindex, VLAN) → tenant, MAC
 *                                   (ifindex, VLAN, prefix) → tenant
 *   listeners × local addresses ──► (address, tenant, port) → view
 */
#include "state.h"

#include <arpa/inet.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include "image.h"
#include "ingress.h"
#include "lane53.skel.h"
#include "plan/plan.h"
#include "problem.h"

/* What the rules say about one VLAN of one interface. */
static struct lane53_iface iface_entry(const struct xdp *xdp, const struct iface *iface,
				       const struct lane53_iface_key *key)
{
	struct ingress_inputs inputs = { xdp->rules, xdp->rule_count, NULL, 0 };
	struct lane53_iface entry = { 0 };
	bool named = false, has_tenant = false, may_hide_tag = false;

	for (unsigned i = 0; i < xdp->rule_count; i++) {
		const struct xdp_rule *rule = &xdp->rules[i];

		if (!rule_matches(rule, iface->name))
			continue;
		may_hide_tag |= rule->vlan && iface->peer_elsewhere;
		if (rule->vlan != key->vlan || rule->vlan_inner != key->vlan_inner)
			continue;
		named = true;
		if (rule->from_count) {
			entry.flags |= LANE53_IFACE_SOURCES;
		} else if (!has_tenant) {
			entry.tenant = rule->tenant;
			has_tenant = true;
		}
		if (rule->hijack && !(entry.flags & LANE53_IFACE_HIJACK)) {
			entry.flags |= LANE53_IFACE_HIJACK;
			entry.view = rule->view;
		}
	}
	/*
	 * Without a rule for it the untagged entry is there only for responses from the
	 * lane: no frame goes to MAC 00:00:00:00:00:00.  The same where a veth's far
	 * end may hide VLAN tags: what looks untagged may be another tenant's.  And on
	 * eth0.10, where what eth0 has left to the stack comes by, if eth0's rules
	 * decide: it is not XDP's to answer as somebody else.
	 */
	inputs.ifaces = ifaces_list(xdp->ifaces, &inputs.iface_count);
	if (named && (key->vlan || !may_hide_tag) &&
	    ingress_is_own(&inputs, iface, key->vlan, key->vlan_inner))
		memcpy(entry.mac, iface->mac, sizeof(entry.mac));
	return entry;
}

static void put_iface(struct image *ifaces, const struct xdp *xdp,
		      const struct iface *iface, uint16_t vlan, uint16_t vlan_inner)
{
	const struct lane53_iface_key key = {
		.ifindex = iface->ifindex,
		.vlan = vlan,
		.vlan_inner = vlan_inner,
	};
	const struct lane53_iface entry = iface_entry(xdp, iface, &key);

	image_put(ifaces, &key, &entry);
}

static void put_sources(struct image *sources, unsigned ifindex,
			const struct xdp_rule *rule)
{
	for (unsigned i = 0; i < rule->from_count; i++) {
		struct lane53_source_key key = {
			.prefix_len = LANE53_SOURCE_BITS + rule->from[i].bits,
			.in = { .ifindex = ifindex,
				.vlan = rule->vlan,
				.vlan_inner = rule->vlan_inner },
		};
		const struct lane53_source source = { .tenant = rule->tenant };

		memcpy(key.addr, rule->from[i].addr, sizeof(key.addr));
		image_put(sources, &key, &source);
	}
}

static void put_interfaces(const struct xdp *xdp, struct image *ifaces,
			   struct image *sources)
{
	for (unsigned i = 0; i < xdp->link_count; i++) {
		const struct iface *iface =
			iface_find(xdp->ifaces, xdp->links[i].ifindex);

		if (!iface)
			continue;
		put_iface(ifaces, xdp, iface, 0, 0);
		for (unsigned j = 0; j < xdp->rule_count; j++) {
			const struct xdp_rule *rule = &xdp->rules[j];

			if (!rule_matches(rule, iface->name))
				continue;
			put_iface(ifaces, xdp, iface, rule->vlan, rule->vlan_inner);
			put_sources(sources, iface->ifindex, rule);
		}
	}
}

static void put_service(struct image *services, const struct plan_listener *listener,
			const uint8_t addr[16])
{
	struct lane53_service_key key = {
		.tenant = listener->tenant,
		.port_be = htons(listener->local.port),
	};
	const struct lane53_service service = { .view = listener->view };

	memcpy(key.addr, addr, sizeof(key.addr));
	image_put(services, &key, &service);
}

static bool is_any(const uint8_t addr[16])
{
	static const uint8_t any[16];
	static const uint8_t any_ipv4[16] = { [10] = 0xff, [11] = 0xff };

	return !memcmp(addr, any, 16) || !memcmp(addr, any_ipv4, 16);
}

static bool is_ipv4(const uint8_t addr[16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	return !memcmp(addr, mapped, sizeof(mapped));
}

/* Nothing on a wire goes there; and on lo every source is our own. */
static bool is_loopback(const uint8_t addr[16])
{
	static const uint8_t ipv6[16] = { [15] = 1 };

	return is_ipv4(addr) ? addr[12] == 127 : !memcmp(addr, ipv6, sizeof(ipv6));
}

static void put_wildcard(const struct xdp *xdp, struct image *services,
			 const struct plan_listener *listener)
{
	const bool only_ipv4 = is_ipv4(listener->local.addr);
	const struct iface_address *at;
	unsigned count;

	at = ifaces_addresses(xdp->ifaces, &count);
	for (unsigned i = 0; i < count; i++)
		if (!is_loopback(at[i].addr) && (!only_ipv4 || is_ipv4(at[i].addr)))
			put_service(services, listener, at[i].addr);
}

static void put_services(const struct xdp *xdp, struct image *services)
{
	/* an address of its own beats the wildcard: the first entry of a key counts */
	for (unsigned i = 0; i < xdp->listener_count; i++)
		if (!is_any(xdp->listeners[i].local.addr))
			put_service(services, &xdp->listeners[i],
				    xdp->listeners[i].local.addr);
	for (unsigned i = 0; i < xdp->listener_count; i++)
		if (is_any(xdp->listeners[i].local.addr))
			put_wildcard(xdp, services, &xdp->listeners[i]);
}

static int sync_one(struct image *image, const struct bpf_map *map,
		    struct problem *problem)
{
	int r = image_sync(image, bpf_map__fd(map));

	if (r == -E2BIG || r == -ENOSPC)
		problem_set(problem, NULL, 0,
			    "too many %s for XDP: %u, its map holds %u; the rest is "
			    "served on sockets",
			    bpf_map__name(map), image->count,
			    bpf_map__max_entries(map));
	else if (r < 0)
		problem_set(problem, NULL, 0, "cannot update the map %s: %s",
			    bpf_map__name(map), strerror(-r));
	image_deinit(image);
	return r;
}

int services_sync(struct xdp *xdp, struct problem *problem)
{
	struct image ifaces, sources, services;
	int r, first;

	image_init(&ifaces, sizeof(struct lane53_iface_key),
		   sizeof(struct lane53_iface));
	image_init(&sources, sizeof(struct lane53_source_key),
		   sizeof(struct lane53_source));
	image_init(&services, sizeof(struct lane53_service_key),
		   sizeof(struct lane53_service));
	sources.is_trie = true;
	put_interfaces(xdp, &ifaces, &sources);
	put_services(xdp, &services);

	/* tenants before the interfaces that lead to them */
	first = sync_one(&services, xdp->skel->maps.services, problem);
	r = sync_one(&sources, xdp->skel->maps.sources, problem);
	first = first < 0 ? first : r;
	r = sync_one(&ifaces, xdp->skel->maps.interfaces, problem);
	/* after the maps: what XDP remembers of them ends here */
	__atomic_fetch_add(&xdp->settings->address_generation, 1, __ATOMIC_RELEASE);
	return first < 0 ? first : r;
}
