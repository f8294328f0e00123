/* SPDX-License-Identifier: BSD-3-Clause */
/* state.h - what the files behind xdp.h share; nobody else includes it. */
#ifndef LANE53_XDP_STATE_H
#define LANE53_XDP_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "cache/table.h"
#include "ifaces.h"
#include "lane.h"
#include "lane53/abi.h"
#include "pins.h"
#include "xdp.h"

struct joined;
struct lane53_bpf;
struct plan_listener;
struct problem;
struct ring_buffer;

/* What keeps lane53_entry on one interface. */
struct link {
	unsigned ifindex;
	char ifname[IF_NAMESIZE]; /* its pin is named after it */
	int fd;                   /* -1: joined */
	enum attach_mode mode;
	struct joined *joined; /* part of libxdp's dispatcher */
	bool wanted;           /* a rule matches; set anew by each sync */
};

struct xdp {
	char instance[40];
	char dir[PINS_BYTES];
	int lock; /* on dir: its tables have one writer; -1 = not ours */
	struct ifaces *ifaces;
	void (*on_interface)(void *context, enum xdp_change change,
			     const struct xdp_interface *interface);
	void *context;

	unsigned lane_count;
	struct lane lanes[LANE53_LANES_MAX];
	int lane_links
		[LANE53_LANES_MAX]; /* of lane53_return on their ends; -1 = none */
	struct lane53_bpf *skel;
	bool adopted;
	struct lane53_settings *settings; /* mapped */
	struct table_arrays local, cache; /* mapped */
	struct link *links;
	unsigned link_count;

	struct ring_buffer *events;
	void (*on_event)(void *context, const struct lane53_event *event);
	void *on_event_context;

	struct lane53_bpf *grown; /* NULL: not growing */
	struct table_arrays grown_local;

	struct xdp_rule *rules; /* with strings and arrays of their own */
	unsigned rule_count;
	struct plan_listener *listeners;
	unsigned listener_count;
	struct xdp_interface *interfaces;
	unsigned interface_count;
};

/* ---- tables.c ---- */

/* Map the arrays; undone by tables_unmap().  Return: 0 or a negative errno. */
int tables_map_local(const struct lane53_bpf *skel, const uint32_t *secret,
		     struct table_arrays *ret);
int tables_map_cache(const struct lane53_bpf *skel, const uint32_t *secret,
		     struct table_arrays *ret);
int tables_map_settings(const struct lane53_bpf *skel, struct lane53_settings **ret);
void tables_unmap(struct table_arrays *arrays);
void tables_unmap_settings(struct lane53_settings *settings);

/* ---- attach.c ---- */

/* Links pinned by another ABI version are moved here, with this program. */
int links_move_versions(struct xdp *xdp, struct problem *problem);
/* Take over the links pinned in xdp->dir; those of vanished interfaces go. */
int links_adopt(struct xdp *xdp, struct problem *problem);
/* Bring every link, the lane's too, to @skel's programs. */
int links_update(struct xdp *xdp, const struct lane53_bpf *skel,
		 struct problem *problem);
struct link *link_find(struct xdp *xdp, unsigned ifindex);
/* Pins follow interfaces that were renamed. */
void links_follow_names(struct xdp *xdp);
/*
 * Attach to @iface; @interface->note says why not, or why not natively.
 * Return: 0 or a negative errno.
 */
int link_attach(struct xdp *xdp, const struct iface *iface, enum attach_mode mode,
		struct xdp_interface *interface);
/* Detach, unpin, forget: the last of xdp->links takes its place. */
void link_detach(struct xdp *xdp, struct link *link);
/* Does the link's mode fit @mode on @iface? */
bool link_suits(const struct link *link, const struct iface *iface,
		enum attach_mode mode);
/* Forget without detaching. */
void links_deinit(struct xdp *xdp);
/* Attach lane53_return to each lane, or update the links that are pinned. */
int lanes_attach(struct xdp *xdp, struct problem *problem);
/* Forget the links of lanes from number @first on. */
void lanes_unpin(struct xdp *xdp, unsigned first);

/* ---- rules.c ---- */

/* All that the rules say about one interface's name. */
struct rule_match {
	bool any;
	enum attach_mode mode;
	bool has_vlan;
	uint32_t tenant; /* of untagged frames */
	uint32_t view;
};
struct rule_match rules_match(const struct xdp *xdp, const char *name);
bool rule_matches(const struct xdp_rule *rule, const char *name);
/* Copy into @xdp, in place of what it had. */
int rules_set(struct xdp *xdp, const struct xdp_rule *rules, unsigned count);
void rules_deinit(struct xdp *xdp);

/* ---- services.c ---- */

/* Maps `interfaces`, `sources`, `services` as rules, listeners and ifaces say. */
int services_sync(struct xdp *xdp, struct problem *problem);

#endif
