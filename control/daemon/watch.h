/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * watch.h - `lane53ctl events`: sampled answers of XDP, for as long as somebody watches.
 *
 *   ring ─► eventlog ─► watch_take() ─┬─► the last ones, if the Corefile samples
 *                                     └─► each who watches, RATE a second at the most
 *
 * Sampling is on while the Corefile wants it or somebody watches; a client that goes, in
 * whatever way, ends its part.
 */
#ifndef LANE53_WATCH_H
#define LANE53_WATCH_H

#include <stdint.h>

struct daemon;
struct lane53_event;

/* A sampled answer. */
void watch_take(struct daemon *d, const struct lane53_event *event);

/* Of those who watch, who wants the most: every so many answers; 0 = nobody does. */
uint32_t watch_every(const struct daemon *d);

#endif
