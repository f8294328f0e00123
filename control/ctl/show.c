/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * show.c - replies for a person.  A key that is missing is shown as "-", so a daemon of
 * another version is shown as well as it can be.
 */
#include <string.h>
#include "ctl/ctl.h"

#define CELL_BYTES 512
#define COLUMNS    12

#define COLUMN_COUNT(columns) (sizeof(columns) / sizeof((columns)[0]))

static const char *text_of(const json_t *object, const char *key)
{
	return show_cell(json_object_get(object, key));
}

/* One value that is neither array nor object; strings are not copied. */
static const char *scalar(const json_t *value, char *room, size_t size)
{
	if (json_is_string(value))
		return json_string_value(value);
	if (json_is_integer(value))
		snprintf(room, size, "%" JSON_INTEGER_FORMAT,
			 json_integer_value(value));
	else if (json_is_real(value))
		snprintf(room, size, "%g", json_real_value(value));
	else
		return json_is_true(value) ? "yes" : json_is_false(value) ? "no" : "-";
	return room;
}

const char *show_cell(const json_t *value)
{
	static char rooms[4][CELL_BYTES];
	static unsigned next;
	char *room = rooms[next++ % 4], one[32];
	size_t i, len = 0;
	json_t *part;

	if (json_array_size(value) == 0)
		return scalar(value, room, CELL_BYTES);
	json_array_foreach(value, i, part)
	{
		len += (size_t)snprintf(room + len, CELL_BYTES - len, "%s%s",
					i ? "," : "", scalar(part, one, sizeof(one)));
		if (len >= CELL_BYTES)
			break;
	}
	return room;
}

void show_table(FILE *out, const json_t *array, const struct ctl_column *columns,
		unsigned count)
{
	int widths[COLUMNS];
	size_t row;
	json_t *object;

	if (json_array_size(array) == 0 || count > COLUMNS)
		return;
	for (unsigned i = 0; i < count; i++) {
		widths[i] = (int)strlen(columns[i].title);
		json_array_foreach(array, row, object)
		{
			int width = (int)strlen(text_of(object, columns[i].key));

			if (width > widths[i])
				widths[i] = width;
		}
	}
	for (unsigned i = 0; i < count; i++)
		fprintf(out, "%-*s%s", i + 1 < count ? widths[i] : 0, columns[i].title,
			i + 1 < count ? "  " : "\n");
	json_array_foreach(array, row, object) for (unsigned i = 0; i < count; i++)
		fprintf(out, "%-*s%s", i + 1 < count ? widths[i] : 0,
			text_of(object, columns[i].key), i + 1 < count ? "  " : "\n");
}

#define TABLE(out, array, columns) \
	show_table(out, array, columns, COLUMN_COUNT(columns))

static const struct ctl_column worker_columns[] = {
	{ "WORKER", "io" },
	{ "PID", "pid" },
	{ "STATE", "state" },
	{ "THREADS", "threads" },
	{ "GENERATION", "generation" },
	{ "RESTARTS", "restarts" },
};

static const struct ctl_column interface_columns[] = {
	{ "INTERFACE", "name" }, { "INDEX", "ifindex" }, { "MODE", "mode" },
	{ "VIEW", "view" },      { "TENANT", "tenant" }, { "VLAN", "vlan" },
	{ "STATE", "state" },
};

static const struct ctl_column listener_columns[] = {
	{ "LISTENER", "address" },
	{ "TENANT", "tenant" },
	{ "VIEW", "view" },
};

/* A blank line in front of a table that has rows. */
static void section(FILE *out, const json_t *array)
{
	if (json_array_size(array))
		fputc('\n', out);
}

enum ctl_exit show_status(const json_t *reply, FILE *out)
{
	const json_t *workers = json_object_get(reply, "workers");
	const json_t *interfaces = json_object_get(reply, "interfaces");
	const json_t *listeners = json_object_get(reply, "listeners");
	const json_t *degraded = json_object_get(reply, "degraded");
	const json_t *reload = json_object_get(reply, "reload");
	size_t i;
	json_t *text;

	fprintf(out, "lane53d %s, instance %s, pid %s, up %s s\n",
		text_of(reply, "version"), text_of(reply, "instance"),
		text_of(reply, "pid"), text_of(reply, "uptime_s"));
	fprintf(out, "Corefile %s, generation %s, xdp %s\n", text_of(reply, "corefile"),
		text_of(reply, "generation"), text_of(reply, "xdp"));
	if (json_is_false(json_object_get(reload, "ok")))
		fprintf(out, "last reload failed: %s\n", text_of(reload, "error"));
	section(out, workers);
	TABLE(out, workers, worker_columns);
	section(out, interfaces);
	TABLE(out, interfaces, interface_columns);
	section(out, listeners);
	TABLE(out, listeners, listener_columns);
	section(out, degraded);
	json_array_foreach(degraded, i, text)
		fprintf(out, "degraded: %s\n", show_cell(text));
	return CTL_YES;
}

