/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * response.bpf.h - all of a response that is not the answer: the headers turned round,
 * the OPT, the checksums.
 */
#ifndef LANE53_RESPONSE_BPF_H
#define LANE53_RESPONSE_BPF_H

#include "frame.bpf.h"
#include "sum.bpf.h"

#define HOP_LIMIT 64 /* RFC 1700, and what every stack takes */

/* The response: what its header says beside what the query said, and how it is summed. */
struct reply {
	__u16 len;  /* of the message */
	__u16 bits; /* FLAG_*, rcode */
	__u16 ancount;
	__u16 nscount;
	__u16 flags;      /* the flags word as sent */
	__u16 limit;      /* in: settings.udp_limit */
	__u16 answer_sum; /* as published; wrong once TTLs are aged */
	__u16 answer_len;
	bool answer_aged;
};

/* ---- OPT (RFC 6891 6.1.2) ---- */

static __always_inline __u32 opt_len(const struct question *q)
{
	return q->edns.present ? OPT_BYTES : 0;
}

/* At @p, OPT_BYTES of room: root, OPT, our size, version 0, DO as asked, no options. */
static __always_inline void opt_write(__u8 *p, const struct question *q)
{
	const __u32 dnssec_ok = q->edns.flags & QUESTION_EDNS_DO ? EDNS_DO : 0;

	*(__u32 *)p = bpf_htonl(TYPE_OPT << 8 | LANE53_UDP_PAYLOAD >> 8);
	*(__u32 *)(p + 4) = bpf_htonl((__u32)(LANE53_UDP_PAYLOAD & 0xff) << 24);
	*(__u16 *)(p + 7) = bpf_htons(dnssec_ok);
	*(__u16 *)(p + 9) = 0;
}

/* Sum of what opt_write() writes; without an OPT 0. */
static __always_inline __u16 opt_sum(const struct question *q)
{
	const __u32 dnssec_ok = q->edns.flags & QUESTION_EDNS_DO ? EDNS_DO >> 8 : 0;
	const __u32 sum = (TYPE_OPT << 8 | LANE53_UDP_PAYLOAD >> 8) +
			  ((LANE53_UDP_PAYLOAD & 0xff) << 8) + dnssec_ok;

	return q->edns.present ? bpf_htons(sum_fold(sum)) : 0;
}

/* The OPT, if one is due, as the last bytes of the frame, @off from its start. */
static __always_inline bool opt_append(struct xdp_md *ctx, __u32 off,
				       const struct question *q)
{
	struct cursor c = frame_cursor(ctx);
	__u8 *p;

	if (!q->edns.present)
		return true;
	c.pos += off & 0x7ff;
	p = (__u8 *)cursor_take(&c, OPT_BYTES);
	if (!p)
		return false;
	opt_write(p, q);
	return true;
}

/* ---- headers ---- */

static __always_inline void macs_swap(__u8 *eth)
{
	const __u32 to_high = *(__u32 *)eth, from_high = *(__u32 *)(eth + 6);
	const __u16 to_low = *(__u16 *)(eth + 4), from_low = *(__u16 *)(eth + 10);

	*(__u32 *)eth = from_high;
	*(__u16 *)(eth + 4) = from_low;
	*(__u32 *)(eth + 6) = to_high;
	*(__u16 *)(eth + 10) = to_low;
}

static __always_inline void udp_turn(struct udphdr *udp, __u32 message_len)
{
	const __u16 source = udp->source;

	udp->source = udp->dest;
	udp->dest = source;
	udp->len = bpf_htons(sizeof(*udp) + message_len);
	udp->check = 0;
}

static __always_inline void ipv4_turn(struct iphdr *ip, __u32 message_len)
{
	const __u32 source = ip->saddr;

	*(__u16 *)ip = bpf_htons(0x4500);
	ip->tot_len = bpf_htons(sizeof(*ip) + sizeof(struct udphdr) + message_len);
	ip->id = 0;
	ip->frag_off = 0;
	ip->ttl = HOP_LIMIT;
	ip->protocol = IPPROTO_UDP;
	ip->check = 0;
	ip->saddr = ip->daddr;
	ip->daddr = source;
	ip->check = ~sum_fold(sum_words(ip, sizeof(*ip) / 4));
}

