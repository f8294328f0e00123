/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * web.h - what HTTP shows of the daemon: /health, /ready, /metrics.
 */
#ifndef LANE53_WEB_H
#define LANE53_WEB_H

#include <stdint.h>

struct daemon;
struct selfpoll_counts;
struct web;

/* It lives as long as @d.  Return: 0 or -ENOMEM. */
int web_open(struct web **ret, struct daemon *d);

/* Listen where d->config says; an address that is not to be had is `degraded`. */
void web_apply(struct daemon *d);

/* The longest `lameduck` of any health directive. */
uint32_t web_lameduck_ms(const struct daemon *d);

/* How our own requests to /health went; NULL without a `health` directive. */
const struct selfpoll_counts *web_health_counts(const struct daemon *d);

#endif
