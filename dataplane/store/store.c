/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * store.c - records in LMDB.
 *
 *   key    source u32 BE | name key | 0 | type u16 BE
 *   value  struct stored | RDATA as in struct rrset
 *
 * The 0 before the type sorts a name's own records before everything below the name,
 * whatever the type.  A read is one LMDB read transaction that is reset and renewed, so
 * that a batch of queries costs no allocation and no lock.
 */
#include "store/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/env.h"
#include "store/key.h"

#define KEY_ROOM (4 + KEY_NAME_ROOM + 3)

/* What stands before the RDATA of a record's value; host order: the file is local. */
struct stored {
	uint32_t ttl_s;
	uint16_t count;
	uint16_t pad; /* zero */
};

struct store_read {
	const struct env *env;
	MDB_txn *txn;
	MDB_cursor *cursor; /* of store_presence() */
	bool cursor_is_current;
};

struct store_write {
	const struct env *env;
	MDB_txn *txn;
	MDB_cursor *cursor; /* of store_put(); LMDB closes it with the transaction */
	struct store_read reader;
	size_t greatest_len; /* no key in records is greater; appending is cheap */
	uint8_t greatest[KEY_ROOM];
};

struct store {
	struct env *env;
	struct store_read read;
};

int store_open(struct store **ret_store, const char *dir, enum store_mode mode,
	       size_t map_bytes)
{
	struct store *store = calloc(1, sizeof(*store));
	int r;

	if (!store)
		return -ENOMEM;
	r = env_acquire(&store->env, dir, mode, map_bytes);
	if (r) {
		free(store);
		return r;
	}
	store->read.env = store->env;
	*ret_store = store;
	return 0;
}

void store_close(struct store *store)
{
	if (!store)
		return;
	if (store->read.cursor)
		mdb_cursor_close(store->read.cursor);
	if (store->read.txn)
		mdb_txn_abort(store->read.txn);
	env_release(store->env);
	free(store);
}

/* ---- reading ---- */

int store_read_begin(struct store *store, struct store_read **ret_read)
{
	struct store_read *read = &store->read;
	int rc;

	if (read->txn)
		rc = mdb_txn_renew(read->txn);
	else
		rc = mdb_txn_begin(store->env->mdb, NULL, MDB_RDONLY, &read->txn);
	if (rc)
		return env_errno(rc);
	read->cursor_is_current = false;
	*ret_read = read;
	return 0;
}

void store_read_end(struct store_read *read)
{
	mdb_txn_reset(read->txn);
}

uint64_t store_read_commit_id(const struct store_read *read)
{
	return mdb_txn_id(read->txn);
}

static size_t key_prefix(uint8_t key[KEY_ROOM], uint32_t source, const uint8_t *name)
{
	key[0] = (uint8_t)(source >> 24);
	key[1] = (uint8_t)(source >> 16);
	key[2] = (uint8_t)(source >> 8);
	key[3] = (uint8_t)source;
	return 4 + key_of_name(key + 4, name);
}

static size_t key_finish(uint8_t key[KEY_ROOM], size_t len, uint16_t type)
{
	key[len] = 0;
	key[len + 1] = (uint8_t)(type >> 8);
	key[len + 2] = (uint8_t)type;
	return len + 3;
}

static uint16_t key_type(const MDB_val *key)
{
	const uint8_t *end = (const uint8_t *)key->mv_data + key->mv_size;

	return (uint16_t)(end[-2] << 8 | end[-1]);
}

static bool has_prefix(const MDB_val *key, const uint8_t *prefix, size_t len)
{
	return key->mv_size >= len && memcmp(key->mv_data, prefix, len) == 0;
}

static bool decode(struct rrset *set, const MDB_val *value, uint16_t type)
{
	struct stored stored;

	if (value->mv_size < sizeof(stored))
		return false;
	memcpy(&stored, value->mv_data, sizeof(stored));
	set->type = type;
	set->ttl_s = stored.ttl_s;
	set->count = stored.count;
	set->rdata = (const uint8_t *)value->mv_data + sizeof(stored);
	set->rdata_bytes = value->mv_size - sizeof(stored);
	return true;
}

bool rrset_next(const struct rrset *set, size_t *pos, const uint8_t **ret_rdata,
		uint16_t *ret_len)
{
	uint16_t len;

	if (*pos > set->rdata_bytes || set->rdata_bytes - *pos < sizeof(len))
		return false;
	memcpy(&len, set->rdata + *pos, sizeof(len));
	if (len > set->rdata_bytes - *pos - sizeof(len))
		return false;
	*ret_rdata = set->rdata + *pos + sizeof(len);
	*ret_len = len;
	*pos += sizeof(len) + len;
	return true;
}

