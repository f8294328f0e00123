/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * plan.c - find one's way in a plan, and release it.
 */
#include "plan/plan.h"
#include <stdlib.h>
#include <string.h>
#include "dns/name.h"
#include "lane53/wire.h"

/* Is @name (lower case wire, @len bytes, root label included) at or below @top? */
static bool is_below(const uint8_t *name, size_t len, const struct plan_name *top)
{
	const uint8_t *tail;

	if (len < top->len)
		return false;
	tail = name + len - top->len;
	/* most zones differ here: a view may have thousands */
	if (memcmp(tail, top->wire, top->len))
		return false;
	while (name < tail) /* does a label begin where the tail does? */
		name += 1u + name[0];
	return name == tail;
}

bool plan_names_cover(const struct plan_names *names, const uint8_t *name, size_t len)
{
	if (names->count == 0)
		return true;
	for (unsigned i = 0; i < names->count; i++)
		if (is_below(name, len, &names->at[i]))
			return true;
	return false;
}

const struct plan_view *plan_view_find(const struct plan *plan, uint32_t id)
{
	for (unsigned i = 0; i < plan->view_count; i++)
		if (plan->views[i].id == id)
			return &plan->views[i];
	return NULL;
}

const struct plan_view *plan_view_by_name(const struct plan *plan, const char *name)
{
	for (unsigned i = 0; i < plan->view_count; i++)
		if (!strcmp(plan->views[i].name, name))
			return &plan->views[i];
	return NULL;
}

/* The longest zone that @qname is in, of those up to @max bytes: @ret_zone, or NULL. */
static const struct plan_block *longest(const struct plan *plan,
					const struct plan_view *view,
					const uint8_t *qname, size_t max,
					const struct plan_zone **ret_zone)
{
	const size_t qname_len = name_size(qname);
	const struct plan_block *best = NULL;
	const struct plan_zone *best_zone = NULL;

	for (unsigned i = 0; i < view->block_count; i++) {
		const struct plan_block *block = &plan->blocks[view->blocks[i]];

		for (unsigned j = 0; j < block->zone_count; j++) {
			const struct plan_zone *zone = &block->zones[j];

			/* of two ancestors of one name, the one with more bytes is
			 * the longer match
			 */
			if (zone->name.len > max ||
			    (best_zone && zone->name.len <= best_zone->name.len))
				continue;
			if (!is_below(qname, qname_len, &zone->name))
				continue;
			best = block;
			best_zone = zone;
		}
	}
	*ret_zone = best_zone;
	return best;
}

const struct plan_block *plan_route(const struct plan *plan,
				    const struct plan_view *view, const uint8_t *qname,
				    uint16_t qtype, const struct plan_zone **ret_zone)
{
	const size_t len = name_size(qname);
	const struct plan_zone *zone, *above_zone;
	const struct plan_block *above, *block = longest(plan, view, qname, len, &zone);

	if (qtype == TYPE_DS && block && zone->name.len == len) {
		above = longest(plan, view, qname, len - 1, &above_zone);
		if (above && above_zone->name.len > 1) {
			block = above;
			zone = above_zone;
		}
	}
	if (block && ret_zone)
		*ret_zone = zone;
	return block;
}

static void forward_close(struct plan_forward *forward)
{
	if (!forward)
		return;
	free(forward->upstreams);
	free(forward->except.at);
	free(forward);
}

static void step_deinit(struct plan_step *step)
{
	free(step->zones.at);
	free(step->fallthrough.zones.at);
	forward_close(step->forward);
	for (unsigned i = 0; step->texts && i < step->text_count; i++)
		free(step->texts[i]);
	free(step->texts);
}

static void block_deinit(struct plan_block *block)
{
	free(block->server);
	free(block->zones);
	free(block->cache.zones.at);
	free(block->cache.disable_success_zones.at);
	free(block->cache.disable_denial_zones.at);
	for (unsigned i = 0; block->steps && i < block->step_count; i++)
		step_deinit(&block->steps[i]);
	free(block->steps);
}

static void ingresses_deinit(struct plan *plan)
{
	for (unsigned i = 0; plan->scopes && i < plan->scope_count; i++)
		free(plan->scopes[i].sources);
	for (unsigned i = 0; plan->ingresses && i < plan->ingress_count; i++)
		free(plan->ingresses[i].scopes);
	free(plan->scopes);
	free(plan->ingresses);
}

void plan_take_ingresses(struct plan *plan, struct plan *from)
{
	ingresses_deinit(plan);
	plan->scopes = from->scopes;
	plan->scope_count = from->scope_count;
	plan->ingresses = from->ingresses;
	plan->ingress_count = from->ingress_count;
	from->scopes = NULL;
	from->ingresses = NULL;
	from->scope_count = from->ingress_count = 0;
}

void plan_free(struct plan *plan)
{
	if (!plan)
		return;
	ingresses_deinit(plan);
	for (unsigned i = 0; plan->views && i < plan->view_count; i++) {
		free(plan->views[i].name);
		free(plan->views[i].blocks);
	}
	for (unsigned i = 0; plan->blocks && i < plan->block_count; i++)
		block_deinit(&plan->blocks[i]);
	free(plan->listeners);
	free(plan->views);
	free(plan->blocks);
	free(plan);
}
