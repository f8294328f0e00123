/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * prom_text.h - read the Prometheus text format as strictly as promtool does.
 */
#ifndef LANE53_TEST_PROM_TEXT_H
#define LANE53_TEST_PROM_TEXT_H

#include <stdbool.h>
#include <stddef.h>

enum { PROM_LINES_MAX = 4000 };

struct prom_text {
	char *text; /* cut into lines */
	char *lines[PROM_LINES_MAX];
	unsigned count;
	char family[128], type[16];
	char seen[PROM_LINES_MAX][128]; /* families */
	unsigned seen_count;
};

/* Return: how many things are wrong with @text; each is printed. */
unsigned prom_text_read(struct prom_text *c, const char *text);
void prom_text_free(struct prom_text *c);

/* The value of exactly this series, or -1. */
double prom_text_value(const struct prom_text *c, const char *series);

/* The type of a family.  Return: is it there? */
bool prom_text_type(const struct prom_text *c, const char *family, char ret[16]);

/* The names of a sample's labels but `le`, by commas, in their order. */
void prom_text_labels(const char *line, char *out, size_t room);

#endif