/* ---- query, trace ---- */

static void show_lines(FILE *out, const json_t *lines)
{
	size_t i;
	json_t *line;

	json_array_foreach(lines, i, line) fprintf(out, "%s\n", show_cell(line));
}

static void show_answer(FILE *out, const json_t *answer)
{
	const json_t *authority = json_object_get(answer, "authority");

	fprintf(out, ";; %s by %s in %s us", text_of(answer, "rcode"),
		text_of(answer, "path"), text_of(answer, "rtt_us"));
	fprintf(out, ", flags %s, %s bytes\n", text_of(answer, "flags"),
		text_of(answer, "bytes"));
	show_lines(out, json_object_get(answer, "answers"));
	if (json_array_size(authority))
		fputs(";; authority\n", out);
	show_lines(out, authority);
}

enum ctl_exit show_query(const json_t *reply, FILE *out)
{
	const json_t *results = json_object_get(reply, "results");
	bool agree = json_is_true(json_object_get(reply, "agree"));
	size_t i;
	json_t *result;

	if (!results) {
		show_answer(out, reply);
		return CTL_YES;
	}
	json_array_foreach(results, i, result)
	{
		fprintf(out, "%s== %s\n", i ? "\n" : "", text_of(result, "asked"));
		if (json_object_get(result, "rcode"))
			show_answer(out, result);
		else
			fprintf(out, ";; no answer: %s\n",
				json_object_get(result, "error")
					? text_of(result, "error")
					: text_of(result, "outcome"));
	}
	fprintf(out, "\nagree: %s\n", agree ? "yes" : "no");
	return agree ? CTL_YES : CTL_NO;
}

enum ctl_exit show_trace(const json_t *reply, FILE *out)
{
	static const struct ctl_column step_columns[] = { { "STEP", "kind" },
							  { "SOURCE", "source" },
							  { "RESULT", "result" } };
	static const struct ctl_column cache_columns[] = { { "CACHED BY", "io" },
							   { "TTL", "ttl_s" },
							   { "RCODE", "rcode" } };
	const json_t *steps = json_object_get(reply, "steps");
	const json_t *cache = json_object_get(reply, "cache");
	const json_t *xdp = json_object_get(reply, "xdp");

	fprintf(out, "view    %s\nserver  %s\nzone    %s\n", text_of(reply, "view"),
		text_of(reply, "server"), text_of(reply, "zone"));
	fprintf(out, "result  %s%s%s\n", text_of(reply, "result"),
		json_object_get(reply, "rcode") ? ", " : "",
		json_object_get(reply, "rcode") ? text_of(reply, "rcode") : "");
	fprintf(out, "xdp     local %s, cache %s\n", text_of(xdp, "local"),
		text_of(xdp, "cache"));
	section(out, steps);
	TABLE(out, steps, step_columns);
	section(out, cache);
	TABLE(out, cache, cache_columns);
	section(out, json_object_get(reply, "answers"));
	show_lines(out, json_object_get(reply, "answers"));
	return CTL_YES;
}

/* ---- zones ---- */

/* One row for each source of each zone. */
static json_t *zone_rows(const json_t *zones)
{
	json_t *rows = json_array(), *zone, *source;
	size_t i, j;

	json_array_foreach(zones, i, zone)
	{
		const json_t *sources = json_object_get(zone, "sources");

		json_array_foreach(sources, j, source)
		{
			json_t *row = json_copy(source);

			json_object_update(row, zone);
			json_array_append_new(rows, row);
		}
		if (json_array_size(sources) == 0)
			json_array_append(rows, zone);
	}
	return rows;
}

enum ctl_exit show_zones(const json_t *reply, FILE *out)
{
	static const struct ctl_column columns[] = {
		{ "ZONE", "zone" }, { "SERVER", "server" },   { "FROM", "kind" },
		{ "PATH", "path" }, { "RECORDS", "records" }, { "STATE", "state" },
	};
	size_t i;
	json_t *view;

	json_array_foreach(json_object_get(reply, "views"), i, view)
	{
		json_t *rows = zone_rows(json_object_get(view, "zones"));

		fprintf(out, "%sview %s at %s\n", i ? "\n" : "", text_of(view, "name"),
			text_of(view, "listeners"));
		TABLE(out, rows, columns);
		json_decref(rows);
	}
	return CTL_YES;
}

/* ---- the rest ---- */

enum ctl_exit show_record(const json_t *reply, FILE *out)
{
	fprintf(out, "%s RRsets changed, %s answers published, in %s us\n",
		text_of(reply, "changed"), text_of(reply, "published"),
		text_of(reply, "took_us"));
	return CTL_YES;
}

enum ctl_exit show_cache(const json_t *reply, FILE *out)
{
	static const struct ctl_column columns[] = {
		{ "NAME", "name" },   { "TYPE", "type" }, { "TTL", "ttl_s" },
		{ "RCODE", "rcode" }, { "WORKER", "io" }, { "XDP", "published" },
		{ "VIEW", "view" },
	};

