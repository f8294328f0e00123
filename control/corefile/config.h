/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * config.h - a Corefile, compiled: everything lane53d has to set up.
 *
 *   Corefile ──corefile_compile()──► struct config ──plan_build()──► struct plan
 *                                        │                             (for workers)
 *                                        └─ sources, http, xdp, reload (for lane53d)
 *
 * A config is read-only and owns all it points to (one arena): config_free() ends every
 * borrowed string and array.  It is pure text work: nothing is opened but the Corefile,
 * what it imports, and the files `forward` and `fanout` name as upstreams; whether an
 * interface, directory or zone file exists is for the daemon to find out.
 *
 * Names are wire format, lower case.  Times are milliseconds unless they end in _s.
 */
#ifndef LANE53_CONFIG_H
#define LANE53_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "plan/plan.h"
#include "problem.h"

/* Where something was written; for messages. */
struct config_place {
	const char *file;
	unsigned line;
};

/* ---- what a server block says ---- */

/* One address of `bind`: an address, or an interface that stands for its addresses. */
struct config_bind {
	const char *text; /* as written */
	bool is_address;
	uint8_t addr[16]; /* if is_address; IPv4 as ::ffff:a.b.c.d */
	struct config_place place;
};

/* One `log` directive.  An event is logged by each rule that matches name and class. */
struct config_log {
	struct plan_names names; /* empty = all */
	const char *format;      /* {common} and {combined} not yet replaced */
	unsigned classes;        /* PLAN_LOG_* */
};

enum config_level { LEVEL_ERROR, LEVEL_WARNING, LEVEL_INFO, LEVEL_DEBUG };

/* One `consolidate` of `errors`: what matches is counted, and told once a period. */
struct config_consolidate {
	const char *regex; /* POSIX extended, on the cause alone */
	uint32_t period_ms;
	enum config_level level;
	bool show_first;
};

/* One [ZONE][:PORT] of a server block; a CIDR gives several zones. */
struct config_key {
	struct plan_names zones;
	uint16_t port;
	struct config_place place;
};

/* What a step is before the daemon has numbered its sources. */
struct config_step {
	enum plan_step_kind kind;
	struct plan_names zones; /* STEP_ZONE: its origins (a step of the plan each) */
	int source;              /* index into config.sources, -1 = none */
	struct plan_fallthrough fallthrough;
	const struct plan_forward *forward;
	const char *const *texts; /* STEP_CHAOS */
	unsigned text_count;
};

struct config_block {
	struct config_place place;
	struct config_key *keys;
	unsigned key_count;
	struct config_bind *binds; /* none: every address */
	unsigned bind_count;
	struct config_bind *excepts; /* addresses and interfaces taken out again */
	unsigned except_count;
	int scope; /* index into config.xdp of the xdp with vlan/from, -1 = none */
	struct plan_cache cache;
	struct config_log *logs;
	unsigned log_count;
	bool errors;
	bool metrics;                            /* `prometheus` */
	struct config_consolidate *consolidates; /* the first that matches counts */
	unsigned consolidate_count;
	bool loop;
	struct config_step *steps; /* in the order they run */
	unsigned step_count;
};

/* ---- what the daemon sets up ---- */

enum config_source_kind { SOURCE_HOSTS, SOURCE_ZONE_FILE, SOURCE_AUTO };

/* One `hosts`, `file` or `auto` directive. */
struct config_source {
	enum config_source_kind kind;
	struct config_place place;
	const char *path; /* hosts or zone file; `auto`: the directory */
	/*
	 * store_id("source", id) of SOURCE_HOSTS.  For zone files the number belongs to
	 * path and origin, whatever directive found them: config_zone_id().
	 */
	const char *id;
	struct plan_names zones; /* hosts: only names in these (empty = all);
				  * zone file: its origins; auto: origins allowed */
	uint32_t reload_ms;      /* 0 = never */
	bool reload_by_mtime;    /* zone file: not by SOA serial */
	/* hosts */
	uint32_t ttl_s;
	bool no_reverse;
	const char *const *lines; /* inline entries, as hosts file lines */
	const struct config_place *line_places;
	unsigned line_count;
	/* auto */
	const char *pattern; /* POSIX extended regular expression on the file name */
	const char *origin_text; /* with {1} ... for the groups of pattern */
};

enum config_http_kind { CONFIG_HEALTH, CONFIG_READY, CONFIG_METRICS };

/* Listeners of the same kind and address are listed once. */
struct config_http {
	enum config_http_kind kind;
	struct config_place place;
	const char *text;          /* as written, e.g. ":8080" */
	struct plan_address local; /* "localhost" is 127.0.0.1 */
	uint32_t lameduck_ms;      /* health */
	bool continuously;         /* ready: monitor continuously */
};

enum config_xdp_mode { XDP_AUTO, XDP_NATIVE, XDP_GENERIC };

