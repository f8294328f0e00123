/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * instance.h - what an instance owns on disk: its lock, its store, its run directory.
 */
#ifndef LANE53_INSTANCE_H
#define LANE53_INSTANCE_H

struct daemon;
struct options;

/*
 * One lane53d per instance: whoever holds the lock on its pid file.
 * Return: a descriptor that holds it, or -1 (logged).
 */
int instance_lock(const struct options *options);

/*
 * Open d->store; one that is corrupt or of another version is set aside, and
 * d->store_renewed says so.
 * Return: 0 or a negative errno (logged).
 */
int instance_open_store(struct daemon *d);

/* Write -pidfile; failure is logged. */
void instance_write_pid(const char *path);

/* Remove the run directory and all in it. */
void instance_remove_run_dir(const struct daemon *d);

#endif
