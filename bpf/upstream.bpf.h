/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * upstream.bpf.h - the fast upstream path: the worker's questions out, responses in.
 *
 *   lane53a ─► question, tagged UPSTREAM ─► route, MACs ─► an interface of ours
 *                     └── no way, no neighbour ──► back down the lane, tagged RETURNED
 *   interface ─► is it the answer to an open entry of `asked`? ─► the lane
 *
 * What `asked` says is exact (address, both ports, message ID), so nothing that is not
 * the worker's is taken from the stack: not a NAT's flow on the same port, and no
 * forgery either.
 */
#ifndef LANE53_UPSTREAM_BPF_H
#define LANE53_UPSTREAM_BPF_H

#include "frame.bpf.h"
#include "maps.bpf.h"
#include "view.bpf.h"

#define FAMILY_IPV4 2 /* AF_INET */
#define FAMILY_IPV6 10

/* ---- in ---- */

/* verifier: out of line, for the stack of the way to an answer; see view_look_up(). */
static __noinline bool asked_matches(const struct xdp_md *ctx, const struct frame *f,
				     __u32 idx)
{
	const struct lane53_asked *a = bpf_map_lookup_elem(&asked, &idx);
	struct cursor c = frame_message(ctx, f);
	const struct dns_header *h = cursor_take(&c, sizeof(*h));

	if (!a || !h || !a->open || f->in.vlan || f->in.vlan_inner)
		return false;
	if (a->ifindex && a->ifindex != f->in.ifindex)
		return false;
	return a->id_be == h->id_be && a->remote_port_be == f->from_port_be &&
	       addr_equal(a->remote, f->from);
}

/* Is the frame the response to a question that the worker has asked this way? */
static __always_inline bool upstream_is_asked(const struct xdp_md *ctx,
					      const struct frame *f,
					      const struct lane53_settings *set)
{
	const __u32 first = set->upstream_port;
	const __u32 idx = bpf_ntohs(f->to.port_be) - first;

	return first && idx < LANE53_ASKED_COUNT && asked_matches(ctx, f, idx);
}

/* ---- out ---- */

static __always_inline bool fib_read_ipv4(struct cursor *c, struct bpf_fib_lookup *fib)
{
	const struct iphdr *ip = cursor_take(c, sizeof(*ip));

	if (!ip)
		return false;
	fib->family = FAMILY_IPV4;
	fib->tot_len = bpf_ntohs(ip->tot_len);
	fib->ipv4_src = ip->saddr;
	fib->ipv4_dst = ip->daddr;
	return true;
}

static __always_inline bool fib_read_ipv6(struct cursor *c, struct bpf_fib_lookup *fib)
{
	const struct ipv6hdr *ip = cursor_take(c, sizeof(*ip));

	if (!ip)
		return false;
	fib->family = FAMILY_IPV6;
	fib->tot_len = bpf_ntohs(ip->payload_len) + (__u16)sizeof(*ip);
	addr_copy((__u8 *)fib->ipv6_src, &ip->saddr);
	addr_copy((__u8 *)fib->ipv6_dst, &ip->daddr);
	return true;
}

/* The worker's frame at @c, behind its tag.  Return: was there a whole one? */
static __always_inline bool fib_read(struct cursor *c, struct bpf_fib_lookup *fib)
{
	const struct ethhdr *eth = cursor_take(c, sizeof(*eth));
	const struct udphdr *udp;

	if (!eth)
		return false;
	if (eth->h_proto == bpf_htons(ETH_P_IP)) {
		if (!fib_read_ipv4(c, fib))
			return false;
	} else if (eth->h_proto != bpf_htons(ETH_P_IPV6) || !fib_read_ipv6(c, fib)) {
		return false;
	}
	udp = cursor_take(c, sizeof(*udp));
	if (!udp)
		return false;
	fib->l4_protocol = IPPROTO_UDP;
	fib->sport = udp->source;
	fib->dport = udp->dest;
	return true;
}

/* Turn the frame round on the lane: the worker asks this one by a socket. */
static __always_inline enum lane53_outcome upstream_return(struct xdp_md *ctx,
							   enum lane53_outcome why)
{
	struct cursor c = frame_cursor(ctx);
	struct ethhdr *eth = (struct ethhdr *)cursor_take(&c, sizeof(*eth));
	struct lane53_tag *tag = (struct lane53_tag *)cursor_take(&c, sizeof(*tag));
	__u8 mac[ETH_ALEN];

	if (!eth || !tag) /* verifier: cannot be, they were read before */
		return LANE53_LANE_BAD_TAG;
	__builtin_memcpy(mac, eth->h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, eth->h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, mac, ETH_ALEN);
	tag->flags |= LANE53_TAG_RETURNED;
	return why;
}

/*
 * A question to an upstream, on lane53a: strip the tag, write the MACs, say in
 * *@ret_ifindex where it goes.  As if it had come in by the lane's own end: that one is
 * set to forward (control/xdp/lane.c), so the host need not be a router.
 */
static __always_inline enum lane53_outcome upstream_send(struct xdp_md *ctx,
							 __u32 *ret_ifindex)
{
	struct bpf_fib_lookup fib = { .ifindex = ctx->ingress_ifindex };
	struct lane53_iface_key out = {};
	struct cursor c = frame_cursor(ctx);
	struct ethhdr *eth;
	long r;

	if (!cursor_take(&c, LANE53_LANE_PUSH) || !fib_read(&c, &fib))
		return LANE53_LANE_BAD_TAG;
	r = bpf_fib_lookup(ctx, &fib, sizeof(fib), 0);
	if (r == BPF_FIB_LKUP_RET_NO_NEIGH)
		return upstream_return(ctx, LANE53_UPSTREAM_NO_NEIGHBOUR);
	out.ifindex = fib.ifindex;
	if (r != BPF_FIB_LKUP_RET_SUCCESS || !bpf_map_lookup_elem(&interfaces, &out))
		return upstream_return(ctx, LANE53_UPSTREAM_NO_WAY);
	if (bpf_xdp_adjust_head(ctx, LANE53_LANE_PUSH))
		return LANE53_LANE_BAD_TAG;
	c = frame_cursor(ctx);
	eth = (struct ethhdr *)cursor_take(&c, sizeof(*eth));
	if (!eth) /* verifier: cannot be, it was read before */
		return LANE53_LANE_BAD_TAG;
	__builtin_memcpy(eth->h_dest, fib.dmac, ETH_ALEN);
	__builtin_memcpy(eth->h_source, fib.smac, ETH_ALEN);
	*ret_ifindex = out.ifindex;
	return LANE53_UPSTREAM_ASKED;
}

#endif
