/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * check.h - is there a sound store?  Private to dataplane/store.
 */
#ifndef LANE53_STORE_CHECK_H
#define LANE53_STORE_CHECK_H

#include <stddef.h>

/*
 * Read everything of the store in @dir once, in a child process: LMDB believes its file,
 * and a damaged one can end the process that reads it.
 * Return: 0: sound, or nothing there, or for mdb_env_open() to refuse; -EIO: damaged; a
 * negative errno of fork().
 */
int check_files(const char *dir, size_t map_bytes);

#endif
