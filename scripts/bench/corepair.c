// SPDX-License-Identifier: BSD-3-Clause
/*
 * corepair.c - how long a cache line takes from one core to another, in ns.
 *
 *	corepair FIRST SECOND
 *
 * On a virtual machine this changes while it runs: two virtual cores may share a
 * physical one in this second and be far apart in the next, and what hands packets
 * from core to core is then twice as fast or half.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define TURNS  4000 /* there and back: about a millisecond */
#define SERIES 5    /* the median is told: one of them may be interrupted */

static _Alignas(64) atomic_int turn;

static void pin(int core)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(core, &set);
	if (sched_setaffinity(0, sizeof(set), &set)) {
		perror("corepair: sched_setaffinity");
		exit(1);
	}
}

static void *answer(void *core)
{
	pin(*(int *)core);
	for (int i = 0; i < TURNS * SERIES; i++) {
		while (atomic_load_explicit(&turn, memory_order_acquire) != 2 * i + 1)
			;
		atomic_store_explicit(&turn, 2 * i + 2, memory_order_release);
	}
	return NULL;
}

static int later(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

int main(int argc, char **argv)
{
	double took[SERIES];
	pthread_t other;
	int core[2];

	if (argc != 3)
		return 2;
	for (int i = 0; i < 2; i++)
		core[i] = atoi(argv[1 + i]);
	pin(core[0]);
	if (pthread_create(&other, NULL, answer, &core[1]))
		return 1;
	for (int s = 0, i = 0; s < SERIES; s++) {
		const double began = now_ns();

		for (; i < (s + 1) * TURNS; i++) {
			atomic_store_explicit(&turn, 2 * i + 1, memory_order_release);
			while (atomic_load_explicit(&turn, memory_order_acquire) !=
			       2 * i + 2)
				;
		}
		took[s] = (now_ns() - began) / (2.0 * TURNS);
	}
	pthread_join(other, NULL);
	qsort(took, SERIES, sizeof(took[0]), later);
	printf("%.1f\n", took[SERIES / 2]);
	return 0;
}
