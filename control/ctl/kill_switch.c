/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kill_switch.c - `xdp on|off` where no daemon answers: one byte of the pinned settings,
 * which XDP reads at the next frame.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "ctl/ctl.h"
#include "lane53/abi.h"

/* Return: the mapped settings of @instance, to be unmapped; NULL and errno. */
static struct lane53_settings *map_settings(const char *path)
{
	struct lane53_settings *settings;
	int fd = bpf_obj_get(path);

	if (fd < 0) {
		errno = -fd;
		return NULL;
	}
	settings = mmap(NULL, sizeof(*settings), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			0);
	close(fd);
	return settings == MAP_FAILED ? NULL : settings;
}

json_t *ctl_kill_switch(const char *instance, const json_t *request, char *why,
			size_t room)
{
	const char *wanted = json_string_value(json_object_get(request, "switch"));
	const __u8 to = !strcmp(wanted, "on") ? LANE53_XDP_ON : LANE53_XDP_OFF;
	struct lane53_settings *settings;
	char path[256];
	__u8 was;

	snprintf(path, sizeof(path), "/sys/fs/bpf/lane53/%s/v%d/settings", instance,
		 LANE53_ABI_VERSION);
	settings = map_settings(path);
	if (!settings) {
		snprintf(why, room, "%s: %s", path, strerror(errno));
		return NULL;
	}
	was = __atomic_exchange_n(&settings->enabled, to, __ATOMIC_RELAXED);
	munmap(settings, sizeof(*settings));
	return json_pack("{s:b, s:b, s:b, s:b}", "ok", 1, "enabled",
			 to == LANE53_XDP_ON, "changed", was != to, "alone", 1);
}
