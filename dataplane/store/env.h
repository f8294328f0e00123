/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * env.h - the LMDB environment under a store: one per directory and process.
 *
 * LMDB must not be opened twice in one process (its file locks belong to the process,
 * a second open would reset the lock table under the first), so store handles on the
 * same directory share one environment.  Private to dataplane/store.
 */
#ifndef LANE53_STORE_ENV_H
#define LANE53_STORE_ENV_H

#include <lmdb.h>
#include "store/store.h"

struct env {
	MDB_env *mdb;
	MDB_dbi records, meta, ids;
	bool writable;
};

/*
 * Open, or share, the environment in @dir; released with env_release().
 * Return: as store_open().
 */
int env_acquire(struct env **ret_env, const char *dir, enum store_mode mode,
		size_t map_bytes);
void env_release(struct env *env);

/* A negative errno for LMDB's return code @rc; 0 for MDB_SUCCESS. */
int env_errno(int rc);

#endif
