/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ctl.c - the table of commands, and from the command line to the daemon and back.
 */
#include "ctl/ctl.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORDS_MAX 4096

/* A reload of a million records takes seconds; a daemon silent for longer is stuck. */
#define TIMEOUT_S 60
/* Where we can do without one. */
#define TIMEOUT_ALONE_S 3

/* ---- requests ---- */

static void put(json_t *request, const char *key, const char *text)
{
	if (text)
		json_object_set_new(request, key, json_string(text));
}

/* Return: is @text, if there is one, a number of 1 or more? */
static bool put_number(json_t *request, const char *key, const char *text)
{
	char *end;
	long number = text ? strtol(text, &end, 10) : 0;

	if (text && (end == text || *end || number < 1 || number > UINT32_MAX))
		return false;
	if (text)
		json_object_set_new(request, key, json_integer(number));
	return true;
}

static const char *ask_nothing(const struct ctl_args *args, json_t *request)
{
	(void)args;
	(void)request;
	return NULL;
}

static const char *ask_query(const struct ctl_args *args, json_t *request)
{
	static const char *const paths[] = { "auto",   "xdp", "lane",
					     "socket", "tcp", "all" };
	bool known = !args->path;

	for (unsigned i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		known = known || !strcmp(args->path, paths[i]);
	if (!known)
		return "--path: expected auto, xdp, lane, socket, tcp or all";
	put(request, "name", args->words[0]);
	put(request, "type", args->count > 1 ? args->words[1] : "A");
	put(request, "path", args->path);
	put(request, "iface", args->iface);
	put(request, "view", args->view);
	return NULL;
}

static const char *ask_trace(const struct ctl_args *args, json_t *request)
{
	put(request, "name", args->words[0]);
	put(request, "type", args->count > 1 ? args->words[1] : "A");
	put(request, "iface", args->iface);
	put(request, "view", args->view);
	return NULL;
}

/* @word as it was on the command line: with its quotes, if it needs them. */
static void append_word(char *out, size_t room, const char *word)
{
	size_t len = strlen(out);
	bool quote = strchr(word, ' ') && word[0] != '"';

	snprintf(out + len, room - len, "%s%s%s%s", len ? " " : "", quote ? "\"" : "",
		 word, quote ? "\"" : "");
}

/*
 * RRs as words of their own ("a.example. A 192.0.2.1" "b.example. ..."), or one RR
 * whose words the shell has parted.
 */
static const char *ask_record(const struct ctl_args *args, json_t *request)
{
	static char joined[65536 + 1024]; /* the longest RR, and its owner */
	json_t *records = json_array();
	const char *action = args->words[0];

	json_object_set_new(request, "records", records);
	if (strcmp(action, "set") && strcmp(action, "delete"))
		return "expected record set VIEW RR... or record delete VIEW RR...";
	put(request, "action", action);
	put(request, "view", args->words[1]);
	joined[0] = 0;
	for (unsigned i = 2; i < args->count; i++) {
		if (strchr(args->words[2], ' '))
			json_array_append_new(records, json_string(args->words[i]));
		else
			append_word(joined, sizeof(joined), args->words[i]);
	}
	if (joined[0])
		json_array_append_new(records, json_string(joined));
	return NULL;
}

static const char *ask_cache(const struct ctl_args *args, json_t *request)
{
	const char *action = args->words[0];

	if (strcmp(action, "list") && strcmp(action, "flush"))
		return "expected cache list [NAME] or cache flush [NAME]";
	put(request, "action", action);
	put(request, "name", args->count > 1 ? args->words[1] : NULL);
	put(request, "view", args->view);
	return put_number(request, "limit", args->limit)
		       ? NULL
		       : "--limit: expected a number, 1 or more";
}

static const char *ask_events(const struct ctl_args *args, json_t *request)
{
	if (!put_number(request, "every", args->every))
		return "--every: expected a number, 1 or more";
	return put_number(request, "count", args->how_many)
		       ? NULL
		       : "--count: expected a number, 1 or more";
}

static const char *ask_xdp(const struct ctl_args *args, json_t *request)
{
	if (strcmp(args->words[0], "on") && strcmp(args->words[0], "off"))
		return "expected xdp on or xdp off";
	put(request, "switch", args->words[0]);
	return NULL;
}

/* clang-format off */
const struct ctl_command ctl_commands[] = {
	{ "status", "", "what runs, and what is not as it should be",
	  0, 0, "", ask_nothing, show_status, NULL, NULL },
	{ "query", "NAME [TYPE] [--path auto|xdp|lane|socket|tcp|all] [--iface I] [--view V]",
	  "ask a question, by a way of your choice",
	  1, 2, "path iface view", ask_query, show_query, NULL, NULL },
	{ "trace", "NAME [TYPE] [--iface I] [--view V]", "what a name would meet",
	  1, 2, "iface view", ask_trace, show_trace, NULL, NULL },
	{ "zones", "", "views, their zones and where their records come from",
	  0, 0, "", ask_nothing, show_zones, NULL, NULL },
	{ "record", "set|delete VIEW RR...", "change records by hand; they persist",
	  3, WORDS_MAX, "", ask_record, show_record, NULL, NULL },
	{ "cache", "list|flush [NAME] [--view V] [--limit N]",
	  "what is cached at and below NAME; forget it, XDP included",
	  1, 2, "view limit", ask_cache, show_cache, NULL, NULL },
	{ "interfaces", "", "where XDP is attached",
	  0, 0, "", ask_nothing, show_interfaces, NULL, NULL },
	{ "upstreams", "", "whom we ask, and how they do",
	  0, 0, "", ask_nothing, show_upstreams, NULL, NULL },
	{ "reload", "", "read the Corefile and all records again, now",
	  0, 0, "", ask_nothing, show_reload, NULL, NULL },
	{ "stats", "", "counters: XDP's outcomes, workers, tables",
	  0, 0, "", ask_nothing, show_stats, NULL, NULL },
	{ "detach", "", "take everything out of the kernel, and stop",
	  0, 0, "", ask_nothing, show_detach, NULL, NULL },
	{ "xdp", "on|off", "kill switch: off leaves every query to the sockets, at once",
	  1, 1, "", ask_xdp, show_xdp, NULL, ctl_kill_switch },
	{ "events", "[--every N] [--count N]",
	  "watch XDP answer: every Nth, as it goes; until N were shown, or Ctrl-C",
	  0, 0, "every count", ask_events, show_events, show_event, NULL },
};
/* clang-format on */
const unsigned ctl_command_count = sizeof(ctl_commands) / sizeof(ctl_commands[0]);

/* ---- the command line ---- */

static void print_help(FILE *out)
{
	fputs("usage: lane53ctl [-s SOCKET | -name INSTANCE] [--json] COMMAND ...\n\n",
	      out);
	for (unsigned i = 0; i < ctl_command_count; i++) {
		const struct ctl_command *c = &ctl_commands[i];

		fprintf(out, "  %s%s%s\n        %s\n", c->name, *c->args ? " " : "",
			c->args, c->text);
	}
	fputs("\n  -s SOCKET       control socket; default "
	      "/run/lane53/INSTANCE/control.sock, for ordinary\n"
	      "                  users $XDG_RUNTIME_DIR/lane53/INSTANCE/control.sock\n"
	      "  -name INSTANCE  default: default\n"
	      "  -run DIR        run directory of lane53d, in the place of "
	      "/run/lane53\n"
	      "  --json          the daemon's reply as it came\n"
	      "  -version\n\n"
	      "exit: 0 yes, 1 no, 2 misuse or no daemon\n",
	      out);
}

struct option_place {
	const char *name;
	const char **value;
};

/*
 * @argv[*@i] is -NAME VALUE, -NAME=VALUE, with one dash or two: put VALUE in its place.
 * Return: NULL, or what is wrong.
 */
static const char *take_option(int argc, char **argv, int *i,
			       const struct option_place *places, unsigned count)
{
	const char *name = argv[*i] + 1 + (argv[*i][1] == '-');
	size_t len = strcspn(name, "=");

	for (unsigned k = 0; k < count; k++) {
		if (strlen(places[k].name) != len || strncmp(name, places[k].name, len))
			continue;
		if (name[len])
			*places[k].value = name + len + 1;
		else if (*i + 1 < argc)
			*places[k].value = argv[++*i];
		else
			return "expected a value behind it";
		return NULL;
	}
	return "no such option";
}

/* As options.c of the daemon has it. */
static const char *default_socket(const struct ctl_args *args)
{
	static char path[512];
	const char *instance = args->instance ? args->instance : "default";
	const char *runtime = getenv("XDG_RUNTIME_DIR");

	if (args->run_dir)
		snprintf(path, sizeof(path), "%s/%s/control.sock", args->run_dir,
			 instance);
	else if (geteuid() != 0 && runtime && runtime[0] == '/')
		snprintf(path, sizeof(path), "%s/lane53/%s/control.sock", runtime,
			 instance);
	else if (geteuid() != 0)
		snprintf(path, sizeof(path), "/tmp/lane53-%u/%s/control.sock",
			 geteuid(), instance);
	else
		snprintf(path, sizeof(path), "/run/lane53/%s/control.sock", instance);
	return path;
}

static const struct ctl_command *find(const char *name)
{
	for (unsigned i = 0; i < ctl_command_count; i++)
		if (!strcmp(ctl_commands[i].name, name))
			return &ctl_commands[i];
	return NULL;
}

/* Does @c take the options that were given?  Return: NULL or the one it does not. */
static const char *stray_option(const struct ctl_command *c,
				const struct ctl_args *args)
{
	const struct {
		const char *name, *value;
	} given[] = {
		{ "path", args->path },   { "iface", args->iface },
		{ "view", args->view },   { "limit", args->limit },
		{ "every", args->every }, { "count", args->how_many },
	};

	for (unsigned i = 0; i < sizeof(given) / sizeof(given[0]); i++)
		if (given[i].value && !strstr(c->options, given[i].name))
			return given[i].name;
	return NULL;
}

/* The daemon's name: given, or as its socket's directory is called. */
static const char *instance_of(const struct ctl_args *args)
{
	static char path[512];
	char *end;

	if (args->instance || !args->socket)
		return args->instance ? args->instance : "default";
	snprintf(path, sizeof(path), "%s", args->socket);
	end = strrchr(path, '/');
	if (!end)
		return "default";
	*end = 0;
	end = strrchr(path, '/');
	return end ? end + 1 : path;
}

/* Where lines before the reply go. */
struct showing {
	const struct ctl_command *command;
	bool json;
	FILE *out;
};

static void show_line(void *context, const json_t *line)
{
	const struct showing *showing = context;

	if (showing->json) {
		json_dumpf(line, showing->out, JSON_COMPACT);
		fputc('\n', showing->out);
	} else {
		showing->command->each(line, showing->out);
	}
	fflush(showing->out);
}

static json_t *ask_daemon(struct showing *showing, const struct ctl_args *args,
			  const json_t *request, char *why, size_t room)
{
	const struct ctl_command *c = showing->command;
	const char *path = args->socket ? args->socket : default_socket(args);
	const struct ctl_patience patience = {
		.timeout_s = c->each    ? 0
			     : c->alone ? TIMEOUT_ALONE_S
					: TIMEOUT_S,
		.to_the_end = c->show == show_detach,
		.each = c->each ? show_line : NULL,
		.context = showing,
	};
	json_t *reply = ctl_exchange(path, request, &patience, why, room);
	size_t len;

	if (reply || !c->alone)
		return reply;
	len = strlen(why);
	snprintf(why + len, room - len, "; and without it: ");
	len = strlen(why);
	return c->alone(instance_of(args), request, why + len, room - len);
}

static enum ctl_exit talk(const struct ctl_command *c, const struct ctl_args *args,
			  FILE *out, FILE *err)
{
	json_t *request = json_pack("{ss}", "op", c->name), *reply;
	const char *wrong = c->ask(args, request);
	struct showing showing = { c, args->json, out };
	enum ctl_exit result = CTL_YES;
	char why[1024];

	if (wrong) {
		fprintf(err, "lane53ctl: %s: %s\n", c->name, wrong);
		json_decref(request);
		return CTL_USAGE;
	}
	reply = ask_daemon(&showing, args, request, why, sizeof(why));
	json_decref(request);
	if (!reply) {
		fprintf(err, "lane53ctl: %s\n", why);
		return CTL_USAGE;
	}
	if (!json_is_true(json_object_get(reply, "ok"))) {
		const char *error = json_string_value(json_object_get(reply, "error"));

		result = CTL_NO;
		if (!args->json)
			fprintf(err, "lane53ctl: %s\n", error ? error : "no");
	} else if (!args->json) {
		result = c->show(reply, out);
	} else if (json_is_false(json_object_get(reply, "agree"))) {
		result = CTL_NO;
	}
	if (args->json) {
		json_dumpf(reply, out, JSON_COMPACT);
		fputc('\n', out);
	}
	json_decref(reply);
	return result;
}

static bool is_utf8(const char *word)
{
	json_t *text = json_string(word);
	bool good = text != NULL;

	json_decref(text);
	return good;
}

/* The words and options of @argv.  Return: NULL, or the problem, in static storage. */
static const char *read_args(int argc, char **argv, struct ctl_args *args,
			     const char **words)
{
	const struct option_place places[] = {
		{ "s", &args->socket },       { "name", &args->instance },
		{ "run", &args->run_dir },    { "path", &args->path },
		{ "iface", &args->iface },    { "view", &args->view },
		{ "limit", &args->limit },    { "every", &args->every },
		{ "count", &args->how_many },
	};
	static char problem[256];
	bool options = true;

	/* JSON would leave it out, and something else be asked for */
	for (int i = 1; i < argc; i++)
		if (!is_utf8(argv[i])) {
			snprintf(problem, sizeof(problem), "%s: expected UTF-8",
				 argv[i]);
			return problem;
		}
	for (int i = 1; i < argc; i++) {
		const char *word = argv[i], *wrong;

		if (options && !strcmp(word, "--")) {
			options = false;
		} else if (options &&
			   (!strcmp(word, "--json") || !strcmp(word, "-json"))) {
			args->json = true;
		} else if (options && word[0] == '-' && word[1]) {
			wrong = take_option(argc, argv, &i, places,
					    sizeof(places) / sizeof(places[0]));
			if (wrong) {
				snprintf(problem, sizeof(problem), "%s: %s", word,
					 wrong);
				return problem;
			}
		} else if (args->count == WORDS_MAX) {
			return "found too many words";
		} else {
			words[args->count++] = word;
		}
	}
	return NULL;
}

enum ctl_exit ctl_run(int argc, char **argv, FILE *out, FILE *err)
{
	static const char *words[WORDS_MAX];
	struct ctl_args args = { .words = words + 1 };
	const struct ctl_command *command;
	const char *problem;

	for (int i = 1; i < argc && strcmp(argv[i], "--"); i++) {
		const char *word = argv[i];

		if (!strcmp(word, "-h") || !strcmp(word, "-help") ||
		    !strcmp(word, "--help")) {
			print_help(out);
			return CTL_YES;
		}
		if (!strcmp(word, "-version") || !strcmp(word, "--version")) {
			fputs("lane53ctl " LANE53_VERSION "\n", out);
			return CTL_YES;
		}
	}
	problem = read_args(argc, argv, &args, words);
	if (problem) {
		fprintf(err, "lane53ctl: %s (lane53ctl -help lists all)\n", problem);
		return CTL_USAGE;
	}
	if (args.count == 0) {
		print_help(err);
		return CTL_USAGE;
	}
	args.count--;
	command = find(words[0]);
	if (!command) {
		fprintf(err, "lane53ctl: no command '%s' (lane53ctl -help lists all)\n",
			words[0]);
		return CTL_USAGE;
	}
	problem = stray_option(command, &args);
	if (problem) {
		fprintf(err, "lane53ctl: %s takes no option --%s\n", command->name,
			problem);
		return CTL_USAGE;
	}
	if (args.count < command->min || args.count > command->max) {
		fprintf(err, "usage: lane53ctl %s%s%s\n", command->name,
			*command->args ? " " : "", command->args);
		return CTL_USAGE;
	}
	return talk(command, &args, out, err);
}
