/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * worker_process.h - lane53-worker as a process: its command line, and whether one runs.
 */
#ifndef LANE53_WORKER_PROCESS_H
#define LANE53_WORKER_PROCESS_H

#include <stdbool.h>

/* What the workers of an instance have in common. */
struct worker_command {
	char *program, *store, *run, *instance;
	char *pins, *lane; /* dpdk only */
	unsigned workers;  /* likewise: threads; 0 = 1 */
};

/*
 * Start a worker as a session of its own, with standard output and error as ours.
 * Return: its pid, or a negative errno.
 */
int worker_spawn(const struct worker_command *command, bool dpdk);

/*
 * The process that worker-<io>.pid names, if it is a worker for our run directory.
 * *@ret_same: it runs the very program that worker_spawn() would, with as many threads.
 * Return: its pid, or 0.
 */
int worker_find(const struct worker_command *command, bool dpdk, bool *ret_same);

#endif
