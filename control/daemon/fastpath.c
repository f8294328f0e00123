/* SPDX-License-Identifier: BSD-3-Clause */
/* fastpath.c - see fastpath.h. */
#include "fastpath.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache/table.h"
#include "daemon/commit.h"
#include "daemon/daemon.h"
#include "daemon/eventlog.h"
#include "daemon/log.h"
#include "daemon/publish.h"
#include "daemon/rule_list.h"
#include "daemon/watch.h"
#include "io/hugepages.h"
#include "plan/plan.h"
#include "plan/tenants.h"
#include "xdp/xdp.h"

/* XDP's cache, at the least and at the most: with blobs and names 2 MB and 0.75 GB. */
#define CACHE_SLOTS_MIN 4096u
#define CACHE_SLOTS_MAX (1u << 21)

/* 1 GiB of slots, and with their blobs 3 GiB: more records than that take the lane. */
#define GROWTH_SLOTS_MAX (1u << 24)

static const char *mode_name(enum attach_mode mode)
{
	switch (mode) {
	case ATTACH_AUTO:
		return "auto";
	case ATTACH_NATIVE:
		return "native";
	case ATTACH_GENERIC:
		return "generic";
	}
	return "?";
}

static void on_interface(void *context, enum xdp_change change,
			 const struct xdp_interface *interface)
{
	struct daemon *d = context;
	char key[64];

	snprintf(key, sizeof(key), "xdp/%s", interface->name);
	switch (change) {
	case XDP_ATTACHED:
		degraded_clear(&d->degraded, key);
		log_info("xdp: %s attached, mode %s%s%s%s", interface->name,
			 mode_name(interface->mode),
			 interface->joined ? ", joined to the dispatcher there" : "",
			 interface->note[0] ? ": " : "", interface->note);
		return;
	case XDP_DETACHED:
		degraded_clear(&d->degraded, key);
		log_info("xdp: %s detached", interface->name);
		return;
	case XDP_REFUSED:
		degraded_set(&d->degraded, key, "xdp: %s: %s", interface->name,
			     interface->note);
		return;
	case XDP_FORGOTTEN:
		degraded_clear(&d->degraded, key);
		return;
	}
}

/* ---- a larger table ---- */

/* Slots for @answers, and half more than @present at the least: growing is rare. */
static uint32_t slots_for(uint32_t answers, uint32_t present)
{
	const uint32_t slots = table_slots_for(answers);
	const uint32_t more = present + present / 2;
	const uint32_t wanted = slots > more ? slots : more;

	return wanted < GROWTH_SLOTS_MAX ? wanted : GROWTH_SLOTS_MAX;
}

/* A quarter more than @need, and no fewer than there are. */
static uint32_t blobs_for(uint32_t need, uint32_t present)
{
	const uint32_t count = need + need / 4;

	return count > present ? count : present;
}

static int grow_begin(void *context, const struct table_room *need,
		      struct table **ret_table)
{
	struct daemon *d = context;
	struct problem problem = { .text = "" };
	struct table_arrays arrays;
	struct table_room room;
	int r;

	xdp_local_arrays(d->xdp, &arrays);
	room.slots = slots_for(need->slots, arrays.slot_count);
	room.small = blobs_for(need->small, arrays.small_count);
	room.large = blobs_for(need->large, arrays.large_count);
	if (room.slots <= arrays.slot_count)
		return -ENOSPC;
	r = xdp_local_grow_begin(d->xdp, &room, &arrays, &problem);
	if (r == 0) {
		r = table_open(ret_table, &arrays);
		if (r < 0)
			xdp_local_grow_abort(d->xdp);
	}
	if (r < 0)
		log_error("xdp: the table of local records cannot grow: %s",
			  problem.text[0] ? problem.text : strerror(-r));
	else
		log_info("xdp: the table of local records grows to %u slots",
			 room.slots);
	return r;
}

