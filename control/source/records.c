/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * records.c - collect, sort, compare, commit.
 *
 * An entry is one RR; its owner is kept as the store's name key, so that sorting and the
 * walk beside the store are comparisons of bytes.  Entries of one RRset are neighbours
 * after records_end().
 */
#include "source/records.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dns/name.h"
#include "lane53/wire.h"
#include "source/space.h"
#include "store/key.h"

/*
 * What an RRset may take: a message over TCP less header, question and OPT.  Owners are
 * pointers (12 bytes an RR); names in RDATA are counted as if they were not compressed.
 */
#define SET_BYTES_MAX (65535 - DNS_HEADER_BYTES - NAME_MAX_BYTES - 4 - OPT_BYTES)
#define RR_BYTES      12

/* Up to here comparing each RR with each is the fastest way to find the same one. */
#define FEW 16

struct entry {
	const uint8_t *key;
	const uint8_t *rdata; /* NULL: struck out */
	uint32_t ttl_s;
	uint32_t line;
	uint32_t turn; /* order of records_add() */
	uint16_t key_len, type, rdata_len;
};

struct records {
	struct space space;
	struct entry *entries;
	size_t count, room;
	uint8_t *buffer; /* for the largest RRset there is */
	size_t left_out;
	uint8_t left_out_owner[255], last_owner[255];
	size_t ttl_differences;
	unsigned ttl_line;
};

int records_open(struct records **ret_records)
{
	struct records *records = calloc(1, sizeof(*records));

	if (!records)
		return -ENOMEM;
	*ret_records = records;
	return 0;
}

void records_close(struct records *records)
{
	if (!records)
		return;
	space_deinit(&records->space);
	free(records->entries);
	free(records->buffer);
	free(records);
}