bool store_get(struct store_read *read, uint32_t source, const uint8_t *name,
	       uint16_t type, struct rrset *ret_set)
{
	uint8_t bytes[KEY_ROOM];
	MDB_val key = { 0, bytes }, value;

	key.mv_size = key_finish(bytes, key_prefix(bytes, source, name), type);
	if (mdb_get(read->txn, read->env->records, &key, &value))
		return false;
	return decode(ret_set, &value, type);
}

static MDB_cursor *current_cursor(struct store_read *read)
{
	if (read->cursor_is_current)
		return read->cursor;
	if (read->cursor
		    ? mdb_cursor_renew(read->txn, read->cursor)
		    : mdb_cursor_open(read->txn, read->env->records, &read->cursor))
		return NULL;
	read->cursor_is_current = true;
	return read->cursor;
}

/* Is it a record of the name whose key ends at @len, not of one below it? */
static bool is_of_name(const MDB_val *key, size_t len)
{
	/* Behind the name: 0 and a type, or the first byte of a label, never 0. */
	return key->mv_size == len + 3 && ((const uint8_t *)key->mv_data)[len] == 0;
}

enum store_presence store_find(struct store_read *read, uint32_t source,
			       const uint8_t *name, const uint16_t *types,
			       unsigned count, struct rrset *ret_sets)
{
	uint8_t bytes[KEY_ROOM];
	size_t len = key_prefix(bytes, source, name);
	MDB_val key = { len, bytes }, value;
	MDB_cursor *cursor = current_cursor(read);
	uint16_t last = 0;

	for (unsigned i = 0; i < count; i++) {
		ret_sets[i].rdata = NULL;
		if (types[i] > last)
			last = types[i];
	}
	if (!cursor || mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE) ||
	    !has_prefix(&key, bytes, len))
		return STORE_NO_NAME;
	if (!is_of_name(&key, len))
		return STORE_EMPTY_NAME;
	while (has_prefix(&key, bytes, len) && is_of_name(&key, len) &&
	       key_type(&key) <= last) {
		for (unsigned i = 0; i < count; i++)
			if (types[i] == key_type(&key))
				(void)decode(&ret_sets[i], &value, types[i]);
		if (mdb_cursor_get(cursor, &key, &value, MDB_NEXT))
			break;
	}
	return STORE_NAME;
}

bool store_get_before(struct store_read *read, uint32_t source, const uint8_t *name,
		      uint16_t type, uint8_t ret_owner[255], struct rrset *ret_set)
{
	uint8_t bytes[KEY_ROOM];
	const size_t len = key_finish(bytes, key_prefix(bytes, source, name), type);
	MDB_val key = { len, bytes }, value;
	MDB_cursor *cursor = current_cursor(read);
	int rc;

	if (!cursor)
		return false;
	rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
	if (rc)
		rc = mdb_cursor_get(cursor, &key, &value, MDB_LAST);
	else if (key.mv_size != len || memcmp(key.mv_data, bytes, len) != 0)
		rc = mdb_cursor_get(cursor, &key, &value, MDB_PREV);
	for (unsigned seen = 0; seen < STORE_BEFORE_MAX && !rc &&
				has_prefix(&key, bytes, 4) && key.mv_size >= 7;
	     seen++) {
		if (key_type(&key) == type)
			return key_to_name(ret_owner, (uint8_t *)key.mv_data + 4,
					   key.mv_size - 7) &&
			       decode(ret_set, &value, type);
		rc = mdb_cursor_get(cursor, &key, &value, MDB_PREV);
	}
	return false;
}

enum store_presence store_presence(struct store_read *read, uint32_t source,
				   const uint8_t *name)
{
	return store_find(read, source, name, NULL, 0, NULL);
}

/* Walk the keys that begin with @prefix; @each returns false to stop. */
static void walk(struct store_read *read, const uint8_t *prefix, size_t len,
		 bool (*each)(void *context, const MDB_val *key,
			      const struct rrset *set),
		 void *context)
{
	MDB_val key = { len, (void *)prefix }, value;
	MDB_cursor *cursor;
	struct rrset set;
	int rc;

	/* Its own cursor: @each may look things up, or walk, itself. */
	if (mdb_cursor_open(read->txn, read->env->records, &cursor))
		return;
	rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
	while (!rc && has_prefix(&key, prefix, len)) {
		if (key.mv_size >= 7 && decode(&set, &value, key_type(&key)) &&
		    !each(context, &key, &set))
			break;
		rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
	}
	mdb_cursor_close(cursor);
}

