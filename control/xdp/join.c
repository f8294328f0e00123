/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * join.c - live beside other XDP programs in libxdp's dispatcher.
 *
 * libxdp loads a program anew for its dispatcher (as an extension, freplace), so each
 * interface joined has an object of its own, with the maps of all the others.  Kernels
 * under lockdown refuse extensions: then the note says so, and the sockets serve.
 */
#include "join.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xdp/libxdp.h>
#include "ifaces.h"
#include "lane53.skel.h"
#include "loader.h"

#define ENTRY_NAME "lane53_entry"

struct joined {
	struct lane53_bpf *skel; /* the object stays ours */
	struct xdp_program *program;
};

static int print_nothing(enum libxdp_print_level level, const char *format,
			 va_list args)
{
	(void)level;
	(void)format;
	(void)args;
	return 0;
}

bool join_is_dispatcher(const char *program_name)
{
	return !strcmp(program_name, "xdp_dispatcher");
}

static enum xdp_attach_mode mode_of(bool native)
{
	return native ? XDP_MODE_NATIVE : XDP_MODE_SKB;
}

/* Does @program use the map @id?  So it is this instance's, not just of our name. */
static bool uses_map(const struct xdp_program *program, unsigned id)
{
	__u32 ids[32];
	struct bpf_prog_info info = {
		.nr_map_ids = sizeof(ids) / sizeof(ids[0]),
		.map_ids = (uintptr_t)ids,
	};
	__u32 len = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(xdp_program__id(program));
	int r = fd < 0 ? fd : bpf_obj_get_info_by_fd(fd, &info, &len);

	if (fd >= 0)
		close(fd);
	if (r < 0)
		return false;
	for (unsigned i = 0; i < info.nr_map_ids && i < sizeof(ids) / sizeof(ids[0]);
	     i++)
		if (ids[i] == id)
			return true;
	return false;
}

/* Take a program that uses the map @id, but is not @keep, out of @ifindex's
 * dispatcher; there is one at the most. */
static void leave_older(unsigned ifindex, unsigned id, uint32_t keep)
{
	struct xdp_multiprog *all = xdp_multiprog__get_from_ifindex((int)ifindex);
	struct xdp_program *program = NULL;

	if (libxdp_get_error(all))
		return;
	while (!xdp_multiprog__is_legacy(all) &&
	       (program = xdp_multiprog__next_prog(program, all))) {
		if (xdp_program__id(program) == keep ||
		    strcmp(xdp_program__name(program), ENTRY_NAME) ||
		    !uses_map(program, id))
			continue;
		(void)xdp_program__detach(program, (int)ifindex,
					  xdp_multiprog__attach_mode(all), 0);
		break; /* the list is stale now */
	}
	xdp_multiprog__close(all);
}

static unsigned settings_id(const struct lane53_bpf *skel)
{
	struct bpf_map_info info = { 0 };
	__u32 len = sizeof(info);

	(void)bpf_obj_get_info_by_fd(bpf_map__fd(skel->maps.settings), &info, &len);
	return info.id; /* 0 on failure: no map has it */
}

static int attach(struct joined *joined, unsigned ifindex, bool native)
{
	DECLARE_LIBXDP_OPTS(xdp_program_opts, opts, .obj = joined->skel->obj,
			    .prog_name = ENTRY_NAME);
	struct xdp_program *program;
	int r;

	bpf_program__set_autoload(joined->skel->progs.lane53_return, false);
	program = xdp_program__create(&opts);
	r = (int)libxdp_get_error(program);
	if (r < 0)
		return r;
	r = xdp_program__attach(program, (int)ifindex, mode_of(native), 0);
	if (r < 0)
		xdp_program__close(program);
	else
		joined->program = program;
	return r;
}

int join_attach(const struct lane53_bpf *skel, unsigned ifindex, bool native,
		struct joined **ret_joined, char *note, size_t room)
{
	struct joined *joined = calloc(1, sizeof(*joined));
	int r = -ENOMEM;

	libxdp_set_print(print_nothing);
	if (joined)
		r = loader_prepare_beside(skel, NULL, &joined->skel, NULL);
	if (r == 0)
		r = attach(joined, ifindex, native);
	if (r < 0) {
		snprintf(note, room,
			 "libxdp's dispatcher holds the interface and this kernel does "
			 "not let us join it (%s): detach it (`xdp-loader unload -a "
			 "IFACE`), or leave the interface out of `xdp`",
			 strerror(-r));
		join_forget(joined);
		return r;
	}
	leave_older(ifindex, settings_id(skel), xdp_program__id(joined->program));
	*ret_joined = joined;
	return 0;
}

void join_leave(struct joined *joined, unsigned ifindex, bool native)
{
	/* fails when the interface is gone, and the dispatcher with it */
	(void)xdp_program__detach(joined->program, (int)ifindex, mode_of(native), 0);
	join_forget(joined);
}

void join_forget(struct joined *joined)
{
	if (!joined)
		return;
	xdp_program__close(joined->program); /* NULL is allowed */
	lane53_bpf__destroy(joined->skel);   /* likewise */
	free(joined);
}

void join_leave_everywhere(unsigned id)
{
	struct ifaces *ifaces;
	const struct iface *list;
	unsigned count;

	if (ifaces_open(&ifaces, NULL, NULL, NULL, NULL) < 0)
		return;
	libxdp_set_print(print_nothing);
	list = ifaces_list(ifaces, &count);
	for (unsigned i = 0; i < count; i++)
		leave_older(list[i].ifindex, id, 0);
	ifaces_close(ifaces);
}