	if (json_object_get(reply, "flushed"))
		fprintf(out, "%s forgotten\n", text_of(reply, "flushed"));
	TABLE(out, json_object_get(reply, "entries"), columns);
	return CTL_YES;
}

enum ctl_exit show_interfaces(const json_t *reply, FILE *out)
{
	TABLE(out, json_object_get(reply, "interfaces"), interface_columns);
	return CTL_YES;
}

enum ctl_exit show_upstreams(const json_t *reply, FILE *out)
{
	static const struct ctl_column columns[] = {
		{ "UPSTREAM", "address" },  { "PROTO", "proto" },
		{ "WORKER", "io" },         { "VIA", "via" },
		{ "DOWN", "down" },         { "ASKED", "asked" },
		{ "ANSWERED", "answered" }, { "TIMEOUTS", "timeouts" },
		{ "RTT US", "rtt_us" },
	};

	TABLE(out, json_object_get(reply, "upstreams"), columns);
	return CTL_YES;
}

enum ctl_exit show_reload(const json_t *reply, FILE *out)
{
	size_t i;
	json_t *warning;

	fprintf(out, "%s, generation %s\n",
		json_is_true(json_object_get(reply, "changed")) ? "changed"
								: "nothing changed",
		text_of(reply, "generation"));
	json_array_foreach(json_object_get(reply, "warnings"), i, warning)
		fprintf(out, "warning: %s\n", show_cell(warning));
	return CTL_YES;
}

/* KEY VALUE lines of an object's numbers. */
static void show_numbers(FILE *out, const json_t *object)
{
	const char *key;
	json_t *value;
	int width = 0;

	json_object_foreach((json_t *)object, key, value) if ((int)strlen(key) > width)
		width = (int)strlen(key);
	json_object_foreach((json_t *)object, key, value) if (json_is_number(value))
		fprintf(out, "%-*s  %s\n", width, key, show_cell(value));
}

enum ctl_exit show_stats(const json_t *reply, FILE *out)
{
	static const struct ctl_column table_columns[] = { { "TABLE", "name" },
							   { "USED", "used" },
							   { "SLOTS", "slots" } };
	const json_t *tables = json_object_get(reply, "tables");
	size_t i;
	json_t *worker;

	fputs("outcomes\n", out);
	show_numbers(out, json_object_get(reply, "outcomes"));
	section(out, tables);
	TABLE(out, tables, table_columns);
	if (json_object_size(json_object_get(reply, "lane"))) {
		fputs("\nlane\n", out);
		show_numbers(out, json_object_get(reply, "lane"));
	}
	json_array_foreach(json_object_get(reply, "workers"), i, worker)
	{
		fprintf(out, "\nworker %s\n", text_of(worker, "io"));
		show_numbers(out, worker);
	}
	return CTL_YES;
}

enum ctl_exit show_detach(const json_t *reply, FILE *out)
{
	(void)reply;
	fputs("detached\n", out);
	return CTL_YES;
}

enum ctl_exit show_xdp(const json_t *reply, FILE *out)
{
	const bool on = json_is_true(json_object_get(reply, "enabled"));

	fprintf(out, "XDP is %s%s%s\n", on ? "on" : "off",
		json_is_false(json_object_get(reply, "changed")) ? ", as it was" : "",
		json_is_true(json_object_get(reply, "alone"))
			? "; lane53d does not answer, the pinned setting was written"
			: "");
	return CTL_YES;
}

/* {"watching": ...}, {"event": ...} or {"lost": N}. */
void show_event(const json_t *line, FILE *out)
{
	const json_t *event = json_object_get(line, "event");
	const json_t *watching = json_object_get(line, "watching");

	if (watching) {
		fprintf(out,
			";; 1 of %s answers of XDP, at most %s a second and CPU; "
			"Ctrl-C ends it\n",
			text_of(watching, "every"), text_of(watching, "limit"));
		return;
	}
	if (!event) {
		fprintf(out, ";; %s more, not shown\n", text_of(line, "lost"));
		return;
	}
	fprintf(out, "%s %s %s", text_of(event, "time"), text_of(event, "client"),
		text_of(event, "name"));
	fprintf(out, " %s %s %s", text_of(event, "type"), text_of(event, "rcode"),
		text_of(event, "flags"));
	fprintf(out, " %s %s bytes", text_of(event, "outcome"),
		text_of(event, "response_bytes"));
	fprintf(out, " in %s ns on %s\n", text_of(event, "duration_ns"),
		text_of(event, "interface"));
}

enum ctl_exit show_events(const json_t *reply, FILE *out)
{
	fprintf(out, ";; %s shown, %s not\n", text_of(reply, "shown"),
		text_of(reply, "lost"));
	return CTL_YES;
}