struct type_walk {
	bool (*each)(void *context, const struct rrset *set);
	void *context;
};

static bool give_type(void *context, const MDB_val *key, const struct rrset *set)
{
	struct type_walk *types = context;

	(void)key;
	return types->each(types->context, set);
}

void store_each_type(struct store_read *read, uint32_t source, const uint8_t *name,
		     bool (*each)(void *context, const struct rrset *set),
		     void *context)
{
	struct type_walk types = { each, context };
	uint8_t prefix[KEY_ROOM];
	size_t len = key_prefix(prefix, source, name);

	prefix[len] = 0;
	walk(read, prefix, len + 1, give_type, &types);
}

struct name_walk {
	bool (*each)(void *context, const uint8_t *owner, const struct rrset *set);
	void *context;
	size_t key_len; /* of the name that @owner is */
	uint8_t key[KEY_ROOM];
	uint8_t owner[255];
};

static bool give_name(void *context, const MDB_val *key, const struct rrset *set)
{
	struct name_walk *names = context;
	const uint8_t *bytes = key->mv_data;
	size_t len = key->mv_size - 3;

	if (len != names->key_len || memcmp(bytes, names->key, len)) {
		if (len > sizeof(names->key) ||
		    !key_to_name(names->owner, bytes + 4, len - 4))
			return true;
		memcpy(names->key, bytes, len);
		names->key_len = len;
	}
	return names->each(names->context, names->owner, set);
}

void store_each(struct store_read *read, uint32_t source, const uint8_t *top,
		bool (*each)(void *context, const uint8_t *owner,
			     const struct rrset *set),
		void *context)
{
	struct name_walk names = { .each = each, .context = context };
	uint8_t prefix[KEY_ROOM];
	size_t len = key_prefix(prefix, source, top);

	walk(read, prefix, len, give_name, &names);
}

bool store_meta_get(struct store_read *read, const char *key, const void **ret_bytes,
		    size_t *ret_len)
{
	MDB_val name = { strlen(key), (void *)key }, value;

	if (mdb_get(read->txn, read->env->meta, &name, &value))
		return false;
	*ret_bytes = value.mv_data;
	*ret_len = value.mv_size;
	return true;
}

/* ---- writing ---- */

int store_write_begin(struct store *store, struct store_write **ret_write)
{
	struct store_write *write;
	MDB_val key, value;
	int rc;

	if (!store->env->writable)
		return -EACCES;
	write = calloc(1, sizeof(*write));
	if (!write)
		return -ENOMEM;
	write->env = store->env;
	rc = mdb_txn_begin(store->env->mdb, NULL, 0, &write->txn);
	if (rc)
		goto err_write;
	rc = mdb_cursor_open(write->txn, write->env->records, &write->cursor);
	if (rc)
		goto err_txn;
	rc = mdb_cursor_get(write->cursor, &key, &value, MDB_LAST);
	if (rc == 0 && key.mv_size <= sizeof(write->greatest)) {
		write->greatest_len = key.mv_size;
		memcpy(write->greatest, key.mv_data, key.mv_size);
	} else if (rc != MDB_NOTFOUND) {
		goto err_txn;
	}
	write->reader.env = write->env;
	write->reader.txn = write->txn;
	*ret_write = write;
	return 0;

err_txn:
	mdb_txn_abort(write->txn);
err_write:
	free(write);
	return rc ? env_errno(rc) : -EIO;
}

int store_write_commit(struct store_write *write)
{
	int rc = mdb_txn_commit(write->txn);

	free(write);
	return env_errno(rc);
}

void store_write_abort(struct store_write *write)
{
	if (!write)
		return;
	mdb_txn_abort(write->txn);
	free(write);
}

struct store_read *store_write_reader(struct store_write *write)
{
	return &write->reader;
}

/* Is @key above all that is stored?  Then it becomes the greatest. */
static bool is_append(struct store_write *write, const MDB_val *key)
{
	size_t shorter =
		key->mv_size < write->greatest_len ? key->mv_size : write->greatest_len;
	int order = memcmp(key->mv_data, write->greatest, shorter);

	if (order < 0 || (order == 0 && key->mv_size <= write->greatest_len))
		return false;
	write->greatest_len = key->mv_size;
	memcpy(write->greatest, key->mv_data, key->mv_size);
	return true;
}

