/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * prom_text.c - see prom_text.h.
 */
#include "prom_text.h"
#include "check.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static size_t name_span(const char *text)
{
	size_t n = 0;

	if (!isalpha((unsigned char)*text) && *text != '_')
		return 0;
	while (isalnum((unsigned char)text[n]) || text[n] == '_' || text[n] == ':')
		n++;
	return n;
}

/* Length of a sample's {labels}, or -1 if they are not well formed. */
static long labels_span(const char *text)
{
	const char *at = text;

	if (*at != '{')
		return 0;
	do {
		size_t n = name_span(++at);

		if (!n || strncmp(at + n, "=\"", 2) != 0)
			return -1;
		for (at += n + 2; *at != '"'; at++) {
			if (!*at)
				return -1;
			if (*at == '\\' && !strchr("\\\"n", *++at))
				return -1;
		}
		at++;
	} while (*at == ',');
	return *at == '}' ? at + 1 - text : -1;
}

/* Does the sample's name belong to the family that was begun last? */
static bool is_of_family(const struct prom_text *c, const char *line, size_t name_len)
{
	static const char *const suffixes[] = { "_bucket", "_sum", "_count" };
	const size_t len = strlen(c->family);

	if (strncmp(line, c->family, len) != 0)
		return false;
	if (strcmp(c->type, "histogram") != 0)
		return name_len == len;
	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++)
		if (name_len == len + strlen(suffixes[i]) &&
		    !strncmp(line + len, suffixes[i], strlen(suffixes[i])))
			return true;
	return false;
}

static const char *family_check(struct prom_text *c, const char *help, const char *type)
{
	char name[128];
	size_t len = name_span(help + 7);

	snprintf(name, sizeof(name), "%.*s", (int)len, help + 7);
	if (!type || strncmp(type, "# TYPE ", 7) != 0 ||
	    strncmp(type + 7, name, len) != 0 || type[7 + len] != ' ')
		return "HELP without TYPE";
	for (unsigned i = 0; i < c->seen_count; i++)
		if (!strcmp(c->seen[i], name))
			return "family twice";
	strcpy(c->seen[c->seen_count++], name);
	strcpy(c->family, name);
	snprintf(c->type, sizeof(c->type), "%s", type + 8 + len);
	if (!strcmp(c->type, "counter") &&
	    (len < 6 || strcmp(name + len - 6, "_total") != 0))
		return "counter without _total";
	return NULL;
}

static const char *sample_check(const struct prom_text *c, const char *line)
{
	const size_t name_len = name_span(line);
	const long labels = labels_span(line + name_len);
	char *end;

	if (!name_len || labels < 0)
		return "malformed";
	if (!is_of_family(c, line, name_len))
		return "not of the family above";
	if (line[name_len + (size_t)labels] != ' ')
		return "no value";
	(void)strtod(line + name_len + labels + 1, &end);
	return *end ? "bad value" : NULL;
}

static int line_order(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Series without their values must be different. */
static bool has_duplicates(const struct prom_text *c)
{
	static char *sorted[PROM_LINES_MAX];
	unsigned count = 0;
	bool found = false;

	for (unsigned i = 0; i < c->count; i++)
		if (c->lines[i][0] != '#')
			sorted[count++] = strndup(
				c->lines[i],
				(size_t)(strrchr(c->lines[i], ' ') - c->lines[i]));
	qsort(sorted, count, sizeof(sorted[0]), line_order);
	for (unsigned i = 1; i < count; i++)
		if (!strcmp(sorted[i - 1], sorted[i])) {
			printf("\n    twice: %s", sorted[i]);
			found = true;
		}
	for (unsigned i = 0; i < count; i++)
		free(sorted[i]);
	return found;
}

/* Buckets rise, and the last is the count. */
static const char *histogram_check(const struct prom_text *c)
{
	double last = 0, inf = 0;

	for (unsigned i = 0; i < c->count; i++) {
		const char *line = c->lines[i];
		const char *space = strrchr(line, ' ');
		double value = space ? strtod(space, NULL) : 0;

		if (line[0] == '#')
			continue;
		if (strstr(line, "_bucket{")) {
			if (value < last)
				return "buckets fall";
			last = value;
			if (strstr(line, "le=\"+Inf\"")) {
				inf = value;
				last = 0;
			}
		} else if (!strncmp(line + name_span(line) - 6, "_count", 6) &&
			   value != inf) {
			return "count is not the last bucket";
		}
	}
	return NULL;
}

unsigned prom_text_read(struct prom_text *c, const char *text)
{
	const char *histogram;
	unsigned wrongs = 0;

	memset(c, 0, sizeof(*c));
	c->text = strdup(text);
	for (char *at = strtok(c->text, "\n"); at; at = strtok(NULL, "\n")) {
		CU_ASSERT_FATAL(c->count < PROM_LINES_MAX);
		c->lines[c->count++] = at;
	}
	for (unsigned i = 0; i < c->count; i++) {
		const char *wrong = NULL;

		if (!strncmp(c->lines[i], "# HELP ", 7))
			wrong = family_check(c, c->lines[i],
					     i + 1 < c->count ? c->lines[i + 1] : NULL);
		else if (c->lines[i][0] != '#')
			wrong = sample_check(c, c->lines[i]);
		if (wrong)
			printf("\n    %s: %s", wrong, c->lines[i]);
		wrongs += wrong != NULL;
	}
	histogram = histogram_check(c);
	if (histogram)
		printf("\n    %s", histogram);
	return wrongs + (histogram != NULL) + has_duplicates(c);
}

void prom_text_free(struct prom_text *c)
{
	free(c->text);
	memset(c, 0, sizeof(*c));
}

double prom_text_value(const struct prom_text *c, const char *series)
{
	for (unsigned i = 0; i < c->count; i++)
		if (!strncmp(c->lines[i], series, strlen(series)) &&
		    c->lines[i][strlen(series)] == ' ')
			return strtod(c->lines[i] + strlen(series), NULL);
	return -1;
}

bool prom_text_type(const struct prom_text *c, const char *family, char ret[16])
{
	char start[160];

	snprintf(start, sizeof(start), "# TYPE %s ", family);
	for (unsigned i = 0; i < c->count; i++)
		if (!strncmp(c->lines[i], start, strlen(start))) {
			snprintf(ret, 16, "%s", c->lines[i] + strlen(start));
			return true;
		}
	return false;
}

void prom_text_labels(const char *line, char *out, size_t room)
{
	const char *at = line + name_span(line);
	size_t used = 0;

	out[0] = '\0';
	while (*at == '{' || *at == ',') {
		const size_t n = name_span(++at);

		if (strncmp(at, "le=", 3) != 0)
			used += (size_t)snprintf(out + used, room - used, "%s%.*s",
						 used ? "," : "", (int)n, at);
		for (at += n + 2; *at != '"'; at++)
			at += *at == '\\';
		at++;
	}
}
