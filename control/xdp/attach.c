/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * attach.c - put the programs on interfaces, by links that are pinned.
 *
 * A pinned bpf_link survives this process, cannot be knocked off by `ip link set xdp
 * off`, and bpf_link_update() swaps its program between two frames (decision 2).
 *
 *   mode auto:  native on NICs and taps, generic where native does not deliver or does
 *               not exist: veth, bridge, lo and other virtual kinds (decision 3)
 *
 * An interface that vanished leaves a pin whose link has ifindex 0: it is unlinked.
 */
#include "state.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "join.h"
#include "lane53.skel.h"
#include "problem.h"

/* The interface a link is on; 0 = it is gone. */
static unsigned link_ifindex(int fd)
{
	struct bpf_link_info info = { 0 };
	__u32 len = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &len) < 0 ||
	    info.type != BPF_LINK_TYPE_XDP)
		return 0;
	return info.xdp.ifindex;
}

static bool is_native(unsigned ifindex)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);

	return bpf_xdp_query((int)ifindex, 0, &query) == 0 && query.drv_prog_id;
}

struct link *link_find(struct xdp *xdp, unsigned ifindex)
{
	for (unsigned i = 0; i < xdp->link_count; i++)
		if (xdp->links[i].ifindex == ifindex)
			return &xdp->links[i];
	return NULL;
}

static int add_link(struct xdp *xdp, const struct link *link)
{
	struct link *more =
		reallocarray(xdp->links, xdp->link_count + 1, sizeof(*more));

	if (!more)
		return -ENOMEM;
	xdp->links = more;
	more[xdp->link_count++] = *link;
	return 0;
}

/* The lane that a link pinned for @ifname is of; -1 = it is a client's. */
static int lane_of_pin(const struct xdp *xdp, const char *ifname)
{
	char a[IF_NAMESIZE], b[IF_NAMESIZE];

	if (!strcmp(ifname, "lane"))
		return 0;
	for (int i = 1; i < LANE53_LANES_MAX; i++) {
		xdp_lane_names(xdp->instance, (unsigned)i, a, b);
		if (!strcmp(ifname, a))
			return i;
	}
	return -1;
}

/* The other way round.  Whatever the instance, the first lane's is called "lane". */
static void lane_pin_path(const struct xdp *xdp, unsigned idx, char *ret_path)
{
	char a[IF_NAMESIZE], b[IF_NAMESIZE];

	xdp_lane_names(xdp->instance, idx, a, b);
	pins_link_path(xdp->dir, idx ? a : "lane", ret_path);
}

/* ---- adopting ---- */

struct adoption {
	struct xdp *xdp;
	const char *dir;
	struct problem *problem;
	int r;
};

static void adopt_link(void *context, const char *name)
{
	struct adoption *adoption = context;
	struct link link = { 0 };
	char path[PINS_BYTES];

	if (!pins_is_link(name, link.ifname) ||
	    lane_of_pin(adoption->xdp, link.ifname) >= 0)
		return;
	pins_path(adoption->dir, name, path);
	link.fd = bpf_obj_get(path);
	if (link.fd < 0)
		return; /* not a link: nothing of ours */
	link.ifindex = link_ifindex(link.fd);
	if (!link.ifindex) {
		(void)unlink(path);
		close(link.fd);
		return;
	}
	link.mode = is_native(link.ifindex) ? ATTACH_NATIVE : ATTACH_GENERIC;
	if (add_link(adoption->xdp, &link) < 0) {
		close(link.fd);
		adoption->r = -ENOMEM;
	}
}

int links_adopt(struct xdp *xdp, struct problem *problem)
{
	struct adoption adoption = { .xdp = xdp, .dir = xdp->dir, .problem = problem };

	pins_each(xdp->dir, adopt_link, &adoption);
	return adoption.r;
}

