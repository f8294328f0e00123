/* SPDX-License-Identifier: BSD-3-Clause */
/* sources_watch.c - look for changes of files, as the directives' reload options say. */
#include "sources.h"

#include <stdio.h>
#include <string.h>

#include "corefile/config.h"
#include "daemon/commit.h"
#include "daemon/daemon.h"
#include "daemon/log.h"
#include "daemon/sources_parts.h"
#include "dns/name.h"
#include "source/auto.h"
#include "source/records.h"
#include "source/report.h"
#include "source/zonefile.h"

static bool is_same_stamp(const struct stamp *a, const struct stamp *b)
{
	return a->exists == b->exists && a->size == b->size && a->inode == b->inode &&
	       a->mtime.tv_sec == b->mtime.tv_sec &&
	       a->mtime.tv_nsec == b->mtime.tv_nsec;
}

/* Does `auto` find other files than before? */
static bool has_other_files(struct sources *s, unsigned directive)
{
	struct report quiet = { .each = NULL };
	const struct auto_zones *was = &s->scans[directive];
	struct auto_zones is;
	bool differs;

	if (auto_scan(&is, &s->config->sources[directive], &quiet) < 0)
		return false;
	differs = is.count != was->count;
	for (unsigned i = 0; i < is.count && !differs; i++)
		differs = strcmp(is.at[i].path, was->at[i].path) != 0 ||
			  !name_equal(is.at[i].origin.wire, was->at[i].origin.wire);
	auto_zones_deinit(&is);
	return differs;
}

/* A zone file whose serial stands is left alone, as CoreDNS does. */
static bool has_same_serial(struct sources *s, const struct unit *unit)
{
	const struct config_source *source = &s->config->sources[unit->directive];
	struct report quiet = { .each = NULL };
	struct records *records;
	uint32_t serial;
	bool same;

	if (source->kind == SOURCE_HOSTS || source->reload_by_mtime ||
	    !unit->has_serial)
		return false;
	if (zonefile_read(&records, unit->path, unit->origin.wire, &quiet) < 0)
		return false; /* sources_load_unit() will say why */
	same = zonefile_serial(records, unit->origin.wire, &serial) &&
	       serial == unit->serial;
	records_close(records);
	return same;
}

/* Read @unit and commit what changed.  Return: 0 or the store's negative errno. */
static int commit_unit(struct sources *s, struct unit *unit)
{
	struct commit *commit;
	int r = commit_begin(&commit, s->d->commits);

	if (r < 0)
		return r;
	r = sources_load_unit(s, unit, commit);
	if (r < 0) {
		commit_abort(commit);
		return r;
	}
	return commit_end(commit, NULL, NULL);
}

static void reload_unit(struct sources *s, struct unit *unit)
{
	char key[600];
	int r = commit_unit(s, unit);

	snprintf(key, sizeof(key), "write/%s", unit->id);
	if (r == 0) {
		degraded_clear(&s->d->degraded, key);
		if (!unit->bad)
			log_info("%s reloaded: %zu records", unit->path, unit->records);
		return;
	}
	degraded_set(
		&s->d->degraded, key,
		"%s changed, but the zone store cannot be written: %s; it is tried "
		"again",
		unit->path, strerror(-r));
	/* whatever was read is not in the store: no stamp and no serial speaks for it */
	unit->stamp = (struct stamp){ .size = -1 };
	unit->has_serial = false;
}

static void on_watch(uv_timer_t *timer)
{
	struct watcher *watcher = timer->data;
	struct sources *s = watcher->sources;

	if (s->d->ending)
		return;
	if (s->config->sources[watcher->directive].kind == SOURCE_AUTO &&
	    has_other_files(s, watcher->directive)) {
		setup_again(s->d);
		return; /* these sources may be gone now */
	}
	for (unsigned i = 0; i < s->unit_count; i++) {
		struct unit *unit = &s->units[i];
		struct stamp now = sources_stamp(unit->path);

		if (unit->directive != watcher->directive ||
		    is_same_stamp(&unit->stamp, &now))
			continue;
		if (has_same_serial(s, unit))
			unit->stamp = now;
		else
			reload_unit(s, unit);
	}
}

void sources_watch(struct sources *s)
{
	for (unsigned i = 0; i < s->config->source_count; i++) {
		uint32_t every_ms = s->config->sources[i].reload_ms;
		struct watcher *watcher = &s->watchers[i];

		if (!every_ms || watcher->sources)
			continue;
		watcher->sources = s;
		watcher->directive = i;
		uv_timer_init(s->d->loop, &watcher->timer);
		watcher->timer.data = watcher;
		uv_timer_start(&watcher->timer, on_watch, every_ms, every_ms);
		s->open++;
	}
}
