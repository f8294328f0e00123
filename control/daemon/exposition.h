/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * exposition.h - write the Prometheus text format (version 0.0.4) into a growing buffer.
 *
 *   # HELP name text        ┐ exposition_family()
 *   # TYPE name counter     ┘
 *   name{a="x",b="y"} 1       exposition_count(), exposition_value()
 *
 * A failed allocation is remembered: later calls do nothing, and the end tells.
 */
#ifndef LANE53_EXPOSITION_H
#define LANE53_EXPOSITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXPOSITION_BOUNDS_MAX 16

struct exposition {
	char *text; /* from malloc(); the owner frees it */
	size_t len, room;
	bool failed;
	const char *family;
	const double *bounds; /* of the last histogram, and their texts */
	char bound_text[EXPOSITION_BOUNDS_MAX][16];
};

enum exposition_type { EXPOSITION_COUNTER, EXPOSITION_GAUGE, EXPOSITION_HISTOGRAM };

/* Label and value; value is escaped.  NULL name ends a list. */
struct exposition_label {
	const char *name, *value;
};

#define EXPOSITION_LABELS_MAX 8

/* Begin a family; its samples follow.  @name and @help: static. */
void exposition_family(struct exposition *e, const char *name,
		       enum exposition_type type, const char *help);

/* One sample of the family begun last; @labels NULL = none. */
void exposition_count(struct exposition *e, const struct exposition_label *labels,
		      uint64_t value);
void exposition_value(struct exposition *e, const struct exposition_label *labels,
		      double value);

/*
 * One histogram: @counts of @bounds_count + 1 buckets (not cumulative; the last is +Inf)
 * and the sum of what was observed.
 */
struct exposition_histogram {
	const double *bounds;  /* static: the texts made of them are kept */
	unsigned bounds_count; /* <= EXPOSITION_BOUNDS_MAX */
	const uint64_t *counts;
	double sum;
};
void exposition_histogram(struct exposition *e, const struct exposition_label *labels,
			  const struct exposition_histogram *histogram);

#endif
