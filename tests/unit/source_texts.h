/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * source_texts.h - what the tests of loaders share: files, records and problems as text.
 */
#ifndef LANE53_SOURCE_TEXTS_H
#define LANE53_SOURCE_TEXTS_H

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dns/name.h"
#include "lane53/wire.h"
#include "source/records.h"
#include "source/report.h"

#define TEXT_ROOM 20000

/* A file in the test's own directory, written anew. */
static inline void write_text(const char *path, const char *text, size_t len)
{
	FILE *file = fopen(path, "w");

	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	CU_ASSERT_EQUAL(fwrite(text, 1, len, file), len);
	fclose(file);
}

static inline void print_rdata(char *out, uint16_t type, const uint8_t *rdata,
			       uint16_t len)
{
	out += strlen(out);
	*out++ = ' ';
	*out = 0;
	if (type == TYPE_A || type == TYPE_AAAA)
		inet_ntop(type == TYPE_A ? AF_INET : AF_INET6, rdata, out, 64);
	else if (type == TYPE_PTR || type == TYPE_CNAME || type == TYPE_NS)
		name_to_text(out, rdata);
	else
		sprintf(out, "[%u]", len);
}

/* "owner type ttl rdata [rdata...];" for each RRset. */
static inline int print_records(void *context, const uint8_t *owner,
				const struct rrset *set, unsigned line)
{
	char *text = context, name[NAME_TEXT_ROOM];
	const uint8_t *rdata;
	uint16_t len;
	size_t pos = 0;

	(void)line;
	name_to_text(name, owner);
	sprintf(text + strlen(text), "%s %u %u", name, set->type, set->ttl_s);
	while (rrset_next(set, &pos, &rdata, &len))
		print_rdata(text, set->type, rdata, len);
	strcat(text, ";");
	return 0;
}

/* "LINE" of each problem, "!" in front if it is fatal; its text behind in brackets. */
static inline void print_problem(void *context, bool fatal,
				 const struct problem *problem)
{
	char *text = context;

	sprintf(text + strlen(text), "%s%u(%s) ", fatal ? "!" : "", problem->line,
		problem->text);
}

#endif
