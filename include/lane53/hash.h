/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * hash.h - the keyed hash that names an answer in the tables.
 *
 * NH with a Toeplitz shift, two lanes, over 32-bit words (Black, Halevi, Krawczyk,
 * Krovetz, Rogaway: UMAC, CRYPTO '99; RFC 4418 5.2):
 *
 *   lane j = sum over pairs i of (m[2i] + k[2i+2j]) * (m[2i+1] + k[2i+1+2j])  mod 2^64
 *
 * where m is the lower-cased QNAME (8 bytes a pair, the last one filled with zeros) and,
 * always at words 64 to 67: qname_len | qtype << 16, view, flags, 0.
 *
 * Bound: two given different keys collide in both lanes with probability <= 2^-64 over
 * the secret.  Take the last pair in which they differ: given all else, one value of one
 * secret word makes lane 0 equal (<= 2^-32, UMAC theorem 4.2), and lane 1 uses a word
 * there that no differing pair of lane 0 saw.  Names of different length have different
 * numbers of pairs, but differ in word 64 too, so the argument holds for them.
 * The last step, fmix64, is a bijection: it spreads bits for the choice of a slot and
 * changes no bound.
 *
 * It is no MAC: whoever sees hashes learns the secret.  They stay on this machine.
 */
#ifndef LANE53_HASH_H
#define LANE53_HASH_H

#include <linux/types.h>
#include "lane53/abi.h"
#include "lane53/wire.h"

#ifdef __bpf__
#define HASH_INLINE static inline __attribute__((always_inline))
#define HASH_ROLLED _Pragma("clang loop unroll(disable)")
#else
#define HASH_INLINE static inline
#define HASH_ROLLED
#endif

#define HASH_NAME_WORDS 64
LANE53_ABI_ASSERT(HASH_NAME_WORDS * 4 >= NAME_MAX_BYTES);
LANE53_ABI_ASSERT(HASH_NAME_WORDS + 4 + 2 <= LANE53_SECRET_WORDS);

/* Room for a name that name_lanes() may read: it reads whole 8-byte words. */
#define HASH_NAME_ROOM 256

/* The name's part of a hash: good for every type, view and flags of that name. */
struct name_lanes {
	__u64 lane[2];
};

/* A..Z to a..z in eight bytes at once; others, label lengths (<= 63) too, stay. */
HASH_INLINE __u64 lower8(__u64 w)
{
	const __u64 ones = 0x0101010101010101ull;
	const __u64 low7 = w & (0x7f * ones);
	const __u64 from_a = low7 + (0x80 - 'A') * ones;  /* bit 7: >= 'A' */
	const __u64 after_z = low7 + (0x7f - 'Z') * ones; /* bit 7: > 'Z' */
	const __u64 upper = (from_a ^ after_z) & ~w & (0x80 * ones);

	return w | upper >> 2;
}

HASH_INLINE __u64 hash_load8(const __u8 *p)
{
	__u64 w;

	__builtin_memcpy(&w, p, sizeof(w));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	w = __builtin_bswap64(w);
#endif
	return w;
}

/* One pair of words into both lanes; @k = secret + index of the first word. */
HASH_INLINE void nh_pair(struct name_lanes *lanes, const __u32 *k, __u32 m0, __u32 m1)
{
	lanes->lane[0] += (__u64)(__u32)(m0 + k[0]) * (__u32)(m1 + k[1]);
	lanes->lane[1] += (__u64)(__u32)(m0 + k[2]) * (__u32)(m1 + k[3]);
}

/*
 * Lanes of the wire name (any case) in the @len first bytes of @room.  @room is
 * HASH_NAME_ROOM bytes, 8-aligned in BPF; what stands after the name does not matter, it
 * only has to be readable.  @secret: LANE53_SECRET_WORDS.
 */
HASH_INLINE struct name_lanes name_lanes_room(const __u32 *secret, const __u8 *room,
					      __u32 len)
{
	struct name_lanes lanes = { { 0, 0 } };

	HASH_ROLLED
	for (__u32 i = 0; i < HASH_NAME_WORDS / 2; i++) {
		__u64 w;

		if (i * 8 >= len)
			break;
		w = hash_load8(room + i * 8);
		if (len - i * 8 < 8) /* the last word: zeros after the name */
			w &= (1ull << ((len - i * 8) * 8)) - 1;
		w = lower8(w);
		nh_pair(&lanes, secret + 2 * i, (__u32)w, (__u32)(w >> 32));
	}
	return lanes;
}

/* murmur3's finalizer; a bijection. */
HASH_INLINE __u64 fmix64(__u64 h)
{
	h ^= h >> 33;
	h *= 0xff51afd7ed558ccdull;
	h ^= h >> 33;
	h *= 0xc4ceb9fe1a85ec53ull;
	h ^= h >> 33;
	return h;
}

struct key_hash {
	__u64 hash[2];
};

/* The hash of one key from its name's lanes.  @flags: LANE53_KEY_*. */
HASH_INLINE struct key_hash key_hash(const __u32 *secret, struct name_lanes lanes,
				     __u32 len, __u16 qtype, __u32 view, __u32 flags)
{
	struct key_hash ret;

	nh_pair(&lanes, secret + HASH_NAME_WORDS, len | (__u32)qtype << 16, view);
	nh_pair(&lanes, secret + HASH_NAME_WORDS + 2, flags, 0);
	ret.hash[0] = fmix64(lanes.lane[0]);
	ret.hash[1] = fmix64(lanes.lane[1]);
	return ret;
}

/* Which of @count lanes has the questions for a name, whatever their type and view. */
HASH_INLINE __u32 lane_of_name(struct name_lanes name, __u32 count)
{
	return (__u32)((fmix64(name.lane[0]) >> 32) * count >> 32);
}

#ifndef __bpf__
/* Lanes of the wire name of @len <= NAME_MAX_BYTES bytes; none after it is read. */
static inline struct name_lanes name_lanes(const __u32 *secret, const __u8 *name,
					   __u32 len)
{
	__u8 room[HASH_NAME_ROOM] = { 0 };

	__builtin_memcpy(room, name, len < HASH_NAME_ROOM ? len : HASH_NAME_ROOM);
	return name_lanes_room(secret, room, len);
}
#endif

#endif
