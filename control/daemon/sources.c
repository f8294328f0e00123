/* SPDX-License-Identifier: BSD-3-Clause */
/* sources.c - see sources.h and sources_parts.h. */
#include "sources.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "corefile/config.h"
#include "daemon/commit.h"
#include "daemon/daemon.h"
#include "daemon/log.h"
#include "daemon/sources_parts.h"
#include "dns/name.h"
#include "plan/plan.h"
#include "source/auto.h"
#include "source/hosts.h"
#include "source/records.h"
#include "source/report.h"
#include "source/zonefile.h"
#include "store/store.h"

/* ---- reports ---- */

struct telling {
	char *first; /* first problem: degraded_set() logs it */
	size_t room;
	bool lenient; /* a hosts file's bad line is worth a place in `degraded` */
};

static void tell(void *context, bool fatal, const struct problem *problem)
{
	struct telling *telling = context;

	if ((fatal || telling->lenient) && !telling->first[0])
		problem_format(problem, telling->first, telling->room);
	else
		log_problem(problem, fatal);
}

static void key_of(const struct unit *unit, char *out, size_t room)
{
	snprintf(out, room, "source/%s", unit->id);
}

/* ---- making ---- */

struct stamp sources_stamp(const char *path)
{
	struct stamp stamp = { .exists = false };
	struct stat st;

	if (path && stat(path, &st) == 0)
		stamp = (struct stamp){ st.st_mtim, st.st_size, st.st_ino, true };
	return stamp;
}

static struct unit *add_unit(struct sources *s, unsigned directive)
{
	struct unit *units = realloc(s->units, (s->unit_count + 1) * sizeof(*units));
	struct unit *unit;

	if (!units)
		return NULL;
	s->units = units;
	unit = &units[s->unit_count++];
	memset(unit, 0, sizeof(*unit));
	unit->directive = directive;
	return unit;
}

static int add_zone(struct sources *s, unsigned directive, const char *path,
		    const struct plan_name *origin)
{
	struct unit *unit = add_unit(s, directive);

	if (!unit)
		return -ENOMEM;
	unit->path = path;
	unit->origin = *origin;
	config_zone_id(unit->id, sizeof(unit->id), path, origin->wire);
	return 0;
}

static int add_found(struct sources *s, unsigned directive,
		     const struct auto_zone *zone)
{
	struct config_found *found =
		realloc(s->found, (s->found_count + 1) * sizeof(*found));

	if (!found)
		return -ENOMEM;
	s->found = found;
	found[s->found_count++] = (struct config_found){ .source = directive,
							 .path = zone->path,
							 .origin = zone->origin };
	return add_zone(s, directive, zone->path, &zone->origin);
}

static bool is_same_text(const char *a, const char *b)
{
	return !strcmp(a ? a : "", b ? b : "");
}

static bool is_same_auto(const struct config_source *a, const struct config_source *b)
{
	return a->kind == SOURCE_AUTO && b->kind == SOURCE_AUTO &&
	       is_same_text(a->path, b->path) && is_same_text(a->pattern, b->pattern) &&
	       is_same_text(a->origin_text, b->origin_text);
}

/* The directory cannot be read: the zones in use were in it, and stay. */
static int keep_zones(struct sources *s, unsigned directive)
{
	const struct config_source *source = &s->config->sources[directive];
	const struct sources *old = s->d->sources;
	struct auto_zones *zones = &s->scans[directive];
	unsigned from = 0;

	while (old && from < old->directive_count &&
	       !is_same_auto(&old->config->sources[from], source))
		from++;
	if (!old || from == old->directive_count)
		return 0;
	zones->at = calloc(old->scans[from].count + 1, sizeof(*zones->at));
	if (!zones->at)
		return -ENOMEM;
	for (; zones->count < old->scans[from].count; zones->count++) {
		const struct auto_zone *zone = &old->scans[from].at[zones->count];

		zones->at[zones->count].origin = zone->origin;
		zones->at[zones->count].path = strdup(zone->path);
		if (!zones->at[zones->count].path)
			return -ENOMEM;
	}
	return 0;
}

static int scan(struct sources *s, unsigned directive)
{
	const struct config_source *source = &s->config->sources[directive];
	struct auto_zones *zones = &s->scans[directive];
	char key[600], text[768] = "";
	struct telling telling = { text, sizeof(text), false };
	struct report report = { .each = tell, .context = &telling };
	int r = auto_scan(zones, source, &report);

	report_end(&report, source->path);
	snprintf(key, sizeof(key), "auto/%s", source->path);
	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		degraded_set(&s->d->degraded, key, "%s", text);
		*zones = (struct auto_zones){ 0 };
		r = keep_zones(s, directive);
	} else {
		degraded_clear(&s->d->degraded, key);
	}
	for (unsigned i = 0; i < zones->count && r == 0; i++)
		r = add_found(s, directive, &zones->at[i]);
	return r;
}

