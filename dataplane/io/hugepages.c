/* SPDX-License-Identifier: BSD-3-Clause */
/* hugepages.c - see hugepages.h. */
#include "io/hugepages.h"

#include <errno.h>
#include <stdio.h>
#include <linux/mman.h>
#include <sys/mman.h>

#define FIRST_LANE_BYTES   (256ull << 20)
#define FURTHER_LANE_BYTES (32ull << 20)

struct pages {
	unsigned long long count, promised, size_kb;
};

static void read_pages(FILE *meminfo, struct pages *ret)
{
	char line[128];

	*ret = (struct pages){ 0 };
	while (fgets(line, sizeof(line), meminfo)) {
		(void)sscanf(line, "HugePages_Free: %llu", &ret->count);
		(void)sscanf(line, "HugePages_Rsvd: %llu", &ret->promised);
		(void)sscanf(line, "Hugepagesize: %llu kB", &ret->size_kb);
	}
}

uint64_t hugepages_free_in(FILE *meminfo)
{
	struct pages pages;

	read_pages(meminfo, &pages);
	return pages.promised < pages.count
		       ? (pages.count - pages.promised) * pages.size_kb * 1024
		       : 0;
}

uint64_t hugepages_free_bytes(void)
{
	FILE *meminfo = fopen("/proc/meminfo", "re");
	uint64_t bytes = meminfo ? hugepages_free_in(meminfo) : 0;

	if (meminfo)
		fclose(meminfo);
	return bytes;
}

bool hugepages_may_take(uint64_t bytes)
{
	FILE *meminfo = fopen("/proc/meminfo", "re");
	struct pages pages = { 0 };
	uint64_t page, len;
	void *room;
	bool may;

	if (meminfo) {
		read_pages(meminfo, &pages);
		fclose(meminfo);
	}
	page = pages.size_kb * 1024;
	if (!page)
		return false;
	len = (bytes + page - 1) / page * page; /* munmap() takes whole pages only */
	room = mmap(NULL, len, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	if (room == MAP_FAILED)
		return false;
	/* EINVAL: before Linux 5.14 nobody can tell */
	may = madvise(room, len, MADV_POPULATE_WRITE) == 0 || errno == EINVAL;
	munmap(room, len);
	return may;
}

uint64_t hugepages_used_bytes(int pid)
{
	unsigned long long used_kb = 0;
	char line[128];
	FILE *status;

	snprintf(line, sizeof(line), "/proc/%d/status", pid);
	status = fopen(line, "re");
	while (status && fgets(line, sizeof(line), status))
		(void)sscanf(line, "HugetlbPages: %llu kB", &used_kb);
	if (status)
		fclose(status);
	return used_kb * 1024;
}

uint64_t hugepages_wanted_bytes(unsigned lanes)
{
	return FIRST_LANE_BYTES + (lanes - 1) * FURTHER_LANE_BYTES;
}
