/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * exposition.c - see exposition.h.
 */
#include "daemon/exposition.h"
#include <stdarg.h>
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

/* Numbers and fixed words only: short. */
__attribute__((format(printf, 2, 3))) static void add_format(struct exposition *e,
							     const char *format, ...)
{
	char text[128];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
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

static void add_series(struct exposition *e, const char *suffix,
		       const struct exposition_label *labels, const char *bound)
{
	char before = '{';

	add_text(e, e->family);
	add_text(e, suffix);
	for (; labels && labels->name; labels++, before = ',') {
		add(e, &before, 1);
		add_text(e, labels->name);
		add_text(e, "=\"");
		add_escaped(e, labels->value);
		add_text(e, "\"");
	}
	if (bound) {
		add(e, &before, 1);
		add_format(e, "le=\"%s\"", bound);
		before = ',';
	}
	add_text(e, before == ',' ? "} " : " ");
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
	add_series(e, "", labels, NULL);
	add_format(e, "%llu\n", (unsigned long long)value);
}

void exposition_value(struct exposition *e, const struct exposition_label *labels,
		      double value)
{
	add_series(e, "", labels, NULL);
	add_format(e, "%.15g\n", value);
}

void exposition_histogram(struct exposition *e, const struct exposition_label *labels,
			  const struct exposition_histogram *histogram)
{
	uint64_t sum = 0;
	char bound[32];

	for (unsigned i = 0; i < histogram->bounds_count; i++) {
		sum += histogram->counts[i];
		snprintf(bound, sizeof(bound), "%g", histogram->bounds[i]);
		add_series(e, "_bucket", labels, bound);
		add_format(e, "%llu\n", (unsigned long long)sum);
	}
	sum += histogram->counts[histogram->bounds_count];
	add_series(e, "_bucket", labels, "+Inf");
	add_format(e, "%llu\n", (unsigned long long)sum);
	add_series(e, "_sum", labels, NULL);
	add_format(e, "%.15g\n", histogram->sum);
	add_series(e, "_count", labels, NULL);
	add_format(e, "%llu\n", (unsigned long long)sum);
}
