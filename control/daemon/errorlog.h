/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * errorlog.h - what `errors` logs: why a query could not be answered, in CoreDNS's form
 * "plugin/errors: 2 name. TYPE: cause", and `consolidate`: causes alike as one line.
 *
 *   report ─► cause in words ─► no rule matches ─────────────► logged
 *                           └─► first rule that does: counted ─► at the period's end:
 *                                 "N errors like 'RE' occurred in last DUR"
 *
 * It reads no clock and sets no timer: times are arguments.  What it holds is one count
 * for each rule of the Corefile, however many errors there are.
 */
#ifndef LANE53_ERRORLOG_H
#define LANE53_ERRORLOG_H

#include <stddef.h>
#include <stdint.h>
#include "corefile/config.h"

struct errorlog;
struct lane53_failure;
struct lane53_report;

/* One line for the log, without its "[LEVEL] ".  Not called for LEVEL_DEBUG. */
typedef void errorlog_put(void *context, enum config_level level, const char *line);

/* No rules yet.  Return: 0 or -ENOMEM. */
int errorlog_open(struct errorlog **ret, errorlog_put *put, void *context);

/*
 * The rules of @config (borrowed until the next call) from now on.  What was counted by
 * the old ones is told first.  Return: 0 or -ENOMEM (then there are none).
 */
int errorlog_set(struct errorlog *errorlog, const struct config *config);

/* @report, which has a failure, of config.blocks[@block]. */
void errorlog_take(struct errorlog *errorlog, unsigned block,
		   const struct lane53_report *report, uint64_t now_ms);

/* Tell what is due.  Return: when to call again (ms), UINT64_MAX = no need. */
uint64_t errorlog_tick(struct errorlog *errorlog, uint64_t now_ms);

/* Tell what was counted, and end.  NULL is allowed. */
void errorlog_close(struct errorlog *errorlog);

#define ERRORLOG_CAUSE_ROOM 256

/* "read udp 192.0.2.1:53: i/o timeout", as near to Go's words as it is true. */
void errorlog_cause(char out[ERRORLOG_CAUSE_ROOM],
		    const struct lane53_failure *failure);

#endif
