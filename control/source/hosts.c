/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hosts.c - hosts lines to records.
 */
#include "source/hosts.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "corefile/config.h"
#include "dns/name.h"
#include "lane53/wire.h"
#include "source/input.h"
#include "source/records.h"
#include "source/report.h"

#define SPACES " \t\r\n\v\f"

struct inline_name {
	uint8_t wire[255];
};

struct hosts {
	const struct config_source *source;
	struct report *report;
	struct records *records;
	struct inline_name *inlines; /* sorted once the inline lines are read */
	size_t inline_count, inline_room;
	bool is_inline; /* the lines being read */
	struct config_place place;
};

static int compare_inlines(const void *a, const void *b)
{
	return name_compare(a, b);
}

static bool is_overridden(const struct hosts *h, const uint8_t *name)
{
	return !h->is_inline && h->inline_count &&
	       bsearch(name, h->inlines, h->inline_count, sizeof(*h->inlines),
		       compare_inlines);
}

static int remember_inline(struct hosts *h, const uint8_t *name)
{
	if (h->inline_count == h->inline_room) {
		size_t room = h->inline_room ? h->inline_room * 2 : 16;
		struct inline_name *inlines =
			reallocarray(h->inlines, room, sizeof(*inlines));

		if (!inlines)
			return -ENOMEM;
		h->inlines = inlines;
		h->inline_room = room;
	}
	memcpy(h->inlines[h->inline_count++].wire, name, name_size(name));
	return 0;
}

static bool is_ipv4(const uint8_t addr[16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	return memcmp(addr, mapped, sizeof(mapped)) == 0;
}

static int add(struct hosts *h, const uint8_t *owner, uint16_t type,
	       const uint8_t *rdata, size_t len)
{
	const struct record record = {
		.owner = owner,
		.type = type,
		.ttl_s = h->source->ttl_s,
		.rdata = rdata,
		.rdata_len = (uint16_t)len,
		.line = h->place.line,
	};

	return records_add(h->records, &record);
}

/* @name is lower case. */
static int add_pair(struct hosts *h, const uint8_t addr[16], const uint8_t *name,
		    size_t name_len)
{
	bool v4 = is_ipv4(addr);
	uint8_t reverse[255];
	int r = 0;

	if (!plan_names_cover(&h->source->zones, name, name_len) ||
	    is_overridden(h, name))
		return 0;
	if (h->is_inline)
		r = remember_inline(h, name);
	if (r == 0)
		r = add(h, name, v4 ? TYPE_A : TYPE_AAAA, v4 ? addr + 12 : addr,
			v4 ? 4 : 16);
	if (r || h->source->no_reverse || memcmp(name, "\1*", 2) == 0)
		return r;
	name_of_address(reverse, addr);
	return add(h, reverse, TYPE_PTR, name, name_len);
}

/* Return: is @text an address?  IPv4 as IPv4-mapped. */
static bool parse_address(uint8_t addr[16], const char *text)
{
	if (inet_pton(AF_INET6, text, addr) == 1)
		return true;
	memset(addr, 0, 10);
	memset(addr + 10, 0xff, 2);
	return inet_pton(AF_INET, text, addr + 12) == 1;
}

static void complain(struct hosts *h, const char *value, const char *expected)
{
	char quote[INPUT_QUOTE_ROOM];

	report_problem(h->report, false, h->place.file, h->place.line,
		       "\"%s\": expected %s", input_quote(quote, value), expected);
}

/* Read one line, which is cut up. */
static int read_line(struct hosts *h, char *line)
{
	char *rest = NULL, *word;
	uint8_t addr[16], name[255];
	bool has_name = false, complained = false;
	int r = 0;

	line[strcspn(line, "#")] = 0;
	word = strtok_r(line, SPACES, &rest);
	if (!word)
		return 0;
	if (strchr(word, '%'))
		return 0;
	if (!parse_address(addr, word)) {
		complain(h, word, "an IPv4 or IPv6 address in front of names");
		return 0;
	}
	line = word;
	while (r == 0 && (word = strtok_r(NULL, SPACES, &rest))) {
		size_t len = name_from_text(name, word);

		has_name = true;
		if (len == 0 || len == 1) {
			if (!complained)
				complain(h, word,
					 "a domain name: labels of 1 to 63 bytes, "
					 "255 in all");
			complained = true;
			continue;
		}
		name_lower(name, name);
		r = add_pair(h, addr, name, len);
	}
	if (!has_name)
		complain(h, line, "a name behind the address");
	return r;
}

static int read_inlines(struct hosts *h)
{
	int r = 0;

	h->is_inline = true;
	for (unsigned i = 0; i < h->source->line_count && r == 0; i++) {
		char *line = strdup(h->source->lines[i]);

		if (!line)
			return -ENOMEM;
		h->place = h->source->line_places[i];
		r = read_line(h, line);
		free(line);
	}
	h->is_inline = false;
	if (h->inline_count)
		qsort(h->inlines, h->inline_count, sizeof(*h->inlines),
		      compare_inlines);
	return r;
}

static int read_file(struct hosts *h)
{
	const char *path = h->source->path;
	char *line = NULL;
	size_t room = 0;
	FILE *file;
	int r;

	if (!path || !*path)
		return 0;
	r = input_open(&file, path, h->report);
	if (r)
		return r == -ENOMEM ? r : HOSTS_NO_FILE;
	h->place = (struct config_place){ path, 0 };
	while (r == 0 && getline(&line, &room, file) >= 0) {
		h->place.line++;
		r = read_line(h, line);
	}
	if (r == 0 && ferror(file)) {
		report_problem(h->report, true, path, h->place.line + 1,
			       "cannot be read further; expected a readable file");
		r = HOSTS_NO_FILE;
	}
	free(line);
	fclose(file);
	return r;
}

int hosts_read(struct records **ret_records, const struct config_source *source,
	       struct report *report)
{
	struct hosts h = { .source = source, .report = report };
	int r = records_open(&h.records), r_file;

	if (r)
		return r;
	r = read_inlines(&h);
	r_file = r ? r : read_file(&h);
	r = r_file;
	if (r >= 0 && input_end(h.records, source->path, report))
		r = -ENOMEM;
	report_end(report, source->path);
	free(h.inlines);
	if (r < 0) {
		records_close(h.records);
		return r;
	}
	*ret_records = h.records;
	return r;
}
