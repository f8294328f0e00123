/* SPDX-License-Identifier: BSD-3-Clause */
/* loader.h - from the skeleton to loaded programs with pinned maps. */
#ifndef LANE53_LOADER_H
#define LANE53_LOADER_H

#include <stdbool.h>
#include <stdint.h>

struct lane53_bpf;
struct problem;
struct table_room;

/* Of tables that are not adopted; 0 = the default. */
struct table_sizes {
	uint32_t local_slots, cache_slots;
	uint32_t local_small, local_large; /* blobs; 0 = a share of the slots */
};

/* libbpf's warnings go into our problems, not to stderr. */
void loader_quiet_libbpf(void);

/*
 * Load with what is pinned in @dir, pin what is new.  *@ret_adopted: the `local` table
 * is one that was pinned.  The caller destroys *@ret_skel.
 */
int loader_open(const char *dir, const struct table_sizes *wanted,
		struct lane53_bpf **ret_skel, bool *ret_adopted,
		struct problem *problem);

/*
 * Load once more beside @base, with all its maps, or with a new, empty `local` table as
 * @local says unless that is NULL.  Nothing is pinned.  The caller destroys *@ret_skel.
 */
int loader_load_beside(const struct lane53_bpf *base, const struct table_room *local,
		       struct lane53_bpf **ret_skel, struct problem *problem);

/* The same, but not loaded: libxdp loads it as an extension of its dispatcher. */
int loader_prepare_beside(const struct lane53_bpf *base, const struct table_room *local,
			  struct lane53_bpf **ret_skel, struct problem *problem);

/* Pin @skel's `local` table in place of the one in @dir. */
int loader_repin_local(const char *dir, const struct lane53_bpf *skel,
		       struct problem *problem);

#endif
