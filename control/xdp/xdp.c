/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * xdp.c - the life of an instance in the kernel: open, follow, grow, close, remove.
 *
 * open:    bpffs ─► lane ─► maps and programs ─► the lane's link ─► clients' links
 * remove:  the same, backwards: clients first, so no frame meets half an instance.
 */
#include "xdp.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>
#include "join.h"
#include "lane53.skel.h"
#include "lane53/hash.h"
#include "lane53/question.h"
#include "loader.h"
#include "offload.h"
#include "plan/plan.h"
#include "problem.h"
#include "read.h"
#include "state.h"

static int check_instance(const char *instance, struct problem *problem)
{
	if (pins_instance_is_valid(instance))
		return 0;
	problem_set(problem, NULL, 0,
		    "instance name \"%s\": letters, digits, '-' and '_' are allowed, 1 "
		    "to 32 of them",
		    instance);
	return -EINVAL;
}

static int map_all(struct xdp *xdp, struct problem *problem)
{
	int r = tables_map_settings(xdp->skel, &xdp->settings);

	if (r == 0)
		r = tables_map_local(xdp->skel, xdp->settings->secret, &xdp->local);
	if (r == 0)
		r = tables_map_cache(xdp->skel, xdp->settings->secret, &xdp->cache);
	if (r < 0)
		problem_set(problem, NULL, 0, "cannot map the XDP tables: %s",
			    strerror(-r));
	return r;
}

static int open_lanes(struct xdp *xdp, struct problem *problem)
{
	int r = 0;

	for (unsigned i = 0; r == 0 && i < xdp->lane_count; i++)
		r = lane_open(&xdp->lanes[i], xdp->instance, i, problem);
	return r;
}

/* The lanes as the programs know them: all have the first one's MAC addresses. */
static int set_lanes(struct xdp *xdp, struct problem *problem)
{
	const int fd = bpf_map__fd(xdp->skel->maps.lane);
	int r = 0;

	memcpy(xdp->settings->lane_mac_a, xdp->lanes[0].mac_a, 6);
	memcpy(xdp->settings->lane_mac_b, xdp->lanes[0].mac_b, 6);
	for (__u32 i = 0; r == 0 && i < xdp->lane_count; i++) {
		r = bpf_map_update_elem(fd, &i, &xdp->lanes[i].ifindex_a, 0);
		if (r < 0)
			problem_set(problem, NULL, 0,
				    "cannot open the lane %s to XDP: %s",
				    xdp->lanes[i].name_a, strerror(-r));
	}
	return r;
}

void xdp_lanes_trim(struct xdp *xdp)
{
	lanes_unpin(xdp, xdp->lane_count);
	(void)lanes_remove(xdp->instance, xdp->lane_count, NULL);
}

unsigned xdp_lane_of(const struct xdp *xdp, const uint8_t *message, size_t len)
{
	const struct cursor c = { message, message + len };
	const uint32_t *secret = xdp->settings->secret;
	struct question question = { 0 };

	if (xdp->settings->lanes < 2)
		return 0;
	(void)question_read(&c, &question);
	if (!question.qname_len)
		return 0;
	return lane_of_name(name_lanes(secret, message + QNAME_OFF, question.qname_len),
			    xdp->settings->lanes);
}

static int open_links(struct xdp *xdp, struct problem *problem)
{
	int r = links_move_versions(xdp, problem);

	if (r == 0)
		r = lanes_attach(xdp, problem);
	if (r == 0)
		r = links_adopt(xdp, problem);
	if (r == 0)
		r = links_update(xdp, xdp->skel, problem);
	return r;
}

/*
 * Pins are the machine's: a lane53d of the same name in another network namespace, or
 * with another run directory, would take them from under a running one.  Return: the
 * lock's descriptor, -ENOENT, or -EBUSY with @problem set.
 */
static int lock_dir(const char *dir, struct problem *problem)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	if (fd < 0) {
		problem_set(problem, dir, 0, "%s", strerror(errno));
		return -errno;
	}
	close(fd);
	problem_set(problem, dir, 0,
		    "another lane53d, perhaps of another network namespace, has this "
		    "instance's XDP: give one of the two another -name");
	return -EBUSY;
}

int xdp_open(struct xdp **ret_xdp, const struct xdp_config *config,
	     struct problem *problem)
{
	const struct table_sizes sizes = { config->local_slots, config->cache_slots };
	bool is_first;
	struct xdp *xdp;
	int r = check_instance(config->instance, problem);

