/* SPDX-License-Identifier: BSD-3-Clause */
/* blobs.c - see blobs.h. */
#include "cache/blobs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cache/answer.h"
#include "lane53/abi.h"

int blobs_init(struct blobs *blobs, void *at, uint32_t stride, uint32_t count,
	       bool share)
{
	*blobs = (struct blobs){
		.at = at, .stride = stride, .count = count, .share = share
	};
	if (!count)
		return 0;
	blobs->ring = calloc(count, sizeof(*blobs->ring));
	blobs->refs = calloc(count, sizeof(*blobs->refs));
	if (!blobs->ring || !blobs->refs)
		return -ENOMEM;
	if (!share)
		return 0;
	blobs->bucket = calloc(count, sizeof(*blobs->bucket));
	blobs->next = calloc(count, sizeof(*blobs->next));
	return blobs->bucket && blobs->next ? 0 : -ENOMEM;
}

void blobs_deinit(struct blobs *blobs)
{
	free(blobs->ring);
	free(blobs->refs);
	free(blobs->bucket);
	free(blobs->next);
}

static struct lane53_blob_head *head_of(const struct blobs *blobs, uint32_t blob)
{
	return (struct lane53_blob_head *)(blobs->at + (size_t)blob * blobs->stride);
}

static uint8_t *bytes_of(const struct blobs *blobs, uint32_t blob)
{
	return (uint8_t *)(head_of(blobs, blob) + 1);
}

/* ---- free ones ---- */

static void ring_put(struct blobs *blobs, uint32_t blob)
{
	blobs->ring[(blobs->ring_at + blobs->free++) % blobs->count] = blob;
}

static uint32_t ring_take(struct blobs *blobs)
{
	uint32_t blob = blobs->ring[blobs->ring_at];

	blobs->ring_at = (blobs->ring_at + 1) % blobs->count;
	blobs->free--;
	return blob;
}

/* ---- the same bytes again ---- */

/* FNV-1a over eight bytes at a time: the names in answers are the daemon's own, so an
 * attacker cannot choose what meets in a bucket. */
static uint32_t *bucket_of(const struct blobs *blobs, const uint8_t *bytes, size_t len)
{
	uint64_t hash = 0xcbf29ce484222325ull ^ len, word = 0;

	for (; len >= sizeof(word); len -= sizeof(word), bytes += sizeof(word)) {
		memcpy(&word, bytes, sizeof(word));
		hash = (hash ^ word) * 0x100000001b3ull;
		hash ^= hash >> 29;
	}
	word = 0;
	memcpy(&word, bytes, len);
	hash = (hash ^ word) * 0x100000001b3ull;
	return &blobs->bucket[(hash ^ hash >> 32) % blobs->count];
}

static bool is_same(const struct lane53_blob_head *head, const uint8_t *bytes,
		    const struct answer *answer)
{
	return head->len == answer->len && head->ancount == answer->ancount &&
	       head->nscount == answer->nscount && head->ttl_count == 0 &&
	       !memcmp(bytes, answer->bytes, answer->len);
}

static bool find_same(const struct blobs *blobs, const struct answer *answer,
		      uint32_t *ret_blob)
{
	uint32_t i = *bucket_of(blobs, answer->bytes, answer->len);

	for (; i; i = blobs->next[i - 1]) {
		if (!is_same(head_of(blobs, i - 1), bytes_of(blobs, i - 1), answer))
			continue;
		*ret_blob = i - 1;
		return true;
	}
	return false;
}

static void index_add(struct blobs *blobs, uint32_t blob)
{
	uint32_t *first =
		bucket_of(blobs, bytes_of(blobs, blob), head_of(blobs, blob)->len);

	blobs->next[blob] = *first;
	*first = blob + 1;
}

static void index_remove(struct blobs *blobs, uint32_t blob)
{
	uint32_t *at =
		bucket_of(blobs, bytes_of(blobs, blob), head_of(blobs, blob)->len);

	while (*at != blob + 1)
		at = &blobs->next[*at - 1];
	*at = blobs->next[blob];
}

/* ---- open ---- */

bool blobs_claim(struct blobs *blobs, uint32_t blob)
{
	const size_t room = blobs->stride - sizeof(struct lane53_blob_head);

	if (blobs->refs[blob] && !blobs->share)
		return false;
	if (head_of(blobs, blob)->len > room)
		return false; /* not written by us */
	blobs->refs[blob]++;
	return true;
}

void blobs_settle(struct blobs *blobs)
{
	for (uint32_t i = 0; i < blobs->count; i++) {
		if (!blobs->refs[i])
			ring_put(blobs, i);
		else if (blobs->share)
			index_add(blobs, i);
	}
}

/* ---- use ---- */

/* Local answers do not age, so their TTLs are not listed. */
static void fill(struct lane53_blob_head *head, uint8_t *bytes,
		 const struct answer *answer)
{
	*head = (struct lane53_blob_head){
		.len = (uint16_t)answer->len,
		.ancount = (uint8_t)answer->ancount,
		.nscount = (uint8_t)answer->nscount,
		.ttl_count = answer->local ? 0 : answer->ttl_count,
	};
	memcpy(head->ttl_off, answer->ttl_off,
	       head->ttl_count * sizeof(*head->ttl_off));
	memcpy(bytes, answer->bytes, answer->len);
}

bool blobs_take(struct blobs *blobs, const struct answer *answer, uint32_t *ret_blob)
{
	const bool share = blobs->share && blobs->count && answer->local;

	if (share && find_same(blobs, answer, ret_blob)) {
		blobs->refs[*ret_blob]++;
		return true;
	}
	if (!blobs->free)
		return false;
	*ret_blob = ring_take(blobs);
	blobs->refs[*ret_blob] = 1;
	fill(head_of(blobs, *ret_blob), bytes_of(blobs, *ret_blob), answer);
	if (blobs->share)
		index_add(blobs, *ret_blob);
	return true;
}

void blobs_release(struct blobs *blobs, uint32_t blob)
{
	if (--blobs->refs[blob])
		return;
	if (blobs->share)
		index_remove(blobs, blob);
	ring_put(blobs, blob);
}
