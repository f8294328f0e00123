/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * problem.h - one thing that is wrong with what a user gave us, said so that they can
 * mend it: FILE:LINE: what was found, what was expected, what to do.
 */
#ifndef LANE53_PROBLEM_H
#define LANE53_PROBLEM_H

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct problem {
	char file[256]; /* "" = not about a file */
	unsigned line;  /* 0 = not about one line */
	char text[512];
};

__attribute__((format(printf, 4, 0))) static inline void
problem_vset(struct problem *problem, const char *file, unsigned line,
	     const char *format, va_list args)
{
	if (!problem)
		return;
	snprintf(problem->file, sizeof(problem->file), "%s", file ? file : "");
	problem->line = line;
	vsnprintf(problem->text, sizeof(problem->text), format, args);
}

/* Fill @problem (NULL is allowed); longer parts are cut. */
__attribute__((format(printf, 4, 5))) static inline void
problem_set(struct problem *problem, const char *file, unsigned line,
	    const char *format, ...)
{
	va_list args;

	va_start(args, format);
	problem_vset(problem, file, line, format, args);
	va_end(args);
}

/* "FILE:LINE: text", without the parts that are not set. */
static inline void problem_format(const struct problem *problem, char *out, size_t room)
{
	if (problem->file[0] && problem->line)
		snprintf(out, room, "%s:%u: %s", problem->file, problem->line,
			 problem->text);
	else if (problem->file[0])
		snprintf(out, room, "%s: %s", problem->file, problem->text);
	else
		snprintf(out, room, "%s", problem->text);
}

#endif
