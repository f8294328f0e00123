/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * table.c - the one writer of an answer table: hopscotch hashing over shared memory.
 *
 *   home ─► hop 00100101       an entry lives within LANE53_HOP_RANGE slots of its home;
 *   ├──┬──┬──┬──┬──┬──┬──┐     its home's `hop` says where.  To insert where all eight
 *   A  .  B  .  .  C  .  .     are used, move one of their entries elsewhere in its own
 *                              eight, after the one in its way, and so on.
 *
 * Readers run all the time, and this process may be killed between any two stores, so
 * the order of stores is the design:
 *
 *   publish  blob, names, slot (seq odd .. even), then the hop bit
 *   retract  the hop bit, then slot (cleared), then the blob is free
 *   move     names, the new slot, its hop bit; the old hop bit, the old slot
 *
 * What a kill leaves behind is one of: a slot with odd seq, a used slot that no hop bit
 * leads to, or an entry in two slots.  table_open() mends all three.
 */
#include "cache/table.h"
#include "cache/answer.h"
#include "cache/blobs.h"
#include "dns/name.h"
#include "lane53/hash.h"
#include "lane53/table.h"
#include "lane53/wire.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * How far from home entries are moved to make room.  Eight slots is a short reach, so
 * what limits a table is a crowd of homes, which is seen after some tens of slots: of
 * random names none is refused at load 0.4, some 30 in a million at 0.5, 1 in 1,000 at
 * 0.7, 1 % at 0.8
 * (test_table).
 */
#define WALK_REACH 256

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#define NO_SLOT UINT32_MAX

struct table {
	struct table_arrays arrays;
	struct blobs small, large;
	uint32_t sweep_at;
	struct table_usage usage;
};

/* ---- one slot ---- */

static struct lane53_slot *slot_at(const struct table *table, uint32_t idx)
{
	return &table->arrays.slots[idx];
}

static bool is_used(const struct lane53_slot *slot)
{
	return slot->flags & LANE53_SLOT_USED;
}

static uint32_t home_of(const struct table *table, const struct lane53_slot *slot)
{
	return table_home(slot->hash, table->arrays.slot_count);
}

