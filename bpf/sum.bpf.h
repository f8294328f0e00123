/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * sum.bpf.h - the Internet checksum (RFC 1071), over bytes as they lie in memory.
 *
 * A sum begun at an odd byte is the sum of the same bytes with its own two swapped, so
 * sums of parts can be added whatever their places.
 */
#ifndef LANE53_SUM_BPF_H
#define LANE53_SUM_BPF_H

#include "frame.bpf.h"
#include "lane53/hash.h"

static __always_inline __u16 sum_fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)((sum & 0xffff) + (sum >> 16));
}

/* What the folded @sum counts for when its bytes begin at offset @off. */
static __always_inline __u64 sum_at(__u16 sum, __u32 off)
{
	return off & 1 ? __builtin_bswap16(sum) : sum;
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

#define SUM_BYTES_MAX (8 + LANE53_LARGE_BYTES + DNS_HEADER_BYTES + 259 + OPT_BYTES)

/*
 * Sum of the @len bytes at @off of the frame, folded; 8 <= @len.  The last, partial word
 * is loaded so that it ends where the bytes end, and shifted.
 * Not static: verified once, for any numbers.
 */
__noinline int sum_segment(struct xdp_md *ctx, __u32 off, __u32 len)
{
	struct cursor c = frame_cursor(ctx);
	const __u32 words = len / 8, rest = len % 8;
	__u64 sum = 0, w, last;
	const __u8 *p;

	if (off > 0x7f || len < 8 || len > SUM_BYTES_MAX)
		return 0;
	p = c.pos + off;
	HASH_ROLLED
	for (__u32 i = 0; i < SUM_BYTES_MAX / 8; i++) {
		OPAQUE(p); /* clang: no trip count, which needs `end + 1` */
		if (i >= words)
			break;
		if (p + 8 > c.end)
			return 0;
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

#endif
