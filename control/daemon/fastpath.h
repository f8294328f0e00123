/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fastpath.h - XDP as a part of the daemon: opened when a Corefile first wants it, given
 * rules and a table, its interfaces logged.  Without it sockets serve on.
 */
#ifndef LANE53_FASTPATH_H
#define LANE53_FASTPATH_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct config;
struct daemon;

/* Did an earlier lane53d of this instance leave XDP in place? */
bool fastpath_is_left(const struct daemon *d);

/*
 * Open XDP if @config has an `xdp` directive, or an earlier life had one (then it is
 * adopted, and detached by fastpath_apply()), and it is not open yet.
 */
void fastpath_prepare(struct daemon *d, const struct config *config);

/* The rules of d->config and the plan just committed are in force from now on. */
void fastpath_apply(struct daemon *d);

/* The kill switch as it stands is told in `degraded`. */
void fastpath_note_switch(struct daemon *d);

/*
 * Turn it; XDP must be open.  It is kept in the pinned settings, so that a restart of the
 * daemon leaves it as it is.  Return: was it otherwise?
 */
bool fastpath_switch(struct daemon *d, bool on);

/*
 * Sample as the configuration and those who watch (@every: the least of theirs, 0 =
 * nobody) want it, and take the time of answers that `log` or a sample may tell.
 */
void fastpath_sample(struct daemon *d, uint32_t every);

/* Interfaces or addresses changed. */
void fastpath_sync(struct daemon *d);

/* The DPDK worker @pid has begun to serve: say if it does without hugepages. */
void fastpath_note_worker(struct daemon *d, int pid);

/* Let go of it; it goes on answering. */
void fastpath_close(struct daemon *d);

/* Remove everything without a trace (XDP must be closed). */
void fastpath_remove(struct daemon *d);

/* `interfaces` of docs/control-protocol.md. */
json_t *fastpath_interfaces(struct daemon *d);

#endif
