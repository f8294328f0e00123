/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * main.c - lane53-worker: one port, one engine, one process.
 *
 * Prints nothing but errors, each on one line of stderr.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include "lane53/abi.h"
#include "worker/worker.h"

static const char usage_text[] =
	"usage: lane53-worker --io dpdk|socket --store DIR --run DIR [--pins DIR]\n"
	"                     [--lane IFACE] [--workers N] [--instance NAME]\n"
	"                     [--hugepages yes|no]\n"
	"\n"
	"  --io dpdk       serve the lane by DPDK's net_af_xdp; needs --lane\n"
	"  --io socket     serve UDP and TCP where the plan listens\n"
	"  --store DIR     the zone store, written by lane53d\n"
	"  --run DIR       where control socket, counters and pid file are made\n"
	"  --pins DIR      pinned BPF maps to publish into\n"
	"  --lane IFACE    the worker's end of the lane, e.g. lane53b\n"
	"  --workers N     threads, each on a lane of its own: IFACE, IFACE-1 and so\n"
	"                  on (default: 1)\n"
	"  --instance NAME keeps several lane53 apart (default: default)\n"
	"  --hugepages     yes or no; without it: yes where enough are free\n"
	"  --version, --help\n";

enum {
	OPT_IO = 1,
	OPT_STORE,
	OPT_RUN,
	OPT_PINS,
	OPT_LANE,
	OPT_WORKERS,
	OPT_INSTANCE,
	OPT_HUGEPAGES,
	OPT_VERSION,
	OPT_HELP
};

static const struct option long_options[] = {
	{ "io", required_argument, NULL, OPT_IO },
	{ "store", required_argument, NULL, OPT_STORE },
	{ "run", required_argument, NULL, OPT_RUN },
	{ "pins", required_argument, NULL, OPT_PINS },
	{ "lane", required_argument, NULL, OPT_LANE },
	{ "workers", required_argument, NULL, OPT_WORKERS },
	{ "instance", required_argument, NULL, OPT_INSTANCE },
	{ "hugepages", required_argument, NULL, OPT_HUGEPAGES },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ "help", no_argument, NULL, OPT_HELP },
	{ 0 },
};

static enum worker_exit complain(const char *what, const char *value)
{
	fprintf(stderr, "lane53-worker: %s%s; see lane53-worker --help\n", what, value);
	return WORKER_USAGE;
}

/* Return: was @text one of @yes and @no? */
static bool parse_choice(const char *text, const char *yes, const char *no,
			 bool *ret_is_yes)
{
	*ret_is_yes = !strcmp(text, yes);
	return *ret_is_yes || !strcmp(text, no);
}

static bool parse_workers(const char *text, unsigned *ret)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	*ret = (unsigned)n;
	return text[0] >= '0' && text[0] <= '9' && !*end && n >= 1 &&
	       n <= LANE53_LANES_MAX;
}

static enum worker_exit check(const struct worker_options *o, bool has_io)
{
	if (!has_io)
		return complain("--io is missing: dpdk or socket", "");
	if (!o->store_dir)
		return complain("--store DIR is missing", "");
	if (!o->run_dir)
		return complain("--run DIR is missing", "");
	if (o->lane && !o->interface)
		return complain("--io dpdk needs --lane IFACE", "");
	if (!o->lane && o->workers > 1)
		return complain("--workers is for --io dpdk", "");
	return WORKER_STOPPED;
}

/* *@ret_done: nothing is left to do (--help, --version). */
static enum worker_exit parse(struct worker_options *o, int argc, char **argv,
			      bool *ret_done)
{
	bool has_io = false, yes;
	int option;

	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (option) {
		case OPT_IO:
			if (!parse_choice(optarg, "dpdk", "socket", &o->lane))
				return complain("--io takes dpdk or socket, not ",
						optarg);
			has_io = true;
			break;
		case OPT_STORE:
			o->store_dir = optarg;
			break;
		case OPT_RUN:
			o->run_dir = optarg;
			break;
		case OPT_PINS:
			o->pins_dir = optarg;
			break;
		case OPT_LANE:
			o->interface = optarg;
			break;
		case OPT_WORKERS:
			if (!parse_workers(optarg, &o->workers))
				return complain("--workers takes 1 to 16, not ",
						optarg);
			break;
		case OPT_INSTANCE:
			o->instance = optarg;
			break;
		case OPT_HUGEPAGES:
			if (!parse_choice(optarg, "yes", "no", &yes))
				return complain("--hugepages takes yes or no, not ",
						optarg);
			o->hugepages = yes ? DPDK_HUGEPAGES_YES : DPDK_HUGEPAGES_NO;
			break;
		case OPT_VERSION:
			printf("lane53-worker %s\n", LANE53_VERSION);
			*ret_done = true;
			return WORKER_STOPPED;
		case OPT_HELP:
			fputs(usage_text, stdout);
			*ret_done = true;
			return WORKER_STOPPED;
		default: /* getopt has said what is wrong */
			return WORKER_USAGE;
		}
	}
	if (optind < argc)
		return complain("unexpected argument ", argv[optind]);
	return check(o, has_io);
}

/* Each waiting question and each TCP client is a descriptor; more is not an error. */
static void raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

/*
 * Whoever started us reads in RUN/worker-IO.why what kept us from serving: stderr may be
 * anywhere.  @why NULL: nothing does.
 */
static void leave_word(const struct worker_options *o, const char *why)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/worker-%s.why", o->run_dir,
		 o->lane ? "dpdk" : "socket");
	if (!why) {
		(void)unlink(path);
		return;
	}
	fprintf(stderr, "lane53-worker: %s\n", why);
	file = fopen(path, "we");
	if (!file)
		return;
	fprintf(file, "%s\n", why);
	fclose(file);
}

int main(int argc, char **argv)
{
	struct worker_options options = { .instance = "default", .workers = 1 };
	char why[WORKER_WHY_ROOM] = "";
	struct worker *worker = NULL;
	enum worker_exit r;
	bool done = false;

	r = parse(&options, argc, argv, &done);
	if (r != WORKER_STOPPED || done)
		return (int)r;
	raise_file_limit();
	r = worker_open(&worker, &options, why);
	leave_word(&options, r == WORKER_STOPPED ? NULL : why);
	if (r == WORKER_STOPPED && (r = worker_run(worker)) == WORKER_UNAVAILABLE) {
		snprintf(why, sizeof(why), "%s%s is gone",
			 options.workers > 1 ? "a lane of " : "", options.interface);
		leave_word(&options, why);
	}
	worker_close(worker);
	return (int)r;
}
