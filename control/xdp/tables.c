/* SPDX-License-Identifier: BSD-3-Clause */
/* tables.c - the BPF arrays mapped into this process. */
#include "state.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>
#include "lane53.skel.h"

static size_t map_bytes(size_t element, uint32_t count)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (element * count + page - 1) & ~(page - 1);
}

/* The whole of @map, or NULL with errno. */
static void *map_array(const struct bpf_map *map, int protection)
{
	size_t bytes = map_bytes(bpf_map__value_size(map), bpf_map__max_entries(map));
	void *at = mmap(NULL, bytes, protection, MAP_SHARED, bpf_map__fd(map), 0);

	return at == MAP_FAILED ? NULL : at;
}

static int keep(struct table_arrays *arrays, struct table_arrays *ret, bool names)
{
	if (arrays->slots && arrays->small && arrays->large &&
	    (!names || arrays->names)) {
		*ret = *arrays;
		return 0;
	}
	tables_unmap(arrays);
	return -ENOMEM;
}

int tables_map_local(const struct lane53_bpf *skel, const uint32_t *secret,
		     struct table_arrays *ret)
{
	const int rw = PROT_READ | PROT_WRITE;
	struct table_arrays arrays = {
		.slots = map_array(skel->maps.local, rw),
		.slot_count = bpf_map__max_entries(skel->maps.local),
		.small = map_array(skel->maps.local_small, rw),
		.small_count = bpf_map__max_entries(skel->maps.local_small),
		.large = map_array(skel->maps.local_large, rw),
		.large_count = bpf_map__max_entries(skel->maps.local_large),
		.secret = secret,
	};

	return keep(&arrays, ret, false);
}

int tables_map_cache(const struct lane53_bpf *skel, const uint32_t *secret,
		     struct table_arrays *ret)
{
	const int rw = PROT_READ | PROT_WRITE;
	/* the worker writes it; while there is none, the daemon takes answers out of it */
	struct table_arrays arrays = {
		.slots = map_array(skel->maps.cache, rw),
		.slot_count = bpf_map__max_entries(skel->maps.cache),
		.small = map_array(skel->maps.cache_small, rw),
		.small_count = bpf_map__max_entries(skel->maps.cache_small),
		.large = map_array(skel->maps.cache_large, rw),
		.large_count = bpf_map__max_entries(skel->maps.cache_large),
		.names = map_array(skel->maps.cache_names, rw),
		.secret = secret,
	};

	return keep(&arrays, ret, true);
}

int tables_map_settings(const struct lane53_bpf *skel, struct lane53_settings **ret)
{
	void *at = map_array(skel->maps.settings, PROT_READ | PROT_WRITE);

	if (!at)
		return -ENOMEM;
	*ret = at;
	return 0;
}

static void unmap(void *at, size_t element, uint32_t count)
{
	if (at)
		munmap(at, map_bytes(element, count));
}

void tables_unmap(struct table_arrays *arrays)
{
	unmap(arrays->slots, sizeof(*arrays->slots), arrays->slot_count);
	unmap(arrays->small, sizeof(*arrays->small), arrays->small_count);
	unmap(arrays->large, sizeof(*arrays->large), arrays->large_count);
	unmap(arrays->names, sizeof(*arrays->names), arrays->slot_count);
	*arrays = (struct table_arrays){ 0 };
}

void tables_unmap_settings(struct lane53_settings *settings)
{
	unmap(settings, sizeof(*settings), 1);
}
