/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * daemon.h - lane53d's parts, and what they tell each other.
 *
 *   main ─► setup (Corefile ─► config ─► plan, sources, http, xdp) ─► commit
 *             ▲                                                        │
 *   reload ───┘   control (ops_*) ─► store, workers, XDP      workers wake, XDP publishes
 *
 * Everything runs on one uv loop.  Only main.c makes and ends a struct daemon; the
 * others borrow it.
 */
#ifndef LANE53_DAEMON_H
#define LANE53_DAEMON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>
#include "corefile/config.h"
#include "daemon/degraded.h"
#include "daemon/options.h"
#include "daemon/supervise.h"

struct commits;
struct control;
struct eventlog;
struct ifaces;
struct lines_server;
struct loops;
struct publisher;
struct sources;
struct watching;
struct store;
struct web;
struct xdp;

struct daemon {
	const struct options *options;
	uv_loop_t *loop;
	uint64_t started_ns;
	time_t started_at;
	struct degraded degraded;

	struct store *store;
	bool store_renewed; /* what ran before holds another one */
	struct publisher *publisher;
	struct commits *commits;
	struct sources *sources;
	struct ifaces *ifaces; /* NULL: not to be had */
	struct xdp *xdp;       /* NULL: sockets only */
	struct supervisor *supervisor;
	struct eventlog *events;
	struct watching *watching; /* `lane53ctl events`; NULL: nobody ever did */
	struct web *web;           /* health, ready, metrics */
	struct lines_server *control;
	struct loops *loops; /* `loop` probes */

	struct config *config;       /* in use */
	struct config_local *locals; /* addresses that its binds were made of */
	unsigned local_count;
	struct plan_origins origins;
	char loop_token[64];
	struct reload {
		uv_timer_t timer;
		bool ok;
		char error[1024];
		time_t at;
		uint64_t failed; /* how often */
	} reload;

	bool socket_up, dpdk_up;
	bool ready_said; /* `lane53d: ready` is printed */
	bool ending;
	bool looping; /* an upstream leads back to us: the workers must not go on */
};

/* ---- setup.c: put a Corefile into force ---- */

/*
 * Read the Corefile; warnings are logged.  On failure @ret_error has its first error.
 * Return: 0 or -EINVAL.
 */
int setup_read(const struct options *options, struct config **ret_config,
	       char *ret_error, size_t room);

typedef void setup_done(void *context, int result, bool changed);

/*
 * Make @config (taken over, also on failure) the one in force: plan, records, HTTP, XDP.
 * @done (NULL allowed) after workers have been told, perhaps from within.
 */
void setup_apply(struct daemon *d, struct config *config, setup_done *done,
		 void *context);

/* The same configuration, but addresses or found zones may differ. */
void setup_again(struct daemon *d);

/* Interfaces have come or gone: tell the socket worker whose they are. */
void setup_sync_interfaces(struct daemon *d);

/* Has this machine other addresses than when the configuration was put into force? */
bool setup_has_other_addresses(const struct daemon *d);

/* Tell the workers that there is a new plan; their complaints become `degraded`. */
void setup_wake_workers(struct daemon *d);

/* ---- reload.c ---- */

void reload_init(struct daemon *d);
void reload_start(struct daemon *d); /* the timer, as the configuration says */

/* Read the Corefile and every source again now. */
void reload_now(struct daemon *d, setup_done *done, void *context);

/* ---- flush.c: forget cached answers, everywhere ---- */

typedef void flush_done(void *context, unsigned flushed);
void flush_caches(struct daemon *d, uint32_t view, const uint8_t *name,
		  flush_done *done, void *context);

/* ---- control.c and ops_*.c ---- */

int control_open(struct daemon *d);

struct lines_request;
typedef void control_op(struct daemon *d, struct lines_request *request, json_t *json);

control_op op_status, op_interfaces, op_stats, op_zones, op_query, op_trace, op_record,
	op_cache, op_upstreams, op_reload, op_detach, op_xdp, op_events;

/* The text at @key; refuses @request and returns NULL if it is there but no text, or
 * @required and not there (*ret_refused). */
const char *control_text(struct lines_request *request, json_t *json, const char *key,
			 bool required, bool *ret_refused);

/* The view named by "view", or that of who comes in by "iface", or the default one;
 * NULL: @request is refused. */
const struct plan_view *control_view(struct daemon *d, struct lines_request *request,
				     json_t *json);

/* The name at "name" in lower-case wire form. Return: false: @request is refused. */
bool control_name(struct lines_request *request, json_t *json, uint8_t out[255]);
bool control_type(struct lines_request *request, json_t *json, uint16_t *ret_type);

/* ---- main.c ---- */

/* Stop in order; @teardown: without a trace. */
void daemon_stop(struct daemon *d, bool teardown, int exit_code);

#endif
