/* SPDX-License-Identifier: BSD-3-Clause */
/* gather_metrics.c - everything /metrics tells, from where it is counted. */
#include "gather.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/commit.h"
#include "daemon/daemon.h"
#include "daemon/metrics.h"
#include "daemon/web.h"
#include "dns/name.h"
#include "plan/plan.h"
#include "stats/stats.h"
#include "store/store.h"
#include "xdp/xdp.h"

/* ---- labels: a row per zone of a block, a row per address for what meets none ---- */

struct labels {
	struct metrics_label *at;
	char (*texts)[NAME_TEXT_ROOM];
	struct lane53_series *series;
	char **cache_zones; /* by block; NULL: it has no cache */
	unsigned block_count;
	unsigned count;
};

static void labels_deinit(struct labels *labels)
{
	for (unsigned b = 0; labels->cache_zones && b < labels->block_count; b++)
		free(labels->cache_zones[b]);
	free(labels->cache_zones);
	free(labels->at);
	free(labels->texts);
	free(labels->series);
}

/* Room for the text of a new row @number; NULL: it is there, or no row is left. */
static char *labels_room(const struct labels *labels, uint16_t number)
{
	if (labels->count == LANE53_LABEL_MAX)
		return NULL;
	for (unsigned i = 0; i < labels->count; i++)
		if (labels->at[i].number == number)
			return NULL;
	return labels->texts[labels->count];
}

static void labels_add(struct labels *labels, struct daemon *d,
		       const struct metrics_label *label)
{
	const unsigned n = labels->count++;

	labels->at[n] = *label;
	if (d->xdp && xdp_series(d->xdp, label->number, &labels->series[n]) == 0)
		labels->at[n].series = &labels->series[n];
}

static void labels_add_zone(struct labels *labels, struct daemon *d, unsigned b,
			    const struct plan_zone *zone)
{
	const struct plan_block *block = &commits_plan(d->commits)->blocks[b];
	char *text = labels_room(labels, zone->label);

	if (!text)
		return;
	name_to_text(text, zone->name.wire);
	labels_add(labels, d,
		   &(struct metrics_label){ .number = zone->label,
					    .server = block->server,
					    .zone = text,
					    .view = "",
					    .cache_zones = labels->cache_zones[b] });
}

/* What met no block of @view, under the address it came to, as CoreDNS tells it. */
static void labels_add_view(struct labels *labels, struct daemon *d,
			    const struct plan_view *view)
{
	char *text = labels_room(labels, view->label);

	if (!text || !view->label)
		return;
	snprintf(text, NAME_TEXT_ROOM, "dns://%.*s", (int)strcspn(view->name, "@"),
		 view->name);
	labels_add(labels, d,
		   &(struct metrics_label){ .number = view->label,
					    .server = text,
					    .zone = "dropped",
					    .view = "" });
}

static bool add_name(char **text, size_t *len, const struct plan_name *name)
{
	char *longer = realloc(*text, *len + NAME_TEXT_ROOM + 2);

	if (!longer)
		return false;
	*text = longer;
	if (*len)
		longer[(*len)++] = ',';
	name_to_text(longer + *len, name->wire);
	*len += strlen(longer + *len);
	return true;
}

/* The zones of a block's `cache`, as CoreDNS's label `zones`. */
static bool cache_zones_of(char **ret, const struct plan_block *block)
{
	const struct plan_names *own = &block->cache.zones;
	size_t len = 0;

	*ret = NULL;
	if (!block->cache.on)
		return true;
	for (unsigned i = 0; i < own->count; i++)
		if (!add_name(ret, &len, &own->at[i]))
			return false;
	for (unsigned i = 0; !own->count && i < block->zone_count; i++)
		if (!add_name(ret, &len, &block->zones[i].name))
			return false;
	return true;
}