	if (r < 0)
		return r;
	xdp = calloc(1, sizeof(*xdp));
	if (!xdp)
		return -ENOMEM;
	snprintf(xdp->instance, sizeof(xdp->instance), "%s", config->instance);
	pins_dir(xdp->instance, LANE53_ABI_VERSION, xdp->dir);
	xdp->ifaces = config->ifaces;
	xdp->on_interface = config->on_interface;
	xdp->context = config->context;
	xdp->lane_count = config->lanes ? config->lanes : 1;
	memset(xdp->lane_links, -1, sizeof(xdp->lane_links));
	xdp->lock = -1;

	loader_quiet_libbpf();
	is_first = access(xdp->dir, F_OK) < 0;
	r = pins_mount(problem);
	if (r == 0)
		r = pins_make_dir(xdp->dir, problem);
	if (r == 0)
		r = xdp->lock = lock_dir(xdp->dir, problem);
	if (r >= 0)
		r = open_lanes(xdp, problem);
	if (r == 0)
		r = loader_open(xdp->dir, &sizes, &xdp->skel, &xdp->adopted, problem);
	if (r == 0)
		r = map_all(xdp, problem);
	if (r == 0)
		r = set_lanes(xdp, problem);
	if (r == 0)
		r = open_links(xdp, problem);
	if (r == 0)
		r = events_open(xdp, problem);
	if (r < 0) {
		xdp_close(xdp);
		if (is_first) /* leave no half an instance behind */
			(void)xdp_remove(config->instance, NULL);
		return r;
	}
	*ret_xdp = xdp;
	return 0;
}

void xdp_close(struct xdp *xdp)
{
	if (!xdp)
		return;
	xdp_local_grow_abort(xdp);
	events_close(xdp);
	links_deinit(xdp);
	rules_deinit(xdp);
	free(xdp->listeners);
	free(xdp->interfaces);
	tables_unmap(&xdp->local);
	tables_unmap(&xdp->cache);
	tables_unmap_settings(xdp->settings);
	lane53_bpf__destroy(xdp->skel);
	if (xdp->lock >= 0) {
		(void)flock(xdp->lock, LOCK_UN); /* also where a fork has it */
		close(xdp->lock);
	}
	free(xdp);
}

const char *xdp_pin_dir(const struct xdp *xdp)
{
	return xdp->dir;
}

bool xdp_is_adopted(const struct xdp *xdp)
{
	return xdp->adopted;
}

struct lane53_settings *xdp_settings(const struct xdp *xdp)
{
	return xdp->settings;
}

void xdp_heartbeat_clear(struct xdp *xdp)
{
	__atomic_store_n(&xdp->settings->heartbeat_ns, 0, __ATOMIC_RELAXED);
}

void xdp_local_arrays(const struct xdp *xdp, struct table_arrays *ret_arrays)
{
	*ret_arrays = xdp->local;
}

void xdp_cache_arrays(const struct xdp *xdp, struct table_arrays *ret_arrays)
{
	*ret_arrays = xdp->cache;
}

/* ---- following rules and interfaces ---- */

static int listeners_set(struct xdp *xdp, const struct plan *plan)
{
	const unsigned count = plan ? plan->listener_count : 0;
	struct plan_listener *copy = calloc(count ? count : 1, sizeof(*copy));

	if (!copy)
		return -ENOMEM;
	if (count)
		memcpy(copy, plan->listeners, count * sizeof(*copy));
	free(xdp->listeners);
	xdp->listeners = copy;
	xdp->listener_count = count;
	return 0;
}

int xdp_apply(struct xdp *xdp, const struct xdp_rule *rules, unsigned rule_count,
	      const struct plan *plan, struct problem *problem)
{
	int r = rules_set(xdp, rules, rule_count);

	if (r == 0)
		r = listeners_set(xdp, plan);
	if (r < 0) {
		problem_set(problem, NULL, 0, "out of memory");
		return r;
	}
	return xdp_sync(xdp, problem);
}

