/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * check.c - read a store as a whole, at the risk of a child process.
 *
 * Found are damaged pages (LMDB's own checks, its assertions, a signal), and records
 * that are out of order, lost or not of our form.  LMDB has no checksums: a changed byte
 * within RDATA is not found, but lane53d writes anew what differs from its sources.
 */
#include "store/check.h"

#include <errno.h>
#include <lmdb.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/key.h"
#include "store/store.h"

#define FREE_DBI 0 /* LMDB's own: the list of free pages */

#define EXIT_DAMAGED 1

static void give_up(MDB_env *env, const char *message)
{
	(void)env;
	(void)message; /* the parent says what it means */
	_exit(EXIT_DAMAGED);
}

/* Is it a record as store.c writes them? */
static bool is_record(const MDB_val *key, const MDB_val *value)
{
	const uint8_t *bytes = key->mv_data, *rdata;
	uint8_t name[255];
	uint16_t count, len;
	struct rrset set = { 0 };
	size_t pos = 0;

	if (key->mv_size < 7 || bytes[key->mv_size - 3] != 0 || value->mv_size < 8 ||
	    !key_to_name(name, bytes + 4, key->mv_size - 7))
		return false;
	memcpy(&count, (const uint8_t *)value->mv_data + 4, sizeof(count));
	set.rdata = (const uint8_t *)value->mv_data + 8;
	set.rdata_bytes = value->mv_size - 8;
	while (count && rrset_next(&set, &pos, &rdata, &len))
		count--;
	return count == 0 && pos == set.rdata_bytes;
}

static void check_database(MDB_txn *txn, MDB_dbi dbi, bool is_records)
{
	MDB_val key, value, last = { 0, NULL };
	size_t count = 0;
	MDB_cursor *cursor;
	MDB_stat stat;
	int rc;

	if (mdb_stat(txn, dbi, &stat) || mdb_cursor_open(txn, dbi, &cursor))
		_exit(EXIT_DAMAGED);
	while ((rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
		if (is_records && !is_record(&key, &value))
			_exit(EXIT_DAMAGED);
		if (last.mv_data && mdb_cmp(txn, dbi, &last, &key) >= 0)
			_exit(EXIT_DAMAGED);
		last = key;
		count++;
	}
	if (rc != MDB_NOTFOUND || count != stat.ms_entries)
		_exit(EXIT_DAMAGED);
	mdb_cursor_close(cursor);
}

static void check_all(const char *dir, size_t map_bytes)
{
	/* NULL is the list of databases. */
	static const char *const names[] = { NULL, "records", "meta", "ids" };
	MDB_env *env;
	MDB_txn *txn;

	if (mdb_env_create(&env))
		return;
	mdb_env_set_maxdbs(env, 3);
	mdb_env_set_mapsize(env, map_bytes);
	mdb_env_set_assert(env, give_up);
	/* What cannot be opened is told by who opens it. */
	if (mdb_env_open(env, dir, MDB_RDONLY, 0600) ||
	    mdb_txn_begin(env, NULL, MDB_RDONLY, &txn))
		return;
	check_database(txn, FREE_DBI, false);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		MDB_dbi dbi;

		if (mdb_dbi_open(txn, names[i], 0, &dbi) == 0)
			check_database(txn, dbi, i == 1);
	}
	mdb_txn_abort(txn);
	mdb_env_close(env);
}

int check_files(const char *dir, size_t map_bytes)
{
	static const int deaths[] = { SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL };
	int status = 0;
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0) {
		/* To die quietly: no handler of ours, no core. */
		(void)setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
		for (size_t i = 0; i < sizeof(deaths) / sizeof(deaths[0]); i++)
			(void)signal(deaths[i], SIG_DFL);
		check_all(dir, map_bytes);
		_exit(0);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return 0; /* SIGCHLD is ignored: how it ended is not to be had */
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EIO;
}