static int add_directive(struct sources *s, unsigned directive)
{
	const struct config_source *source = &s->config->sources[directive];
	struct unit *unit;
	int r = 0;

	switch (source->kind) {
	case SOURCE_HOSTS:
		unit = add_unit(s, directive);
		if (!unit)
			return -ENOMEM;
		unit->path = source->path;
		snprintf(unit->id, sizeof(unit->id), "%s", source->id);
		return 0;
	case SOURCE_ZONE_FILE:
		for (unsigned i = 0; i < source->zones.count && r == 0; i++)
			r = add_zone(s, directive, source->path, &source->zones.at[i]);
		return r;
	case SOURCE_AUTO:
		return scan(s, directive);
	}
	return 0;
}

void sources_release(struct sources *s)
{
	if (--s->open > 0)
		return;
	for (unsigned i = 0; i < s->directive_count && s->scans; i++)
		auto_zones_deinit(&s->scans[i]);
	free(s->scans);
	free(s->found);
	free(s->units);
	free(s->watchers);
	free(s);
}

int sources_open(struct sources **ret, struct daemon *d, const struct config *config)
{
	struct sources *s = calloc(1, sizeof(*s));
	int r = 0;

	if (!s)
		return -ENOMEM;
	s->d = d;
	s->config = config;
	s->directive_count = config->source_count;
	s->open = 1;
	s->scans = calloc(config->source_count + 1, sizeof(*s->scans));
	s->watchers = calloc(config->source_count + 1, sizeof(*s->watchers));
	if (!s->scans || !s->watchers)
		r = -ENOMEM;
	for (unsigned i = 0; i < config->source_count && r == 0; i++)
		r = add_directive(s, i);
	if (r < 0) {
		sources_release(s);
		return r;
	}
	*ret = s;
	return 0;
}

static void on_watcher_closed(uv_handle_t *handle)
{
	struct watcher *watcher = handle->data;

	sources_release(watcher->sources);
}

void sources_close(struct sources *s)
{
	if (!s)
		return;
	for (unsigned i = 0; i < s->directive_count; i++)
		if (s->watchers[i].sources) {
			uv_timer_stop(&s->watchers[i].timer);
			uv_close((uv_handle_t *)&s->watchers[i].timer,
				 on_watcher_closed);
		}
	sources_release(s);
}

const struct config_found *sources_found(const struct sources *s, unsigned *ret_count)
{
	*ret_count = s->found_count;
	return s->found;
}

/* ---- loading ---- */

struct noting {
	struct commit *commit;
	uint32_t source;
};

static int note_changed(void *context, const uint8_t *owner)
{
	struct noting *noting = context;

	return commit_changed(noting->commit, noting->source, owner);
}

static int read_unit(struct sources *s, const struct unit *unit,
		     struct records **ret_records, char *trouble, size_t room)
{
	const struct config_source *source = &s->config->sources[unit->directive];
	struct telling telling = { trouble, room, source->kind == SOURCE_HOSTS };
	struct report report = { .each = tell, .context = &telling };
	int r;

	if (source->kind == SOURCE_HOSTS)
		r = hosts_read(ret_records, source, &report);
	else
		r = zonefile_read(ret_records, unit->path, unit->origin.wire, &report);
	report_end(&report, unit->path);
	return r;
}

static int commit_records(struct unit *unit, struct records *records,
			  struct commit *commit)
{
	struct noting noting = { commit, unit->source };
	int r = records_diff(records, commit_reader(commit), unit->source, note_changed,
			     &noting);

	if (r == 0)
		r = records_commit(records, commit_writer(commit), unit->source);
	unit->records = records_count(records);
	return r;
}

/*
 * Did a file of @unit ever get into the store?  Of a hosts file that was never there the
 * inline lines are all there is; of one that vanished the last good state stays.  The
 * store remembers, so it is so after a restart as well.
 */
static void file_key(const struct unit *unit, char *out, size_t room)
{
	snprintf(out, room, "file of %s", unit->id);
}

static bool had_file(const struct unit *unit, struct commit *commit)
{
	const void *bytes;
	char key[600];
	size_t len;

	file_key(unit, key, sizeof(key));
	return store_meta_get(commit_reader(commit), key, &bytes, &len) && len > 0;
}