/* Stores before it are seen before stores after it. */
static void write_barrier(void)
{
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

#define STORE(field, value) (*(volatile __typeof__(field) *)&(field) = (value))

static void hop_set(struct table *table, uint32_t home, uint32_t idx, bool on)
{
	struct lane53_slot *slot = slot_at(table, home);
	uint8_t bit = (uint8_t)(1u << (idx - home));

	write_barrier();
	STORE(slot->hop, on ? slot->hop | bit : slot->hop & (uint8_t)~bit);
	write_barrier();
}

/* Everything of @slot but `hop`, which belongs to the bucket, and `seq`. */
static void slot_write(struct lane53_slot *slot, const struct lane53_slot *from)
{
	const uint32_t seq = slot->seq | 1; /* a kill may have left it odd */

	STORE(slot->seq, seq);
	write_barrier();
	STORE(slot->hash[0], from->hash[0]);
	STORE(slot->hash[1], from->hash[1]);
	STORE(slot->stored_s, from->stored_s);
	STORE(slot->expires_s, from->expires_s);
	STORE(slot->len, from->len);
	STORE(slot->flags, from->flags);
	STORE(slot->csum, from->csum);
	STORE(slot->label, from->label);
	STORE(slot->directive, from->directive);
	memcpy(slot->answer, from->answer, sizeof(slot->answer));
	write_barrier();
	STORE(slot->seq, seq + 1);
	write_barrier();
}

static void name_forget(struct table *table, uint32_t idx)
{
	if (table->arrays.names)
		STORE(table->arrays.names[idx].name_len, 0);
}

static void slot_clear(struct table *table, uint32_t idx)
{
	static const struct lane53_slot empty;

	slot_write(slot_at(table, idx), &empty);
	name_forget(table, idx);
}

static void blob_free(struct table *table, const struct lane53_slot *slot)
{
	if (slot->flags & LANE53_SLOT_SMALL)
		blobs_release(&table->small, slot->blob);
	else if (slot->flags & LANE53_SLOT_LARGE)
		blobs_release(&table->large, slot->blob);
}

static void entry_remove(struct table *table, uint32_t idx)
{
	const struct lane53_slot was = *slot_at(table, idx);

	hop_set(table, home_of(table, &was), idx, false);
	slot_clear(table, idx);
	blob_free(table, &was);
	table->usage.slots_used--;
	table->usage.retracted++;
}

/* ---- open: mend what a killed writer left ---- */

static bool blob_is_valid(const struct table *table, const struct lane53_slot *slot)
{
	if (slot->flags & LANE53_SLOT_SMALL)
		return slot->blob < table->arrays.small_count;
	if (slot->flags & LANE53_SLOT_LARGE)
		return slot->blob < table->arrays.large_count;
	return slot->len <= LANE53_INLINE_BYTES;
}

static bool is_reachable(const struct table *table, uint32_t idx)
{
	const struct lane53_slot *slot = slot_at(table, idx);
	uint32_t home = home_of(table, slot);
	uint32_t distance = idx - home;

	return distance < LANE53_HOP_RANGE && slot_at(table, home)->hop >> distance & 1;
}

/* Hop bits of bucket @home that lead nowhere, or a second time to the same entry. */
static void hop_mend(struct table *table, uint32_t home)
{
	if (home > table->arrays.slot_count - LANE53_HOP_RANGE) {
		STORE(slot_at(table, home)->hop, 0); /* nobody's home */
		return;
	}
	for (uint32_t i = 0; i < LANE53_HOP_RANGE; i++) {
		const struct lane53_slot *slot = slot_at(table, home + i);
		bool keep = is_used(slot) && home_of(table, slot) == home;

		if (!(slot_at(table, home)->hop >> i & 1))
			continue;
		for (uint32_t j = 0; keep && j < i; j++) {
			const struct lane53_slot *other = slot_at(table, home + j);

			if (slot_at(table, home)->hop >> j & 1 &&
			    !memcmp(other->hash, slot->hash, sizeof(slot->hash)))
				keep = false;
		}
		if (!keep)
			hop_set(table, home, home + i, false);
	}
}

/* Note that the entry's blob is in use; false if the entry must be dropped. */
static bool blob_claim(struct table *table, const struct lane53_slot *slot)
{
	if (slot->flags & LANE53_SLOT_SMALL)
		return blobs_claim(&table->small, slot->blob);
	if (slot->flags & LANE53_SLOT_LARGE)
		return blobs_claim(&table->large, slot->blob);
	return true;
}

static void mend(struct table *table)
{
	const struct table_arrays *a = &table->arrays;

	for (uint32_t i = 0; i < a->slot_count; i++)
		if (a->slots[i].seq & 1 ||
		    (is_used(&a->slots[i]) && !blob_is_valid(table, &a->slots[i])))
			slot_clear(table, i);
	for (uint32_t i = 0; i < a->slot_count; i++)
		if (a->slots[i].hop)
			hop_mend(table, i);
	for (uint32_t i = 0; i < a->slot_count; i++) {
		if (!is_used(&a->slots[i])) {
			name_forget(table, i);
			continue;
		}
		if (is_reachable(table, i) && blob_claim(table, &a->slots[i])) {
			table->usage.slots_used++;
			continue;
		}
		if (is_reachable(table, i))
			hop_set(table, home_of(table, &a->slots[i]), i, false);
		slot_clear(table, i);
	}
	blobs_settle(&table->small);
	blobs_settle(&table->large);
}

static bool arrays_are_valid(const struct table_arrays *a)
{
	return a->slots && a->secret && a->slot_count >= LANE53_SLOTS_MIN &&
	       (a->small || !a->small_count) && (a->large || !a->large_count);
}

int table_open(struct table **ret_table, const struct table_arrays *arrays)
{
	const bool share = !arrays->names; /* `local`: its answers do not age */
	struct table *table;

	if (!arrays_are_valid(arrays))
		return -EINVAL;
	table = calloc(1, sizeof(*table));
	if (!table)
		return -ENOMEM;
	table->arrays = *arrays;
	table->usage.slots = arrays->slot_count;
	if (blobs_init(&table->small, arrays->small, sizeof(*arrays->small),
		       arrays->small_count, share) ||
	    blobs_init(&table->large, arrays->large, sizeof(*arrays->large),
		       arrays->large_count, share)) {
		table_close(table);
		return -ENOMEM;
	}
	mend(table);
	*ret_table = table;
	return 0;
}

void table_close(struct table *table)
{
	if (!table)
		return;
	blobs_deinit(&table->small);
	blobs_deinit(&table->large);
	free(table);
}

/* ---- find ---- */

static struct key_hash hash_of(const uint32_t *secret, const struct table_key *key)
{
	uint32_t len = (uint32_t)name_size(key->qname);

	return key_hash(secret, name_lanes(secret, key->qname, len), len, key->qtype,
			key->view, key->flags);
}

static uint32_t find(const struct table *table, const struct key_hash *hash)
{
	const uint32_t home = table_home(hash->hash, table->arrays.slot_count);

	for (uint32_t i = 0; i < LANE53_HOP_RANGE; i++)
		if (slot_at(table, home)->hop >> i & 1 &&
		    !memcmp(slot_at(table, home + i)->hash, hash->hash,
			    sizeof(hash->hash)))
			return home + i;
	return NO_SLOT;
}

/* ---- make room ---- */

static void entry_move(struct table *table, uint32_t from, uint32_t to)
{
	const struct lane53_slot entry = *slot_at(table, from);
	const uint32_t home = home_of(table, &entry);

	if (table->arrays.names)
		table->arrays.names[to] = table->arrays.names[from];
	slot_write(slot_at(table, to), &entry);
	hop_set(table, home, to, true);
	hop_set(table, home, from, false);
	slot_clear(table, from);
	table->usage.moved++;
}

/*
 * Slots on the way from a home to the nearest free slot: each holds an entry that may
 * move to the one found from it.  Those up to WALK_REACH to either side are looked at.
 */
struct walk {
	uint32_t idx[2 * WALK_REACH];
	uint16_t parent[2 * WALK_REACH]; /* position in idx[]; a root is its own */
	unsigned count;
	bool seen[2 * WALK_REACH];
};

/* Note slot @idx as one that position @from leads to.  Return: is it free? */
static bool walk_visit(struct walk *walk, const struct table *table, uint32_t home,
		       uint32_t idx, unsigned from)
{
	const uint32_t place = idx - home + WALK_REACH;

	if (place >= ARRAY_LEN(walk->seen) || walk->seen[place])
		return false;
	walk->seen[place] = true;
	walk->idx[walk->count] = idx;
	walk->parent[walk->count] = (uint16_t)from;
	walk->count++;
	return !is_used(slot_at(table, idx));
}

/* Breadth first, so with the fewest moves.  Return: position of a free slot or count. */
static unsigned walk_to_free(struct walk *walk, const struct table *table,
			     uint32_t home)
{
	for (uint32_t i = 0; i < LANE53_HOP_RANGE; i++)
		if (walk_visit(walk, table, home, home + i, walk->count))
			return walk->count - 1;
	for (unsigned at = 0; at < walk->count; at++) {
		const struct lane53_slot *slot = slot_at(table, walk->idx[at]);
		const uint32_t other = home_of(table, slot);

		for (uint32_t i = 0; i < LANE53_HOP_RANGE; i++)
			if (walk_visit(walk, table, home, other + i, at))
				return walk->count - 1;
	}
	return walk->count;
}

/* Move entries until a slot in reach of @home is free.  Return: it, or NO_SLOT. */
static uint32_t free_slot_make(struct table *table, uint32_t home)
{
	struct walk walk = { .count = 0 };
	unsigned at = walk_to_free(&walk, table, home);

	if (at == walk.count)
		return NO_SLOT;
	for (; walk.parent[at] != at; at = walk.parent[at])
		entry_move(table, walk.idx[walk.parent[at]], walk.idx[at]);
	return walk.idx[at];
}

static uint32_t free_slot_find(struct table *table, uint32_t home)
{
	for (uint32_t i = 0; i < LANE53_HOP_RANGE; i++)
		if (!is_used(slot_at(table, home + i)))
			return home + i;
	return free_slot_make(table, home);
}

/* ---- publish ---- */

static uint16_t sum_of(const uint8_t *bytes, size_t len)
{
	uint32_t sum = 0;
	uint16_t word;

	for (size_t i = 0; i + 1 < len; i += 2) {
		memcpy(&word, bytes + i, sizeof(word));
		sum += word;
	}
	if (len & 1) {
		word = 0;
		memcpy(&word, bytes + len - 1, 1);
		sum += word;
	}
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static bool is_plain_rr(const struct answer *answer)
{
	return answer->ancount == 1 && answer->nscount == 0 && answer->len >= 12 &&
	       answer->len <= LANE53_INLINE_BYTES && answer->bytes[0] == 0xC0 &&
	       answer->bytes[1] == 0x0C;
}

static uint16_t slot_flags(const struct answer *answer, const struct table_meta *meta)
{
	uint16_t flags = LANE53_SLOT_USED;

	flags |= answer->flags & FLAG_AA ? LANE53_SLOT_AA : 0;
	flags |= answer->flags & FLAG_AD ? LANE53_SLOT_AD : 0;
	flags |= answer->flags & FLAG_RA ? LANE53_SLOT_RA : 0;
	flags |= answer->local ? 0 : LANE53_SLOT_AGE;
	flags |= meta->log ? LANE53_SLOT_LOG : 0;
	flags |= meta->needs_rd ? LANE53_SLOT_NEEDS_RD : 0;
	flags |= meta->no_do ? LANE53_SLOT_NO_DO : 0;
	return flags |
	       (uint16_t)((answer->flags & FLAG_RCODE) << LANE53_SLOT_RCODE_SHIFT);
}

static bool has_shape(const struct table *table, const struct table_key *key,
		      const struct answer *answer)
{
	const unsigned rcode = answer->flags & FLAG_RCODE;

	if (table->arrays.names && name_size(key->qname) > LANE53_CACHED_NAME_BYTES)
		return false;
	return answer->arcount == 0 && answer->ancount <= UINT8_MAX &&
	       answer->nscount <= UINT8_MAX && answer->len <= LANE53_LARGE_BYTES &&
	       (answer->local || answer->ttl_count <= LANE53_BLOB_TTLS) &&
	       (rcode == RCODE_NOERROR || rcode == RCODE_NXDOMAIN);
}

/* Store the bytes inline or in a blob. Return: 0 or TABLE_FULL. */
static int content_store(struct table *table, const struct answer *answer,
			 struct lane53_slot *slot)
{
	slot->csum = sum_of(answer->bytes, answer->len);
	if (is_plain_rr(answer) || !answer->len) {
		slot->flags |= answer->len ? LANE53_SLOT_RR : 0;
		slot->len = (uint8_t)answer->len;
		if (answer->len)
			memcpy(slot->answer, answer->bytes, answer->len);
		return 0;
	}
	if (answer->len <= LANE53_SMALL_BYTES &&
	    blobs_take(&table->small, answer, &slot->blob)) {
		slot->flags |= LANE53_SLOT_SMALL;
		return 0;
	}
	if (blobs_take(&table->large, answer, &slot->blob)) {
		slot->flags |= LANE53_SLOT_LARGE;
		return 0;
	}
	if (answer->len <= LANE53_SMALL_BYTES)
		table->usage.small_refused++;
	else
		table->usage.large_refused++;
	return TABLE_FULL;
}

static void name_note(struct table *table, uint32_t idx, const struct table_key *key)
{
	struct lane53_cached_name *name;

	if (!table->arrays.names)
		return;
	name = &table->arrays.names[idx];
	name->view = key->view;
	name->qtype = key->qtype;
	name->key_flags = key->flags;
	name_lower(name->name, key->qname);
	name->name_len = (uint8_t)name_size(key->qname);
}

static void entry_insert(struct table *table, uint32_t idx, const struct table_key *key,
			 const struct lane53_slot *entry)
{
	name_note(table, idx, key);
	slot_write(slot_at(table, idx), entry);
	hop_set(table, home_of(table, entry), idx, true);
	table->usage.slots_used++;
}

int table_publish(struct table *table, const struct table_key *key,
		  const struct answer *answer, const struct table_meta *meta)
{
	const struct key_hash hash = hash_of(table->arrays.secret, key);
	uint32_t idx = find(table, &hash);
	struct lane53_slot entry = {
		.hash = { hash.hash[0], hash.hash[1] },
		.stored_s = meta->stored_s,
		.expires_s = meta->expires_s,
		.label = meta->label,
		.directive = meta->directive,
	};
	int r = has_shape(table, key, answer) ? 0 : TABLE_TOO_LARGE;

	if (!r) {
		entry.flags = slot_flags(answer, meta);
		r = content_store(table, answer, &entry);
	}
	if (!r && idx != NO_SLOT) {
		const struct lane53_slot was = *slot_at(table, idx);

		slot_write(slot_at(table, idx), &entry);
		blob_free(table, &was);
		table->usage.published++;
		return 0;
	}
	if (idx != NO_SLOT) {
		entry_remove(table, idx);
	} else if (!r) {
		idx = free_slot_find(table, home_of(table, &entry));
		if (idx != NO_SLOT) {
			entry_insert(table, idx, key, &entry);
			table->usage.published++;
			return 0;
		}
		blob_free(table, &entry);
		r = TABLE_FULL;
	}
	table->usage.full += r == TABLE_FULL;
	return r;
}

/* ---- retract ---- */

int table_retract(struct table *table, const struct table_key *key)
{
	const struct key_hash hash = hash_of(table->arrays.secret, key);
	const uint32_t idx = find(table, &hash);

	if (idx == NO_SLOT)
		return TABLE_ABSENT;
	entry_remove(table, idx);
	return 0;
}

unsigned table_retract_below(struct table *table, uint32_t view, const uint8_t *name)
{
	const struct lane53_cached_name *names = table->arrays.names;
	unsigned count = 0;

	for (uint32_t i = 0; names && i < table->arrays.slot_count; i++) {
		if (!is_used(&table->arrays.slots[i]) ||
		    (view && names[i].view != view) ||
		    (name && !name_is_below(names[i].name, name)))
			continue;
		entry_remove(table, i);
		count++;
	}
	return count;
}

void table_clear(struct table *table)
{
	for (uint32_t i = 0; i < table->arrays.slot_count; i++)
		if (is_used(&table->arrays.slots[i]))
			entry_remove(table, i);
}

unsigned table_sweep(struct table *table, uint32_t now_s, uint32_t max)
{
	unsigned count = 0;

	for (uint32_t i = 0; i < max && i < table->arrays.slot_count; i++) {
		const uint32_t idx = table->sweep_at;

		table->sweep_at = (idx + 1) % table->arrays.slot_count;
		if (!is_used(slot_at(table, idx)) ||
		    table_is_fresh(slot_at(table, idx), now_s))
			continue;
		entry_remove(table, idx);
		count++;
	}
	return count;
}

const struct table_arrays *table_arrays_of(const struct table *table)
{
	return &table->arrays;
}

void table_usage(const struct table *table, struct table_usage *ret)
{
	*ret = table->usage;
	ret->small_used = table->small.count - table->small.free;
	ret->large_used = table->large.count - table->large.free;
}
