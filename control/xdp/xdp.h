/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * xdp.h - the kernel's half of an instance: programs, maps, links, lane.
 *
 * Everything is pinned under /sys/fs/bpf/lane53/INSTANCE/v<ABI>/ and outlives the
 * process: xdp_close() leaves XDP answering, the next xdp_open() adopts it (tables,
 * settings, links; a newer program replaces the old one without losing a frame), and
 * xdp_remove() takes all of it away.
 *
 *   xdp_open ─► xdp_apply(rules, plan) ─► xdp_sync() whenever ifaces change ─► xdp_close
 *
 * One thread, the daemon's loop, but for xdp_lane_probe().  Nothing here logs: failures
 * are a negative errno with a struct problem (NULL allowed) whose text says what to do.
 */
#ifndef LANE53_XDP_H
#define LANE53_XDP_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "lane53/abi.h"

struct ifaces;
struct plan;
struct problem;
struct table_arrays;
struct table_room;
struct xdp;

/* ---- life ---- */

enum attach_mode { ATTACH_AUTO, ATTACH_NATIVE, ATTACH_GENERIC };

enum xdp_change {
	XDP_ATTACHED,
	XDP_DETACHED,
	XDP_REFUSED,
	XDP_FORGOTTEN, /* was refused; went, or no rule matches it any more */
};

/* One interface that a rule matches. */
struct xdp_interface {
	unsigned ifindex;
	char name[IF_NAMESIZE];
	bool attached;
	bool joined;           /* through libxdp's dispatcher */
	enum attach_mode mode; /* NATIVE or GENERIC as attached */
	uint32_t tenant;
	uint32_t view;  /* of a hijacking rule, else 0 */
	char note[512]; /* why not attached, or why generic; "" = as wished */
};

struct xdp_config {
	const char *instance;
	struct ifaces *ifaces; /* borrowed; outlives the struct xdp */
	uint32_t local_slots;  /* 0 = 16,384; pinned tables keep theirs */
	uint32_t cache_slots;  /* likewise; 0 = 32,768 */
	unsigned lanes;        /* one per thread of the DPDK worker; 0 = 1 */
	/* Told of each interface whose state changed (NULL allowed); for the log. */
	void (*on_interface)(void *context, enum xdp_change change,
			     const struct xdp_interface *interface);
	void *context;
};

/*
 * Mount bpffs if it must be, load or adopt, make or adopt the lane, bring the links that
 * are pinned to this program.  On success *@ret_xdp is the caller's.
 * Return: 0; -EPERM (capability), -ENOTSUP (kernel, bpffs), -EBUSY (an interface of the
 * lane's name is there and not ours), -ENOMEM, other negative errno.
 */
int xdp_open(struct xdp **ret_xdp, const struct xdp_config *config,
	     struct problem *problem);

/* Let go; XDP, tables, links and lane stay.  NULL is allowed. */
void xdp_close(struct xdp *xdp);

/*
 * Take away everything of @instance without a trace: links, maps, pins, lane.  No struct
 * xdp of it may be open in this process.  Nothing there is not an error.
 * Return: 0 or a negative errno (the rest was still removed).
 */
int xdp_remove(const char *instance, struct problem *problem);

/* Names of the ends of lane number @idx, NUL included in IF_NAMESIZE. */
void xdp_lane_names(const char *instance, unsigned idx, char ret_a[IF_NAMESIZE],
		    char ret_b[IF_NAMESIZE]);

/* Take away lanes beyond config.lanes: their worker has gone. */
void xdp_lanes_trim(struct xdp *xdp);

/* The lane that XDP sends @message down, with the worker that runs now. */
unsigned xdp_lane_of(const struct xdp *xdp, const uint8_t *message, size_t len);

/* "/sys/fs/bpf/lane53/INSTANCE/v2": the worker's --pins. */
const char *xdp_pin_dir(const struct xdp *xdp);

/* Were the tables adopted?  If not, `local` is empty: publish everything. */
bool xdp_is_adopted(const struct xdp *xdp);

/* ---- which interfaces and services ---- */

struct xdp_prefix {
	uint8_t addr[16]; /* IPv4 as ::ffff:a.b.c.d */
	uint8_t bits;     /* 0..128; IPv4: 96 + its bits */
};

/*
 * Every rule whose pattern matches an interface's name applies to it: the first one's
 * mode; per VLAN the tenant of the first without `from`, and on top of it the prefixes
 * of those with.  Untagged frames are left to the stack if all matching rules have a VLAN,
 * or if one has and the interface is a veth whose far end we cannot ask about its tags.
 */
struct xdp_rule {
	const char *pattern; /* name, or glob as fnmatch(3) */
	enum attach_mode mode;
	uint16_t vlan, vlan_inner; /* 0 = untagged; vlan_inner 0: not QinQ */
	const struct xdp_prefix *from;
	unsigned from_count; /* 0: every source */
	uint32_t tenant;     /* of what comes in there; 0 = the default tenant */
	bool hijack;         /* answer port 53 whatever the destination, in @view */
	uint32_t view;
};

/*
 * Follow @rules and the listeners of @plan from now on (both are copied).  Interfaces
 * that no rule matches any more are detached.  The lane's own ends never match.
 * A rule that names one interface which is not there is not an error: it is attached
 * when it appears; until then xdp_rule_waits() is true for it.
 * What goes wrong on one interface is in its note and told to on_interface.
 * Return: 0, -ENOMEM, or a negative errno of a map update.
 */
