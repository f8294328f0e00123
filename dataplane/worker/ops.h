/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ops.h - the operations of the control socket, by name.
 */
#ifndef LANE53_OPS_H
#define LANE53_OPS_H

#include <jansson.h>

struct worker;

/* Run what @request asks for.  Return: the reply, the caller's; NULL = out of memory. */
json_t *ops_run(struct worker *worker, json_t *request);

#endif
