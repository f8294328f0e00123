/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * blob.bpf.h - answer with what does not fit a slot: chains, sets, negative answers.
 *
 * A blob may be reused while it is read (lane53/abi.h), so it is copied into the frame
 * behind the question, and the slot's `seq` is looked at again before anything else is
 * touched.  What stood there, the query's OPT, is kept aside: if the read was torn, it
 * goes back, and the query, whole, takes the lane.
 */
#ifndef LANE53_BLOB_BPF_H
#define LANE53_BLOB_BPF_H

#include "answer.bpf.h"

enum blob_status {
	BLOB_PLACED,
	BLOB_TRUNCATED,
	BLOB_LANE, /* no room, torn, or an odd query: it is as it was */
};

/* A blob of either kind. */
struct blob {
	const struct lane53_blob_head *head;
	__u32 max; /* bytes behind it, by its kind: a constant */
	__u32 len;
};

static __always_inline const void *small_at(const struct found *found)
{
	__u32 idx = found->copy.blob;

	return found->cached ? bpf_map_lookup_elem(&cache_small, &idx)
			     : bpf_map_lookup_elem(&local_small, &idx);
}

static __always_inline const void *large_at(const struct found *found)
{
	__u32 idx = found->copy.blob;

	return found->cached ? bpf_map_lookup_elem(&cache_large, &idx)
			     : bpf_map_lookup_elem(&local_large, &idx);
}

#define BLOB_LOAD(type, field) (*(const volatile type *)&(field))

/* May be torn: every number is bounded where it is used. */
static __always_inline void blob_read(struct blob *blob)
{
	blob->len = BLOB_LOAD(__u16, blob->head->len);
}

/* ---- the query's tail: what stands behind its question ---- */

static __always_inline bool tail_save(struct xdp_md *ctx, struct scratch *s, __u32 off,
				      __u32 len)
{
	if (!len)
		return true;
	if (!is_length(&len, SCRATCH_TAIL_BYTES))
		return false;
	return bpf_xdp_load_bytes(ctx, off, s->tail, len) == 0;
}

/*
 * Back to the query: @len bytes of tail at @off, and nothing behind it.  Whether room
 * was made at the tail or at the head, the surplus stands at the end by now.
 */
static __always_inline void tail_restore(struct xdp_md *ctx, struct scratch *s,
					 __u32 off, __u32 len)
{
	(void)bpf_xdp_adjust_tail(ctx, (int)(off + len) - (int)frame_len(ctx));
	if (is_length(&len, SCRATCH_TAIL_BYTES))
		(void)bpf_xdp_store_bytes(ctx, off, s->tail, len);
}

/* ---- the blob's bytes ---- */

static __always_inline bool blob_copy(struct xdp_md *ctx, __u32 off,
				      const struct blob *blob)
{
	__u32 len = blob->len;

	return is_length(&len, blob->max) &&
	       bpf_xdp_store_bytes(ctx, off, (void *)(blob->head + 1), len) == 0;
}

/*
 * Take @age_s off the TTLs of the blob's bytes, which stand at @off in the frame.
 * Not static: verified once, for any numbers.  Return: 0, or 1 if one is beyond the end.
 */
__noinline int blob_age(struct xdp_md *ctx, __u32 off, __u32 age_s,
			const struct lane53_blob_head *head)
{
	__u32 count;

	if (!head)
		return 1;
	count = BLOB_LOAD(__u16, head->ttl_count);
	HASH_ROLLED
	for (__u32 i = 0; i < LANE53_BLOB_TTLS; i++) {
		struct cursor c = frame_cursor(ctx);
		__u8 *p;

		if (i >= count)
			break;
		c.pos += (off + BLOB_LOAD(__u16, head->ttl_off[i])) & 0x7ff;
		p = (__u8 *)cursor_take(&c, 4);
		if (!p)
			return 1;
		ttl_age(p, age_s);
	}
	return 0;
}

/* TC=1, question and OPT only: a partial answer helps nobody (RFC 2181 9). */
static __always_inline enum blob_status truncate(struct xdp_md *ctx,
						 const struct frame *f,
						 const struct question *q,
						 struct reply *r)
{
	r->len = q->question_end + opt_len(q);
	r->bits |= FLAG_TC;
	r->ancount = 0;
	r->nscount = 0;
	r->answer_len = 0;
	r->answer_sum = 0;
	if (!message_resize(ctx, f, q->question_end, r->len))
		return BLOB_LANE;
	return BLOB_TRUNCATED;
}

/* Copy the blob behind the question.  Return: false, and the query is as it was. */
static __always_inline bool blob_copy_whole(struct xdp_md *ctx, const struct frame *f,
					    const struct question *q,
					    const struct found *found,
					    const struct blob *blob, __u32 message_len)
{
	const __u32 off = f->dns_off + q->question_end;
	const __u32 tail_len = f->dns_len - q->question_end;
	struct scratch *s = scratch_get();

	if (!s || !tail_save(ctx, s, off, tail_len) ||
	    !message_resize(ctx, f, q->question_end, message_len))
		return false;
	if (blob_copy(ctx, off, blob) &&
	    (!found->age_s || !blob_age(ctx, off, found->age_s, blob->head)) &&
	    table_is_still(found->slot, &found->copy))
		return true;
	tail_restore(ctx, s, off, tail_len);
	return false;
}

static __always_inline enum blob_status
blob_place_kind(struct xdp_md *ctx, const struct frame *f, const struct question *q,
		const struct found *found, struct reply *r, struct blob *blob)
{
	if (!blob->head)
		return BLOB_LANE;
	blob_read(blob);
	if (blob->len > blob->max)
		return BLOB_LANE;
	r->len = q->question_end + blob->len + opt_len(q);
	r->ancount = BLOB_LOAD(__u8, blob->head->ancount);
	r->nscount = BLOB_LOAD(__u8, blob->head->nscount);
	r->answer_len = blob->len;
	if (r->len <= udp_limit(q->edns.udp_payload_size, r->limit))
		return blob_copy_whole(ctx, f, q, found, blob, r->len) ? BLOB_PLACED
								       : BLOB_LANE;
	return table_is_still(found->slot, &found->copy) ? truncate(ctx, f, q, r)
							 : BLOB_LANE;
}

/*
 * Place the blob behind the question, or nothing there and TC=1.
 * verifier: one kind at a time, so that bytes and bound belong together.
 */
static __noinline enum blob_status blob_place(struct xdp_md *ctx, const struct frame *f,
					      const struct question *q,
					      const struct found *found,
					      struct reply *r)
{
	struct blob blob;

	if (found->copy.flags & LANE53_SLOT_LARGE) {
		blob.head = large_at(found);
		blob.max = LANE53_LARGE_BYTES;
		return blob_place_kind(ctx, f, q, found, r, &blob);
	}
	blob.head = small_at(found);
	blob.max = LANE53_SMALL_BYTES;
	return blob_place_kind(ctx, f, q, found, r, &blob);
}

#endif
