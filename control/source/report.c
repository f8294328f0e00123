/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * report.c - count problems, pass on the first of them.
 */
#include "source/report.h"

void report_problem(struct report *report, bool fatal, const char *file, unsigned line,
		    const char *format, ...)
{
	struct problem problem;
	va_list args;

	if (fatal)
		report->fatal_count++;
	if (++report->count > REPORT_MAX || !report->each)
		return;
	va_start(args, format);
	problem_vset(&problem, file, line, format, args);
	va_end(args);
	report->each(report->context, fatal, &problem);
}

void report_end(struct report *report, const char *file)
{
	struct problem problem;

	if (report->count > REPORT_MAX && report->each) {
		problem_set(&problem, file, 0, "%u more lines like these",
			    report->count - REPORT_MAX);
		report->each(report->context, report->fatal_count > 0, &problem);
	}
	report->count = 0;
	report->fatal_count = 0;
}
