/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * table_lookup.c - read a table as XDP does, from user space.
 */
#include "cache/answer.h"
#include "cache/table.h"
#include "dns/name.h"
#include "lane53/hash.h"
#include "lane53/table.h"
#include "lane53/wire.h"
#include <string.h>

static const struct lane53_slot *slot_at(void *slots, __u32 idx)
{
	return (const struct lane53_slot *)slots + idx;
}

static void head_read(const struct lane53_slot *copy, struct answer *ret)
{
	ret->flags = (uint16_t)LANE53_SLOT_RCODE(copy->flags);
	ret->flags |= copy->flags & LANE53_SLOT_AA ? FLAG_AA : 0;
	ret->flags |= copy->flags & LANE53_SLOT_AD ? FLAG_AD : 0;
	ret->flags |= copy->flags & LANE53_SLOT_RA ? FLAG_RA : 0;
	ret->local = !(copy->flags & LANE53_SLOT_AGE);
	ret->cacheable = !ret->local;
	ret->arcount = 0;
}

static int inline_read(const struct lane53_slot *copy, struct answer *ret)
{
	const bool rr = copy->flags & LANE53_SLOT_RR;

	if (copy->len > LANE53_INLINE_BYTES || copy->len > ret->room)
		return TABLE_ABSENT;
	ret->len = copy->len;
	ret->ancount = rr;
	ret->nscount = 0;
	ret->ttl_count = rr && !ret->local;
	ret->ttl_off[0] = 6;
	memcpy(ret->bytes, copy->answer, ret->len);
	return 0;
}

/* @head may be changing: every number in it is checked before it is used. */
static int blob_read(const struct lane53_blob_head *head, const uint8_t *bytes,
		     size_t size, struct answer *ret)
{
	const struct lane53_blob_head copy =
		*(const volatile struct lane53_blob_head *)head;

	if (copy.len > size || copy.len > ret->room ||
	    copy.ttl_count > LANE53_BLOB_TTLS)
		return TABLE_ABSENT;
	ret->len = copy.len;
	ret->ancount = copy.ancount;
	ret->nscount = copy.nscount;
	ret->ttl_count = copy.ttl_count;
	memcpy(ret->ttl_off, copy.ttl_off, sizeof(copy.ttl_off));
	memcpy(ret->bytes, bytes, ret->len);
	return 0;
}

static int content_read(const struct table_arrays *arrays,
			const struct lane53_slot *copy, struct answer *ret)
{
	if (copy->flags & LANE53_SLOT_SMALL)
		return copy->blob < arrays->small_count
			       ? blob_read(&arrays->small[copy->blob].head,
					   arrays->small[copy->blob].bytes,
					   LANE53_SMALL_BYTES, ret)
			       : TABLE_ABSENT;
	if (copy->flags & LANE53_SLOT_LARGE)
		return copy->blob < arrays->large_count
			       ? blob_read(&arrays->large[copy->blob].head,
					   arrays->large[copy->blob].bytes,
					   LANE53_LARGE_BYTES, ret)
			       : TABLE_ABSENT;
	return inline_read(copy, ret);
}

/* RFC 2181 8: each TTL is a number of its own. */
static void ttls_age(struct answer *ret, uint32_t age_s)
{
	for (unsigned i = 0; i < ret->ttl_count; i++) {
		uint8_t *p = ret->bytes + ret->ttl_off[i];
		uint32_t ttl_s;

		if ((size_t)ret->ttl_off[i] + 4 > ret->len)
			continue;
		ttl_s = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
			(uint32_t)p[2] << 8 | p[3];
		ttl_s = table_aged_ttl(ttl_s, age_s);
		p[0] = (uint8_t)(ttl_s >> 24);
		p[1] = (uint8_t)(ttl_s >> 16);
		p[2] = (uint8_t)(ttl_s >> 8);
		p[3] = (uint8_t)ttl_s;
	}
}

int table_lookup(const struct table_arrays *arrays, const struct table_key *key,
		 uint32_t now_s, struct answer *ret, struct table_meta *ret_meta)
{
	const uint32_t len = (uint32_t)name_size(key->qname);
	const struct key_hash hash =
		key_hash(arrays->secret, name_lanes(arrays->secret, key->qname, len),
			 len, key->qtype, key->view, key->flags);
	const struct lane53_slot *slot;
	struct lane53_slot copy;

	if (table_find(slot_at, arrays->slots, arrays->slot_count, hash.hash, &copy,
		       &slot) != TABLE_FIND_HIT ||
	    !table_is_fresh(&copy, now_s))
		return TABLE_ABSENT;
	head_read(&copy, ret);
	if (content_read(arrays, &copy, ret) || !table_is_still(slot, &copy))
		return TABLE_ABSENT;
	ttls_age(ret, table_age_s(&copy, now_s));
	ret->ttl_s = copy.expires_s == LANE53_NEVER_EXPIRES ? LANE53_NEVER_EXPIRES
							    : copy.expires_s - now_s;
	*ret_meta = (struct table_meta){
		.stored_s = copy.stored_s,
		.expires_s = copy.expires_s,
		.label = copy.label,
		.directive = copy.directive,
		.log = copy.flags & LANE53_SLOT_LOG,
		.needs_rd = copy.flags & LANE53_SLOT_NEEDS_RD,
		.no_do = copy.flags & LANE53_SLOT_NO_DO,
	};
	return 0;
}
