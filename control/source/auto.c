/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * auto.c - a directory of zone files.
 *
 * Symbolic links to files are followed, to directories not: a Kubernetes volume shows
 * its files as links into a hidden directory, and each is to be found once.
 */
#include "source/auto.h"

#include <dirent.h>
#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "corefile/config.h"
#include "dns/name.h"
#include "source/input.h"
#include "source/report.h"

#define GROUPS    10 /* {0}, the whole match, to {9} */
#define DEPTH_MAX 8  /* directories below one another; more is a mistake */

struct scan {
	const struct config_source *source;
	struct report *report;
	regex_t pattern;
	struct auto_zones zones;
	unsigned room;
};

/* Put the groups of @match in @file into the template.  Return: did it fit? */
static bool expand(char *out, size_t room, const char *template, const char *file,
		   const regmatch_t *match)
{
	size_t used = 0;

	while (*template) {
		const char *from = template;
		size_t len = 1;

		if (template[0] == '{' && template[1] >= '0' && template[1] <= '9' &&
		    template[2] == '}') {
			const regmatch_t *group = &match[template[1] - '0'];

			len = group->rm_so < 0 ? 0
					       : (size_t)(group->rm_eo - group->rm_so);
			from = file + (group->rm_so < 0 ? 0 : group->rm_so);
			template += 2;
		}
		template ++;
		if (len >= room - used)
			return false;
		memcpy(out + used, from, len);
		used += len;
	}
	out[used] = 0;
	return true;
}

static int append(struct scan *s, const char *path, const struct plan_name *origin)
{
	struct auto_zone *zone;

	if (s->zones.count == s->room) {
		unsigned room = s->room ? s->room * 2 : 16;

		zone = reallocarray(s->zones.at, room, sizeof(*zone));
		if (!zone)
			return -ENOMEM;
		s->zones.at = zone;
		s->room = room;
	}
	zone = &s->zones.at[s->zones.count];
	zone->path = strdup(path);
	if (!zone->path)
		return -ENOMEM;
	zone->origin = *origin;
	s->zones.count++;
	return 0;
}

static int look_at_file(struct scan *s, const char *path, const char *file)
{
	char text[NAME_TEXT_ROOM], quote[INPUT_QUOTE_ROOM];
	regmatch_t match[GROUPS];
	struct plan_name origin;

	if (regexec(&s->pattern, file, GROUPS, match, 0))
		return 0;
	if (!expand(text, sizeof(text), s->source->origin_text, file, match))
		text[0] = 0;
	origin.len = (uint8_t)name_from_text(origin.wire, text);
	if (origin.len == 0) {
		report_problem(s->report, false, path, 0,
			       "its name gives the zone \"%s\": expected a domain name",
			       input_quote(quote, text));
		return 0;
	}
	name_lower(origin.wire, origin.wire);
	if (!plan_names_cover(&s->source->zones, origin.wire, origin.len)) {
		report_problem(s->report, false, path, 0,
			       "left out: the zone \"%s\" is outside of this "
			       "directive's zones",
			       input_quote(quote, text));
		return 0;
	}
	return append(s, path, &origin);
}

static int scan_directory(struct scan *s, const char *directory, unsigned depth);

static int look_at(struct scan *s, const char *directory, const char *file,
		   unsigned depth)
{
	char path[4096];
	struct stat st;

	if (file[0] == '.')
		return 0;
	if ((size_t)snprintf(path, sizeof(path), "%s/%s", directory, file) >=
	    sizeof(path))
		return 0;
	if (lstat(path, &st))
		return 0; /* it has just gone */
	if (S_ISDIR(st.st_mode))
		return depth < DEPTH_MAX ? scan_directory(s, path, depth + 1) : 0;
	if (stat(path, &st) || !S_ISREG(st.st_mode))
		return 0;
	return look_at_file(s, path, file);
}

static int scan_directory(struct scan *s, const char *directory, unsigned depth)
{
	DIR *dir = opendir(directory);
	const struct dirent *entry;
	int r = 0;

	if (!dir) {
		/* The top one is all there is; without one below it the rest is served. */
		report_problem(s->report, depth == 0, directory, 0,
			       "cannot be read: %s; expected a directory of zone files",
			       strerror(errno));
		return depth == 0 ? -EINVAL : 0;
	}
	while (r == 0 && (entry = readdir(dir)))
		r = look_at(s, directory, entry->d_name, depth);
	closedir(dir);
	return r;
}

static int compare_paths(const void *a, const void *b)
{
	return strcmp(((const struct auto_zone *)a)->path,
		      ((const struct auto_zone *)b)->path);
}

/* Which of the zones before @idx has its origin?  Few enough to look at all. */
static const struct auto_zone *find_earlier(const struct auto_zones *zones,
					    unsigned idx)
{
	for (unsigned i = 0; i < idx; i++)
		if (name_equal(zones->at[i].origin.wire, zones->at[idx].origin.wire))
			return &zones->at[i];
	return NULL;
}

static void drop_repeated(struct scan *s)
{
	struct auto_zones *zones = &s->zones;
	unsigned kept = 0;

	for (unsigned i = 0; i < zones->count; i++) {
		const struct auto_zone *earlier;

		zones->at[kept] = zones->at[i];
		earlier = find_earlier(zones, kept);
		if (!earlier) {
			kept++;
			continue;
		}
		report_problem(
			s->report, false, zones->at[kept].path, 0,
			"left out: %s is the same zone; expected one file for it",
			earlier->path);
		free(zones->at[kept].path);
	}
	zones->count = kept;
}

static int compile(struct scan *s)
{
	char why[200];
	int code = regcomp(&s->pattern, s->source->pattern, REG_EXTENDED);

	if (code == 0)
		return 0;
	if (code == REG_ESPACE)
		return -ENOMEM;
	regerror(code, &s->pattern, why, sizeof(why));
	report_problem(s->report, true, s->source->place.file, s->source->place.line,
		       "\"%s\": %s; expected a POSIX extended regular expression",
		       s->source->pattern, why);
	return -EINVAL;
}

int auto_scan(struct auto_zones *ret_zones, const struct config_source *source,
	      struct report *report)
{
	struct scan s = { .source = source, .report = report };
	int r = compile(&s);

	if (r == 0) {
		r = scan_directory(&s, source->path, 0);
		regfree(&s.pattern);
	}
	if (r == 0 && s.zones.count) {
		qsort(s.zones.at, s.zones.count, sizeof(*s.zones.at), compare_paths);
		drop_repeated(&s);
	}
	report_end(report, source->path);
	if (r) {
		auto_zones_deinit(&s.zones);
		return r;
	}
	*ret_zones = s.zones;
	return 0;
}

void auto_zones_deinit(struct auto_zones *zones)
{
	for (unsigned i = 0; i < zones->count; i++)
		free(zones->at[i].path);
	free(zones->at);
	*zones = (struct auto_zones){ 0 };
}
