/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * env.c - open the LMDB files, check that they are a store of ours.
 *
 * Flags: MDB_NOTLS, so that a read belongs to its handle, not to a thread.
 * MDB_NOMETASYNC: a commit syncs its data but not the page that makes it current; a
 * crash of the machine may lose the last commit, never the store; a crash of a process
 * loses nothing.  It halves the syncs, and what is lost is read from its source again.
 */
#include "store/env.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/check.h"

#define MAP_BYTES_DEFAULT ((size_t)16 << 30)

/* Environments open in this process; what a child of fork() inherits is not for it. */
struct slot {
	struct env env;
	pid_t pid;
	dev_t dev;
	ino_t ino;
	unsigned users;
	struct slot *next;
};

static pthread_mutex_t slots_lock = PTHREAD_MUTEX_INITIALIZER;
static struct slot *slots; /* under slots_lock */

int env_errno(int rc)
{
	switch (rc) {
	case MDB_SUCCESS:
		return 0;
	case MDB_MAP_FULL:
		return -ENOSPC;
	case MDB_INVALID:
		return -EINVAL;
	case MDB_BAD_VALSIZE:
		return -ENAMETOOLONG;
	case MDB_READERS_FULL:
	case MDB_TXN_FULL:
		return -ENOMEM;
	}
	return rc > 0 ? -rc : -EIO;
}

/* mkdir -p, all of it private. */
static int make_directory(const char *dir)
{
	char path[4096];
	size_t len = strlen(dir);

	if (len >= sizeof(path))
		return -ENAMETOOLONG;
	memcpy(path, dir, len + 1);
	for (char *p = path + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = 0;
		if (mkdir(path, 0700) && errno != EEXIST)
			return -errno;
		*p = '/';
	}
	return mkdir(path, 0700) && errno != EEXIST ? -errno : 0;
}

/* Version of the layout; written if the store is new.  Return: as store_open(). */
static int check_version(struct env *env, MDB_txn *txn)
{
	MDB_val key = { 7, (void *)"version" }, value;
	uint32_t version = STORE_VERSION;
	MDB_stat records, meta;
	int rc = mdb_get(txn, env->meta, &key, &value);

	if (rc == 0) {
		if (value.mv_size != sizeof(version))
			return -EINVAL;
		memcpy(&version, value.mv_data, sizeof(version));
		return version == STORE_VERSION ? 0 : STORE_OTHER_VERSION;
	}
	if (rc != MDB_NOTFOUND)
		return env_errno(rc);
	if (!env->writable)
		return STORE_ABSENT;
	if (mdb_stat(txn, env->records, &records) || mdb_stat(txn, env->meta, &meta))
		return -EIO;
	if (records.ms_entries || meta.ms_entries)
		return -EINVAL;
	value = (MDB_val){ sizeof(version), &version };
	return env_errno(mdb_put(txn, env->meta, &key, &value, 0));
}

static int open_databases(struct env *env)
{
	unsigned flags = env->writable ? MDB_CREATE : 0;
	MDB_txn *txn;
	int r, rc = mdb_txn_begin(env->mdb, NULL, env->writable ? 0 : MDB_RDONLY, &txn);

	if (rc)
		return env_errno(rc);
	rc = mdb_dbi_open(txn, "records", flags, &env->records);
	if (!rc)
		rc = mdb_dbi_open(txn, "meta", flags, &env->meta);
	if (!rc)
		rc = mdb_dbi_open(txn, "ids", flags, &env->ids);
	r = rc == MDB_NOTFOUND ? STORE_ABSENT : env_errno(rc);
	if (r == 0)
		r = check_version(env, txn);
	if (r) {
		mdb_txn_abort(txn);
		return r;
	}
	/* Also of a read-only transaction: it keeps the handles. */
	return env_errno(mdb_txn_commit(txn));
}

static int open_env(struct env *env, const char *dir, size_t map_bytes)
{
	unsigned flags = MDB_NOTLS | MDB_NOMETASYNC;
	int rc, r, dead;

	if (!map_bytes)
		map_bytes = MAP_BYTES_DEFAULT;
	if (env->writable) {
		r = check_files(dir, map_bytes);
		if (r)
			return r;
	} else {
		flags |= MDB_RDONLY;
	}
	rc = mdb_env_create(&env->mdb);
	if (rc)
		return env_errno(rc);
	mdb_env_set_maxdbs(env->mdb, 3);
	mdb_env_set_mapsize(env->mdb, map_bytes);
	rc = mdb_env_open(env->mdb, dir, flags, 0600);
	if (rc == MDB_VERSION_MISMATCH)
		r = STORE_OTHER_VERSION;
	else if (rc == ENOENT && !env->writable)
		r = STORE_ABSENT;
	else
		r = env_errno(rc);
	/* Readers that were killed hold back the reuse of pages. */
	if (r == 0)
		(void)mdb_reader_check(env->mdb, &dead);
	if (r == 0)
		r = open_databases(env);
	if (r)
		mdb_env_close(env->mdb);
	return r;
}

static struct slot *find_slot(const struct stat *st)
{
	for (struct slot *s = slots; s; s = s->next)
		if (s->dev == st->st_dev && s->ino == st->st_ino && s->pid == getpid())
			return s;
	return NULL;
}

static int acquire_locked(struct env **ret_env, const char *dir, const struct stat *st,
			  enum store_mode mode, size_t map_bytes)
{
	struct slot *slot = find_slot(st);
	int r;

	if (slot) {
		if (mode == STORE_READ_WRITE && !slot->env.writable)
			return -EBUSY;
		slot->users++;
		*ret_env = &slot->env;
		return 0;
	}
	slot = calloc(1, sizeof(*slot));
	if (!slot)
		return -ENOMEM;
	slot->env.writable = mode == STORE_READ_WRITE;
	r = open_env(&slot->env, dir, map_bytes);
	if (r) {
		free(slot);
		return r;
	}
	slot->pid = getpid();
	slot->dev = st->st_dev;
	slot->ino = st->st_ino;
	slot->users = 1;
	slot->next = slots;
	slots = slot;
	*ret_env = &slot->env;
	return 0;
}

int env_acquire(struct env **ret_env, const char *dir, enum store_mode mode,
		size_t map_bytes)
{
	struct stat st;
	int r;

	if (mode == STORE_READ_WRITE) {
		r = make_directory(dir);
		if (r)
			return r;
	}
	if (stat(dir, &st))
		return errno == ENOENT ? STORE_ABSENT : -errno;
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	pthread_mutex_lock(&slots_lock);
	r = acquire_locked(ret_env, dir, &st, mode, map_bytes);
	pthread_mutex_unlock(&slots_lock);
	return r;
}

void env_release(struct env *env)
{
	pthread_mutex_lock(&slots_lock);
	for (struct slot **at = &slots; *at; at = &(*at)->next) {
		struct slot *slot = *at;

		if (&slot->env != env)
			continue;
		if (--slot->users == 0) {
			*at = slot->next;
			mdb_env_close(slot->env.mdb);
			free(slot);
		}
		break;
	}
	pthread_mutex_unlock(&slots_lock);
}
