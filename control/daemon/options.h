/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * options.h - the command line of lane53d, CoreDNS's flags and our own, and the
 * directories of an instance that follow from it.
 */
#ifndef LANE53_OPTIONS_H
#define LANE53_OPTIONS_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct problem;

/* sun_path: every socket of an instance lives in its run directory. */
#define OPTIONS_RUN_MAX 80

struct options {
	const char *conf;    /* -conf; NULL: ./Corefile if there is one */
	const char *name;    /* -name; default "default" */
	uint16_t dns_port;   /* -dns.port; 53 */
	unsigned workers;    /* -workers; 1: threads of the DPDK worker */
	const char *pidfile; /* -pidfile; NULL = none asked for */
	bool plugins, version, quiet, check, no_xdp, teardown, help;
	/* made from -state, -run, -name and who we are */
	char state[PATH_MAX];  /* .../INSTANCE */
	char store[PATH_MAX];  /* .../INSTANCE/store */
	char run[PATH_MAX];    /* .../INSTANCE; at most OPTIONS_RUN_MAX */
	char worker[PATH_MAX]; /* lane53-worker's path; "" = not found */
};

/*
 * Read @argv; its strings stay borrowed.  One dash or two, "-flag value" or
 * "-flag=value", as Go's flag package has it.
 * Return: 0, or -EINVAL with @problem set: exit code 2.
 */
int options_parse(struct options *ret, int argc, char **argv, struct problem *problem);

/* Make the state and run directories. Return: 0 or -errno with @problem set. */
int options_make_dirs(const struct options *options, struct problem *problem);

void options_usage(FILE *out);

#endif