/* Another version's link runs our program from now on, and is pinned here. */
static void move_link(void *context, const char *name)
{
	struct adoption *adoption = context;
	const struct lane53_bpf *skel = adoption->xdp->skel;
	const struct bpf_program *program = skel->progs.lane53_entry;
	char ifname[IF_NAMESIZE], path[PINS_BYTES];
	int fd, r = 0;

	if (!pins_is_link(name, ifname))
		return;
	if (lane_of_pin(adoption->xdp, ifname) >= 0)
		program = skel->progs.lane53_return;
	pins_path(adoption->dir, name, path);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return;
	if (link_ifindex(fd)) {
		r = bpf_link_update(fd, bpf_program__fd(program), NULL);
		pins_path(adoption->xdp->dir, name, path);
		(void)unlink(path);
		if (r == 0)
			r = bpf_obj_pin(fd, path);
	}
	if (r < 0) {
		problem_set(adoption->problem, NULL, 0,
			    "cannot take over %s from %s: %s", name, adoption->dir,
			    strerror(-r));
		adoption->r = r;
	}
	close(fd);
}

static void move_version(void *context, unsigned version)
{
	struct adoption *adoption = context;
	char dir[PINS_BYTES];

	if (version == LANE53_ABI_VERSION)
		return;
	pins_dir(adoption->xdp->instance, version, dir);
	adoption->dir = dir;
	pins_each(dir, move_link, adoption);
	if (adoption->r == 0)
		adoption->r = pins_remove_dir(dir);
}

int links_move_versions(struct xdp *xdp, struct problem *problem)
{
	struct adoption adoption = { .xdp = xdp, .problem = problem };

	pins_each_version(xdp->instance, move_version, &adoption);
	return adoption.r;
}

static int rejoin(struct link *link, const struct lane53_bpf *skel)
{
	const bool native = link->mode == ATTACH_NATIVE;
	struct joined *fresh;
	char note[64];
	int r = join_attach(skel, link->ifindex, native, &fresh, note, sizeof(note));

	if (r < 0)
		return r;
	join_forget(link->joined); /* join_attach() took the old one out */
	link->joined = fresh;
	return 0;
}

int links_update(struct xdp *xdp, const struct lane53_bpf *skel,
		 struct problem *problem)
{
	int first = 0;

	for (unsigned i = 0; i < xdp->lane_count; i++) {
		int r = bpf_link_update(xdp->lane_links[i],
					bpf_program__fd(skel->progs.lane53_return),
					NULL);

		if (first == 0 &&
		    r != -ENOLINK) /* it went; the next sync makes it anew */
			first = r;
	}
	for (unsigned i = 0; i < xdp->link_count; i++) {
		struct link *link = &xdp->links[i];
		int r = link->joined
				? rejoin(link, skel)
				: bpf_link_update(
					  link->fd,
					  bpf_program__fd(skel->progs.lane53_entry),
					  NULL);

		if (r == -ENOLINK) /* the interface went; the next sync forgets it */
			r = 0;
		if (first == 0)
			first = r;
	}
	if (first < 0)
		problem_set(problem, NULL, 0,
			    "cannot replace a running XDP program: %s",
			    strerror(-first));
	return first;
}

/* ---- attaching ---- */

static bool prefers_native(const struct iface *iface)
{
	return !iface->loopback && (!iface->kind[0] || !strcmp(iface->kind, "tun"));
}

bool link_suits(const struct link *link, const struct iface *iface,
		enum attach_mode mode)
{
	if (mode != ATTACH_AUTO)
		return link->mode == mode;
	/* generic where native is preferred: it was tried and failed */
	return link->mode == ATTACH_GENERIC || prefers_native(iface);
}

static int create_link(const struct xdp *xdp, unsigned ifindex, enum attach_mode mode)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts,
		    .flags = mode == ATTACH_NATIVE ? XDP_FLAGS_DRV_MODE
						   : XDP_FLAGS_SKB_MODE);

	return bpf_link_create(bpf_program__fd(xdp->skel->progs.lane53_entry),
			       (int)ifindex, BPF_XDP, &opts);
}

struct foreign {
	__u32 id;
	bool native;
	char name[BPF_OBJ_NAME_LEN];
};