/* Bring one interface into the state its rules ask for, and describe it in @ret. */
static void sync_interface(struct xdp *xdp, const struct iface *iface,
			   const struct rule_match *match, struct xdp_interface *ret)
{
	struct link *link = link_find(xdp, iface->ifindex);

	*ret = (struct xdp_interface){
		.ifindex = iface->ifindex,
		.tenant = match->tenant,
		.view = match->view,
	};
	memcpy(ret->name, iface->name, sizeof(ret->name));
	if (match->has_vlan &&
	    offload_hides_vlan(xdp->ifaces, iface, ret->note, sizeof(ret->note)))
		return; /* a link it has is not marked as wanted */
	if (link && !link_suits(link, iface, match->mode)) {
		link_detach(xdp, link);
		link = NULL;
	}
	if (!link) {
		if (link_attach(xdp, iface, match->mode, ret) < 0)
			return;
		link = link_find(xdp, iface->ifindex);
	}
	link->wanted = true;
	ret->attached = true;
	ret->joined = link->joined;
	ret->mode = link->mode;
}

static const struct xdp_interface *find_interface(const struct xdp_interface *list,
						  unsigned count, unsigned ifindex)
{
	for (unsigned i = 0; i < count; i++)
		if (list[i].ifindex == ifindex)
			return &list[i];
	return NULL;
}

static bool is_changed(const struct xdp_interface *old, const struct xdp_interface *now)
{
	return !old || old->attached != now->attached || old->joined != now->joined ||
	       (now->attached && old->mode != now->mode) ||
	       (!now->attached && strcmp(old->note, now->note)) ||
	       strcmp(old->name, now->name);
}

static void tell_changes(const struct xdp *xdp, const struct xdp_interface *old,
			 unsigned old_count)
{
	if (!xdp->on_interface)
		return;
	for (unsigned i = 0; i < old_count; i++)
		if (!find_interface(xdp->interfaces, xdp->interface_count,
				    old[i].ifindex))
			xdp->on_interface(xdp->context,
					  old[i].attached ? XDP_DETACHED
							  : XDP_FORGOTTEN,
					  &old[i]);
	for (unsigned i = 0; i < xdp->interface_count; i++) {
		const struct xdp_interface *now = &xdp->interfaces[i];

		if (is_changed(find_interface(old, old_count, now->ifindex), now))
			xdp->on_interface(xdp->context,
					  now->attached ? XDP_ATTACHED : XDP_REFUSED,
					  now);
	}
}

static bool are_lanes_there(const struct xdp *xdp)
{
	for (unsigned i = 0; i < xdp->lane_count; i++)
		if (!iface_find(xdp->ifaces, xdp->lanes[i].ifindex_a) ||
		    !iface_find(xdp->ifaces, xdp->lanes[i].ifindex_b))
			return false;
	return true;
}

/* Somebody deleted a lane: make it anew; the worker comes back to it by name. */
static int mend_lanes(struct xdp *xdp, struct problem *problem)
{
	int r;

	if (are_lanes_there(xdp))
		return 0;
	xdp_heartbeat_clear(xdp); /* of the worker on the old one */
	r = open_lanes(xdp, problem);
	if (r == 0)
		r = lanes_attach(xdp, problem);
	return r < 0 ? r : set_lanes(xdp, problem);
}

/* Links for what the rules match, and for nothing else; fills @now. */
static unsigned sync_links(struct xdp *xdp, const struct iface *ifaces,
			   unsigned iface_count, struct xdp_interface *now)
{
	unsigned count = 0;

	links_follow_names(xdp);
	for (unsigned i = 0; i < xdp->link_count; i++)
		xdp->links[i].wanted = false;
	for (unsigned i = 0; i < iface_count; i++) {
		struct rule_match match = rules_match(xdp, ifaces[i].name);

		if (match.any)
			sync_interface(xdp, &ifaces[i], &match, &now[count++]);
	}
	for (unsigned i = xdp->link_count; i-- > 0;)
		if (!xdp->links[i].wanted)
			link_detach(xdp, &xdp->links[i]);
	return count;
}

int xdp_sync(struct xdp *xdp, struct problem *problem)
{
	struct xdp_interface *old = xdp->interfaces, *now;
	unsigned old_count = xdp->interface_count, iface_count;
	const struct iface *ifaces = ifaces_list(xdp->ifaces, &iface_count);
	int r, lane;

	now = calloc(iface_count ? iface_count : 1, sizeof(*now));
	if (!now) {
		problem_set(problem, NULL, 0, "out of memory");
		return -ENOMEM;
	}
	lane = mend_lanes(xdp, problem);
	xdp->interface_count = sync_links(xdp, ifaces, iface_count, now);
	xdp->interfaces = now;
	r = services_sync(xdp, lane < 0 ? NULL : problem);
	tell_changes(xdp, old, old_count);
	free(old);
	return lane < 0 ? lane : r;
}

