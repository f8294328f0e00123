/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sources_parts.h - what sources.c and sources_watch.c share.
 *
 * A unit is what has a number in the store: a hosts directive, or one zone of one zone
 * file.  A stamp (modification time, size, inode) says whether a file may have changed.
 */
#ifndef LANE53_SOURCES_PARTS_H
#define LANE53_SOURCES_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>
#include <uv.h>
#include "plan/plan.h"

struct auto_zones;
struct commit;
struct config;
struct config_found;
struct daemon;
struct sources;

struct stamp {
	struct timespec mtime;
	off_t size;
	ino_t inode;
	bool exists;
};

struct unit {
	unsigned directive; /* index into config.sources */
	const char *path;
	struct plan_name origin; /* zone files */
	char id[512];            /* store_id("source", id) */
	uint32_t source;         /* its number; 0 before it is loaded */
	struct stamp stamp;      /* of what was read last */
	bool has_serial;
	uint32_t serial;
	size_t records;  /* RRs in the store */
	int64_t read_at; /* Unix time of the last good read; 0 = none of this unit's */
	bool bad;        /* the last read failed: the store's records stay */
	char state[768]; /* "ok" or why not */
};

struct watcher {
	uv_timer_t timer;
	struct sources *sources;
	unsigned directive;
};

struct sources {
	struct daemon *d;
	const struct config *config;
	unsigned directive_count; /* config is gone before the last timer is */
	struct auto_zones *scans; /* per directive; empty but for `auto` */
	struct config_found *found;
	unsigned found_count;
	struct unit *units;
	unsigned unit_count;
	struct watcher *watchers;
	unsigned open; /* timers, and one for the owner */
};

/* Of the file at @path (NULL is allowed: a file that does not exist). */
struct stamp sources_stamp(const char *path);

/* Read @unit into @commit; what cannot be read is degraded.  Return: the store's. */
int sources_load_unit(struct sources *sources, struct unit *unit,
		      struct commit *commit);

/* A timer is closed: one holder of @sources less. */
void sources_release(struct sources *sources);

#endif
