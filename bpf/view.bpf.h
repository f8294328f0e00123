/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * view.bpf.h - is the frame for us, and which view answers?
 *
 *   (interface, VLAN tags) ─► tenant ◄─ source prefix, where the interface says so
 *   (tenant, address, port) ─► view
 *
 * A tag without an entry of its own is not ours: it never falls back to the untagged
 * entry, so no view ever answers another view's tag.
 */
#ifndef LANE53_VIEW_BPF_H
#define LANE53_VIEW_BPF_H

#include "frame.bpf.h"
#include "maps.bpf.h"

#define PORT_DNS 53

struct view {
	__u32 view;
	__u32 tenant;
};

enum view_status {
	VIEW_OK,
	VIEW_NOT_OURS,
	VIEW_BAD_SOURCE, /* ours, from where no client can be */
};

static __always_inline bool mac_is(const struct xdp_md *ctx, const __u8 mac[6])
{
	struct cursor c = frame_cursor(ctx);
	const struct ethhdr *eth = cursor_take(&c, sizeof(*eth));

	if (!eth)
		return false;
	return *(const __u32 *)eth->h_dest == *(const __u32 *)mac &&
	       *(const __u16 *)(eth->h_dest + 4) == *(const __u16 *)(mac + 4);
}

static __always_inline bool mac_is_group(const struct xdp_md *ctx)
{
	struct cursor c = frame_cursor(ctx);
	const struct ethhdr *eth = cursor_take(&c, sizeof(*eth));

	return !eth || eth->h_dest[0] & 1;
}

static __always_inline bool addr_is_mapped(const __u8 addr[16])
{
	const __u32 *words = (const __u32 *)addr;

	return !words[0] && !words[1] && words[2] == bpf_htonl(0xffff);
}

/* Not the address of one host (RFC 6890): unspecified, loopback, multicast, reserved. */
static __always_inline bool addr_is_martian(const __u8 addr[16], bool ipv6)
{
	const __u32 *words = (const __u32 *)addr;

	if (!ipv6)
		return addr[12] == 0 || addr[12] == 127 || addr[12] >= 224;
	if (addr[0] == 0xff)
		return true;
	/* ::/96 holds :: and ::1 */
	return addr_is_mapped(addr) || (!words[0] && !words[1] && !words[2]);
}

static __always_inline bool addr_equal(const __u8 a[16], const __u8 b[16])
{
	const __u32 *x = (const __u32 *)a, *y = (const __u32 *)b;

	return x[3] == y[3] && x[2] == y[2] && x[1] == y[1] && x[0] == y[0];
}

static __always_inline __u32 tenant_find(const struct frame *f,
					 const struct lane53_iface *iface)
{
	struct lane53_source_key key = {
		.prefix_len = LANE53_SOURCE_BITS + 128,
		.in = f->in,
	};
	const struct lane53_source *source;

	if (!(iface->flags & LANE53_IFACE_SOURCES))
		return iface->tenant;
	addr_copy(key.addr, f->from);
	source = bpf_map_lookup_elem(&sources, &key);
	return source ? source->tenant : iface->tenant;
}

/* Is the source an address we answer at?  Then the query is no client's. */
static __always_inline bool source_is_own(const struct frame *f)
{
	struct lane53_service_key key = f->to;

	if (addr_equal(f->from, f->to.addr))
		return true;
	addr_copy(key.addr, f->from);
	return bpf_map_lookup_elem(&services, &key) != 0;
}

/*
 * Ask the maps.  Sets @ret on VIEW_OK, and f->to.tenant.
 * verifier: out of line, its keys are not on the stack of the way to an answer, which
 * is 512 bytes deep at the most (and each frame counts in steps of 32).
 */
static __noinline enum view_status view_look_up(const struct xdp_md *ctx,
						struct frame *f, struct view *ret)
{
	const struct lane53_iface *iface = bpf_map_lookup_elem(&interfaces, &f->in);
	const struct lane53_service *service;
	bool hijacks;

