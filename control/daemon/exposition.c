/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * exposition.c - see exposition.h.
 */
#include "daemon/exposition.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GROW_BYTES 16384

static bool grow(struct exposition *e, size_t more)
{
	size_t room = e->room + (more > GROW_BYTES ? more : GROW_BYTES) + e->room / 2;
	char *text = realloc(e->text, room);

	if (!text) {
		e->failed = true;
		return false;
	}
	e->text = text;
	e->room = room;
	return true;
}

static void add(struct exposition *e, const char *bytes, size_t len)
{
	if (e->failed || (e->len + len + 1 > e->room && !grow(e, len + 1)))
		return;
	memcpy(e->text + e->len, bytes, len);
	e->len += len;
	e->text[e->len] = '\0';
}

static void add_text(struct exposition *e, const char *text)
{
	add(e, text, strlen(text));
}

/* A large page has ten thousand of them: printf() would be half of its time. */
static void add_number(struct exposition *e, uint64_t value)
{
	char digits[20];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + value % 10);
	while (value /= 10);
	add(e, digits + at, sizeof(digits) - at);
}

static void add_real(struct exposition *e, double value)
{
	char text[32];

	snprintf(text, sizeof(text), "%.15g", value);
	add_text(e, text);
}

/* A label's value: backslash, quote and line feed are escaped; nothing else is. */
static void add_escaped(struct exposition *e, const char *value)
{
	while (*value) {
		size_t plain = strcspn(value, "\\\"\n");

		add(e, value, plain);
		value += plain;
		if (!*value)
			return;
		add_text(e, *value == '\n' ? "\\n" : *value == '"' ? "\\\"" : "\\\\");
		value++;
	}
}

static void add_name(struct exposition *e, const char *suffix)
{
	add_text(e, e->family);
	add_text(e, suffix);
}

/* Up to what follows the last label: nothing, or `{a="x"`. */
static void add_labels(struct exposition *e, const struct exposition_label *labels)
{
	const char *before = "{";

	for (; labels && labels->name; labels++, before = ",") {
		add_text(e, before);
		add_text(e, labels->name);
		add_text(e, "=\"");
		add_escaped(e, labels->value);
		add_text(e, "\"");
	}
}

static void add_series(struct exposition *e, const struct exposition_label *labels)
{
	add_name(e, "");
	add_labels(e, labels);
	add_text(e, labels && labels->name ? "} " : " ");
}

void exposition_family(struct exposition *e, const char *name,
		       enum exposition_type type, const char *help)
{
	static const char *const types[] = { [EXPOSITION_COUNTER] = "counter",
					     [EXPOSITION_GAUGE] = "gauge",
					     [EXPOSITION_HISTOGRAM] = "histogram" };

	e->family = name;
	add_text(e, "# HELP ");
	add_text(e, name);
	add_text(e, " ");
	add_text(e, help);
	add_text(e, "\n# TYPE ");
	add_text(e, name);
	add_text(e, " ");
	add_text(e, types[type]);
	add_text(e, "\n");
}

void exposition_count(struct exposition *e, const struct exposition_label *labels,
		      uint64_t value)
{
	add_series(e, labels);
	add_number(e, value);
	add_text(e, "\n");
}

void exposition_value(struct exposition *e, const struct exposition_label *labels,
		      double value)
{
	add_series(e, labels);
	add_real(e, value);
	add_text(e, "\n");
}

/* The labels of a histogram's lines, made once. */
struct prefix {
	struct exposition text;
	bool has_labels;
};

static void add_bucket(struct exposition *e, const struct prefix *labels,
		       const char *bound, uint64_t count)
{
	add_name(e, "_bucket");
	add(e, labels->text.text, labels->text.len);
	add_text(e, labels->has_labels ? ",le=\"" : "{le=\"");
	add_text(e, bound);
	add_text(e, "\"} ");
	add_number(e, count);
	add_text(e, "\n");
}

static void add_end(struct exposition *e, const struct prefix *labels,
		    const char *suffix)
{
	add_name(e, suffix);
	add(e, labels->text.text, labels->text.len);
	add_text(e, labels->has_labels ? "} " : " ");
}

/* The bounds' texts of the histogram before are those of this one, mostly. */
static void render_bounds(struct exposition *e,
			  const struct exposition_histogram *histogram)
{
	if (e->bounds == histogram->bounds)
		return;
	e->bounds = histogram->bounds;
	for (unsigned i = 0; i < histogram->bounds_count; i++)
		snprintf(e->bound_text[i], sizeof(e->bound_text[i]), "%g",
			 histogram->bounds[i]);
}

void exposition_histogram(struct exposition *e, const struct exposition_label *labels,
			  const struct exposition_histogram *histogram)
{
	struct prefix prefix = { .has_labels = labels && labels->name };
	uint64_t sum = 0;

	add_text(&prefix.text, ""); /* there, if empty */
	add_labels(&prefix.text, labels);
	e->failed |= prefix.text.failed;
	render_bounds(e, histogram);
	for (unsigned i = 0; i < histogram->bounds_count; i++) {
		sum += histogram->counts[i];
		add_bucket(e, &prefix, e->bound_text[i], sum);
	}
	sum += histogram->counts[histogram->bounds_count];
	add_bucket(e, &prefix, "+Inf", sum);
	add_end(e, &prefix, "_sum");
	add_real(e, histogram->sum);
	add_text(e, "\n");
	add_end(e, &prefix, "_count");
	add_number(e, sum);
	add_text(e, "\n");
	free(prefix.text.text);
}