static __always_inline void ipv6_turn(struct ipv6hdr *ip, __u32 message_len)
{
	__u32 *saddr = (__u32 *)&ip->saddr, *daddr = (__u32 *)&ip->daddr;

	*(__u32 *)ip = bpf_htonl(0x60000000); /* no class, no flow label */
	ip->payload_len = bpf_htons(sizeof(struct udphdr) + message_len);
	ip->nexthdr = IPPROTO_UDP;
	ip->hop_limit = HOP_LIMIT;
#pragma unroll
	for (int i = 0; i < 4; i++) {
		const __u32 word = saddr[i];

		saddr[i] = daddr[i];
		daddr[i] = word;
	}
}

static __always_inline void
dns_header_write(struct dns_header *h, const struct question *q, const struct reply *r)
{
	h->flags_be = bpf_htons(r->flags);
	h->ancount_be = bpf_htons(r->ancount);
	h->nscount_be = bpf_htons(r->nscount);
	h->arcount_be = q->edns.present ? bpf_htons(1) : 0;
}

/* UDP header to the end of the question are summed here, the rest as published. */
static __always_inline __u64 udp_sum(struct xdp_md *ctx, __u32 l4_off,
				     const struct question *q, const struct reply *r)
{
	const __u32 kept = sizeof(struct udphdr) + q->question_end;

	if (r->answer_aged)
		return (__u32)sum_segment(ctx, l4_off, sizeof(struct udphdr) + r->len);
	return (__u32)sum_segment(ctx, l4_off, kept) + sum_at(r->answer_sum, kept) +
	       sum_at(opt_sum(q), kept + r->answer_len);
}

/*
 * In full: a local sender leaves CHECKSUM_PARTIAL, so the query's own sum is no start.
 * RFC 8200 8.1: it is not optional, and 0 is sent as all ones.
 */
static __always_inline bool ipv6_sum_write(struct xdp_md *ctx, const struct frame *f,
					   const struct question *q,
					   const struct reply *r)
{
	const __u32 l4_off = FRAME_OFF(frame_l4_off(f));
	__u64 sum = udp_sum(ctx, l4_off, q, r);
	struct cursor c = frame_cursor(ctx);
	struct udphdr *udp;
	__u16 check;

	c.pos += l4_off;
	udp = (struct udphdr *)cursor_take(&c, sizeof(*udp));
	if (!udp)
		return false;
	sum += sum_words(f->from, 4) + sum_words(f->to.addr, 4);
	sum += udp->len + bpf_htons(IPPROTO_UDP);
	check = ~sum_fold(sum);
	udp->check = check ? check : 0xffff;
	return true;
}

/*
 * Turn the frame round and write the message's header; the rest of the message stands.
 * Return: false, never, but the verifier does not know.
 */
static __always_inline bool headers_write(struct xdp_md *ctx, const struct frame *f,
					  const struct question *q, struct reply *r)
{
	struct cursor c = frame_cursor(ctx);
	__u8 *eth = (__u8 *)cursor_take(&c, sizeof(struct ethhdr));
	__u8 *l3;

	if (!eth)
		return false;
	r->flags = response_flags(q->flags, r->bits, q->edns.flags & QUESTION_EDNS_DO);
	macs_swap(eth);
	c = frame_cursor(ctx);
	c.pos += FRAME_OFF(frame_l3_off(f));
	if (!f->ipv6) {
		l3 = (__u8 *)cursor_take(&c, 20 + 8 + DNS_HEADER_BYTES);
		if (!l3)
			return false;
		ipv4_turn((struct iphdr *)l3, r->len);
		udp_turn((struct udphdr *)(l3 + 20), r->len);
		dns_header_write((struct dns_header *)(l3 + 28), q, r);
		return true;
	}
	l3 = (__u8 *)cursor_take(&c, 40 + 8 + DNS_HEADER_BYTES);
	if (!l3)
		return false;
	ipv6_turn((struct ipv6hdr *)l3, r->len);
	udp_turn((struct udphdr *)(l3 + 40), r->len);
	dns_header_write((struct dns_header *)(l3 + 48), q, r);
	return ipv6_sum_write(ctx, f, q, r);
}

#endif