static int grow_commit(void *context)
{
	struct daemon *d = context;
	struct problem problem = { .text = "" };
	struct table_arrays before, after;
	int r;

	xdp_local_arrays(d->xdp, &before);
	r = xdp_local_grow_commit(d->xdp, &problem);
	if (r == 0)
		return 0;
	log_error("xdp: %s", problem.text);
	xdp_local_arrays(d->xdp, &after);
	if (after.slots != before.slots)
		return 0; /* in use, and only not pinned: the next start fills one anew */
	xdp_local_grow_abort(d->xdp);
	return r;
}

/* ---- life ---- */

static void on_flushed(void *context, unsigned flushed)
{
	(void)context;
	(void)flushed;
}

static int attach_table(struct daemon *d)
{
	struct publish_growth growth = { grow_begin, grow_commit, d };
	struct table_arrays arrays;
	struct table *table;
	int r;

	xdp_local_arrays(d->xdp, &arrays);
	r = table_open(&table, &arrays);
	if (r < 0)
		return r;
	publisher_attach(d->publisher, table, &growth);
	/* A store without a plan is new: it gives views other numbers than the cache has. */
	if (!commits_plan(d->commits))
		flush_caches(d, 0, NULL, on_flushed, NULL);
	commits_attached(d->commits);
	return 0;
}

/*
 * Slots of XDP's cache for all that `cache` lets the worker remember.  Surplus answers
 * take the lane.
 */
static uint32_t cache_slots(const struct config *config)
{
	uint64_t answers = 0;
	uint32_t slots;

	for (unsigned i = 0; i < config->block_count; i++) {
		const struct plan_cache *cache = &config->blocks[i].cache;

		if (cache->on)
			answers += (uint64_t)cache->success_capacity +
				   cache->denial_capacity;
	}
	if (!answers)
		return 0; /* the default: a reload may bring one */
	if (answers >= CACHE_SLOTS_MAX / 10 * 7)
		return CACHE_SLOTS_MAX;
	slots = table_slots_for((uint32_t)answers);
	return slots < CACHE_SLOTS_MIN ? CACHE_SLOTS_MIN : slots;
}

bool fastpath_is_left(const struct daemon *d)
{
	char pins[128];

	snprintf(pins, sizeof(pins), "/sys/fs/bpf/lane53/%s/v%d", d->options->name,
		 LANE53_ABI_VERSION);
	return access(pins, F_OK) == 0;
}

void fastpath_prepare(struct daemon *d, const struct config *config)
{
	struct xdp_config wanted = { .instance = d->options->name,
				     .ifaces = d->ifaces,
				     .on_interface = on_interface,
				     .context = d,
				     .lanes = d->options->workers,
				     .cache_slots = cache_slots(config) };
	struct problem problem = { .text = "" };
	char text[1024];
	int r;

	if (d->xdp || d->options->no_xdp ||
	    (!config->xdp_count && !fastpath_is_left(d)))
		return;
	r = d->ifaces ? xdp_open(&d->xdp, &wanted, &problem) : -ENODEV;
	if (r == 0) {
		r = attach_table(d);
		if (r < 0) {
			xdp_close(d->xdp);
			d->xdp = NULL;
		}
	}
	if (r < 0) {
		problem_format(&problem, text, sizeof(text));
		degraded_set(&d->degraded, "xdp", "xdp: %s; sockets serve on",
			     problem.text[0] ? text : strerror(-r));
		return;
	}
	degraded_clear(&d->degraded, "xdp");
	log_info("xdp: %s %s", xdp_is_adopted(d->xdp) ? "adopted" : "loaded",
		 xdp_pin_dir(d->xdp));
	eventlog_watch_xdp(d->events);
}

void fastpath_close(struct daemon *d)
{
	if (!d->xdp)
		return;
	xdp_settings(d->xdp)->event_sample = 0; /* nobody will take them */
	xdp_settings(d->xdp)->event_timed = 0;
	eventlog_unwatch_xdp(d->events);
	publisher_detach(d->publisher);
	xdp_close(d->xdp);
	d->xdp = NULL;
}

