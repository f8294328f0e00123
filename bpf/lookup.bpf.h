/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * lookup.bpf.h - from a question in a frame to a slot of `local` or `cache`.
 *
 * The name is hashed where it stands, eight bytes at a time; lane53/hash.h says how.
 */
#ifndef LANE53_LOOKUP_BPF_H
#define LANE53_LOOKUP_BPF_H

#include "frame.bpf.h"
#include "maps.bpf.h"
#include "view.bpf.h"
#include "lane53/hash.h"
#include "lane53/table.h"

/* A slot that answers, copied whole; where it stands, to look at `seq` once more. */
struct found {
	struct lane53_slot copy;
	const struct lane53_slot *slot;
	__u32 age_s; /* to take off the TTLs */
	bool cached; /* of `cache`, not of `local` */
};

static __always_inline const struct lane53_slot *local_slot(void *table, __u32 idx)
{
	(void)table;
	return bpf_map_lookup_elem(&local, &idx);
}

static __always_inline const struct lane53_slot *cache_slot(void *table, __u32 idx)
{
	(void)table;
	return bpf_map_lookup_elem(&cache, &idx);
}

/* clang: behind a pointer it knows, the secret is the zeros it was declared with. */
static __always_inline const __u32 *secret_get(void)
{
	const volatile __u32 *secret = lane53_secret;

	OPAQUE(secret);
	return (const __u32 *)secret;
}

/*
 * name_lanes() of the QNAME of the message at @c.  The last, partial word is loaded so
 * that it ends where the name ends, and shifted: the header before it is there to read,
 * while the frame may end 4 bytes after it.
 * Return: false, never, but the verifier does not know.
 */
static __always_inline bool qname_lanes(const struct cursor *c, __u32 len,
					struct name_lanes *ret)
{
	const __u32 *secret = secret_get();
	struct name_lanes lanes = { { 0, 0 } };
	__u32 words = len / 8, rest = len % 8;
	const __u8 *p;
	__u64 w, last;

	HASH_ROLLED
	for (__u32 i = 0; i < HASH_NAME_WORDS / 2; i++) {
		OPAQUE(i); /* clang: no trip count, which needs `end + 1` */
		if (i >= words)
			break;
		p = c->pos + QNAME_OFF + i * 8;
		if (p + 8 > c->end)
			return false;
		w = lower8(*(const __u64 *)p);
		nh_pair(&lanes, secret + 2 * i, (__u32)w, (__u32)(w >> 32));
	}
	if (rest) {
		last = QNAME_OFF + len - 8;
		OPAQUE(last); /* verifier: one number, not a pointer and -8 */
		p = c->pos + (last & 0x1ff);
		if (p + 8 > c->end)
			return false;
		w = lower8(*(const __u64 *)p >> (64 - 8 * rest));
		OPAQUE(words); /* verifier: not the count of the loop above */
		nh_pair(&lanes, secret + 2 * (words & 31), (__u32)w, (__u32)(w >> 32));
	}
	*ret = lanes;
	return true;
}

/* May the slot be shown, now?  Sets age_s. */
static __always_inline bool found_is_due(struct found *found, const struct question *q)
{
	const __u32 flags = found->copy.flags;
	__u32 now_s;

	found->age_s = 0;
	if (flags & LANE53_SLOT_NEEDS_RD && !(q->flags & FLAG_RD))
		return false;
	if (flags & LANE53_SLOT_NO_DO && q->edns.flags & QUESTION_EDNS_DO)
		return false;
	if (!(flags & LANE53_SLOT_AGE) && found->copy.expires_s == LANE53_NEVER_EXPIRES)
		return true; /* most of `local`: no clock is read */
	now_s = (__u32)(bpf_ktime_get_coarse_ns() / 1000000000u);
	found->age_s = table_age_s(&found->copy, now_s);
	return table_is_fresh(&found->copy, now_s);
}

/* Return: whether @ret is an answer to show; torn, expired or absent: the lane's. */
static __always_inline bool lookup(const struct cursor *message,
				   const struct question *q, __u32 view,
				   struct found *ret)
{
	const __u32 *secret = secret_get();
	struct name_lanes lanes;
	struct key_hash key;
	__u32 flags = 0;

	if (!qname_lanes(message, q->qname_len, &lanes))
		return false;
	key = key_hash(secret, lanes, q->qname_len, q->qtype, view, 0);
	ret->cached = false;
	if (table_find(local_slot, 0, local_slots, key.hash, &ret->copy, &ret->slot) ==
		    TABLE_FIND_HIT &&
	    found_is_due(ret, q))
		return true;

	if (q->edns.flags & QUESTION_EDNS_DO)
		flags |= LANE53_KEY_DO;
	if (q->flags & FLAG_CD)
		flags |= LANE53_KEY_CD;
	if (flags)
		key = key_hash(secret, lanes, q->qname_len, q->qtype, view, flags);
	ret->cached = true;
	return table_find(cache_slot, 0, cache_slots, key.hash, &ret->copy,
			  &ret->slot) == TABLE_FIND_HIT &&
	       found_is_due(ret, q);
}

#endif