static bool labels_fill(struct labels *labels, struct daemon *d)
{
	const struct plan *plan = commits_plan(d->commits);

	*labels = (struct labels){
		.at = calloc(LANE53_LABEL_MAX, sizeof(*labels->at)),
		.texts = calloc(LANE53_LABEL_MAX, sizeof(*labels->texts)),
		.series = calloc(LANE53_LABEL_MAX, sizeof(*labels->series)),
		.block_count = plan ? plan->block_count : 0,
	};
	labels->cache_zones =
		calloc(labels->block_count + 1, sizeof(*labels->cache_zones));
	if (!labels->at || !labels->texts || !labels->series || !labels->cache_zones)
		return false;
	for (unsigned b = 0; b < labels->block_count; b++) {
		if (!cache_zones_of(&labels->cache_zones[b], &plan->blocks[b]))
			return false;
		for (unsigned z = 0; z < plan->blocks[b].zone_count; z++)
			labels_add_zone(labels, d, b, &plan->blocks[b].zones[z]);
	}
	for (unsigned v = 0; plan && v < plan->view_count; v++)
		labels_add_view(labels, d, &plan->views[v]);
	return true;
}

static uint64_t heartbeat_age_ns(struct daemon *d)
{
	struct lane53_settings *settings = d->xdp ? xdp_settings(d->xdp) : NULL;
	uint64_t beat = settings ? settings->heartbeat_ns : 0;
	struct timespec now;

	uint64_t now_ns;

	if (!beat)
		return UINT64_MAX;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	now_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	return now_ns > beat ? now_ns - beat : 0; /* the worker may be a tick ahead */
}

static uint64_t newest_commit(struct daemon *d)
{
	struct store_read *read;
	uint64_t id;

	if (store_read_begin(d->store, &read) < 0)
		return 0;
	id = store_read_commit_id(read);
	store_read_end(read);
	return id;
}

static unsigned attached(struct daemon *d)
{
	unsigned count = 0, up = 0;
	const struct xdp_interface *x = d->xdp ? xdp_interfaces(d->xdp, &count) : NULL;

	for (unsigned i = 0; i < count; i++)
		up += x[i].attached;
	return up;
}

static unsigned degraded_count(struct daemon *d)
{
	json_t *list = degraded_list(&d->degraded);
	unsigned count = (unsigned)json_array_size(list);

	json_decref(list);
	return count;
}

int gather_metrics(struct daemon *d, char **ret_text, size_t *ret_len)
{
	uint64_t outcomes[LANE53_OUTCOME_COUNT];
	struct metrics_worker workers[WORKER_COUNT];
	struct metrics_table tables[GATHER_TABLES];
	char hash[20];
	struct gather_blocks blocks;
	struct labels labels;
	struct metrics m = { .version = LANE53_VERSION,
			     .started_s = (double)d->started_at,
			     .workers = workers,
			     .worker_count = WORKER_COUNT,
			     .tables = tables,
			     .config_hash = hash,
			     .reloads_failed = d->reload.failed };
	int r = -ENOMEM;

	snprintf(hash, sizeof(hash), "%016llx",
		 (unsigned long long)(d->config ? d->config->digest : 0));
	if (!labels_fill(&labels, d))
		goto out;
	m.labels = labels.at;
	m.label_count = labels.count;
	if (gather_blocks(&blocks, d, labels.at, labels.count) < 0)
		goto out;
	m.plugins = blocks.plugins;
	m.plugin_count = blocks.plugin_count;
	m.hosts = blocks.hosts;
	m.hosts_count = blocks.hosts_count;
	for (int io = 0; io < WORKER_COUNT; io++) {
		struct worker_view view;

		supervisor_view(d->supervisor, io, &view);
		workers[io] =
			(struct metrics_worker){ worker_io_name(io), gather_map(d, io),
						 view.state == WORKER_RUNNING,
						 view.restarts };
	}
	m.table_count = gather_tables(d, tables);
	if (d->xdp && xdp_outcomes(d->xdp, outcomes) == 0)
		m.outcomes = outcomes;
	m.interfaces = attached(d);
	m.heartbeat_age_ns = heartbeat_age_ns(d);
	m.degraded = degraded_count(d);
	m.store_commit = newest_commit(d);
	m.health = web_health_counts(d);
	r = metrics_format(ret_text, ret_len, &m);
	for (int io = 0; io < WORKER_COUNT; io++)
		stats_unmap((struct worker_stats *)workers[io].stats);
	gather_blocks_deinit(&blocks);
out:
	labels_deinit(&labels);
	return r;
}