int xdp_apply(struct xdp *xdp, const struct xdp_rule *rules, unsigned rule_count,
	      const struct plan *plan, struct problem *problem);

/* The same rules and plan against changed ifaces; by difference. Return: likewise. */
int xdp_sync(struct xdp *xdp, struct problem *problem);

/* Every interface a rule matches, attached or refused.  Borrowed until the next sync. */
const struct xdp_interface *xdp_interfaces(const struct xdp *xdp, unsigned *ret_count);

/* Does rule number @rule match no interface at present? */
bool xdp_rule_waits(const struct xdp *xdp, unsigned rule);

/* ---- tables ---- */

/*
 * The mapped arrays: `local` to write, `cache` to read (and to take answers out of while
 * no worker writes it).  Valid until grow_commit().
 */
void xdp_local_arrays(const struct xdp *xdp, struct table_arrays *ret_arrays);
void xdp_cache_arrays(const struct xdp *xdp, struct table_arrays *ret_arrays);

/*
 * Rebuild `local` larger: begin() loads the programs with new, empty arrays as @room
 * says beside the running ones; the caller fills *@ret_arrays; commit() swaps
 * the programs on every link, then the pins.  Queries are answered from the old table
 * until then.  After commit() the old arrays are unmapped: close their table first.
 */
int xdp_local_grow_begin(struct xdp *xdp, const struct table_room *room,
			 struct table_arrays *ret_arrays, struct problem *problem);
int xdp_local_grow_commit(struct xdp *xdp, struct problem *problem);
void xdp_local_grow_abort(struct xdp *xdp);

/* ---- settings ---- */

/* Mapped and shared with XDP and the worker: `enabled`, `udp_limit`, `event_*` are the
 * daemon's to write, plainly.  A new one begins enabled, with the limit of wire.h. */
struct lane53_settings *xdp_settings(const struct xdp *xdp);

/* Close the lane at once: the worker is known to be dead. */
void xdp_heartbeat_clear(struct xdp *xdp);

/* ---- what XDP counts and tells ---- */

/* Sums over CPUs by enum lane53_outcome. Return: 0 or a negative errno. */
int xdp_outcomes(const struct xdp *xdp, uint64_t ret[LANE53_OUTCOME_COUNT]);

/* "ANSWERED_LOCAL"; static. */
const char *xdp_outcome_name(enum lane53_outcome outcome);

/* What the lane's two ends dropped since they were made (the worker counts XSK's). */
struct xdp_lane_drops {
	uint64_t rx_dropped, tx_dropped;
};
int xdp_lane_drops(const struct xdp *xdp, struct xdp_lane_drops *ret);

/* @label's row of `series`, summed over CPUs.  Return: 0, -EINVAL, -ENOMEM, -errno. */
int xdp_series(const struct xdp *xdp, unsigned label, struct lane53_series *ret);

/* Readable when events wait; for uv_poll.  -1 never. */
int xdp_events_fd(const struct xdp *xdp);

/* Hand every waiting event to @each (borrowed for the call). Return: how many. */
unsigned xdp_events_consume(struct xdp *xdp,
			    void (*each)(void *context,
					 const struct lane53_event *event),
			    void *context);

/* ---- asking it ---- */

#define XDP_MESSAGE_MAX 4096

/* A question as a frame towards one of our services. */
struct xdp_question {
	unsigned ifindex; /* as if it came in there; 0 = the first attached interface */
	uint16_t vlan, vlan_inner; /* 0 = untagged */
	uint8_t remote[16];   /* IPv4 as ::ffff:a.b.c.d; all zero = a test address */
	uint16_t remote_port; /* 0 = 53053 */
	uint8_t local[16];    /* the service */
	uint16_t local_port;
	uint32_t view; /* lane only: what the tag says */
	unsigned lane; /* likewise: which, as xdp_lane_of() has it */
	const uint8_t *message;
	size_t len; /* <= 1,400 */
};

enum xdp_way {
	XDP_WAY_LOCAL, /* answered from `local` */
	XDP_WAY_CACHE, /* answered from `cache` */
	XDP_WAY_LANE,  /* the program sends it down the lane; or: the worker answered */
	XDP_WAY_STACK, /* left to the stack */
	XDP_WAY_NONE,  /* lane: no response in time */
};

struct xdp_reply {
	enum xdp_way way;
	uint32_t rtt_us; /* query: the program's own run time, rounded up */
	size_t len;      /* of message; 0 = no response */
	uint8_t message[XDP_MESSAGE_MAX];
};

/*
 * Run the attached program over @question with BPF_PROG_RUN.  It counts as a visit.
 * Return: 0, -ENODEV (no such interface, or none attached), -EINVAL, -errno.
 */
int xdp_query(const struct xdp *xdp, const struct xdp_question *question,
	      struct xdp_reply *ret_reply, struct problem *problem);

/*
 * Send @question down the lane of @instance with the PROBE tag and wait up to
 * @timeout_ms for the worker's response.  Blocks; needs no struct xdp and shares
 * nothing, so run it on another thread (uv_queue_work).  Needs CAP_NET_RAW.
 * Return: 0 (way LANE or NONE), -ENODEV (no lane), -errno.
 */
int xdp_lane_probe(const char *instance, const struct xdp_question *question,
		   unsigned timeout_ms, struct xdp_reply *ret_reply,
		   struct problem *problem);

#endif
