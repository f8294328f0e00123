/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ctl.h - lane53ctl: what was asked on the command line, asked over control.sock, and
 * shown to a person.  docs/control-protocol.md has the requests and replies.
 */
#ifndef LANE53_CTL_H
#define LANE53_CTL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

enum ctl_exit {
	CTL_YES = 0,
	CTL_NO = 1,    /* the daemon said no, or the answer is no */
	CTL_USAGE = 2, /* misuse, or no daemon to ask */
};

/* The command line, read. */
struct ctl_args {
	const char *socket;   /* -s */
	const char *instance; /* -name */
	const char *run_dir;  /* -run */
	bool json;
	/* options of commands; NULL = not given */
	const char *path, *iface, *view, *limit, *every, *how_many;
	const char *const *words; /* behind the command */
	unsigned count;
};

struct ctl_command {
	const char *name;
	const char *args;
	const char *text;
	unsigned min, max;   /* words */
	const char *options; /* those it takes, e.g. "path iface view" */
	/* Put the words into @request.  Return: NULL, or what is wrong with them. */
	const char *(*ask)(const struct ctl_args *args, json_t *request);
	/* @reply, which is ok, for a person. */
	enum ctl_exit (*show)(const json_t *reply, FILE *out);
	/* A line before the reply, for a person; NULL = there are none.  With it we wait
	 * for as long as it takes. */
	void (*each)(const json_t *line, FILE *out);
	/*
	 * What can be done where no daemon of @instance answers; NULL = nothing.
	 * Return: the reply, the caller's; NULL with @why set.
	 */
	json_t *(*alone)(const char *instance, const json_t *request, char *why,
			 size_t room);
};

extern const struct ctl_command ctl_commands[];
extern const unsigned ctl_command_count;

/* The whole program but for main(). */
enum ctl_exit ctl_run(int argc, char **argv, FILE *out, FILE *err);

struct ctl_patience {
	unsigned timeout_s; /* for each line; 0 = no end */
	bool to_the_end;    /* wait until lane53d has gone, too */
	/* Lines before the reply (those without "ok"); NULL: there are none. */
	void (*each)(void *context, const json_t *line);
	void *context;
};

/*
 * Send @request as a line to the daemon at @path and wait for its reply.
 * Return: the reply, the caller's; NULL with @why set.
 */
json_t *ctl_exchange(const char *path, const json_t *request,
		     const struct ctl_patience *patience, char *why, size_t room);

/* kill_switch.c: `xdp on|off` by the pinned settings alone. */
json_t *ctl_kill_switch(const char *instance, const json_t *request, char *why,
			size_t room);

/* ---- show.c ---- */

struct ctl_column {
	const char *title;
	const char *key; /* of the row's object */
};

/* Rows of @array, one object each, in aligned columns; nothing if it is empty. */
void show_table(FILE *out, const json_t *array, const struct ctl_column *columns,
		unsigned count);

/* A value in one cell, in static storage until the 4th next call. */
const char *show_cell(const json_t *value);

enum ctl_exit show_status(const json_t *reply, FILE *out);
enum ctl_exit show_query(const json_t *reply, FILE *out);
enum ctl_exit show_trace(const json_t *reply, FILE *out);
enum ctl_exit show_zones(const json_t *reply, FILE *out);
enum ctl_exit show_record(const json_t *reply, FILE *out);
enum ctl_exit show_cache(const json_t *reply, FILE *out);
enum ctl_exit show_interfaces(const json_t *reply, FILE *out);
enum ctl_exit show_upstreams(const json_t *reply, FILE *out);
enum ctl_exit show_reload(const json_t *reply, FILE *out);
enum ctl_exit show_stats(const json_t *reply, FILE *out);
enum ctl_exit show_detach(const json_t *reply, FILE *out);
enum ctl_exit show_xdp(const json_t *reply, FILE *out);
enum ctl_exit show_events(const json_t *reply, FILE *out);
void show_event(const json_t *line, FILE *out);

#endif
