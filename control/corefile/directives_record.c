/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * directives_record.c - directives that answer from files: hosts, file, auto.
 */
#include <string.h>
#include "corefile/directive.h"
#include "dns/name.h"

/* What all three have: a source, and the step that asks it. */
struct records {
	struct config_source *source;
	struct config_step *step;
};

static void no_check(struct compile *c, const struct statement *s)
{
	(void)c;
	(void)s;
}

static struct records *records_begin(struct compile *c, const struct statement *s,
				     enum config_source_kind kind)
{
	struct records *records = arena_take(c->arena, sizeof(*records));
	struct config *config = c->config;

	records->source = ARENA_PUSH(c->arena, config->sources, config->source_count);
	records->source->kind = kind;
	records->source->place = s->words[0].place;
	records->step = compile_step(c, kind == SOURCE_HOSTS ? STEP_HOSTS : STEP_ZONE);
	records->step->source = (int)config->source_count - 1;
	c->state = records;
	return records;
}

static void records_reload(struct compile *c, const struct statement *s)
{
	struct records *records = c->state;

	compile_duration(c, s, 1, 0, DURATION_MAX, &records->source->reload_ms);
}

static void records_fallthrough(struct compile *c, const struct statement *s)
{
	struct records *records = c->state;

	records->step->fallthrough.on = true;
	records->step->fallthrough.zones = compile_zones(c, s, 1);
}

/* ---- hosts ---- */

/*
 * @base, or "@base #2" where an earlier directive has it already: blocks for the same
 * zone and port may differ by `bind` only, and must not share their records.
 */
static const char *hosts_id(struct compile *c, const char *base)
{
	const struct config *config = c->config;
	const char *id = base;
	unsigned number = 1;

	for (unsigned i = 0; i < config->source_count; i++) {
		if (!config->sources[i].id || strcmp(config->sources[i].id, id))
			continue;
		id = arena_format(c->arena, "%s #%u", base, ++number);
		i = (unsigned)-1; /* that one may be taken as well */
	}
	return id;
}

void hosts_begin(struct compile *c, const struct statement *s)
{
	struct records *records = records_begin(c, s, SOURCE_HOSTS);
	struct config_source *source = records->source;
	const struct config_key *key = c->block->keys;
	char zone[NAME_TEXT_ROOM];

	source->path = s->count > 1 ? s->words[1].text : "/etc/hosts";
	if (!*source->path)
		compile_error(c, &s->words[1], "hosts: found '', expected a file");
	source->zones = compile_zones(c, s, 2);
	source->ttl_s = 3600;
	source->reload_ms = 5000;
	records->step->zones = source->zones;
	(void)name_to_text(zone, key->zones.at[0].wire);
	source->id = hosts_id(c, arena_format(c->arena, "hosts %s:%u %s", zone,
					      key->port, source->path));
}

/* IP NAME...: an entry of a hosts file, written here. */
bool hosts_line(struct compile *c, const struct statement *s)
{
	struct records *records = c->state;
	struct config_source *source = records->source;
	const struct token *word = &s->words[0];
	const char **lines = (const char **)source->lines;
	struct config_place *places = (struct config_place *)source->line_places;
	unsigned place_count = source->line_count;
	const char *line = word->text;
	uint8_t addr[16];

	if (!value_address(word->text, addr))
		return false;
	if (s->count < 2 || s->braces) {
		compile_error(c, word,
			      "hosts: found '%s' alone, expected ADDRESS NAME...",
			      word->text);
		return true;
	}
	for (unsigned i = 1; i < s->count; i++) {
		struct plan_name name;

		if (!value_name(s->words[i].text, &name) && !s->words[i].quoted)
			compile_error(c, &s->words[i],
				      "hosts: found '%s', expected a host name",
				      s->words[i].text);
		line = arena_format(c->arena, "%s %s", line, s->words[i].text);
	}
	*ARENA_PUSH(c->arena, places, place_count) = word->place;
	*ARENA_PUSH(c->arena, lines, source->line_count) = line;
	source->lines = lines;
	source->line_places = places;
	return true;
}

