/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * loops.h - `loop`: ask ourselves for HINFO RANDOM.RANDOM.ZONE; whoever sees that name
 * more than twice forwards to itself.
 */
#ifndef LANE53_LOOPS_H
#define LANE53_LOOPS_H

struct daemon;
struct loops;

/* It lives as long as @d.  Return: 0 or -ENOMEM. */
int loops_open(struct loops **ret, struct daemon *d);

/* Blocks with `loop` may be new: probe them as soon as the workers answer. */
void loops_apply(struct daemon *d);

/* The socket worker answers. */
void loops_begin(struct daemon *d);

#endif
