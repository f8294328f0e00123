/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * plan.h - what the workers are to do: the Corefile, compiled.
 *
 * lane53d compiles a Corefile into a plan and commits it to the zone store together
 * with the records (key PLAN_KEY), so a worker sees both change in one snapshot.
 *
 *   plan ─┬─ ingresses   interface ──► scopes: source ──► tenant
 *         ├─ listeners   address:port, tenant ──► view
 *         ├─ views       ──► the blocks that answer there
 *         └─ blocks      zones, cache, log flags, steps in their fixed order
 *
 * A view is a set of server blocks that answer at the same listeners: two listeners
 * with the same set of blocks share one view, and so one set of published answers.
 * Numbers of views, labels and sources come from store_id() and never change meaning.
 *
 * Plain data: whoever holds a plan from plan_decode() frees it with plan_free(); its
 * strings and arrays belong to it.  Domain names are wire format, lower case.
 */
#ifndef LANE53_PLAN_H
#define LANE53_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PLAN_KEY    "plan" /* store_meta_get()/put() */
#define PLAN_FORMAT 3      /* bump on any change of the encoding */

struct plan_name {
	uint8_t len; /* wire length, root label included */
	uint8_t wire[255];
};

struct plan_names {
	struct plan_name *at;
	unsigned count;
};

struct plan_address {
	uint8_t addr[16]; /* IPv4 as ::ffff:a.b.c.d; all zero = any address */
	uint16_t port;    /* host order */
};

/* A socket to open, and what answers there. */
struct plan_listener {
	struct plan_address local;
	uint32_t tenant; /* 0: the default tenant */
	uint32_t view;
};

struct plan_source {
	uint8_t addr[16]; /* IPv4 as ::ffff:a.b.c.d */
	uint8_t bits;     /* 0..128; IPv4: 96 + its bits */
	uint32_t tenant;
};

/* Who comes in somewhere: the tenant of the longest of @sources, else @tenant. */
struct plan_scope {
	uint32_t tenant;
	uint32_t view; /* what answers port 53 where no listener does; 0 = nobody */
	struct plan_source *sources; /* longest first; no prefix twice */
	unsigned source_count;
};

/*
 * An interface as sockets tell it.  Several scopes: the packet may have come by any of
 * them (ports of a bridge), so only what they agree on counts; none: nobody knows.
 */
struct plan_ingress {
	uint32_t ifindex;
	unsigned *scopes; /* indices into plan.scopes */
	unsigned scope_count;
};

struct plan_view {
	uint32_t id;
	char *name;       /* e.g. "169.254.20.10:53": lane53ctl's VIEW */
	uint32_t manual;  /* source of records set by `lane53ctl record` */
	uint16_t label;   /* row of metrics: queries that meet none of its blocks */
	unsigned *blocks; /* indices into plan.blocks */
	unsigned block_count;
};

struct plan_zone {
	struct plan_name name;
	uint16_t label; /* row of metrics: (server, zone, view) */
};

enum plan_proto { PLAN_UDP, PLAN_TCP, PLAN_TLS };

struct plan_upstream {
	struct plan_address remote;
	enum plan_proto proto;
};

enum plan_policy {
	POLICY_RANDOM,
	POLICY_ROUND_ROBIN,
	POLICY_SEQUENTIAL,
	POLICY_PARALLEL
};

struct plan_forward {
	enum plan_policy policy; /* fanout: POLICY_PARALLEL */
	struct plan_upstream *upstreams;
	unsigned upstream_count;
	struct plan_names except;
	bool force_tcp;
	bool prefer_udp;
	bool race;               /* fanout: the first response of any rcode wins */
	unsigned max_fails;      /* 0 = never down */
	unsigned max_concurrent; /* 0 = no limit; above: REFUSED */
	unsigned workers;        /* fanout: upstreams asked at once, 0 = all */
	unsigned attempts;       /* tries per upstream; 0 = until timeout_ms */
	uint32_t try_timeout_ms; /* one try */
	uint32_t timeout_ms;     /* the whole query */
	uint32_t health_check_ms;
	bool health_check_rd;
	struct plan_name health_check_name;
};

