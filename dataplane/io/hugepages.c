/* SPDX-License-Identifier: BSD-3-Clause */
/* hugepages.c - see hugepages.h. */
#include "io/hugepages.h"

#include <stdio.h>

#define FIRST_LANE_BYTES   (256ull << 20)
#define FURTHER_LANE_BYTES (32ull << 20)

uint64_t hugepages_free_in(FILE *meminfo)
{
	unsigned long long count = 0, promised = 0, size_kb = 0;
	char line[128];

	while (fgets(line, sizeof(line), meminfo)) {
		(void)sscanf(line, "HugePages_Free: %llu", &count);
		(void)sscanf(line, "HugePages_Rsvd: %llu", &promised);
		(void)sscanf(line, "Hugepagesize: %llu kB", &size_kb);
	}
	return promised < count ? (count - promised) * size_kb * 1024 : 0;
}

uint64_t hugepages_free_bytes(void)
{
	FILE *meminfo = fopen("/proc/meminfo", "re");
	uint64_t bytes = meminfo ? hugepages_free_in(meminfo) : 0;

	if (meminfo)
		fclose(meminfo);
	return bytes;
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
