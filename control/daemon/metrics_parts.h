/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * metrics_parts.h - the families of metrics_format() that are not by label.
 */
#ifndef LANE53_METRICS_PARTS_H
#define LANE53_METRICS_PARTS_H

struct exposition;
struct metrics;

/* CoreDNS's for times: 0.25 ms, doubled 15 times.  STATS_DURATION_BUCKETS - 1. */
extern const double metrics_time_bounds[];

/* "NOERROR"; in @room if it has no name. */
const char *metrics_rcode(char room[8], unsigned rcode);

/* Versions, reloads, directives, hosts, health. */
void metrics_put_process(struct exposition *out, const struct metrics *in);

/*
 * coredns_forward_*, _proxy_*, _fanout_* and lane53_upstream_*; all workers' rows of one
 * upstream add up.  Return: 0, -ENOMEM.
 */
int metrics_put_upstreams(struct exposition *out, const struct metrics *in);

/* lane53_*: outcomes, tables, workers, state. */
void metrics_put_own(struct exposition *out, const struct metrics *in);

#endif
