/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * directives_server.c - directives about the server rather than its answers: bind,
 * errors, log, health, ready, prometheus, reload.
 */
#include <string.h>
#include "corefile/directive.h"

/* ---- bind ---- */

/* @what: arguments @from and on of @s, as addresses or names of interfaces. */
static void take_binds(struct compile *c, const struct statement *s,
		       struct config_bind **at, unsigned *count)
{
	for (unsigned i = 1; i < s->count; i++) {
		const struct token *word = &s->words[i];
		struct config_bind *bind;
		uint8_t addr[16];
		bool is_address = value_address(word->text, addr);

		if (!is_address && (!*word->text || strlen(word->text) > 15 ||
				    strpbrk(word->text, "/: "))) {
			compile_error(c, word,
				      "%s: found '%s', expected an address or the name "
				      "of an interface (without port)",
				      s->words[0].text, word->text);
			continue;
		}
		bind = ARENA_PUSH(c->arena, *at, *count);
		bind->text = word->text;
		bind->is_address = is_address;
		bind->place = word->place;
		if (is_address)
			memcpy(bind->addr, addr, 16);
	}
}

void bind_begin(struct compile *c, const struct statement *s)
{
	take_binds(c, s, &c->block->binds, &c->block->bind_count);
}

static void bind_except(struct compile *c, const struct statement *s)
{
	take_binds(c, s, &c->block->excepts, &c->block->except_count);
}

const struct option bind_options[] = {
	{ "except", "ADDRESS|INTERFACE...",
	  "not these addresses, or not the addresses of these interfaces", 1,
	  ANY_NUMBER, false, bind_except },
	{ 0 },
};

/* ---- errors ---- */

void errors_begin(struct compile *c, const struct statement *s)
{
	(void)s;
	c->block->errors = true;
}

/* [LEVEL] [show_first], in any order, once each. */
static void consolidate_word(struct compile *c, const struct statement *s, unsigned i,
			     struct config_consolidate *rule)
{
	static const char *const words[] = { [LEVEL_ERROR] = "error",
					     [LEVEL_WARNING] = "warning",
					     [LEVEL_INFO] = "info",
					     [LEVEL_DEBUG] = "debug",
					     [LEVEL_DEBUG + 1] = "show_first" };
	int at = compile_word(c, s, i, words, 5);

	if (at > (int)LEVEL_DEBUG)
		rule->show_first = true;
	else if (at >= 0)
		rule->level = (enum config_level)at;
	if (i == 4 &&
	    (at > (int)LEVEL_DEBUG) == !strcmp(s->words[3].text, "show_first"))
		compile_error(c, &s->words[i],
			      "errors: consolidate: found '%s' and '%s', expected "
			      "one LEVEL and show_first",
			      s->words[3].text, s->words[4].text);
}

static void errors_consolidate(struct compile *c, const struct statement *s)
{
	struct config_consolidate *rule = ARENA_PUSH(c->arena, c->block->consolidates,
						     c->block->consolidate_count);

	compile_duration(c, s, 1, 1, DURATION_MAX, &rule->period_ms);
	compile_regex(c, &s->words[2]);
	rule->regex = s->words[2].text;
	for (unsigned i = 3; i < s->count; i++)
		consolidate_word(c, s, i, rule);
}

static void no_check(struct compile *c, const struct statement *s)
{
	(void)c;
	(void)s;
}

const struct option errors_options[] = {
	{ "stacktrace", "",
	  "accepted, and changes nothing: there is no panic to recover from; a worker "
	  "that crashes is logged with its signal and started again",
	  0, 0, false, no_check },
	{ "consolidate", "DURATION REGEXP [LEVEL] [show_first]",
	  "count causes that match REGEXP (POSIX extended; the first rule that does "
	  "counts) and tell once per DURATION how many there were, as LEVEL: error "
	  "(default), warning, info, or debug, which is not shown; show_first logs the "
	  "first one at once, and nothing more if it was the only one",
	  2, 4, false, errors_consolidate },
	{ 0 },
};

/* ---- log ---- */

#define LOG_COMMON "{common}"

static void check_format(struct compile *c, const struct token *word)
{
	static const char *const known[] = {
		"{type}",  "{name}",   "{class}",    "{proto}",    "{remote}",
		"{local}", "{port}",   "{size}",     "{duration}", "{rcode}",
		"{rsize}", "{common}", "{combined}", "{>rflags}",  "{>bufsize}",
		"{>do}",   "{>id}",    "{>opcode}",
	};
	const unsigned count = sizeof(known) / sizeof(known[0]);

	for (const char *p = strchr(word->text, '{'); p; p = strchr(p + 1, '{')) {
		size_t len = strcspn(p, "}") + 1;
		const char *nearest;
		char *field;
		bool found = p[1] == '/'; /* metadata: always "-" here */

		if (p[len - 1] != '}')
			return;
		for (unsigned i = 0; i < count && !found; i++)
			found = strlen(known[i]) == len && !strncmp(p, known[i], len);
		if (found)
			continue;
		field = arena_text_n(c->arena, p, len);
		nearest = value_nearest(field, known, count);
		compile_warn(c, word,
			     "log: '%s' is no field, it is logged as it stands%s%s%s",
			     field, nearest ? "; did you mean '" : "",
			     nearest ? nearest : "", nearest ? "'?" : "");
	}
}