void fastpath_remove(struct daemon *d)
{
	struct problem problem = { .text = "" };

	fastpath_close(d);
	if (xdp_remove(d->options->name, &problem) < 0)
		log_error("detach: %s", problem.text);
	else
		log_info("detached: programs, tables and lane are removed");
}

/* ---- rules ---- */

/* A name that no interface has is worth a word; a glob may well match nothing yet. */
static void tell_waiting(struct daemon *d, const struct rule_list *rules)
{
	degraded_begin(&d->degraded, "xdp-rule/");
	for (unsigned i = 0; i < rules->count; i++) {
		const struct config_place *place = &rules->directive[i]->place;
		char key[128];

		if (strpbrk(rules->at[i].pattern, "*?[") || !xdp_rule_waits(d->xdp, i))
			continue;
		/* two blocks may wait for the same one */
		snprintf(key, sizeof(key), "xdp-rule/%s:%u", rules->at[i].pattern,
			 place->line);
		degraded_set(&d->degraded, key,
			     "%s:%u: xdp %s: there is no such interface; it is "
			     "attached when it appears",
			     place->file, place->line, rules->at[i].pattern);
	}
	degraded_end(&d->degraded, "xdp-rule/");
}

static void settle(struct daemon *d, int error, const struct problem *problem)
{
	unsigned left_out = commits_left_out(d->commits);

	if (error < 0)
		degraded_set(&d->degraded, "xdp-apply", "xdp: %s",
			     problem->text[0] ? problem->text : strerror(-error));
	else
		degraded_clear(&d->degraded, "xdp-apply");
	if (left_out)
		degraded_set(&d->degraded, "xdp-room",
			     "xdp: no room for answers of %u names; they take the lane",
			     left_out);
	else
		degraded_clear(&d->degraded, "xdp-room");
}

static void with_rules(struct daemon *d, bool apply)
{
	struct problem problem = { .text = "" };
	struct rule_list rules;
	int r;

	if (!d->xdp || !d->config)
		return;
	r = rule_list_make(&rules, d->config, &d->origins);
	if (r == 0) {
		r = apply ? xdp_apply(d->xdp, rules.at, rules.count,
				      commits_plan(d->commits), &problem)
			  : xdp_sync(d->xdp, &problem);
		tell_waiting(d, &rules);
	}
	settle(d, r, &problem);
	rule_list_deinit(&rules);
}

void fastpath_note_worker(struct daemon *d, int pid)
{
	unsigned wanted_mb =
		(unsigned)(hugepages_wanted_bytes(d->options->workers) >> 20);

	if (hugepages_used_bytes(pid))
		degraded_clear(&d->degraded, "hugepages");
	else
		degraded_set(
			&d->degraded, "hugepages",
			"less than %u MB of hugepages were free: the dpdk worker uses "
			"ordinary memory; to change that: sysctl vm.nr_hugepages=%u, "
			"and end the worker (pid %d): it is started again",
			wanted_mb, wanted_mb, pid);
}

/* The lane's worker runs as long as any interface may send down the lane. */
static void run_worker(struct daemon *d)
{
	if (!d->config->xdp_count) {
		supervisor_end(d->supervisor, WORKER_DPDK);
		degraded_clear(&d->degraded, "hugepages");
		return;
	}
	supervisor_start(d->supervisor, WORKER_DPDK);
}

/* ---- kill switch ---- */

void fastpath_note_switch(struct daemon *d)
{
	if (d->xdp && xdp_settings(d->xdp)->enabled == LANE53_XDP_OFF)
		degraded_set(&d->degraded, "xdp-switch",
			     "xdp: switched off, sockets answer everything; "
			     "`lane53ctl xdp on` ends that");
	else
		degraded_clear(&d->degraded, "xdp-switch");
}

