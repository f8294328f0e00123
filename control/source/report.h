/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * report.h - what a loader says about its input, to whoever logs it.
 */
#ifndef LANE53_REPORT_H
#define LANE53_REPORT_H

#include <stdbool.h>
#include "problem.h"

/*
 * One bad file can be bad on every line.  What is wrong is as a rule plain after a few;
 * the rest is said as a number.
 */
#define REPORT_MAX 20

struct report {
	/*
	 * Called for each problem; it is borrowed.  @fatal: the input as a whole cannot
	 * be used for it; otherwise only what the problem names is left out.
	 * NULL: nobody wants to know.
	 */
	void (*each)(void *context, bool fatal, const struct problem *problem);
	void *context;
	unsigned fatal_count, count; /* zero before; of one input */
};

/* Count a problem, and pass it on if it is among the first REPORT_MAX. */
__attribute__((format(printf, 5, 6))) void report_problem(struct report *report,
							  bool fatal, const char *file,
							  unsigned line,
							  const char *format, ...);

/* The input has ended: say how many more there were.  Begins to count anew. */
void report_end(struct report *report, const char *file);

#endif
