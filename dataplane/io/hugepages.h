/* SPDX-License-Identifier: BSD-3-Clause */
/* hugepages.h - are there hugepages for the port on the lane? */
#ifndef LANE53_HUGEPAGES_H
#define LANE53_HUGEPAGES_H

#include <stdint.h>

/* Free hugepages of the default size, in bytes. */
uint64_t hugepages_free_bytes(void);

/* What process @pid has of them, in bytes; 0 as well if there is no such process. */
uint64_t hugepages_used_bytes(int pid);

/* What the port needs of them for @lanes lanes (1..LANE53_LANES_MAX), in bytes. */
uint64_t hugepages_wanted_bytes(unsigned lanes);

#endif