/* Who is on @ifindex already? */
static bool find_foreign(unsigned ifindex, struct foreign *ret)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);
	struct bpf_prog_info info = { 0 };
	__u32 len = sizeof(info);
	int fd;

	if (bpf_xdp_query((int)ifindex, 0, &query) < 0)
		return false;
	ret->native = query.drv_prog_id;
	ret->id = query.drv_prog_id ? query.drv_prog_id : query.skb_prog_id;
	if (!ret->id)
		ret->id = query.hw_prog_id;
	fd = ret->id ? bpf_prog_get_fd_by_id(ret->id) : -1;
	if (fd < 0)
		return ret->id != 0;
	if (bpf_obj_get_info_by_fd(fd, &info, &len) == 0)
		memcpy(ret->name, info.name, sizeof(ret->name));
	close(fd);
	return true;
}

/* Another program holds the interface: live beside it, or say who it is. */
static int attach_beside(struct xdp *xdp, const struct iface *iface, int r,
			 struct link *link, char *note, size_t room)
{
	struct foreign foreign = { 0 };

	if (!find_foreign(iface->ifindex, &foreign)) {
		snprintf(note, room, "%s is taken by another XDP program: %s",
			 iface->name, strerror(-r));
		return r;
	}
	if (join_is_dispatcher(foreign.name)) {
		link->mode = foreign.native ? ATTACH_NATIVE : ATTACH_GENERIC;
		return join_attach(xdp->skel, iface->ifindex, foreign.native,
				   &link->joined, note, room);
	}
	snprintf(note, room,
		 "%s already runs the XDP program \"%s\" (id %u, %s): detach it (`ip "
		 "link set dev %s xdp%s off`, or the service that `bpftool net` and "
		 "`bpftool link` name), or leave %s out of `xdp`",
		 iface->name, foreign.name[0] ? foreign.name : "?", foreign.id,
		 foreign.native ? "native" : "generic", iface->name,
		 foreign.native ? "drv" : "generic", iface->name);
	return -EBUSY;
}

static void explain_native(const struct iface *iface, int r, bool is_auto, char *note,
			   size_t room)
{
	const char *why = r == -EOPNOTSUPP ? "its driver has none"
			  : r == -ERANGE   ? "its MTU, or its peer's, is too large"
					   : strerror(-r);

	if (is_auto)
		snprintf(note, room, "generic: no native XDP on %s (%s)", iface->name,
			 why);
	else
		snprintf(note, room,
			 "no native XDP on %s: %s (%s); use `mode auto` or `mode "
			 "generic`",
			 iface->name, why, strerror(-r));
}

/* Asked for, so done; but who asked may not know (ARCHITECTURE 3). */
static void warn_native(const struct iface *iface, char *note, size_t room)
{
	if (!strcmp(iface->kind, "veth"))
		snprintf(note, room,
			 "answers arrive only if its peer runs an XDP program as well; "
			 "`mode auto` needs none");
}

static int pin_link(struct xdp *xdp, const struct link *link, char *note, size_t room)
{
	char path[PINS_BYTES];
	int r;

	pins_link_path(xdp->dir, link->ifname, path);
	(void)unlink(path); /* of an interface of this name that is gone */
	r = bpf_obj_pin(link->fd, path);
	if (r < 0)
		snprintf(note, room, "cannot pin %s: %s", path, strerror(-r));
	return r;
}

int link_attach(struct xdp *xdp, const struct iface *iface, enum attach_mode mode,
		struct xdp_interface *interface)
{
	struct link link = { .ifindex = iface->ifindex, .fd = -1 };
	char *note = interface->note;
	const size_t room = sizeof(interface->note);
	int r;

	memcpy(link.ifname, iface->name, sizeof(link.ifname));
	link.mode =
		mode == ATTACH_NATIVE || (mode == ATTACH_AUTO && prefers_native(iface))
			? ATTACH_NATIVE
			: ATTACH_GENERIC;
	r = create_link(xdp, iface->ifindex, link.mode);
	if (r < 0 && r != -EBUSY && r != -EEXIST && link.mode == ATTACH_NATIVE) {
		explain_native(iface, r, mode == ATTACH_AUTO, note, room);
		if (mode != ATTACH_AUTO)
			return r;
		link.mode = ATTACH_GENERIC;
		r = create_link(xdp, iface->ifindex, link.mode);
	}
	if (r == -EBUSY || r == -EEXIST)
		r = attach_beside(xdp, iface, r, &link, note, room);
	else if (r < 0)
		snprintf(note, room, "cannot attach to %s: %s", iface->name,
			 strerror(-r));
	if (r < 0)
		return r;
	if (!link.joined) {
		link.fd = r;
		r = pin_link(xdp, &link, note, room);
	}
	if (r == 0)
		r = add_link(xdp, &link);
	if (r == 0 && link.mode == ATTACH_NATIVE)
		warn_native(iface, note, room);
	if (r < 0 && link.fd >= 0)
		close(link.fd);
	return r < 0 ? r : 0;
}

