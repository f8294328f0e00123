/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * blobs.h - the writer's side of one array of blobs (lane53/abi.h): which are free, and,
 * where answers do not age, which bytes are there already.
 *
 *   answer ──hash──> bucket ──> same bytes? ──yes──> one more reference
 *                                   └──no──> the blob that has been free longest
 *
 * A million names without AAAA share one NODATA answer per name length.  Blobs are
 * immutable while they are referenced and rest in a queue after that, so readers need
 * nothing but the slot's sequence.
 */
#ifndef LANE53_BLOBS_H
#define LANE53_BLOBS_H

#include <stdbool.h>
#include <stdint.h>

struct answer;
struct lane53_blob_head;

struct blobs {
	uint8_t *at;     /* the array; borrowed */
	uint32_t stride; /* bytes per blob, head included */
	uint32_t count;
	bool share;
	uint32_t *ring; /* the free ones, first in, first out */
	uint32_t ring_at, free;
	uint32_t *refs;   /* slots that name the blob */
	uint32_t *bucket; /* with share: first blob of a hash + 1, 0 = none */
	uint32_t *next;   /* next of the same bucket + 1 */
};

/* Return: 0 or -ENOMEM (blobs_deinit() may be called all the same). */
int blobs_init(struct blobs *blobs, void *at, uint32_t stride, uint32_t count,
	       bool share);
void blobs_deinit(struct blobs *blobs);

/*
 * While a table is opened: a slot names @blob (< count).  Return: false if it may not,
 * because another one has it and blobs are not shared.  Then blobs_settle(), once.
 */
bool blobs_claim(struct blobs *blobs, uint32_t blob);
void blobs_settle(struct blobs *blobs);

/* A blob with the bytes and counts of @answer.  Return: false if none is free. */
bool blobs_take(struct blobs *blobs, const struct answer *answer, uint32_t *ret_blob);

/* One slot less names @blob. */
void blobs_release(struct blobs *blobs, uint32_t blob);

#endif
