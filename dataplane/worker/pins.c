/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pins.c - map the pinned BPF maps; after that they are plain memory.
 */
#include "worker/pins.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "lane53/abi.h"

struct mapping {
	const char *name;
	size_t element; /* what abi.h says one value is */
	void *at;
	uint32_t count;
};

enum { SLOTS, SMALL, LARGE, NAMES, SETTINGS, ASKED, MAPPINGS };

static size_t mapping_bytes(const struct mapping *m)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (m->element * m->count + page - 1) & ~(page - 1);
}

static int map_pin(struct mapping *m, const char *dir)
{
	struct bpf_map_info info = { 0 };
	__u32 len = sizeof(info);
	char path[4096];
	int fd, r = 0;

	if (snprintf(path, sizeof(path), "%s/%s", dir, m->name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = bpf_obj_get(path);
	if (fd < 0)
		return -errno;
	if (bpf_obj_get_info_by_fd(fd, &info, &len) < 0) {
		r = -errno;
	} else if (info.value_size != m->element || info.max_entries == 0) {
		r = -EPROTO;
	} else {
		m->count = info.max_entries;
		m->at = mmap(NULL, mapping_bytes(m), PROT_READ | PROT_WRITE, MAP_SHARED,
			     fd, 0);
		if (m->at == MAP_FAILED) {
			m->at = NULL;
			r = -errno;
		}
	}
	close(fd); /* the mapping holds the map */
	return r;
}

static void unmap_all(struct mapping *mappings)
{
	for (int i = 0; i < MAPPINGS; i++)
		if (mappings[i].at)
			munmap(mappings[i].at, mapping_bytes(&mappings[i]));
}

int pins_open(struct pins *ret, const char *dir, char *why, size_t room)
{
	struct mapping m[MAPPINGS] = {
		[SLOTS] = { "cache", sizeof(struct lane53_slot) },
		[SMALL] = { "cache_small", sizeof(struct lane53_small) },
		[LARGE] = { "cache_large", sizeof(struct lane53_large) },
		[NAMES] = { "cache_names", sizeof(struct lane53_cached_name) },
		[SETTINGS] = { "settings", sizeof(struct lane53_settings) },
		[ASKED] = { "asked", sizeof(struct lane53_asked) },
	};

	for (int i = 0; i < MAPPINGS; i++) {
		int r = map_pin(&m[i], dir);

		if (r < 0) {
			snprintf(why, room, "cannot map %s/%s: %s; is lane53d running?",
				 dir, m[i].name, strerror(-r));
			unmap_all(m);
			return r;
		}
	}
	if (m[NAMES].count != m[SLOTS].count) {
		snprintf(why, room, "%s/cache_names has %u entries, cache %u: not ours",
			 dir, m[NAMES].count, m[SLOTS].count);
		unmap_all(m);
		return -EPROTO;
	}
	if (m[ASKED].count != LANE53_ASKED_COUNT) {
		snprintf(why, room, "%s/asked has %u entries, not %u: not ours", dir,
			 m[ASKED].count, LANE53_ASKED_COUNT);
		unmap_all(m);
		return -EPROTO;
	}
	ret->settings = m[SETTINGS].at;
	ret->asked = m[ASKED].at;
	ret->cache = (struct table_arrays){
		.slots = m[SLOTS].at,
		.slot_count = m[SLOTS].count,
		.small = m[SMALL].at,
		.small_count = m[SMALL].count,
		.large = m[LARGE].at,
		.large_count = m[LARGE].count,
		.names = m[NAMES].at,
		.secret = ret->settings->secret,
	};
	return 0;
}

void pins_close(struct pins *pins)
{
	struct mapping m[MAPPINGS] = {
		[SLOTS] = { "", sizeof(*pins->cache.slots), pins->cache.slots,
			    pins->cache.slot_count },
		[SMALL] = { "", sizeof(*pins->cache.small), pins->cache.small,
			    pins->cache.small_count },
		[LARGE] = { "", sizeof(*pins->cache.large), pins->cache.large,
			    pins->cache.large_count },
		[NAMES] = { "", sizeof(*pins->cache.names), pins->cache.names,
			    pins->cache.slot_count },
		[SETTINGS] = { "", sizeof(*pins->settings), pins->settings, 1 },
		[ASKED] = { "", sizeof(*pins->asked), pins->asked, LANE53_ASKED_COUNT },
	};

	unmap_all(m);
	memset(pins, 0, sizeof(*pins));
}
