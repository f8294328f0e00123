/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * querylog.h - one answered query as a line of CoreDNS's `log` directive.
 */
#ifndef LANE53_QUERYLOG_H
#define LANE53_QUERYLOG_H

#include <stdbool.h>
#include <stddef.h>

struct config_log;
struct lane53_event;

#define QUERYLOG_COMMON                                                         \
	"{remote}:{port} - {>id} \"{type} {class} {name} {proto} {size} {>do} " \
	"{>bufsize}\" {rcode} {>rflags} {rsize} {duration}"
#define QUERYLOG_COMBINED QUERYLOG_COMMON " \"{>opcode}\""

#define QUERYLOG_ROOM 4096 /* as long as log.c writes; longer lines are cut */

/*
 * "[INFO] " and @format with its placeholders replaced; NULL = QUERYLOG_COMMON.
 * {type} {name} {class} {proto} {remote} {local} {port} {size} {duration} {rcode} {rsize}
 * {>rflags} {>bufsize} {>do} {>id} {>opcode} {common} {combined}; {/metadata} is "-";
 * anything else stays as it is.  The name is in lower case, control characters escaped.
 * Return: strlen.
 */
size_t querylog_format(char *out, size_t room, const char *format,
		       const struct lane53_event *event);

/* The same without "[INFO] ". */
size_t querylog_fill(char *out, size_t room, const char *format,
		     const struct lane53_event *event);

/* PLAN_LOG_SUCCESS (data), PLAN_LOG_DENIAL (NXDOMAIN, NODATA) or PLAN_LOG_ERROR. */
unsigned querylog_class(const struct lane53_event *event);

/* Does @rule log @event: its names and its classes? */
bool querylog_matches(const struct config_log *rule, const struct lane53_event *event);

#endif
