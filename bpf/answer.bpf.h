/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * answer.bpf.h - make the response out of the query's own frame.
 *
 *   Ethernet .. UDP | header | question | answer (a slot's or a blob's) | OPT
 *   └─ turned round ─┘         └─ kept ─┘ └─ copied, TTLs aged ───────┘ └─ iff asked
 *
 * Until the answer is known to be whole nothing before it is touched, so a torn read can
 * still become the query it was (blob.bpf.h).
 */
#ifndef LANE53_ANSWER_BPF_H
#define LANE53_ANSWER_BPF_H

#include "frame.bpf.h"
#include "lookup.bpf.h"
#include "maps.bpf.h"

#define HOP_LIMIT 64

/* The response: what its header says beside what the query said. */
struct reply {
	__u32 len;  /* of the message */
	__u16 bits; /* FLAG_*, rcode */
	__u16 ancount;
	__u16 nscount;
	__u16 flags; /* the flags word as sent */
	__u16 limit; /* in: settings.udp_limit */
};

/* ---- room ---- */

/*
 * Grow the frame at its head by @grow and move the first @move bytes there; the gap
 * opens behind them.  For drivers without room at the tail (veth).
 * Not static: verified once, for any numbers.  Return: 0, or 1 with the frame as it was.
 */
__noinline int room_at_head(struct xdp_md *ctx, __u32 move, __u32 grow)
{
	struct scratch *s = scratch_get();

	if (!s || move < 1 || move > SCRATCH_HEAD_BYTES || grow > LANE53_LARGE_BYTES)
		return 1;
	if (bpf_xdp_load_bytes(ctx, 0, s->head, move))
		return 1;
	if (bpf_xdp_adjust_head(ctx, -(int)grow))
		return 1;
	return bpf_xdp_store_bytes(ctx, 0, s->head, move) != 0;
}

/*
 * Make the message @len bytes long; @keep bytes of it stay where they are in it.
 * Return: false if neither end of the frame has room: it is as it was.
 */
static __always_inline bool message_resize(struct xdp_md *ctx, const struct frame *f,
					   __u32 keep, __u32 len)
{
	const int delta = (int)len - (int)f->dns_len;

	if (!delta || !bpf_xdp_adjust_tail(ctx, delta))
		return true;
	if (delta < 0)
		return false;
	return room_at_head(ctx, f->dns_off + keep, (__u32)delta) == 0;
}

/* ---- checksums (RFC 1071) ---- */

static __always_inline __u16 sum_fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)((sum & 0xffff) + (sum >> 16));
}

#define SUM_BYTES_MAX (LANE53_LARGE_BYTES + 8 + DNS_HEADER_BYTES + 259 + OPT_BYTES)

/*
 * Sum of the @len bytes at @off up to the end of the frame, folded.  In full: a local
 * sender leaves CHECKSUM_PARTIAL, so the query's own sum is no start (8 <= @len).
 */
__noinline int sum_segment(struct xdp_md *ctx, __u32 off, __u32 len)
{
	struct cursor c = frame_cursor(ctx);
	const __u8 *p;
	__u64 sum = 0, w, last;
	__u32 rest = len % 8;

	if (off > 0x7f || len < 8 || len > SUM_BYTES_MAX)
		return 0;
	p = c.pos + off;
	HASH_ROLLED
	for (__u32 i = 0; i < SUM_BYTES_MAX / 8 + 1; i++) {
		OPAQUE(p); /* clang: no trip count, which needs `end + 1` */
		if (p + 8 > c.end)
			break;
		w = *(const __u64 *)p;
		sum += (w & 0xffffffff) + (w >> 32);
		p += 8;
	}
	if (rest) {
		last = off + len - 8;
		OPAQUE(last); /* verifier: one number, not a pointer and -8 */
		p = c.pos + (last & 0x7ff);
		if (p + 8 > c.end)
			return 0;
		w = *(const __u64 *)p >> (64 - 8 * rest);
		sum += (w & 0xffffffff) + (w >> 32);
	}
	return sum_fold(sum);
}