struct config_prefix {
	uint8_t addr[16]; /* IPv4 as ::ffff:a.b.c.d */
	uint8_t bits;     /* 0..128; IPv4: 96 + its bits */
};

/*
 * One `xdp` directive.  Without vlan and from it only attaches: frames that come in
 * there belong to the default tenant and meet every block without a scope.  With them
 * the block is a tenant of its own: reached over these interfaces, VLAN and sources
 * only.
 */
struct config_xdp {
	struct config_place place;
	const char *const *patterns; /* interface names or globs */
	unsigned pattern_count;
	enum config_xdp_mode mode;
	uint16_t vlan; /* 0 = untagged */
	struct config_prefix *from;
	unsigned from_count; /* none: every source */
	const char *tenant;  /* store_id("tenant", tenant); NULL: the default tenant */
};

struct config {
	const char *file; /* the Corefile */
	uint64_t digest;  /* changes when a reload would matter: the Corefile, what it
			      * imports, environment used, files with upstreams */
	struct config_block *blocks;
	unsigned block_count;
	struct config_source *sources;
	unsigned source_count;
	struct config_http *http;
	unsigned http_count;
	struct config_xdp *xdp;
	unsigned xdp_count;
	uint32_t event_every; /* every so many answers of XDP are sampled; 0 = none */
	uint32_t event_limit; /* events per second and CPU; 0 = the default */
	bool reload;          /* look for changes by itself */
	uint32_t reload_ms, reload_jitter_ms;
	struct arena *arena;
};

/* ---- reading a Corefile ---- */

/* Something said about a Corefile: a warning, or (fatal) why it cannot be used. */
struct config_note {
	bool fatal;
	struct problem problem;
};

#define CONFIG_NOTES_MAX 64 /* the rest is left out */

struct config_notes {
	struct config_note *at;
	unsigned count;
};

void config_notes_deinit(struct config_notes *notes);

struct config_options {
	const char
		*file; /* NULL: ./Corefile, and `.` with whoami and log without one */
	const char *text; /* if not NULL: the Corefile itself; @file is only its name */
	uint16_t dns_port; /* of zones that name none; 0 = 53 */
};

/*
 * Read and compile.  @notes (to be zeroed before) gets warnings and errors in the order
 * of the file, in both cases; the caller ends it with config_notes_deinit().
 * On success *@ret_config is the caller's.
 * Return: 0; -EINVAL: at least one note is fatal.
 */
int corefile_compile(struct config **ret_config, const struct config_options *options,
		     struct config_notes *notes);

/* NULL is allowed. */
void config_free(struct config *config);

/* Text for store_id("source", ...) of the zone @origin (wire) read from @path. */
void config_zone_id(char *out, size_t room, const char *path, const uint8_t *origin);

/* ---- making the plan ---- */

/* An address this machine has now. */
struct config_local {
	char interface[16];
	uint8_t addr[16];
};

/* A zone that an `auto` directive has found. */
struct config_found {
	unsigned source; /* index into config.sources */
	const char *path;
	struct plan_name origin;
};

struct plan_inputs {
	/* store_id() on the transaction that commits the plan: 0 or negative errno */
	int (*id)(void *context, const char *kind, const char *text, uint32_t *ret_id);
	/* a bind that names no interface or address we have; may be NULL */
	void (*problem)(void *context, const struct problem *problem);
	void *context;
	const struct config_local *locals; /* for binds to interfaces */
	unsigned local_count;
	const struct config_found *found;
	unsigned found_count;
	const char *loop_token; /* "RANDOM.RANDOM": first labels of `loop` probes */
	uint64_t generation;
	bool publish;
};

/* What plan_build() knows beyond the plan. */
struct plan_origins {
	unsigned *block_of; /* plan.blocks[i] comes from config.blocks[block_of[i]] */
	uint32_t *tenants;  /* number of config.xdp[i]'s tenant; 0 = default */
};

/*
 * Number and group: one listener per address and port, one view per set of blocks that
 * answer at a listener, one plan block per server block and port.  Labels beyond
 * LANE53_LABEL_MAX share row 0.  A view's name is its first listener's "ADDR:PORT"
 * (":PORT" for any address), with "@TENANT" behind it outside the default tenant.  Kinds of ids drawn: "view" (its name), "label" (server
 * and zone, by a space), "source" (config_source.id, config_zone_id(), and
 * "manual VIEWNAME"), "tenant".
 * On success *@ret_plan goes to plan_free(), *@ret_origins to plan_origins_deinit().
 * Return: 0, or what id() failed with; -EADDRNOTAVAIL: no listener is left.
 */
int plan_build(struct plan **ret_plan, struct plan_origins *ret_origins,
	       const struct config *config, const struct plan_inputs *inputs);
void plan_origins_deinit(struct plan_origins *origins);

#endif
