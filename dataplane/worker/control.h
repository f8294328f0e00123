/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * control.h - the worker's control socket: RUN/worker-<io>.sock, one JSON object per
 * line each way, in order.
 *
 *   {"op":"status"}                      {ok, io, pid, threads, generation, uptime_s, ...}
 *   {"op":"wake"}                        {ok, generation, errors: [text]}
 *   {"op":"flush", "view"?, "name"?}     {ok, flushed}
 *   {"op":"cache", "name"?, "limit"?}    {ok, entries}
 *   {"op":"upstreams"}                   {ok, upstreams}
 *   {"op":"stop", "lameduck_ms"?}        {ok}, and the worker exits
 */
#ifndef LANE53_CONTROL_H
#define LANE53_CONTROL_H

#include <uv.h>

struct control;
struct worker;

/*
 * Listen; served by @loop.  On success *@ret_control is the caller's.
 * Return: 0 or a negative errno.
 */
int control_open(struct control **ret_control, struct worker *worker, uv_loop_t *loop);

/* Stop listening and drop the peers: their memory goes with @loop's next run, which the
 * caller must do.  NULL is allowed. */
void control_close(struct control *control);

#endif
