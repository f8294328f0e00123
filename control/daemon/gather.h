/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * gather.h - collect what was counted everywhere, for /metrics and `stats`.
 */
#ifndef LANE53_GATHER_H
#define LANE53_GATHER_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/supervise.h"

struct daemon;
struct metrics_hosts;
struct metrics_label;
struct metrics_plugin;
struct metrics_table;
struct plan_step;
struct worker_stats;

/* What a worker counted, for stats_unmap(); NULL: it never ran. */
struct worker_stats *gather_map(struct daemon *d, enum worker_io io);

/* XDP's tables into @tables (room for GATHER_TABLES). Return: how many there are. */
#define GATHER_TABLES 2
unsigned gather_tables(struct daemon *d, struct metrics_table *tables);

/* The text of /metrics; *@ret_text is from malloc(). Return: 0 or -ENOMEM. */
int gather_metrics(struct daemon *d, char **ret_text, size_t *ret_len);

/* `stats` of docs/control-protocol.md. */
json_t *gather_stats(struct daemon *d);

/*
 * The directives of each block and its hosts, under @labels (borrowed).
 * Return: 0 (then gather_blocks_deinit()) or -ENOMEM.
 */
#define GATHER_PLUGINS 1024 /* of 64 labels: 16 directives each; the rest is left out */
#define GATHER_HOSTS   64
struct gather_blocks {
	struct metrics_plugin *plugins;
	unsigned plugin_count;
	struct metrics_hosts *hosts;
	unsigned hosts_count;
	json_t *held; /* whose strings hosts borrow */
};
int gather_blocks(struct gather_blocks *ret, struct daemon *d,
		  const struct metrics_label *labels, unsigned count);
void gather_blocks_deinit(struct gather_blocks *blocks);

/* The directive a step comes from. */
const char *gather_step_name(const struct plan_step *step);

/* HINFO probes of `loop` that any worker has seen. */
uint64_t gather_loop_probes(struct daemon *d);

#endif