static int remember_file(const struct unit *unit, struct commit *commit)
{
	char key[600];

	if (!unit->path || !*unit->path || had_file(unit, commit))
		return 0;
	file_key(unit, key, sizeof(key));
	return store_meta_put(commit_writer(commit), key, "1", 1);
}

static bool count_set(void *context, const uint8_t *owner, const struct rrset *set)
{
	size_t *records = context;

	(void)owner;
	*records += set->count;
	return true;
}

/* The file is not to be used: the store keeps what it has of it. */
static void keep_last(struct sources *s, struct unit *unit, struct commit *commit,
		      const char *trouble)
{
	static const uint8_t root[1];
	char key[600];

	unit->bad = true;
	unit->records = 0;
	store_each(commit_reader(commit), unit->source, root, count_set,
		   &unit->records);
	key_of(unit, key, sizeof(key));
	snprintf(unit->state, sizeof(unit->state), "%s",
		 trouble[0] ? trouble : "out of memory");
	degraded_set(&s->d->degraded, key, "%s; %s", unit->state,
		     unit->records ? "the records of the last good read stay"
				   : "it has no records until it can be read");
}

int sources_load_unit(struct sources *s, struct unit *unit, struct commit *commit)
{
	struct records *records = NULL;
	struct stamp stamp = sources_stamp(unit->path);
	char trouble[700] = "", key[600];
	bool no_file;
	int r;

	r = store_id(commit_writer(commit), "source", unit->id, &unit->source);
	if (r < 0)
		return r;
	r = read_unit(s, unit, &records, trouble, sizeof(trouble));
	unit->stamp = stamp;
	if (r < 0 || (r == HOSTS_NO_FILE && had_file(unit, commit))) {
		if (r >= 0)
			records_close(records);
		keep_last(s, unit, commit, trouble);
		return 0;
	}
	no_file = r == HOSTS_NO_FILE;
	unit->bad = false;
	unit->read_at = time(NULL);
	key_of(unit, key, sizeof(key));
	snprintf(unit->state, sizeof(unit->state), "%s", trouble[0] ? trouble : "ok");
	if (trouble[0])
		degraded_set(&s->d->degraded, key, "%s", trouble);
	else
		degraded_clear(&s->d->degraded, key);
	unit->has_serial = s->config->sources[unit->directive].kind != SOURCE_HOSTS &&
			   zonefile_serial(records, unit->origin.wire, &unit->serial);
	r = commit_records(unit, records, commit);
	if (r == 0 && !no_file)
		r = remember_file(unit, commit);
	records_close(records);
	return r;
}

int sources_load(struct sources *s, struct commit *commit)
{
	int r = 0;

	degraded_begin(&s->d->degraded, "source/");
	for (unsigned i = 0; i < s->unit_count && r == 0; i++)
		r = sources_load_unit(s, &s->units[i], commit);
	degraded_end(&s->d->degraded, "source/");
	return r;
}

/* ---- showing ---- */

static const char *kind_name(enum config_source_kind kind)
{
	switch (kind) {
	case SOURCE_HOSTS:
		return "hosts";
	case SOURCE_ZONE_FILE:
		return "file";
	case SOURCE_AUTO:
		return "auto";
	}
	return "?";
}

static const struct unit *unit_of(const struct sources *s, uint32_t source)
{
	for (unsigned i = 0; i < s->unit_count; i++)
		if (s->units[i].source == source)
			return &s->units[i];
	return NULL;
}

json_t *sources_of_block(const struct sources *s, const struct plan *plan,
			 unsigned block)
{
	const struct plan_block *b = &plan->blocks[block];
	json_t *list = json_array();

	for (unsigned i = 0; i < b->step_count; i++) {
		const struct unit *unit =
			b->steps[i].source ? unit_of(s, b->steps[i].source) : NULL;

		if (!unit)
			continue;
		json_array_append_new(
			list,
			json_pack("{s:s, s:s, s:I, s:I, s:s}", "kind",
				  kind_name(s->config->sources[unit->directive].kind),
				  "path", unit->path ? unit->path : "(inline)",
				  "records", (json_int_t)unit->records, "read_at",
				  (json_int_t)unit->read_at, "state", unit->state));
	}
	return list;
}

const char *sources_path(const struct sources *s, uint32_t source)
{
	const struct unit *unit = unit_of(s, source);

	return !unit ? NULL : unit->path ? unit->path : "(inline)";
}