/* Steps run in the order of this list, whatever the order in the Corefile. */
enum plan_step_kind {
	STEP_CHAOS, /* class CH: version.bind, hostname.bind ... */
	STEP_HOSTS, /* records of a hosts source: A, AAAA, PTR */
	STEP_ZONE,  /* a zone file's zone (`file`, `auto`), origin = zones.at[0] */
	STEP_LOOP,  /* counts the daemon's HINFO probes */
	STEP_FORWARD,
	STEP_WHOAMI,
};

struct plan_fallthrough {
	bool on;
	struct plan_names zones; /* empty = all of the block's */
};

struct plan_step {
	enum plan_step_kind kind;
	struct plan_names
		zones;   /* names at or below these; empty = all of the block's */
	uint32_t source; /* STEP_HOSTS, STEP_ZONE */
	bool automatic;  /* STEP_ZONE: found by `auto`, not named by `file` */
	struct plan_fallthrough fallthrough;
	struct plan_forward *forward; /* STEP_FORWARD */
	char **texts; /* STEP_CHAOS: [0] version, then authors; STEP_LOOP: [0] probe name */
	unsigned text_count;
};

struct plan_cache {
	bool on;
	struct plan_names zones;                    /* empty = all of the block's */
	unsigned success_capacity, denial_capacity; /* entries */
	uint32_t success_max_s, success_min_s;
	uint32_t denial_max_s, denial_min_s;
	uint32_t failure_s; /* SERVFAIL; 0 = not cached */
	bool disable_success, disable_denial;
	struct plan_names disable_success_zones, disable_denial_zones; /* empty = all */
};

#define PLAN_LOG_SUCCESS 0x1
#define PLAN_LOG_DENIAL  0x2
#define PLAN_LOG_ERROR   0x4
#define PLAN_LOG_ALL     0x7

struct plan_block {
	char *server; /* "dns://:53" as in CoreDNS's metrics */
	struct plan_zone *zones;
	unsigned zone_count;
	struct plan_cache cache;
	unsigned log; /* PLAN_LOG_*; 0 = off: which answers become events */
	bool errors;
	bool recursion; /* has a STEP_FORWARD: RA=1 in its responses */
	struct plan_step *steps;
	unsigned step_count;
};

struct plan {
	uint64_t generation;  /* rises by one with every commit of a plan */
	uint16_t udp_payload; /* our limit for responses over UDP */
	bool publish;         /* an XDP instance: publish into `cache` */
	struct plan_listener *listeners;
	unsigned listener_count;
	/* Every interface of the machine, if there are tenants; else none. */
	struct plan_scope *scopes;
	unsigned scope_count;
	struct plan_ingress *ingresses;
	unsigned ingress_count;
	struct plan_view *views;
	unsigned view_count;
	struct plan_block *blocks;
	unsigned block_count;
	uint32_t tcp_idle_ms;     /* 10,000 as CoreDNS */
	unsigned tcp_connections; /* limit per worker */
};

/*
 * JSON text of @plan, allocated; the caller frees it with free().
 * Return: the text, or NULL when out of memory.
 */
char *plan_encode(const struct plan *plan);

/*
 * Read what plan_encode() wrote.  On success *@ret_plan is the caller's.
 * Return: 0, -ENOMEM, -EPROTO if the text is not a plan of this PLAN_FORMAT.
 */
int plan_decode(struct plan **ret_plan, const char *text, size_t len);

/* Move the scopes and ingresses of @from into @plan, in place of its own. */
void plan_take_ingresses(struct plan *plan, struct plan *from);

/* Release @plan and all in it.  NULL is allowed. */
void plan_free(struct plan *plan);

/* Borrowed, or NULL. */
const struct plan_view *plan_view_find(const struct plan *plan, uint32_t id);
const struct plan_view *plan_view_by_name(const struct plan *plan, const char *name);

/*
 * The block of @view with the longest zone that @qname (wire, lower case) is in, and
 * that zone.  On a tie the block first in the Corefile wins.  A zone's own DS is its
 * parent's (RFC 4035 3.1.4.1): another zone above it has it, unless that is the root.
 * Return: borrowed, or NULL: no server block matches (REFUSED).
 */
const struct plan_block *plan_route(const struct plan *plan,
				    const struct plan_view *view, const uint8_t *qname,
				    uint16_t qtype, const struct plan_zone **ret_zone);

/* Is @name (wire, lower case) at or below one of @names?  True if @names is empty. */
bool plan_names_cover(const struct plan_names *names, const uint8_t *name, size_t len);

#endif
