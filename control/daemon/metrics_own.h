/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * metrics_own.h - the families of metrics.c that are not by label: upstreams, workers,
 * tables, XDP.
 */
#ifndef LANE53_METRICS_OWN_H
#define LANE53_METRICS_OWN_H

struct exposition;
struct metrics;

/* coredns_proxy_* and lane53_upstream_*; both workers' rows of one upstream add up. */
void metrics_put_upstreams(struct exposition *out, const struct metrics *in);

/* lane53_*: outcomes, tables, workers, state. */
void metrics_put_own(struct exposition *out, const struct metrics *in);

#endif
