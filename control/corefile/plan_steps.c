/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * plan_steps.c - the steps of a plan's block, and their sources' numbers.
 */
#include <string.h>
#include "corefile/build.h"
#include "dns/name.h"

static struct plan_forward *copy_forward(struct build *b,
					 const struct plan_forward *forward)
{
	struct plan_forward *copy = build_take(b, 1, sizeof(*copy));

	if (!copy)
		return NULL;
	*copy = *forward;
	copy->except = (struct plan_names){ 0 };
	build_names(b, &copy->except, &forward->except);
	copy->upstreams =
		build_take(b, forward->upstream_count, sizeof(*copy->upstreams));
	if (copy->upstreams)
		memcpy(copy->upstreams, forward->upstreams,
		       forward->upstream_count * sizeof(*copy->upstreams));
	else
		copy->upstream_count = 0;
	return copy;
}

static struct plan_step *add_step(struct build *b, struct plan_block *out,
				  const struct config_step *step)
{
	struct plan_step *copy = GROW(b, out->steps, out->step_count);

	if (!copy)
		return NULL;
	copy->kind = step->kind;
	copy->fallthrough.on = step->fallthrough.on;
	build_names(b, &copy->fallthrough.zones, &step->fallthrough.zones);
	return copy;
}

static void add_zone(struct build *b, struct plan_block *out,
		     const struct config_step *step, const char *path,
		     const struct plan_name *origin)
{
	struct plan_names one = { (struct plan_name *)origin, 1 };
	struct plan_step *copy;
	char id[NAME_TEXT_ROOM + 4096 + 8];

	/* the same zone twice: the first counts */
	for (unsigned i = 0; i < out->step_count; i++)
		if (out->steps[i].kind == STEP_ZONE && out->steps[i].zones.count &&
		    out->steps[i].zones.at[0].len == origin->len &&
		    !memcmp(out->steps[i].zones.at[0].wire, origin->wire, origin->len))
			return;
	copy = add_step(b, out, step);
	if (!copy)
		return;
	config_zone_id(id, sizeof(id), path, origin->wire);
	copy->source = build_id(b, "source", id);
	copy->automatic = b->config->sources[step->source].kind == SOURCE_AUTO;
	build_names(b, &copy->zones, &one);
}

/* A zone file's zones, or those that an `auto` has found. */
static void add_zones(struct build *b, struct plan_block *out,
		      const struct config_step *step)
{
	const struct config_source *source = &b->config->sources[step->source];

	for (unsigned i = 0;
	     source->kind == SOURCE_ZONE_FILE && i < source->zones.count; i++)
		add_zone(b, out, step, source->path, &source->zones.at[i]);
	for (unsigned i = 0; source->kind == SOURCE_AUTO && i < b->in->found_count;
	     i++) {
		const struct config_found *found = &b->in->found[i];

		if (found->source == (unsigned)step->source &&
		    plan_names_cover(&source->zones, found->origin.wire,
				     found->origin.len))
			add_zone(b, out, step, found->path, &found->origin);
	}
}

/* Of the zones from @first on, the longest first: a zone comes before its parent. */
static void sort_zones(struct plan_block *out, unsigned first)
{
	for (unsigned i = first + 1; i < out->step_count; i++) {
		struct plan_step step = out->steps[i];
		unsigned j = i;

		for (; j > first &&
		       out->steps[j - 1].zones.at[0].len < step.zones.at[0].len;
		     j--)
			out->steps[j] = out->steps[j - 1];
		out->steps[j] = step;
	}
}

/* Zone steps: those of `file` before those of `auto`, as in CoreDNS. */
static void add_zone_steps(struct build *b, struct plan_block *out,
			   const struct config_block *block)
{
	static const enum config_source_kind order[] = { SOURCE_ZONE_FILE,
							 SOURCE_AUTO };

	for (unsigned k = 0; k < 2; k++) {
		unsigned first = out->step_count;

		for (unsigned i = 0; i < block->step_count; i++) {
			const struct config_step *step = &block->steps[i];

			if (step->kind == STEP_ZONE &&
			    b->config->sources[step->source].kind == order[k])
				add_zones(b, out, step);
		}
		if (!b->error)
			sort_zones(out, first);
	}
}

static void add_texts(struct build *b, struct plan_step *out,
		      const struct config_step *step, const struct plan_block *block)
{
	unsigned count = step->kind == STEP_LOOP ? 1 : step->text_count;
	char zone[NAME_TEXT_ROOM], probe[NAME_TEXT_ROOM + 64];

	out->texts = build_take(b, count, sizeof(*out->texts));
	if (!out->texts)
		return;
	out->text_count = count;
	if (step->kind == STEP_LOOP) {
		(void)name_to_text(zone, block->zones[0].name.wire);
		snprintf(probe, sizeof(probe), "%s.%s", b->in->loop_token,
			 strcmp(zone, ".") ? zone : "");
		out->texts[0] = build_text(b, probe);
		return;
	}
	for (unsigned i = 0; i < count; i++)
		out->texts[i] = build_text(b, step->texts[i]);
}

void build_steps(struct build *b, struct plan_block *out,
		 const struct config_block *block)
{
	bool zones_done = false;

	for (unsigned i = 0; i < block->step_count && !b->error; i++) {
		const struct config_step *step = &block->steps[i];
		struct plan_step *copy;

		if (step->kind == STEP_ZONE) {
			if (!zones_done)
				add_zone_steps(b, out, block);
			zones_done = true;
			continue;
		}
		if (step->kind == STEP_LOOP && !(block->loop && b->in->loop_token))
			continue;
		copy = add_step(b, out, step);
		if (!copy)
			return;
		build_names(b, &copy->zones, &step->zones);
		if (step->kind == STEP_HOSTS)
			copy->source = build_id(b, "source",
						b->config->sources[step->source].id);
		if (step->kind == STEP_FORWARD) {
			copy->forward = copy_forward(b, step->forward);
			out->recursion = true;
		}
		if (step->kind == STEP_CHAOS || step->kind == STEP_LOOP)
			add_texts(b, copy, step, out);
	}
}
