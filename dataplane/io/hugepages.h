/* SPDX-License-Identifier: BSD-3-Clause */
/* hugepages.h - are there hugepages for the port on the lane? */
#ifndef LANE53_HUGEPAGES_H
#define LANE53_HUGEPAGES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/*
 * Hugepages of the default size that are to be had, in bytes: free ones that nobody has
 * been promised.  VMs whose memory is not touched yet were promised theirs.
 */
uint64_t hugepages_free_bytes(void);
/* The same, read from @meminfo, text as of /proc/meminfo. */
uint64_t hugepages_free_in(FILE *meminfo);

/*
 * Can this process have @bytes of them?  Takes them for a moment: a control group without
 * a share (a pod that asks for none) has no page, however many are free.
 */
bool hugepages_may_take(uint64_t bytes);

/* What process @pid has of them, in bytes; 0 as well if there is no such process. */
uint64_t hugepages_used_bytes(int pid);

/* What the port needs of them for @lanes lanes (1..LANE53_LANES_MAX), in bytes. */
uint64_t hugepages_wanted_bytes(unsigned lanes);

#endif
