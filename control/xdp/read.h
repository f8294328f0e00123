/* SPDX-License-Identifier: BSD-3-Clause */
/* read.h - the ring buffer's life, for xdp.c. */
#ifndef LANE53_READ_H
#define LANE53_READ_H

struct problem;
struct xdp;

int events_open(struct xdp *xdp, struct problem *problem);
void events_close(struct xdp *xdp);

#endif
