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
#include "response.bpf.h"

/* ---- room ---- */

/*
 * Grow the frame at its head by @grow and move the first @move bytes there; the gap
 * opens behind them.  For drivers without room at the tail (veth).
 * Not static: verified once, for any numbers.  Return: 0, or 1 with the frame as it was.
 */
__noinline int room_at_head(struct xdp_md *ctx, __u32 move, __u32 grow)
{
	struct scratch *s = scratch_get();

	if (!s || !is_length(&move, SCRATCH_HEAD_BYTES) || grow > LANE53_LARGE_BYTES)
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
	return is_length(&len, LANE53_INLINE_BYTES) &&
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
	__u32 bits = LANE53_SLOT_RCODE(flags);

	if (flags & LANE53_SLOT_AA)
		bits |= FLAG_AA;
	if (flags & LANE53_SLOT_RA)
		bits |= FLAG_RA;
	if (flags & LANE53_SLOT_AD)
		bits |= FLAG_AD;
	return bits;
}

/*
 * Place what the slot holds behind the question.  It always fits: 512 bytes are
 * everybody's, and the longest question, an AAAA and an OPT are 310.
 * Return: false if there is no room; the query is as it was.
 */
static __always_inline bool inline_place(struct xdp_md *ctx, const struct frame *f,
					 const struct question *q,
					 const struct found *found, struct reply *r)
{
	const __u32 off = f->dns_off + q->question_end;
	const bool one_rr = found->copy.flags & LANE53_SLOT_RR;

	r->len = q->question_end + found->copy.len + opt_len(q);
	r->ancount = one_rr;
	r->nscount = 0;
	r->answer_len = found->copy.len;
	return message_resize(ctx, f, q->question_end, r->len) &&
	       inline_copy(ctx, off, &found->copy) &&
	       (!found->age_s || !one_rr || inline_age(ctx, off, found->age_s));
}

/*
 * After the answer was placed: the OPT behind it, the headers before it.
 * Return: false, never, but the verifier does not know.
 */
static __always_inline bool answer_finish(struct xdp_md *ctx, const struct frame *f,
					  const struct question *q, struct reply *r)
{
	return opt_append(ctx, f->dns_off + q->question_end + r->answer_len, q) &&
	       headers_write(ctx, f, q, r);
}

#endif