static int grow(struct records *records)
{
	size_t room = records->room ? records->room * 2 : 64;
	struct entry *entries;

	if (records->count < records->room)
		return 0;
	entries = reallocarray(records->entries, room, sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	records->entries = entries;
	records->room = room;
	return 0;
}

int records_add(struct records *records, const struct record *record)
{
	const struct entry *last =
		records->count ? &records->entries[records->count - 1] : NULL;
	uint8_t key[KEY_NAME_ROOM];
	struct entry entry = {
		.ttl_s = record->ttl_s,
		.line = record->line,
		.turn = (uint32_t)records->count,
		.type = record->type,
		.rdata_len = record->rdata_len,
	};

	entry.key_len = (uint16_t)key_of_name(key, record->owner);
	if (last && last->key_len == entry.key_len &&
	    memcmp(last->key, key, entry.key_len) == 0)
		entry.key = last->key;
	else
		entry.key = space_copy(&records->space, key, entry.key_len);
	entry.rdata = space_copy(&records->space, record->rdata, record->rdata_len);
	if (!entry.key || !entry.rdata || grow(records))
		return -ENOMEM;
	records->entries[records->count++] = entry;
	return 0;
}

/* ---- order ---- */

static int compare_keys(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
	int order = memcmp(a, b, a_len < b_len ? a_len : b_len);

	return order ? order : (a_len > b_len) - (a_len < b_len);
}

/* The order of the store: by owner, then by type. */
static int compare_sets(const struct entry *a, const struct entry *b)
{
	int order = a->key == b->key
			    ? 0
			    : compare_keys(a->key, a->key_len, b->key, b->key_len);

	return order ? order : (int)a->type - (int)b->type;
}

static int compare_entries(const void *a_, const void *b_)
{
	const struct entry *a = a_, *b = b_;
	int order = compare_sets(a, b);

	return order ? order : (a->turn > b->turn) - (a->turn < b->turn);
}

static int compare_rdata(const struct entry *a, const struct entry *b)
{
	return compare_keys(a->rdata, a->rdata_len, b->rdata, b->rdata_len);
}

static int compare_rdata_pointers(const void *a_, const void *b_)
{
	const struct entry *a = *(struct entry *const *)a_,
			   *b = *(struct entry *const *)b_;
	int order = compare_rdata(a, b);

	return order ? order : (a->turn > b->turn) - (a->turn < b->turn);
}

static void sort(struct records *records)
{
	/* Files are often in order already. */
	for (size_t i = 1; i < records->count; i++) {
		if (compare_entries(&records->entries[i - 1], &records->entries[i]) <=
		    0)
			continue;
		qsort(records->entries, records->count, sizeof(*records->entries),
		      compare_entries);
		return;
	}
}

/* ---- RRsets ---- */

/* Where the RRset that begins at @start ends. */
static size_t set_end(const struct records *records, size_t start)
{
	size_t i = start + 1;

	while (i < records->count &&
	       compare_sets(&records->entries[start], &records->entries[i]) == 0)
		i++;
	return i;
}

/* Strike out what came before with the same RDATA. */
static int strike_repeated(struct entry *set, size_t count)
{
	struct entry **order;

	if (count <= FEW) {
		for (size_t i = 1; i < count; i++)
			for (size_t j = 0; j < i && set[i].rdata; j++)
				if (set[j].rdata &&
				    compare_rdata(&set[i], &set[j]) == 0)
					set[i].rdata = NULL;
		return 0;
	}
	order = calloc(count, sizeof(*order));
	if (!order)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		order[i] = &set[i];
	qsort(order, count, sizeof(*order), compare_rdata_pointers);
	for (size_t i = 1, kept = 0; i < count; i++) {
		if (compare_rdata(order[i], order[kept]) == 0)
			order[i]->rdata = NULL;
		else
			kept = i;
	}
	free(order);
	return 0;
}

static void even_ttls(struct records *records, struct entry *set, size_t count)
{
	uint32_t ttl_s = set[0].ttl_s;
	bool differ = false;

	for (size_t i = 1; i < count; i++) {
		if (set[i].ttl_s == ttl_s)
			continue;
		differ = true;
		if (set[i].ttl_s < ttl_s)
			ttl_s = set[i].ttl_s;
	}
	if (!differ)
		return;
	for (size_t i = 0; i < count; i++)
		set[i].ttl_s = ttl_s;
	/* RFC 4034 3: theirs are those of the sets they cover, and are shown so. */
	if (set[0].type == TYPE_RRSIG)
		return;
	if (records->ttl_differences++ == 0)
		records->ttl_line = set[count - 1].line;
}

/*
 * Copy what is left of the RRset [@start, @end) to @to, as far as a message goes.
 * Return: bytes of its RDATA as in struct rrset.
 */
static size_t keep(struct records *records, size_t start, size_t end, size_t *to)
{
	size_t message = 0, bytes = 0;

	for (size_t i = start; i < end; i++) {
		const struct entry *entry = &records->entries[i];

		if (!entry->rdata)
			continue;
		message += RR_BYTES + (size_t)entry->rdata_len;
		if (message > SET_BYTES_MAX) {
			if (records->left_out++ == 0)
				key_to_name(records->left_out_owner, entry->key,
					    entry->key_len);
			continue;
		}
		bytes += sizeof(uint16_t) + entry->rdata_len;
		records->entries[(*to)++] = *entry;
	}
	return bytes;
}

int records_end(struct records *records)
{
	size_t kept = 0, largest = 1, end;

	sort(records);
	for (size_t start = 0; start < records->count; start = end) {
		struct entry *set = &records->entries[start];
		size_t bytes;

		end = set_end(records, start);
		if (end - start > 1) {
			if (strike_repeated(set, end - start))
				return -ENOMEM;
			even_ttls(records, set, end - start);
		}
		bytes = keep(records, start, end, &kept);
		if (bytes > largest)
			largest = bytes;
	}
	records->count = kept;
	records->buffer = malloc(largest);
	return records->buffer ? 0 : -ENOMEM;
}

size_t records_count(const struct records *records)
{
	return records->count;
}

size_t records_left_out(struct records *records, const uint8_t **ret_owner)
{
	if (records->left_out)
		*ret_owner = records->left_out_owner;
	return records->left_out;
}

size_t records_ttl_differences(const struct records *records, unsigned *ret_line)
{
	if (records->ttl_differences)
		*ret_line = records->ttl_line;
	return records->ttl_differences;
}

/* The RRset of the entries [@start, @end), in the buffer. */
static struct rrset make_set(struct records *records, size_t start, size_t end)
{
	const struct entry *first = &records->entries[start];
	struct rrset set = { first->type, first->ttl_s, (uint16_t)(end - start),
			     records->buffer, 0 };

	for (size_t i = start; i < end; i++) {
		const struct entry *entry = &records->entries[i];

		memcpy(records->buffer + set.rdata_bytes, &entry->rdata_len,
		       sizeof(entry->rdata_len));
		set.rdata_bytes += sizeof(entry->rdata_len);
		memcpy(records->buffer + set.rdata_bytes, entry->rdata,
		       entry->rdata_len);
		set.rdata_bytes += entry->rdata_len;
	}
	return set;
}

bool records_get(struct records *records, const uint8_t *owner, uint16_t type,
		 struct rrset *ret_set)
{
	uint8_t key[KEY_NAME_ROOM];
	struct entry want = { .key = key, .type = type };
	size_t low = 0, high = records->count;

	want.key_len = (uint16_t)key_of_name(key, owner);
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_sets(&records->entries[middle], &want) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == records->count || compare_sets(&records->entries[low], &want))
		return false;
	*ret_set = make_set(records, low, set_end(records, low));
	return true;
}

int records_each(struct records *records,
		 int (*each)(void *context, const uint8_t *owner,
			     const struct rrset *set, unsigned line),
		 void *context)
{
	size_t end;
	int r = 0;

	for (size_t start = 0; start < records->count && r == 0; start = end) {
		const struct entry *first = &records->entries[start];
		struct rrset set;

		end = set_end(records, start);
		set = make_set(records, start, end);
		key_to_name(records->last_owner, first->key, first->key_len);
		r = each(context, records->last_owner, &set, first->line);
	}
	return r;
}

