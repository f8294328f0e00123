/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * flush.c - forget cached answers in every worker and in XDP before going on.
 *
 * Each worker flushes its own cache; the dpdk worker also XDP's, whose one writer it is.
 * A worker that is starting is asked again until it answers or is dead; one that is dead
 * has no cache, but the XDP table it wrote has: the daemon takes answers out of that
 * itself then, while nobody else writes it.
 */
#include <stdlib.h>
#include <string.h>

#include "cache/table.h"
#include "daemon/daemon.h"
#include "daemon/log.h"
#include "dns/name.h"
#include "xdp/xdp.h"

#define RETRY_MS 20
#define LIMIT_MS \
	5000 /* a worker silent for longer is killed by its supervisor's look */
#define ASK_MS 2000

struct flush {
	struct daemon *d;
	uint32_t view;
	bool has_name;
	uint8_t name[255];
	unsigned waiting, flushed;
	flush_done *done;
	void *context;
	struct part {
		struct flush *flush;
		enum worker_io io;
		uv_timer_t timer;
		uint64_t began_ms;
	} part[WORKER_COUNT];
};

static void on_timer_closed(uv_handle_t *handle)
{
	struct part *part = handle->data;
	struct flush *flush = part->flush;

	if (--flush->waiting > 0)
		return;
	flush->done(flush->context, flush->flushed);
	free(flush);
}

static void part_done(struct part *part)
{
	uv_close((uv_handle_t *)&part->timer, on_timer_closed);
}

/* The dpdk worker is dead: nobody writes XDP's cache now but us. */
static void flush_table(struct flush *flush)
{
	struct table_arrays arrays;
	struct table *table;

	if (!flush->d->xdp)
		return;
	xdp_cache_arrays(flush->d->xdp, &arrays);
	if (table_open(&table, &arrays) < 0)
		return;
	flush->flushed += table_retract_below(table, flush->view,
					      flush->has_name ? flush->name : NULL);
	table_close(table);
}

static void ask(struct part *part);

static void on_retry(uv_timer_t *timer)
{
	ask(timer->data);
}

static void on_reply(void *context, json_t *reply, const char *error)
{
	struct part *part = context;
	struct flush *flush = part->flush;

	if (json_is_true(json_object_get(reply, "ok"))) {
		flush->flushed +=
			(unsigned)json_integer_value(json_object_get(reply, "flushed"));
		part_done(part);
		return;
	}
	if (uv_now(flush->d->loop) - part->began_ms > LIMIT_MS) {
		log_error("worker %s did not flush its cache: %s",
			  worker_io_name(part->io), error ? error : "it refused");
		part_done(part);
		return;
	}
	uv_timer_start(&part->timer, on_retry, RETRY_MS, 0);
}

static json_t *request_of(const struct flush *flush)
{
	json_t *request = json_pack("{s:s}", "op", "flush");
	char text[NAME_TEXT_ROOM];

	if (flush->view)
		json_object_set_new(request, "view", json_integer(flush->view));
	if (flush->has_name) {
		name_to_text(text, flush->name);
		json_object_set_new(request, "name", json_string(text));
	}
	return request;
}

static void ask(struct part *part)
{
	struct flush *flush = part->flush;
	struct worker_view worker;

	supervisor_view(flush->d->supervisor, part->io, &worker);
	if (worker.state == WORKER_OFF || worker.state == WORKER_WAITING) {
		if (part->io == WORKER_DPDK)
			flush_table(flush);
		part_done(part);
		return;
	}
	supervisor_ask(flush->d->supervisor, part->io, request_of(flush), ASK_MS,
		       on_reply, part);
}

void flush_caches(struct daemon *d, uint32_t view, const uint8_t *name,
		  flush_done *done, void *context)
{
	struct flush *flush = calloc(1, sizeof(*flush));

	if (!flush) {
		log_error("out of memory: caches were not flushed");
		done(context, 0);
		return;
	}
	flush->d = d;
	flush->view = view;
	flush->done = done;
	flush->context = context;
	flush->has_name = name != NULL;
	if (name)
		name_lower(flush->name, name);
	flush->waiting = WORKER_COUNT;
	for (int io = 0; io < WORKER_COUNT; io++) {
		struct part *part = &flush->part[io];

		part->flush = flush;
		part->io = io;
		part->began_ms = uv_now(d->loop);
		uv_timer_init(d->loop, &part->timer);
		part->timer.data = part;
		ask(part);
	}
}
