/* SPDX-License-Identifier: BSD-3-Clause */
/* log.c - see log.h: a whole line per write, so that lines of two processes never mix. */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "problem.h"

/* PIPE_BUF: no longer write is sure to arrive in one piece.  Longer lines are cut. */
#define LINE_ROOM 4096

static void put(const char *line, size_t len)
{
	/* A log that cannot be written must not stop the service. */
	(void)!write(STDOUT_FILENO, line, len);
}

static void put_formatted(const char *prefix, const char *format, va_list args)
{
	char line[LINE_ROOM];
	int head = snprintf(line, sizeof(line), "%s", prefix);
	int body =
		vsnprintf(line + head, sizeof(line) - (size_t)head - 1, format, args);
	size_t len = (size_t)head + (size_t)(body < 0 ? 0 : body);

	if (len > sizeof(line) - 2)
		len = sizeof(line) - 2;
	line[len] = '\n';
	put(line, len + 1);
}

void log_info(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put_formatted("[INFO] ", format, args);
	va_end(args);
}

void log_warning(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put_formatted("[WARNING] ", format, args);
	va_end(args);
}

void log_error(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put_formatted("[ERROR] ", format, args);
	va_end(args);
}

void log_line(const char *line)
{
	char out[LINE_ROOM];
	int len = snprintf(out, sizeof(out) - 1, "%s", line);

	if (len > (int)sizeof(out) - 2)
		len = (int)sizeof(out) - 2;
	out[len] = '\n';
	put(out, (size_t)len + 1);
}

void log_problem(const struct problem *problem, bool is_error)
{
	char text[1024];

	problem_format(problem, text, sizeof(text));
	if (is_error)
		log_error("%s", text);
	else
		log_warning("%s", text);
}