int store_put(struct store_write *write, uint32_t source, const uint8_t *name,
	      const struct rrset *set)
{
	struct stored stored = { .ttl_s = set->ttl_s, .count = set->count };
	uint8_t bytes[KEY_ROOM];
	MDB_val key = { 0, bytes }, value = { sizeof(stored) + set->rdata_bytes, NULL };
	unsigned flags = MDB_RESERVE;
	int rc;

	key.mv_size = key_finish(bytes, key_prefix(bytes, source, name), set->type);
	if (is_append(write, &key))
		flags |= MDB_APPEND;
	rc = mdb_cursor_put(write->cursor, &key, &value, flags);
	if (rc)
		return env_errno(rc);
	memcpy(value.mv_data, &stored, sizeof(stored));
	if (set->rdata_bytes)
		memcpy((uint8_t *)value.mv_data + sizeof(stored), set->rdata,
		       set->rdata_bytes);
	return 0;
}

int store_delete(struct store_write *write, uint32_t source, const uint8_t *name,
		 uint16_t type)
{
	uint8_t bytes[KEY_ROOM];
	MDB_val key = { 0, bytes };
	int rc;

	key.mv_size = key_finish(bytes, key_prefix(bytes, source, name), type);
	rc = mdb_del(write->txn, write->env->records, &key, NULL);
	return rc == MDB_NOTFOUND ? STORE_ABSENT : env_errno(rc);
}

int store_clear(struct store_write *write, uint32_t source)
{
	uint8_t prefix[KEY_ROOM];
	size_t len = key_prefix(prefix, source, (const uint8_t *)"");
	MDB_val key = { len, prefix }, value;
	int rc = mdb_cursor_get(write->cursor, &key, &value, MDB_SET_RANGE);

	while (!rc && has_prefix(&key, prefix, len)) {
		rc = mdb_cursor_del(write->cursor, 0);
		/* The cursor now stands on the next key, which MDB_NEXT gives. */
		if (!rc)
			rc = mdb_cursor_get(write->cursor, &key, &value, MDB_NEXT);
	}
	return rc == MDB_NOTFOUND ? 0 : env_errno(rc);
}

int store_meta_put(struct store_write *write, const char *key, const void *bytes,
		   size_t len)
{
	MDB_val name = { strlen(key), (void *)key }, value = { len, (void *)bytes };

	return env_errno(mdb_put(write->txn, write->env->meta, &name, &value, 0));
}

/* ---- numbers ---- */

/*
 * KIND '/' TEXT is a key of ids, KIND alone its counter.
 * Return: the key's length, 0 if it is longer than a key can be.
 */
static size_t id_key(char out[512], const char *kind, const char *text)
{
	int len = snprintf(out, 512, "%s/%s", kind, text);

	return len > 0 && len < 512 ? (size_t)len : 0;
}

static bool id_get(MDB_txn *txn, MDB_dbi ids, MDB_val *key, uint32_t *ret_id)
{
	MDB_val value;

	if (mdb_get(txn, ids, key, &value) || value.mv_size != sizeof(*ret_id))
		return false;
	memcpy(ret_id, value.mv_data, sizeof(*ret_id));
	return true;
}

bool store_id_find(struct store_read *read, const char *kind, const char *text,
		   uint32_t *ret_id)
{
	char bytes[512];
	MDB_val key = { id_key(bytes, kind, text), bytes };

	return key.mv_size && id_get(read->txn, read->env->ids, &key, ret_id);
}

int store_id(struct store_write *write, const char *kind, const char *text,
	     uint32_t *ret_id)
{
	char bytes[512];
	MDB_val key = { id_key(bytes, kind, text), bytes };
	MDB_val counter = { strlen(kind), (void *)kind };
	uint32_t last = 0;
	MDB_val value = { sizeof(last), &last };
	int rc;

	if (!key.mv_size)
		return -ENAMETOOLONG;
	if (id_get(write->txn, write->env->ids, &key, ret_id))
		return 0;
	(void)id_get(write->txn, write->env->ids, &counter, &last); /* absent: 0 */
	last++;
	rc = mdb_put(write->txn, write->env->ids, &counter, &value, 0);
	if (!rc)
		rc = mdb_put(write->txn, write->env->ids, &key, &value, 0);
	if (rc)
		return env_errno(rc);
	*ret_id = last;
	return 0;
}
