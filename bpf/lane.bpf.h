/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * lane.bpf.h - send a frame down the lane, and a response back out of it.
 *
 *   client's frame ─► push Ethernet + tag ─► lane53a ─► lane53b, the worker
 *   lane53a ◄─ the worker's frame, with the tag it came with ─► strip ─► client's interface
 *   lane53a ◄─ the worker's question to an upstream ─► route (upstream.bpf.h)
 *
 * The client's frame is in the lane's whole, VLAN tags and all.
 */
#ifndef LANE53_LANE_BPF_H
#define LANE53_LANE_BPF_H

#include "frame.bpf.h"
#include "lookup.bpf.h"
#include "maps.bpf.h"
#include "upstream.bpf.h"
#include "view.bpf.h"

struct lane_header {
	struct ethhdr eth;
	struct lane53_tag tag;
} __attribute__((packed));
LANE53_ABI_ASSERT(sizeof(struct lane_header) == LANE53_LANE_PUSH);

#define LANE_FRAME_MAX (LANE53_LANE_MTU + sizeof(struct ethhdr))

/* verifier, clang: stores of one byte order in one go; a frame has no alignment. */
static __always_inline void store_u32_be(__u8 *p, __u32 value)
{
	*(__u32 *)p = bpf_htonl(value);
}

/* What goes down a lane, and which. */
struct lane_way {
	enum lane53_outcome why; /* TO_LANE: a query; UPSTREAM_ANSWERED */
	__u32 idx;               /* in `lane` */
};

/*
 * The lane of the name that the message of @f asks for; @len = 0: not read, so no name's.
 * verifier: out of line, so that the way of an answer stays as it is.
 */
static __noinline __u32 lane_of_query(const struct xdp_md *ctx, const struct frame *f,
				      __u32 len, __u32 count)
{
	struct cursor message = frame_message(ctx, f);
	struct name_lanes name;

	if (!len || len > NAME_MAX_BYTES || !qname_lanes(&message, len, &name))
		return 0;
	return lane_of_name(name, count);
}

/* With one lane nothing is hashed. */
static __always_inline __u32 lane_choose(const struct xdp_md *ctx,
					 const struct lane53_settings *set,
					 const struct frame *f,
					 const struct question *q,
					 enum lane53_outcome why)
{
	const __u32 count = *(const volatile __u32 *)&set->lanes;

	if (count < 2)
		return 0;
	if (why == LANE53_UPSTREAM_ANSWERED)
		return lane53_asked_lane(bpf_ntohs(f->to.port_be) - set->upstream_port,
					 count);
	return lane_of_query(ctx, f, q->qname_len, count);
}

/* Does the worker serve?  Its heartbeat is 0 when it is known to be dead. */
static __always_inline bool lane_is_open(const struct lane53_settings *set, __u32 idx)
{
	const __u64 beat_ns = *(const volatile __u64 *)&set->heartbeat_ns;

	if (!beat_ns || !bpf_map_lookup_elem(&lane, &idx))
		return false;
	/* signed: a beat may be written between our tick and now */
	return (__s64)(bpf_ktime_get_coarse_ns() - beat_ns) <
	       (__s64)LANE53_HEARTBEAT_MAX_AGE_NS;
}

static __always_inline void lane_header_write(struct lane_header *h,
					      const struct lane53_settings *set,
					      const struct frame *f,
					      const struct view *view, __u8 flags)
{
	__u64 *pad;

	__builtin_memcpy(h->eth.h_dest, set->lane_mac_b, ETH_ALEN);
	__builtin_memcpy(h->eth.h_source, set->lane_mac_a, ETH_ALEN);
	h->eth.h_proto = bpf_htons(LANE53_ETHERTYPE);
	h->tag.magic_be = bpf_htons(LANE53_TAG_MAGIC);
	h->tag.version = LANE53_ABI_VERSION;
	h->tag.flags = flags | (f->ipv6 ? LANE53_TAG_IPV6 : 0);
	store_u32_be(h->tag.ifindex_be, f->in.ifindex);
	store_u32_be(h->tag.view_be, view->view);
	store_u32_be(h->tag.tenant_be, view->tenant);
	h->tag.l3_off_be = bpf_htons(frame_l3_off(f));
	h->tag.l4_off_be = bpf_htons(frame_l4_off(f));
	h->tag.dns_off_be = bpf_htons(f->dns_off);
	h->tag.dns_len_be = bpf_htons(f->dns_len);
	pad = (__u64 *)h->tag.pad;
	*pad = 0;
	*(__u16 *)(pad + 1) = 0;
}

/*
 * Make a frame one for its lane.  On return of way->why it is ready for lane_redirect();
 * on the others it is as it was.
 */
static __always_inline enum lane53_outcome
lane_push(struct xdp_md *ctx, const struct lane53_settings *set, const struct frame *f,
	  const struct view *view, const struct lane_way *way)
{
	const __u8 flags =
		way->why == LANE53_UPSTREAM_ANSWERED ? LANE53_TAG_UPSTREAM : 0;
	struct cursor c;
	const void *h;

	if (!lane_is_open(set, way->idx))
		return LANE53_PASSED_NO_WORKER;
	if (frame_len(ctx) > LANE_FRAME_MAX - LANE53_LANE_PUSH ||
	    bpf_xdp_adjust_head(ctx, -LANE53_LANE_PUSH))
		return LANE53_PASSED_NO_ROOM;
	c = frame_cursor(ctx);
	h = cursor_take(&c, LANE53_LANE_PUSH);
	if (!h) /* verifier: cannot be, they were just pushed */
		return LANE53_PASSED_NO_ROOM;
	lane_header_write((struct lane_header *)h, set, f, view, flags);
	return way->why;
}

static __always_inline int lane_redirect(__u32 idx)
{
	return (int)bpf_redirect_map(&lane, idx, 0);
}

/*
 * A frame on lane53a: strip the tag and say in *@ret_ifindex where it goes.
 * Return: FROM_LANE or UPSTREAM_ASKED, or why not; PASSED_NOT_DNS for what is not of the
 * lane.
 */
static __always_inline enum lane53_outcome lane_pop(struct xdp_md *ctx,
						    __u32 *ret_ifindex)
{
	struct cursor c = frame_cursor(ctx);
	const struct ethhdr *eth = cursor_take(&c, sizeof(*eth));
	const struct lane53_tag *tag = cursor_take(&c, sizeof(*tag));
	struct lane53_iface_key out = {};

	if (!eth || eth->h_proto != bpf_htons(LANE53_ETHERTYPE))
		return LANE53_PASSED_NOT_DNS;
	if (!tag || tag->magic_be != bpf_htons(LANE53_TAG_MAGIC) ||
	    tag->version != LANE53_ABI_VERSION)
		return LANE53_LANE_BAD_TAG;
	if (tag->flags & LANE53_TAG_PROBE)
		return LANE53_LANE_PROBE;
	if (tag->flags & LANE53_TAG_UPSTREAM)
		return upstream_send(ctx, ret_ifindex);
	out.ifindex = bpf_ntohl(*(const __u32 *)tag->ifindex_be);
	if (!bpf_map_lookup_elem(&interfaces, &out))
		return LANE53_LANE_NO_INTERFACE;
	/* fails only when less than an Ethernet header would be left */
	if (bpf_xdp_adjust_head(ctx, LANE53_LANE_PUSH))
		return LANE53_LANE_BAD_TAG;
	*ret_ifindex = out.ifindex;
	return LANE53_FROM_LANE;
}

#endif
