/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * log.h - one line per event to standard output, as CoreDNS writes them:
 * "[INFO] text".  Only control/ logs; what is below returns codes.
 */
#ifndef LANE53_LOG_H
#define LANE53_LOG_H

#include <stdbool.h>
#include <stddef.h>

struct problem;

#define LOG_FORMAT __attribute__((format(printf, 1, 2)))

LOG_FORMAT void log_info(const char *format, ...);
LOG_FORMAT void log_warning(const char *format, ...);
LOG_FORMAT void log_error(const char *format, ...);

/* A line that has its own prefix already (query log), or none (`lane53d: ready`). */
void log_line(const char *line);

/* [ERROR] (or, if not @is_error, [WARNING]) FILE:LINE: text */
void log_problem(const struct problem *problem, bool is_error);

#endif