static void hosts_ttl(struct compile *c, const struct statement *s)
{
	struct records *records = c->state;

	compile_number(c, s, 1, 1, INT32_MAX, &records->source->ttl_s);
}

static void hosts_no_reverse(struct compile *c, const struct statement *s)
{
	struct records *records = c->state;

	(void)s;
	records->source->no_reverse = true;
}

const struct option hosts_options[] = {
	{ "ttl", "SECONDS", "of every record; default 3600", 1, 1, false, hosts_ttl },
	{ "no_reverse", "", "no PTR records", 0, 0, false, hosts_no_reverse },
	{ "reload", "DURATION",
	  "how often the file is looked at (time and size); default 5s, 0 = never", 1,
	  1, false, records_reload },
	{ "fallthrough", "[ZONES...]",
	  "names not found here go to the next directive; with zones: only those", 0,
	  ANY_NUMBER, false, records_fallthrough },
	{ "fallthrough_unsupported", "",
	  "other types of a name found here go to the next directive", 0, 0, true,
	  no_check },
	{ 0 },
};

/* ---- file ---- */

void file_begin(struct compile *c, const struct statement *s)
{
	struct records *records = records_begin(c, s, SOURCE_ZONE_FILE);
	struct config_source *source = records->source;

	source->path = s->words[1].text;
	if (!*source->path)
		compile_error(c, &s->words[1], "file: found '', expected a zone file");
	source->zones = compile_origins(c, s, 2);
	source->reload_ms = 60000;
	records->step->zones = source->zones;
}

static void file_by_mtime(struct compile *c, const struct statement *s)
{
	struct records *records = c->state;

	(void)s;
	records->source->reload_by_mtime = true;
}

const struct option file_options[] = {
	{ "reload", "DURATION",
	  "how often the file is looked at, by its SOA serial; default 1m, 0 = never",
	  1, 1, false, records_reload },
	{ "reload_by_mtime", "", "look at the file's time rather than the serial", 0, 0,
	  false, file_by_mtime },
	{ "fallthrough", "[ZONES...]",
	  "names that do not exist go to the next directive", 0, ANY_NUMBER, false,
	  records_fallthrough },
	{ 0 },
};

/* ---- auto ---- */

void auto_begin(struct compile *c, const struct statement *s)
{
	struct records *records = records_begin(c, s, SOURCE_AUTO);
	struct config_source *source = records->source;

	source->zones = compile_origins(c, s, 1);
	source->pattern = "db\\.(.*)";
	source->origin_text = "{1}";
	source->reload_ms = 60000;
	records->step->zones = source->zones;
}

static void auto_directory(struct compile *c, const struct statement *s)
{
	struct records *records = c->state;
	struct config_source *source = records->source;

	source->path = s->words[1].text;
	if (!*source->path)
		compile_error(c, &s->words[1],
			      "auto: directory: found '', expected a directory");
	if (s->count == 3)
		compile_error(c, &s->words[2],
			      "auto: directory: found '%s' alone, expected REGEXP "
			      "TEMPLATE",
			      s->words[2].text);
	if (s->count < 4)
		return;
	compile_regex(c, &s->words[2]);
	source->pattern = s->words[2].text;
	source->origin_text = s->words[3].text;
}

void auto_end(struct compile *c, const struct statement *s)
{
	struct records *records = c->state;

	if (!records->source->path) {
		records->source->path = "";
		compile_error(
			c, &s->words[0],
			"auto: found no directory, expected { directory DIR ... }");
	}
}

const struct option auto_options[] = {
	{ "directory", "DIR [REGEXP TEMPLATE]",
	  "where zone files are; the zone's name is TEMPLATE with {1} ... for the "
	  "groups of "
	  "REGEXP in the file's name; default db\\.(.*) {1}",
	  1, 3, false, auto_directory },
	{ "reload", "DURATION",
	  "how often the directory and its zones are looked at; default 1m, 0 = never",
	  1, 1, false, records_reload },
	{ 0 },
};