/* ---- beside the store ---- */

/* One RRset that differs: entry @start of records, or SIZE_MAX: only in the store. */
struct difference {
	const uint8_t *key;
	size_t key_len;
	uint16_t type;
	size_t start;
};

struct merge {
	struct records *records;
	size_t next; /* of records, not met yet */
	int (*differs)(void *context, const struct difference *difference);
	void *context;
	int r;
};

static void only_in_records(struct merge *m, size_t end)
{
	const struct entry *entry = &m->records->entries[m->next];
	struct difference difference = { entry->key, entry->key_len, entry->type,
					 m->next };

	m->r = m->differs(m->context, &difference);
	m->next = end;
}

static void in_both(struct merge *m, size_t end, const struct rrset *stored)
{
	struct rrset set = make_set(m->records, m->next, end);

	if (set.ttl_s == stored->ttl_s && set.count == stored->count &&
	    set.rdata_bytes == stored->rdata_bytes &&
	    memcmp(set.rdata, stored->rdata, set.rdata_bytes) == 0)
		m->next = end;
	else
		only_in_records(m, end);
}

/* Meet the next RRset of the store. */
static bool meet(void *context, const uint8_t *owner, const struct rrset *stored)
{
	struct merge *m = context;
	uint8_t key[KEY_NAME_ROOM];
	struct entry here = { .key = key, .type = stored->type };

	here.key_len = (uint16_t)key_of_name(key, owner);
	while (m->r == 0 && m->next < m->records->count) {
		int order = compare_sets(&m->records->entries[m->next], &here);
		size_t end;

		if (order > 0)
			break;
		end = set_end(m->records, m->next);
		if (order == 0) {
			in_both(m, end, stored);
			return m->r == 0;
		}
		only_in_records(m, end);
	}
	if (m->r == 0) {
		struct difference gone = { key, here.key_len, stored->type, SIZE_MAX };

		m->r = m->differs(m->context, &gone);
	}
	return m->r == 0;
}

static int
each_difference(struct records *records, struct store_read *read, uint32_t source,
		int (*differs)(void *context, const struct difference *difference),
		void *context)
{
	struct records none = { .count = 0 };
	struct merge m = { records ? records : &none, 0, differs, context, 0 };

	store_each(read, source, (const uint8_t *)"", meet, &m);
	while (m.r == 0 && m.next < m.records->count)
		only_in_records(&m, set_end(m.records, m.next));
	return m.r;
}

struct owners {
	int (*changed)(void *context, const uint8_t *owner);
	void *context;
	size_t key_len; /* of the last owner told; SIZE_MAX = none yet */
	uint8_t key[KEY_NAME_ROOM];
};

static int tell_owner(void *context, const struct difference *difference)
{
	struct owners *owners = context;
	uint8_t owner[255];

	if (owners->key_len == difference->key_len &&
	    memcmp(owners->key, difference->key, difference->key_len) == 0)
		return 0;
	memcpy(owners->key, difference->key, difference->key_len);
	owners->key_len = difference->key_len;
	key_to_name(owner, difference->key, difference->key_len);
	return owners->changed(owners->context, owner);
}

int records_diff(struct records *records, struct store_read *read, uint32_t source,
		 int (*changed)(void *context, const uint8_t *owner), void *context)
{
	struct owners owners = { .changed = changed,
				 .context = context,
				 .key_len = SIZE_MAX };

	return each_difference(records, read, source, tell_owner, &owners);
}

/* Differences are gathered first: LMDB is not written to under its own cursor. */
struct gathering {
	struct space space; /* keys that only the store has */
	struct difference *at;
	size_t count, room;
};

static int gather(void *context, const struct difference *difference)
{
	struct gathering *g = context;
	struct difference *d;

	if (g->count == g->room) {
		size_t room = g->room ? g->room * 2 : 64;

		d = reallocarray(g->at, room, sizeof(*d));
		if (!d)
			return -ENOMEM;
		g->at = d;
		g->room = room;
	}
	d = &g->at[g->count];
	*d = *difference;
	if (d->start == SIZE_MAX) {
		d->key = space_copy(&g->space, difference->key, difference->key_len);
		if (!d->key)
			return -ENOMEM;
	}
	g->count++;
	return 0;
}

static int apply(struct records *records, struct store_write *write, uint32_t source,
		 const struct difference *d)
{
	uint8_t owner[255];
	struct rrset set;

	key_to_name(owner, d->key, d->key_len);
	if (d->start == SIZE_MAX)
		return store_delete(write, source, owner, d->type);
	set = make_set(records, d->start, set_end(records, d->start));
	return store_put(write, source, owner, &set);
}

int records_commit(struct records *records, struct store_write *write, uint32_t source)
{
	struct gathering g = { .count = 0 };
	int r = each_difference(records, store_write_reader(write), source, gather, &g);

	for (size_t i = 0; i < g.count && r == 0; i++)
		r = apply(records, write, source, &g.at[i]);
	free(g.at);
	space_deinit(&g.space);
	return r;
}
