/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * table.h - how a reader finds an answer in a table (abi.h: struct lane53_slot).
 *
 *   hash[0] ─► home slot: its `hop` byte ─► slots home+0 .. home+7 that may match
 *
 * One writer and any number of readers, in other processes and in XDP.  A reader copies
 * the slot between two looks at `seq`; an answer in a blob is copied after that and
 * `seq` is looked at once more (table_is_still()).  The writer makes `seq` odd before it
 * touches a slot, and a blob is written only while no slot names it, so whoever saw a
 * byte of another answer sees another `seq`.  On a mismatch: take the lane.
 * An entry on the move may be missed; it is never mistaken for another.
 *
 * Barriers: x86 keeps loads in order and stores in order, so it is enough to stop the
 * compiler.  arm64 does neither: user space uses acquire fences, the writer release
 * fences, and BPF, which has no fence, an atomic with a fetched result (fully ordered
 * in the kernel's memory model) on its own stack; build it with __TARGET_ARCH_arm64.
 */
#ifndef LANE53_TABLE_READ_H
#define LANE53_TABLE_READ_H

#include <linux/types.h>
#include "lane53/abi.h"

#ifdef __bpf__
#define TABLE_INLINE static inline __attribute__((always_inline))
#define TABLE_ROLLED _Pragma("clang loop unroll(disable)")
#else
#define TABLE_INLINE static inline
#define TABLE_ROLLED
#endif

/* Loads before it happen before loads after it. */
TABLE_INLINE void table_read_barrier(void)
{
#if !defined(__bpf__)
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
#elif defined(__TARGET_ARCH_arm64)
	__u64 fence = 0;
	__u64 before = __sync_fetch_and_add(&fence, 1);

	/* used: clang 14 makes an add without a fetch, and so without order, otherwise */
	__asm__ volatile("" : : "r"(before));
#endif
	__asm__ volatile("" ::: "memory");
}

/* Eight bytes of a slot, whatever its fields are. */
typedef __u64 __attribute__((may_alias)) table_word;

#define TABLE_LOAD(type, field) (*(const volatile type *)&(field))

enum table_find {
	TABLE_FIND_HIT,
	TABLE_FIND_MISS,
	TABLE_FIND_TORN, /* being written, or written meanwhile */
};

/*
 * Slot @idx of @table, or NULL.  BPF: bpf_map_lookup_elem() on the array; natively: an
 * address.  A constant at every call, so it is inlined.
 */
typedef const struct lane53_slot *table_slot_fn(void *table, __u32 idx);

/* Copy @slot to @ret if it stayed the same meanwhile.  Return: HIT or TORN. */
TABLE_INLINE enum table_find table_copy(const struct lane53_slot *slot,
					struct lane53_slot *ret)
{
	const __u32 seq = TABLE_LOAD(__u32, slot->seq);
	const volatile table_word *from = (const volatile table_word *)slot;
	table_word *to = (table_word *)ret;

	table_read_barrier();
	/* unrolled by hand: clang 14 makes a call of memcpy() of a volatile copy loop */
	to[0] = from[0];
	to[1] = from[1];
	to[2] = from[2];
	to[3] = from[3];
	to[4] = from[4];
	to[5] = from[5];
	to[6] = from[6];
	to[7] = from[7];
	table_read_barrier();
	ret->seq = seq;
	if (seq & 1 || TABLE_LOAD(__u32, slot->seq) != seq)
		return TABLE_FIND_TORN;
	return TABLE_FIND_HIT;
}

/* Home slot of the entry with @hash in a table of @slots. */
TABLE_INLINE __u32 table_home(const __u64 hash[2], __u32 slots)
{
	return (__u32)((hash[0] >> 32) * (slots - LANE53_HOP_RANGE + 1) >> 32);
}

/*
 * Find the entry with @hash in the table of @slots.  On a hit @ret is a
 * consistent copy of it and *@ret_slot (borrowed) is where it stands, for
 * table_is_still().  On others both are undefined.
 */
TABLE_INLINE enum table_find table_find(table_slot_fn *slot_at, void *table,
					__u32 slots, const __u64 hash[2],
					struct lane53_slot *ret,
					const struct lane53_slot **ret_slot)
{
	const __u32 home = table_home(hash, slots);
	const struct lane53_slot *slot = slot_at(table, home);
	__u32 hop;

	if (!slot)
		return TABLE_FIND_MISS;
	hop = TABLE_LOAD(__u8, slot->hop);
	TABLE_ROLLED
	for (__u32 i = 0; i < LANE53_HOP_RANGE; i++) {
		if (!(hop >> i & 1))
			continue;
		slot = slot_at(table, home + i);
		if (!slot)
			return TABLE_FIND_MISS;
		if (TABLE_LOAD(__u64, slot->hash[0]) != hash[0] ||
		    TABLE_LOAD(__u64, slot->hash[1]) != hash[1])
			continue;
		if (table_copy(slot, ret) == TABLE_FIND_TORN)
			return TABLE_FIND_TORN;
		/* the copy's own hash: the slot may have changed between the looks */
		if (ret->hash[0] != hash[0] || ret->hash[1] != hash[1] ||
		    !(ret->flags & LANE53_SLOT_USED))
			return TABLE_FIND_TORN;
		*ret_slot = slot;
		return TABLE_FIND_HIT;
	}
	return TABLE_FIND_MISS;
}

/* After a blob was copied: does @slot still say what @copy says? */
TABLE_INLINE int table_is_still(const struct lane53_slot *slot,
				const struct lane53_slot *copy)
{
	table_read_barrier();
	return TABLE_LOAD(__u32, slot->seq) == copy->seq;
}

/* @now_s: CLOCK_MONOTONIC, the coarse one will do. */
TABLE_INLINE int table_is_fresh(const struct lane53_slot *copy, __u32 now_s)
{
	return copy->expires_s == LANE53_NEVER_EXPIRES || now_s < copy->expires_s;
}

/* Seconds to take off the TTLs of @copy. */
TABLE_INLINE __u32 table_age_s(const struct lane53_slot *copy, __u32 now_s)
{
	if (!(copy->flags & LANE53_SLOT_AGE) || now_s < copy->stored_s)
		return 0;
	return now_s - copy->stored_s;
}

/* A TTL after @age_s seconds: never below 1 while it is served. */
TABLE_INLINE __u32 table_aged_ttl(__u32 ttl_s, __u32 age_s)
{
	return ttl_s > age_s ? ttl_s - age_s : 1;
}

#endif