static __always_inline __u64 sum_words(const void *p, __u32 words)
{
	const __u32 *w = p;
	__u64 sum = 0;

#pragma unroll
	for (__u32 i = 0; i < words; i++)
		sum += w[i];
	return sum;
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

/* RFC 8200 8.1: the sum is not optional, and 0 is sent as all ones. */
static __always_inline bool ipv6_sum_write(struct xdp_md *ctx, const struct frame *f,
					   __u32 message_len)
{
	const __u32 l4_off = FRAME_OFF(frame_l4_off(f));
	const __u32 len = sizeof(struct udphdr) + message_len;
	__u64 sum = (__u32)sum_segment(ctx, l4_off, len);
	struct cursor c = frame_cursor(ctx);
	struct udphdr *udp;
	__u16 check;

	c.pos += l4_off;
	udp = (struct udphdr *)cursor_take(&c, sizeof(*udp));
	if (!udp)
		return false;
	sum += sum_words(f->from, 4) + sum_words(f->to.addr, 4);
	sum += bpf_htons(len) + bpf_htons(IPPROTO_UDP);
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
	return ipv6_sum_write(ctx, f, r->len);
}

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

/* ---- an answer in the slot itself ---- */

static __always_inline void ttl_age(__u8 *p, __u32 age_s)
{
	const __u32 ttl_s = bpf_ntohl(*(__u32 *)p);

	*(__u32 *)p = bpf_htonl(table_aged_ttl(ttl_s, age_s));
}

#define RR_TTL_OFF 6 /* after a compressed owner, type and class */

/* 28 and 16 bytes, AAAA and A, are nearly all there is: they need no helper. */
static __always_inline bool inline_copy(struct xdp_md *ctx, __u32 off,
					const struct lane53_slot *slot)
{
	const __u32 *from = (const __u32 *)slot->answer;
	struct cursor c = frame_cursor(ctx);
	__u32 len = slot->len;
	__u32 *to;

	c.pos += off & 0x1ff;
	if (len == 16) {
		to = (__u32 *)cursor_take(&c, 16);
		if (!to)
			return false;
		__builtin_memcpy(to, from, 16);
		return true;
	}
	if (len == 28) {
		to = (__u32 *)cursor_take(&c, 28);
		if (!to)
			return false;
		__builtin_memcpy(to, from, 28);
		return true;
	}
	if (!len)
		return true;
	return len <= LANE53_INLINE_BYTES &&
	       bpf_xdp_store_bytes(ctx, off, (void *)slot->answer, len) == 0;
}

static __always_inline bool inline_age(struct xdp_md *ctx, __u32 off, __u32 age_s)
{
	struct cursor c = frame_cursor(ctx);
	__u8 *p;

	c.pos += off & 0x1ff;
	p = (__u8 *)cursor_take(&c, RR_TTL_OFF + 4);
	if (!p)
		return false;
	ttl_age(p + RR_TTL_OFF, age_s);
	return true;
}

/* The bits of a slot that go into the flags word. */
static __always_inline __u16 slot_bits(__u32 flags)
{
	__u16 bits = LANE53_SLOT_RCODE(flags);

	if (flags & LANE53_SLOT_AA)
		bits |= FLAG_AA;
	if (flags & LANE53_SLOT_RA)
		bits |= FLAG_RA;
	if (flags & LANE53_SLOT_AD)
		bits |= FLAG_AD;
	return bits;
}

/*
 * Answer with what the slot holds.  It always fits: 512 bytes are everybody's, and the
 * longest question, an AAAA and an OPT are 310.
 * Return: false if there is no room; the query is as it was.
 */
static __always_inline bool answer_inline(struct xdp_md *ctx, const struct frame *f,
					  const struct question *q,
					  const struct found *found, struct reply *r)
{
	const __u32 flags = found->copy.flags;
	const __u32 off = f->dns_off + q->question_end;
	const bool one_rr = flags & LANE53_SLOT_RR;

	r->len = q->question_end + found->copy.len + opt_len(q);
	r->bits = slot_bits(flags);
	r->ancount = one_rr;
	r->nscount = 0;
	if (!message_resize(ctx, f, q->question_end, r->len))
		return false;
	if (!inline_copy(ctx, off, &found->copy))
		return false;
	if (found->age_s && one_rr && !inline_age(ctx, off, found->age_s))
		return false;
	return opt_append(ctx, off + found->copy.len, q) && headers_write(ctx, f, q, r);
}

#endif