void log_begin(struct compile *c, const struct statement *s)
{
	struct statement names = *s;
	struct config_log *log =
		ARENA_PUSH(c->arena, c->block->logs, c->block->log_count);

	log->format = LOG_COMMON;
	log->classes = 0;
	if (s->count > 1 && strchr(s->words[s->count - 1].text, '{')) {
		log->format = s->words[s->count - 1].text;
		check_format(c, &s->words[s->count - 1]);
		names.count--;
	}
	log->names = compile_zones(c, &names, 1);
	/* the root covers all */
	for (unsigned i = 0; i < log->names.count; i++)
		if (log->names.at[i].len == 1)
			log->names = (struct plan_names){ 0 };
	c->state = log;
	if (!s->braces)
		log->classes = PLAN_LOG_ALL;
}

static void log_class(struct compile *c, const struct statement *s)
{
	static const char *const classes[] = { "success", "denial", "error", "all" };
	static const unsigned bits[] = { PLAN_LOG_SUCCESS, PLAN_LOG_DENIAL,
					 PLAN_LOG_ERROR, PLAN_LOG_ALL };
	struct config_log *log = c->state;

	for (unsigned i = 1; i < s->count; i++) {
		int at = compile_word(c, s, i, classes, 4);

		if (at >= 0)
			log->classes |= bits[at];
	}
}

const struct option log_options[] = {
	{ "class", "success|denial|error|all...",
	  "only responses of these classes; default all", 1, 4, false, log_class },
	{ 0 },
};

/* ---- health, ready, prometheus ---- */

static void http_begin(struct compile *c, const struct statement *s,
		       enum config_http_kind kind, const char *text)
{
	struct config *config = c->config;
	const struct token *word = s->count > 1 ? &s->words[1] : &s->words[0];
	struct plan_address local;
	struct config_http *http;

	if (s->count > 1)
		text = s->words[1].text;
	if (!value_listen(text, &local)) {
		compile_error(c, word, "%s: found '%s', expected :PORT or ADDRESS:PORT",
			      s->words[0].text, text);
		(void)value_listen("localhost:1", &local);
	}
	for (unsigned i = 0; i < config->http_count; i++) {
		if (config->http[i].kind == kind &&
		    !memcmp(config->http[i].local.addr, local.addr, 16) &&
		    config->http[i].local.port == local.port) {
			c->state = &config->http[i];
			return;
		}
	}
	http = ARENA_PUSH(c->arena, config->http, config->http_count);
	http->kind = kind;
	http->place = s->words[0].place;
	http->text = text;
	http->local = local;
	c->state = http;
}

void health_begin(struct compile *c, const struct statement *s)
{
	http_begin(c, s, CONFIG_HEALTH, ":8080");
}

void ready_begin(struct compile *c, const struct statement *s)
{
	http_begin(c, s, CONFIG_READY, ":8181");
}

void prometheus_begin(struct compile *c, const struct statement *s)
{
	c->block->metrics = true;
	http_begin(c, s, CONFIG_METRICS, "localhost:9153");
}

static void health_lameduck(struct compile *c, const struct statement *s)
{
	struct config_http *http = c->state;
	uint32_t ms = 0;

	compile_duration(c, s, 1, 0, DURATION_MAX, &ms);
	if (ms > http->lameduck_ms)
		http->lameduck_ms = ms;
}

static void ready_monitor(struct compile *c, const struct statement *s)
{
	static const char *const words[] = { "until-ready", "continuously" };
	struct config_http *http = c->state;
	int at = compile_word(c, s, 1, words, 2);

	if (at >= 0)
		http->continuously = at == 1;
}

const struct option health_options[] = {
	{ "lameduck", "DURATION",
	  "after SIGTERM go on answering for so long, /health included", 1, 1, false,
	  health_lameduck },
	{ 0 },
};
const struct option ready_options[] = {
	{ "monitor", "until-ready|continuously",
	  "until-ready: once ready, stays ready; default until-ready", 1, 1, false,
	  ready_monitor },
	{ 0 },
};
const struct option prometheus_options[] = {
	{ "runtime_metrics", "", "there is no Go runtime here", 0, 0, true, no_check },
	{ 0 },
};

/* ---- reload ---- */

void reload_begin(struct compile *c, const struct statement *s)
{
	uint32_t interval_ms = 30000, jitter_ms = 15000;

	if (s->count > 1)
		compile_duration(c, s, 1, 2000, DURATION_MAX, &interval_ms);
	if (s->count > 2)
		compile_duration(c, s, 2, 1000, DURATION_MAX, &jitter_ms);
	if (jitter_ms > interval_ms / 2)
		jitter_ms = interval_ms / 2;
	if (c->config->reload)
		return; /* one for the process: the first counts */
	c->config->reload = true;
	c->config->reload_ms = interval_ms;
	c->config->reload_jitter_ms = jitter_ms;
}
