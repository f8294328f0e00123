/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * selfpoll.h - ask our own /health each second, as CoreDNS does: how long it took says
 * how busy the loop is, and a failure is worth a word.
 */
#ifndef LANE53_SELFPOLL_H
#define LANE53_SELFPOLL_H

#include <stdint.h>
#include <uv.h>

struct degraded;
struct plan_address;
struct selfpoll;

/* CoreDNS's plugin.SlimTimeBuckets, in seconds. */
#define SELFPOLL_BOUNDS       0.00025, 0.0025, 0.025, 0.25, 2.5
#define SELFPOLL_BOUNDS_COUNT 5

/* Since the start; failures are in the buckets too. */
struct selfpoll_counts {
	uint64_t
		buckets[SELFPOLL_BOUNDS_COUNT + 1]; /* not cumulative; the last: more */
	uint64_t sum_ns;
	uint64_t failures;
};

/*
 * Nothing is asked yet.  What fails is in @degraded until it works again; both are
 * borrowed.  Return: 0 or -ENOMEM.
 */
int selfpoll_open(struct selfpoll **ret, uv_loop_t *loop, struct degraded *degraded);

/*
 * Ask at these @count addresses (copied), and no others, every second; 0 rests.
 * Return: 0 or -ENOMEM (some are not asked).
 */
int selfpoll_set(struct selfpoll *selfpoll, const struct plan_address *at,
		 unsigned count);

const struct selfpoll_counts *selfpoll_counts(const struct selfpoll *selfpoll);

/* NULL is allowed.  Memory is released by the loop: let it run once more. */
void selfpoll_close(struct selfpoll *selfpoll);

#endif