void link_detach(struct xdp *xdp, struct link *link)
{
	char path[PINS_BYTES];

	if (link->joined) {
		join_leave(link->joined, link->ifindex, link->mode == ATTACH_NATIVE);
	} else {
		pins_link_path(xdp->dir, link->ifname, path);
		(void)unlink(path); /* absent: nothing holds it but our descriptor */
		close(link->fd);
	}
	*link = xdp->links[--xdp->link_count];
}

void links_follow_names(struct xdp *xdp)
{
	for (unsigned i = 0; i < xdp->link_count; i++) {
		struct link *link = &xdp->links[i];
		const struct iface *iface = iface_find(xdp->ifaces, link->ifindex);
		char from[PINS_BYTES], to[PINS_BYTES];

		if (!iface || !strcmp(iface->name, link->ifname))
			continue;
		pins_link_path(xdp->dir, link->ifname, from);
		pins_link_path(xdp->dir, iface->name, to);
		if (link->joined || rename(from, to) == 0)
			memcpy(link->ifname, iface->name, sizeof(link->ifname));
	}
}

static void lanes_close_links(struct xdp *xdp, unsigned first)
{
	for (unsigned i = first; i < LANE53_LANES_MAX; i++) {
		if (xdp->lane_links[i] >= 0)
			close(xdp->lane_links[i]);
		xdp->lane_links[i] = -1;
	}
}

void links_deinit(struct xdp *xdp)
{
	for (unsigned i = 0; i < xdp->link_count; i++) {
		if (xdp->links[i].joined)
			join_forget(xdp->links[i].joined);
		else
			close(xdp->links[i].fd);
	}
	free(xdp->links);
	xdp->links = NULL;
	xdp->link_count = 0;
	lanes_close_links(xdp, 0);
}

/* ---- the lanes' own links ---- */

static int lane_attach(struct xdp *xdp, unsigned idx, struct problem *problem)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = XDP_FLAGS_SKB_MODE);
	const int program = bpf_program__fd(xdp->skel->progs.lane53_return);
	const struct lane *lane = &xdp->lanes[idx];
	char path[PINS_BYTES];
	int fd, r = -ENOENT;

	lane_pin_path(xdp, idx, path);
	fd = bpf_obj_get(path);
	if (fd >= 0 && link_ifindex(fd) == lane->ifindex_a)
		r = bpf_link_update(fd, program, NULL);
	if (r < 0) {
		if (fd >= 0)
			close(fd);
		(void)unlink(path);
		/* generic: a native one does not deliver to plain pods (decision 3) */
		fd = bpf_link_create(program, (int)lane->ifindex_a, BPF_XDP, &opts);
		r = fd < 0 ? fd : bpf_obj_pin(fd, path);
	}
	if (r < 0) {
		problem_set(problem, NULL, 0, "cannot attach to the lane's end %s: %s",
			    lane->name_a, strerror(-r));
		if (fd >= 0)
			close(fd);
		return r;
	}
	xdp->lane_links[idx] = fd;
	return 0;
}

int lanes_attach(struct xdp *xdp, struct problem *problem)
{
	int r = 0;

	lanes_close_links(xdp, 0);
	for (unsigned i = 0; r == 0 && i < xdp->lane_count; i++)
		r = lane_attach(xdp, i, problem);
	return r;
}

void lanes_unpin(struct xdp *xdp, unsigned first)
{
	char path[PINS_BYTES];

	lanes_close_links(xdp, first);
	for (unsigned i = first; i < LANE53_LANES_MAX; i++) {
		lane_pin_path(xdp, i, path);
		(void)unlink(path); /* absent: there was no such lane */
	}
}
