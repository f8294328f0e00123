/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * frame.bpf.h - from the first byte of a frame to the first byte of its DNS message.
 *
 *   Ethernet | 0-2 VLAN tags | IPv4 (20 bytes) or IPv6 (40 bytes) | UDP | message
 *
 * What has another shape is left to the stack.  Positions are kept as offsets: packet
 * pointers do not survive bpf_xdp_adjust_*(), and a number without history lets the
 * verifier treat tagged and untagged, IPv4 and IPv6 frames as one from here on.
 */
#ifndef LANE53_FRAME_BPF_H
#define LANE53_FRAME_BPF_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "lane53/abi.h"
#include "lane53/question.h"

#define FRAME_VLANS_MAX 2

struct vlan_header {
	__u16 tci_be;
	__u16 proto_be;
};

/* Offsets fit 7 bits: 14 + 2 * 4 + 40 + 8 = 70.  verifier: FRAME_OFF() says so again. */
#define FRAME_OFF(off) ((off)&0x7f)

/* clang: what comes out is not derived from what went in; folds no offset of its own. */
#define OPAQUE(value) __asm__ volatile("" : "+r"(value))

/*
 * Is *@len in 1..@max?  verifier: a range with both ends, as a helper's size has to be,
 * is seen by kernels before 6.8 only in this form.
 */
static __always_inline bool is_length(__u32 *len, __u32 max)
{
	__u32 less = *len - 1;

	OPAQUE(less);
	if (less >= max)
		return false;
	*len = less + 1;
	return true;
}

struct frame {
	struct lane53_iface_key in; /* ifindex and tags */
	struct lane53_service_key to;
	__u8 from[16]; /* source, IPv4 as ::ffff:a.b.c.d */
	__u16 from_port_be;
	__u8 ipv6;
	__u8 pad;
	__u32 dns_off; /* the message, from the start of the frame */
	__u32 dns_len; /* by the UDP header */
	__u32 surplus; /* bytes after the message: padding to the 60 bytes of Ethernet */
};

enum frame_status {
	FRAME_OK,
	FRAME_NOT_UDP,
	FRAME_UNSUPPORTED, /* UDP, but a fragment, with options, or lengths that differ */
};

static __always_inline struct cursor frame_cursor(const struct xdp_md *ctx)
{
	return (struct cursor){
		.pos = (const __u8 *)(long)ctx->data,
		.end = (const __u8 *)(long)ctx->data_end,
	};
}

static __always_inline __u32 frame_len(const struct xdp_md *ctx)
{
	__u64 len = (__u64)((const __u8 *)(long)ctx->data_end -
			    (const __u8 *)(long)ctx->data);

	OPAQUE(len); /* clang: no 32-bit subtraction of pointers */
	return (__u32)len;
}

static __always_inline __u32 frame_l4_off(const struct frame *f)
{
	return f->dns_off - sizeof(struct udphdr);
}

static __always_inline __u32 frame_l3_off(const struct frame *f)
{
	return frame_l4_off(f) - sizeof(struct iphdr) -
	       f->ipv6 * (sizeof(struct ipv6hdr) - sizeof(struct iphdr));
}

/* Distance of @pos from the start; to the verifier a number without history. */
static __always_inline __u32 frame_offset(const struct xdp_md *ctx, const __u8 *pos)
{
	const __u8 *start = (const __u8 *)(long)ctx->data;
	__u64 distance;

	OPAQUE(pos);
	OPAQUE(start);
	distance = (__u64)(pos - start);
	OPAQUE(distance); /* clang: no 32-bit subtraction of pointers */
	return (__u32)FRAME_OFF(distance);
}

/*
 * Take the tags; a VID of 0 is a priority tag and says nothing (802.1Q 9.6).
 * Return: the EtherType behind them.
 */
static __always_inline __u16 vlan_read(struct cursor *c, __u16 proto_be,
				       struct lane53_iface_key *in)
{
	const struct vlan_header *tag;

	in->vlan = 0;
	in->vlan_inner = 0;
	if (proto_be != bpf_htons(ETH_P_8021Q) && proto_be != bpf_htons(ETH_P_8021AD))
		return proto_be;
	tag = cursor_take(c, sizeof(*tag));
	if (!tag)
		return 0;
	in->vlan = bpf_ntohs(tag->tci_be) & 0xfff;
	proto_be = tag->proto_be;
	if (proto_be != bpf_htons(ETH_P_8021Q) && proto_be != bpf_htons(ETH_P_8021AD))
		return proto_be;
	tag = cursor_take(c, sizeof(*tag));
	if (!tag)
		return 0;
	in->vlan_inner = bpf_ntohs(tag->tci_be) & 0xfff;
	return tag->proto_be;
}

