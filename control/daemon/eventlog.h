/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * eventlog.h - logged queries, from the workers (RUN/events.sock) and from XDP's ring, to
 * the log as the blocks' `log` and `errors` directives want them.
 */
#ifndef LANE53_EVENTLOG_H
#define LANE53_EVENTLOG_H

struct daemon;
struct eventlog;

/* On success *@ret is the caller's.  Return: 0 or a negative errno. */
int eventlog_open(struct eventlog **ret, struct daemon *d);
void eventlog_close(struct eventlog *events);

/* d->config is in force: its rules of `errors`; what was counted by the old is told. */
void eventlog_apply(struct eventlog *events);

/* XDP is open now, is about to be closed. */
void eventlog_watch_xdp(struct eventlog *events);
void eventlog_unwatch_xdp(struct eventlog *events);

#endif