	/* ::ffff:0:0/96 means IPv4 in our keys, and is never on the wire */
	if (!iface || (f->ipv6 && addr_is_mapped(f->to.addr)))
		return VIEW_NOT_OURS;
	hijacks = iface->flags & LANE53_IFACE_HIJACK;
	if (hijacks ? mac_is_group(ctx) : !mac_is(ctx, iface->mac))
		return VIEW_NOT_OURS;
	f->to.tenant = ret->tenant = tenant_find(f, iface);
	service = bpf_map_lookup_elem(&services, &f->to);
	if (service)
		ret->view = service->view;
	else if (hijacks && f->to.port_be == bpf_htons(PORT_DNS) &&
		 !addr_is_martian(f->to.addr, f->ipv6))
		ret->view = iface->view;
	else
		return VIEW_NOT_OURS;
	if (addr_is_martian(f->from, f->ipv6) || source_is_own(f))
		return VIEW_BAD_SOURCE;
	return VIEW_OK;
}

/* ---- clients seen before ---- */

static __always_inline struct known *known_at(const struct frame *f)
{
	const __u32 *from = (const __u32 *)f->from, *to = (const __u32 *)f->to.addr;
	/* Fibonacci hashing; sources differ in any byte, destinations are few */
	__u32 idx = (from[0] ^ from[1] ^ from[2] ^ from[3]) * 0x9e3779b1u;

	idx = (idx >> 24 ^ to[3] ^ f->in.vlan) % KNOWN_COUNT;
	return bpf_map_lookup_elem(&known, &idx);
}

/* Is it the same interface, tags, MAC, family, addresses and port?  The port it is from apart. */
static __always_inline bool known_is(const struct known *k, const struct frame *f,
				     const struct xdp_md *ctx)
{
	const __u64 *in = (const __u64 *)&f->in, *k_in = (const __u64 *)&k->in;
	const __u64 *from = (const __u64 *)f->from, *k_from = (const __u64 *)k->from;
	const __u64 *to = (const __u64 *)f->to.addr, *k_to = (const __u64 *)k->to.addr;

	return *in == *k_in && from[0] == k_from[0] && from[1] == k_from[1] &&
	       to[0] == k_to[0] && to[1] == k_to[1] && f->to.port_be == k->to.port_be &&
	       f->ipv6 == k->ipv6 && mac_is(ctx, k->mac);
}

/*
 * A race: before 6.11 BPF_PROG_RUN (`lane53ctl query --path xdp`) leaves softirqs on, so
 * a frame may come between these stores and remember its own client here, whole.  Then
 * what stands here is of two clients, and is forgotten.
 */
static __always_inline void known_set(struct known *k, const struct xdp_md *ctx,
				      const struct frame *f, const struct view *view,
				      __u32 generation)
{
	struct cursor c = frame_cursor(ctx);
	const struct ethhdr *eth = cursor_take(&c, sizeof(*eth));

	if (!eth)
		return;
	k->used = 0;
	barrier();
	k->generation = generation;
	k->view = view->view;
	k->ipv6 = f->ipv6;
	k->in = f->in;
	addr_copy(k->from, f->from);
	k->to = f->to;
	__builtin_memcpy(k->mac, eth->h_dest, sizeof(k->mac));
	barrier();
	k->used = !k->used && known_is(k, f, ctx);
}

/* Sets @ret on VIEW_OK, and f->to.tenant. */
static __always_inline enum view_status view_find(const struct xdp_md *ctx,
						  struct frame *f, struct view *ret,
						  const struct lane53_settings *set)
{
	/* before the maps: what is remembered is never older than its generation */
	const __u32 generation = *(const volatile __u32 *)&set->address_generation;
	struct known *k = known_at(f);
	enum view_status status;

	if (k && k->used && k->generation == generation && known_is(k, f, ctx)) {
		ret->view = k->view;
		f->to.tenant = ret->tenant = k->to.tenant;
		status = VIEW_OK;
	} else {
		status = view_look_up(ctx, f, ret);
		if (k && status == VIEW_OK)
			known_set(k, ctx, f, ret, generation);
	}
	/* Port 0 cannot be answered; from 53 it would be server to server, for ever. */
	if (status == VIEW_OK &&
	    (!f->from_port_be || f->from_port_be == bpf_htons(PORT_DNS)))
		return VIEW_BAD_SOURCE;
	return status;
}

#endif