static __always_inline void addr_map_ipv4(__u8 out[16], __u32 addr_be)
{
	__u32 *words = (__u32 *)out;

	words[0] = 0;
	words[1] = 0;
	words[2] = bpf_htonl(0xffff);
	words[3] = addr_be;
}

static __always_inline void addr_copy(__u8 out[16], const void *addr)
{
	const __u32 *from = addr;
	__u32 *words = (__u32 *)out;

	words[0] = from[0];
	words[1] = from[1];
	words[2] = from[2];
	words[3] = from[3];
}

/* @ret_payload: bytes behind the IP header, by its own length. */
static __always_inline enum frame_status ipv4_read(struct cursor *c, struct frame *f,
						   __u32 *ret_payload)
{
	const struct iphdr *ip = cursor_take(c, sizeof(*ip));

	if (!ip || ip->protocol != IPPROTO_UDP)
		return FRAME_NOT_UDP;
	/* 0x3fff: a fragment offset, or MF (RFC 791 3.1) */
	if (*(const __u8 *)ip != 0x45 || ip->frag_off & bpf_htons(0x3fff))
		return FRAME_UNSUPPORTED;
	*ret_payload = bpf_ntohs(ip->tot_len) - (__u32)sizeof(*ip);
	addr_map_ipv4(f->to.addr, ip->daddr);
	addr_map_ipv4(f->from, ip->saddr);
	return FRAME_OK;
}

static __always_inline enum frame_status ipv6_read(struct cursor *c, struct frame *f,
						   __u32 *ret_payload)
{
	const struct ipv6hdr *ip = cursor_take(c, sizeof(*ip));

	if (!ip || ip->version != 6 || ip->nexthdr != IPPROTO_UDP)
		return FRAME_NOT_UDP;
	*ret_payload = bpf_ntohs(ip->payload_len);
	addr_copy(f->to.addr, &ip->daddr);
	addr_copy(f->from, &ip->saddr);
	return FRAME_OK;
}

static __always_inline enum frame_status
udp_read(const struct xdp_md *ctx, struct cursor *c, struct frame *f, __u32 payload)
{
	const struct udphdr *udp = cursor_take(c, sizeof(*udp));
	__u32 len, room;

	if (!udp)
		return FRAME_UNSUPPORTED;
	len = bpf_ntohs(udp->len);
	f->dns_off = frame_offset(ctx, c->pos);
	room = frame_len(ctx) - frame_l4_off(f);
	if (len < sizeof(*udp) || len != payload || len > room)
		return FRAME_UNSUPPORTED;
	f->dns_len = len - sizeof(*udp);
	f->surplus = room - len;
	f->from_port_be = udp->source;
	f->to.port_be = udp->dest;
	f->to.pad = 0;
	return FRAME_OK;
}

static __always_inline enum frame_status frame_read(const struct xdp_md *ctx,
						    struct frame *f)
{
	struct cursor c = frame_cursor(ctx);
	const struct ethhdr *eth = cursor_take(&c, sizeof(*eth));
	enum frame_status status;
	__u32 payload;
	__u16 proto_be;

	if (!eth)
		return FRAME_NOT_UDP;
	f->in.ifindex = ctx->ingress_ifindex;
	proto_be = vlan_read(&c, eth->h_proto, &f->in);
	if (proto_be == bpf_htons(ETH_P_IP)) {
		f->ipv6 = 0;
		status = ipv4_read(&c, f, &payload);
	} else if (proto_be == bpf_htons(ETH_P_IPV6)) {
		f->ipv6 = 1;
		status = ipv6_read(&c, f, &payload);
	} else {
		return FRAME_NOT_UDP;
	}
	if (status != FRAME_OK)
		return status;
	return udp_read(ctx, &c, f, payload);
}

/*
 * Cut what stands behind the message, so that the end of the frame is its end.  Nobody
 * misses padding.  Return: false if the kernel refuses (it does not for shrinking).
 */
static __always_inline bool frame_trim(struct xdp_md *ctx, struct frame *f)
{
	if (!f->surplus)
		return true;
	return bpf_xdp_adjust_tail(ctx, -(int)f->surplus) == 0;
}

/* The message to the end of the frame, after frame_trim(). */
static __always_inline struct cursor frame_message(const struct xdp_md *ctx,
						   const struct frame *f)
{
	struct cursor c = frame_cursor(ctx);

	c.pos += FRAME_OFF(f->dns_off);
	return c;
}

#endif