const struct xdp_interface *xdp_interfaces(const struct xdp *xdp, unsigned *ret_count)
{
	*ret_count = xdp->interface_count;
	return xdp->interfaces;
}

/* ---- growing ---- */

int xdp_local_grow_begin(struct xdp *xdp, const struct table_room *room,
			 struct table_arrays *ret_arrays, struct problem *problem)
{
	int r;

	if (room->slots < LANE53_SLOTS_MIN || xdp->grown)
		return -EINVAL;
	r = loader_load_beside(xdp->skel, room, &xdp->grown, problem);
	if (r < 0)
		return r;
	r = tables_map_local(xdp->grown, xdp->settings->secret, &xdp->grown_local);
	if (r < 0) {
		problem_set(problem, NULL, 0, "cannot map a table of %u slots: %s",
			    room->slots, strerror(-r));
		xdp_local_grow_abort(xdp);
		return r;
	}
	*ret_arrays = xdp->grown_local;
	return 0;
}

int xdp_local_grow_commit(struct xdp *xdp, struct problem *problem)
{
	int r;

	if (!xdp->grown)
		return -EINVAL;
	r = links_update(xdp, xdp->grown, problem);
	if (r < 0) {
		/* back: the two tables hold the same answers, but only one is kept */
		(void)links_update(xdp, xdp->skel, NULL);
		return r;
	}
	tables_unmap(&xdp->local);
	lane53_bpf__destroy(xdp->skel);
	xdp->skel = xdp->grown;
	xdp->local = xdp->grown_local;
	xdp->grown = NULL;
	xdp->grown_local = (struct table_arrays){ 0 };
	/* a crash before this is done: the next xdp_open() finds no whole `local` */
	return loader_repin_local(xdp->dir, xdp->skel, problem);
}

void xdp_local_grow_abort(struct xdp *xdp)
{
	if (!xdp->grown)
		return;
	tables_unmap(&xdp->grown_local);
	lane53_bpf__destroy(xdp->grown);
	xdp->grown = NULL;
}

/* ---- removing ---- */

struct cleanup {
	const char *dir;
	int r;
};

static void remove_link(void *context, const char *name)
{
	struct cleanup *cleanup = context;
	char ifname[IF_NAMESIZE], path[PINS_BYTES];

	if (!pins_is_link(name, ifname))
		return;
	pins_path(cleanup->dir, name, path);
	if (unlink(path) < 0 && errno != ENOENT)
		cleanup->r = -errno;
}

/* Out of libxdp's dispatchers, which hold no pins of ours. */
static void leave_dispatchers(const char *dir)
{
	struct bpf_map_info info = { 0 };
	__u32 len = sizeof(info);
	char path[PINS_BYTES];
	int fd;

	pins_path(dir, "settings", path);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return;
	if (bpf_obj_get_info_by_fd(fd, &info, &len) == 0)
		join_leave_everywhere(info.id);
	close(fd);
}

static void remove_version(void *context, unsigned version)
{
	struct cleanup *cleanup = context;
	char dir[PINS_BYTES];
	int r;

	pins_dir(cleanup->dir, version, dir);
	leave_dispatchers(dir);
	pins_each(dir, remove_link, &(struct cleanup){ .dir = dir });
	r = pins_remove_dir(dir);
	if (r < 0)
		cleanup->r = r;
}

int xdp_remove(const char *instance, struct problem *problem)
{
	struct cleanup cleanup = { .dir = instance };
	int r = check_instance(instance, problem), lock;
	char dir[PINS_BYTES];

	if (r < 0)
		return r;
	pins_dir(instance, LANE53_ABI_VERSION, dir);
	lock = lock_dir(dir, problem);
	if (lock == -EBUSY)
		return lock;
	if (lock >= 0)
		close(lock); /* nobody has it; what goes now needs none */
	if (problem)
		problem->text[0] = 0;
	pins_each_version(instance, remove_version, &cleanup);
	pins_remove_parents(instance);
	if (cleanup.r < 0)
		problem_set(problem, NULL, 0,
			    "cannot remove all pins of " PINS_ROOT "/lane53/%s: %s",
			    instance, strerror(-cleanup.r));
	r = lanes_remove(instance, 0, cleanup.r < 0 ? NULL : problem);
	return cleanup.r < 0 ? cleanup.r : r;
}
