/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * gather_blocks.c - what the configuration in force has, for /metrics: the directives of
 * each server block, and the sizes of its hosts.
 */
#include "gather.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/commit.h"
#include "daemon/daemon.h"
#include "daemon/metrics.h"
#include "daemon/sources.h"
#include "plan/plan.h"

const char *gather_step_name(const struct plan_step *step)
{
	switch (step->kind) {
	case STEP_CHAOS:
		return "chaos";
	case STEP_HOSTS:
		return "hosts";
	case STEP_ZONE:
		return step->automatic ? "auto" : "file";
	case STEP_LOOP:
		return "loop";
	case STEP_FORWARD:
		return step->forward->policy == POLICY_PARALLEL ? "fanout" : "forward";
	case STEP_WHOAMI:
		return "whoami";
	}
	return "";
}

static void plugin_add(struct gather_blocks *all, const struct metrics_label *label,
		       const char *name)
{
	if (all->plugin_count == GATHER_PLUGINS)
		return;
	all->plugins[all->plugin_count++] =
		(struct metrics_plugin){ label->server, label->zone, label->view,
					 name };
}

/* As CoreDNS: what is on the way of a query, so not bind, reload, health or ready. */
static void block_add(struct gather_blocks *all, const struct plan_block *block,
		      const struct metrics_label *label, bool has_metrics)
{
	if (has_metrics)
		plugin_add(all, label, "prometheus");
	if (block->cache.on)
		plugin_add(all, label, "cache");
	if (block->log)
		plugin_add(all, label, "log");
	if (block->errors)
		plugin_add(all, label, "errors");
	for (unsigned i = 0; i < block->step_count; i++)
		plugin_add(all, label, gather_step_name(&block->steps[i]));
}

static const struct metrics_label *label_find(const struct metrics_label *labels,
					      unsigned count, uint16_t number)
{
	for (unsigned i = 0; number && i < count; i++)
		if (labels[i].number == number)
			return &labels[i];
	return NULL;
}

/* One file is one series, however many blocks read it. */
static bool hosts_has(const struct gather_blocks *all, const char *path)
{
	for (unsigned i = 0; i < all->hosts_count; i++)
		if (path[0] == '/' && !strcmp(all->hosts[i].file, path))
			return true;
	return false;
}

static void hosts_add(struct gather_blocks *all, json_t *sources)
{
	json_t *source;
	size_t i;

	json_array_foreach(sources, i, source)
	{
		const char *kind, *path;
		json_int_t records, read_at;

		if (json_unpack(source, "{s:s, s:s, s:I, s:I}", "kind", &kind, "path",
				&path, "records", &records, "read_at", &read_at) < 0 ||
		    strcmp(kind, "hosts") != 0 || hosts_has(all, path) ||
		    all->hosts_count == GATHER_HOSTS)
			continue;
		all->hosts[all->hosts_count++] =
			(struct metrics_hosts){ path, (uint64_t)records,
						(double)read_at };
	}
}

int gather_blocks(struct gather_blocks *ret, struct daemon *d,
		  const struct metrics_label *labels, unsigned count)
{
	const struct plan *plan = commits_plan(d->commits);

	*ret = (struct gather_blocks){
		.plugins = calloc(GATHER_PLUGINS, sizeof(*ret->plugins)),
		.hosts = calloc(GATHER_HOSTS, sizeof(*ret->hosts)),
		.held = json_array(),
	};
	if (!ret->plugins || !ret->hosts || !ret->held) {
		gather_blocks_deinit(ret);
		return -ENOMEM;
	}
	for (unsigned b = 0; plan && b < plan->block_count; b++) {
		const struct plan_block *block = &plan->blocks[b];
		json_t *sources = sources_of_block(d->sources, plan, b);
		const bool has_metrics =
			d->config && d->config->blocks[d->origins.block_of[b]].metrics;

		for (unsigned z = 0; z < block->zone_count; z++) {
			const struct metrics_label *label =
				label_find(labels, count, block->zones[z].label);

			if (label)
				block_add(ret, block, label, has_metrics);
		}
		hosts_add(ret, sources);
		json_array_append_new(ret->held, sources);
	}
	return 0;
}

void gather_blocks_deinit(struct gather_blocks *blocks)
{
	free(blocks->plugins);
	free(blocks->hosts);
	json_decref(blocks->held);
}
