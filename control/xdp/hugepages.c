/* SPDX-License-Identifier: BSD-3-Clause */
/* hugepages.c - are there hugepages for the DPDK worker? */
#include "xdp.h"

#include <stdio.h>

uint64_t xdp_hugepages_free_bytes(void)
{
	unsigned long long count = 0, size_kb = 0;
	FILE *info = fopen("/proc/meminfo", "re");
	char line[128];

	if (!info)
		return 0;
	while (fgets(line, sizeof(line), info)) {
		(void)sscanf(line, "HugePages_Free: %llu", &count);
		(void)sscanf(line, "Hugepagesize: %llu kB", &size_kb);
	}
	fclose(info);
	return count * size_kb * 1024;
}