bool fastpath_switch(struct daemon *d, bool on)
{
	struct lane53_settings *settings = xdp_settings(d->xdp);
	const bool was_on = settings->enabled == LANE53_XDP_ON;

	settings->enabled = on ? LANE53_XDP_ON : LANE53_XDP_OFF;
	fastpath_note_switch(d);
	return was_on != on;
}

/* ---- events ---- */

static bool is_any_logged(const struct config *config)
{
	for (unsigned i = 0; i < config->block_count; i++)
		if (config->blocks[i].log_count)
			return true;
	return false;
}

void fastpath_sample(struct daemon *d, uint32_t every)
{
	const struct config *config = d->config;
	struct lane53_settings *settings = d->xdp ? xdp_settings(d->xdp) : NULL;

	if (!settings || !config)
		return;
	if (!every || (config->event_every && config->event_every < every))
		every = config->event_every;
	settings->event_limit =
		config->event_limit ? config->event_limit : LANE53_EVENT_LIMIT;
	settings->event_timed = every || is_any_logged(config);
	settings->event_sample = every;
}

void fastpath_apply(struct daemon *d)
{
	struct lane53_settings *settings;

	if (!d->xdp)
		return;
	settings = xdp_settings(d->xdp);
	settings->udp_limit = commits_plan(d->commits)->udp_payload;
	if (settings->enabled == LANE53_XDP_LEAVING) /* a detach was cut short */
		settings->enabled = LANE53_XDP_ON;
	fastpath_note_switch(d);
	fastpath_sample(d, watch_every(d));
	with_rules(d, true);
	run_worker(d);
}

void fastpath_sync(struct daemon *d)
{
	with_rules(d, false);
}

/* ---- showing ---- */

static const struct config_xdp *directive_of(const struct daemon *d, const char *name,
					     const char **ret_pattern)
{
	for (unsigned i = 0; d->config && i < d->config->xdp_count; i++)
		for (unsigned p = 0; p < d->config->xdp[i].pattern_count; p++)
			if (!fnmatch(d->config->xdp[i].patterns[p], name, 0)) {
				*ret_pattern = d->config->xdp[i].patterns[p];
				return &d->config->xdp[i];
			}
	return NULL;
}

/* The view that the first service of @tenant leads to. */
static const char *view_of(const struct plan *plan, const struct xdp_interface *x,
			   uint32_t tenant)
{
	const struct plan_view *view = NULL;

	if (x->view)
		view = plan_view_find(plan, x->view);
	for (unsigned i = 0; !view && i < plan->listener_count; i++)
		if (plan->listeners[i].tenant == tenant)
			view = plan_view_find(plan, plan->listeners[i].view);
	return view ? view->name : "";
}

json_t *fastpath_interfaces(struct daemon *d)
{
	const struct plan *plan = commits_plan(d->commits);
	json_t *list = json_array();
	unsigned count = 0;
	const struct xdp_interface *x = d->xdp ? xdp_interfaces(d->xdp, &count) : NULL;

	for (unsigned i = 0; i < count; i++) {
		const char *pattern = "";
		const struct config_xdp *directive =
			directive_of(d, x[i].name, &pattern);
		const uint32_t tenant = plan && !x[i].tenant
						? tenants_usual(plan, x[i].ifindex)
						: x[i].tenant;

		json_array_append_new(
			list,
			json_pack("{s:s, s:i, s:s, s:s, s:i, s:i, s:s, s:s}", "name",
				  x[i].name, "ifindex", (int)x[i].ifindex, "mode",
				  x[i].attached ? mode_name(x[i].mode) : "none", "view",
				  plan ? view_of(plan, &x[i], tenant) : "", "tenant",
				  (int)tenant, "vlan", directive ? directive->vlan : 0,
				  "pattern", pattern, "state",
				  x[i].attached ? "attached" : x[i].note));
	}
	return list;
}
