/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * directive.c - the table itself, and the walk through a server block by it.
 */
#include "corefile/directive.h"
#include <ctype.h>
#include <regex.h>
#include <string.h>
#include <strings.h>

/* As CoreDNS: longer ones are a mistake, or an attack on who reads them. */
#define REGEX_BYTES 10000

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* clang-format off */
const struct directive directives[] = {
	{ .name = "bind", .args = "ADDRESS|INTERFACE...", .min = 1, .max = ANY_NUMBER,
	  .text = "Answer at these addresses only; an interface stands for all of its "
		  "addresses but link-local ones of IPv6, now and when they change. "
		  "Without it: at every address.",
	  .example = "bind 127.0.0.1 lo {\n    except ::1\n}\nwhoami",
	  .options = bind_options,
	  .begin = bind_begin },
	{ .name = "xdp", .args = "INTERFACE...", .min = 1, .max = ANY_NUMBER,
	  .text = "Answer in the kernel what comes in by these interfaces; names or patterns, "
		  "there now or later. Without `vlan` and `from` this attaches only: every "
		  "server block of the Corefile is answered there. With one of them the server "
		  "block is a tenant of its own: it is reached through these interfaces, with "
		  "this VLAN tag, from these sources, and by nobody else, whichever way: XDP, "
		  "lane, UDP sockets and TCP. With -no-xdp nothing is attached, and sockets "
		  "tell tenants apart all the same. What XDP cannot answer goes to one "
		  "thread, or with `lane53d -workers N` to N of them.",
	  .example = "xdp eth0 veth* {\n    mode auto\n}\nwhoami",
	  .options = xdp_options,
	  .begin = xdp_begin, .end = xdp_end },
	{ .name = "reload", .args = "[INTERVAL [JITTER]]", .min = 0, .max = 2, .once = true,
	  .text = "Look at the Corefile, and all it takes in, every INTERVAL (default 30s, at "
		  "least 2s), give or take JITTER (default 15s, at least 1s, at most half the "
		  "interval), and take over what changed. A Corefile that cannot be used changes "
		  "nothing. Files of upstreams such as /etc/resolv.conf are looked at as well.",
	  .example = "reload 10s 5s",
	  .begin = reload_begin },
	{ .name = "ready", .args = "[ADDRESS:PORT]", .min = 0, .max = 1,
	  .text = "HTTP `/ready` at :8181 or the address given: 200 `OK` once queries are "
		  "answered, else 503 and what is missing.",
	  .example = "ready :8181 {\n    monitor continuously\n}",
	  .options = ready_options,
	  .begin = ready_begin },
	{ .name = "health", .args = "[ADDRESS:PORT]", .min = 0, .max = 1, .once = true,
	  .text = "HTTP `/health` at :8080 or the address given: 200 `OK` as long as the daemon "
		  "runs. It asks itself each second: a request that fails or takes more than 3 s is "
		  "`degraded`, and how long they take is in /metrics.",
	  .example = "health 127.0.0.1:8080 {\n    lameduck 5s\n}",
	  .options = health_options,
	  .begin = health_begin },
	{ .name = "prometheus", .args = "[ADDRESS:PORT]", .min = 0, .max = 1, .once = true,
	  .text = "HTTP `/metrics` at localhost:9153 or the address given. XDP's answers are in "
		  "the same series as everybody's.",
	  .example = "prometheus :9153",
	  .options = prometheus_options,
	  .begin = prometheus_begin },
	{ .name = "errors", .args = "", .min = 0, .max = 0,
	  .text = "Log what could not be answered, and why: a timeout, a refused connection, no "
		  "upstream that is up, a malformed or SERVFAIL response, a zone that could not "
		  "be read. A failure that is answered from the cache is not logged again.",
	  .example = "errors {\n    consolidate 5m \".* i/o timeout$\" warning show_first\n}",
	  .options = errors_options,
	  .begin = errors_begin },
	{ .name = "log", .args = "[NAMES...] [FORMAT]", .min = 0, .max = ANY_NUMBER,
	  .text = "Log responses, XDP's included, to names at and below NAMES (default: all). "
		  "FORMAT is `{common}` (default), `{combined}` or made of `{type} {name} {class} "
		  "{proto} {remote} {local} {port} {size} {duration} {rcode} {rsize} {>rflags} "
		  "{>bufsize} {>do} {>id} {>opcode}`.",
	  .example = "log example.org \"{remote} {name} {type} {rcode}\" {\n    class denial error\n}",
	  .options = log_options,
	  .begin = log_begin },
	{ .name = "chaos", .args = "[VERSION [AUTHORS...]]", .min = 0, .max = ANY_NUMBER, .once = true,
	  .text = "Answer `version.bind`, `version.server`, `authors.bind`, `hostname.bind` and "
		  "`id.server` in class CH.",
	  .example = "chaos lane53 \"who made it\"",
	  .begin = chaos_begin },
	{ .name = "cache", .args = "[TTL] [ZONES...]", .min = 0, .max = ANY_NUMBER, .once = true,
	  .text = "Remember what upstreams said, for TTL seconds at the most (default 3600, 1800 "
		  "for denials), for names in ZONES (default: the server block's).",
	  .example = "cache 30 {\n    success 9984 30\n    denial 9984 5\n    disable denial cluster.local\n}",
	  .options = cache_options,
	  .begin = cache_begin },
	{ .name = "hosts", .args = "[FILE [ZONES...]]", .min = 0, .max = ANY_NUMBER, .once = true,
	  .text = "Answer A, AAAA and PTR from a hosts file (default /etc/hosts) and from lines "
		  "`ADDRESS NAME...` written in the braces, which come first. A name `*.NAME` "
		  "stands for every name with one more label that has no entry.",
	  .example = "hosts /etc/hosts example.org {\n    192.0.2.7 printer.example.org\n    ttl 60\n    no_reverse\n    reload 5s\n    fallthrough\n}",
	  .options = hosts_options,
	  .begin = hosts_begin, .line = hosts_line },
	{ .name = "file", .args = "FILE [ZONES...]", .min = 1, .max = ANY_NUMBER,
	  .text = "Answer from a zone file (RFC 1035 5), as ZONES (default: the server block's). A "
		  "file with a mistake is not used: the log names line and value, and the last good "
		  "records stay. `$INCLUDE` and `$GENERATE` are not supported. A "
		  "signed zone answers a query with DO with signatures and NSEC proofs; NSEC3 is "
		  "left out, with a warning.",
	  .example = "file /etc/lane53/db.example.org example.org {\n    reload 30s\n    fallthrough\n}",
	  .options = file_options,
	  .begin = file_begin },
	{ .name = "auto", .args = "[ZONES...]", .min = 0, .max = ANY_NUMBER,
	  .text = "Answer from every zone file of a directory, as it comes and goes, within ZONES "
		  "(default: the server block's). The expression is POSIX extended and need not "
		  "match the whole name.",
	  .example = "auto example.org {\n    directory /etc/lane53/zones db\\.(.*) {1}\n    reload 45s\n}",
	  .options = auto_options,
	  .begin = auto_begin, .end = auto_end },
	{ .name = "loop", .args = "", .min = 0, .max = 0, .once = true,
	  .text = "Find out at the start whether queries we forward come back to us, and stop "
		  "if they do.",
	  .example = "loop",
	  .begin = loop_begin },
	{ .name = "forward", .args = "FROM TO...", .min = 2, .max = ANY_NUMBER,
	  .text = "Ask upstreams for names in FROM, one after the other by `policy`. TO is "
		  "ADDRESS[:PORT] or a file like /etc/resolv.conf; at most 15.",
	  .example = "forward . 192.0.2.1 192.0.2.2:5353 {\n    except example.org\n    policy sequential\n    max_fails 3\n    health_check 0.5s domain example.org\n    max_concurrent 1000\n}",
	  .options = forward_options,
	  .begin = forward_begin, .end = forward_end },
	{ .name = "fanout", .args = "[FROM] TO...", .min = 1, .max = ANY_NUMBER, .any_case = true, .once = true,
	  .text = "Ask all upstreams at once for names in FROM (default: the root); the first "
		  "NOERROR counts, else the first response of another kind. At most 100.",
	  .example = "fanout . 192.0.2.1 192.0.2.2 {\n    network tcp\n    worker-count 2\n    attempt-count 2\n    timeout 5s\n    race\n}",
	  .options = fanout_options,
	  .begin = fanout_begin, .end = fanout_end },
	{ .name = "proxy", .args = "FROM TO...", .min = 2, .max = ANY_NUMBER,
	  .text = "The old name of `forward`; answered with a warning.",
	  .example = "proxy . 192.0.2.1",
	  .options = forward_options,
	  .begin = forward_begin, .end = forward_end },
	{ .name = "whoami", .args = "", .min = 0, .max = 0, .once = true,
	  .text = "Answer with the client's own address and port. Comes last.",
	  .example = "whoami",
	  .begin = whoami_begin },
};
const unsigned directive_count = ARRAY_LEN(directives);

/* Known to users of CoreDNS and of what it is extended with, and not built yet. */
static const char *const unbuilt[] = {
	"acl", "alternate", "any", "autopath", "azure", "bufsize", "cancel", "clouddns",
	"debug", "dns64", "dnscontext", "dnssec", "dnstap", "dragonflow", "erratic", "etcd",
	"federation", "geoip", "grpc", "grpc_server", "header", "https", "https3",
	"k8s_external", "k8s_gateway", "kubernetai", "kubernetes", "kubevirt",
	"loadbalance", "local", "metadata", "minimal", "multicluster", "multisocket",
	"nodecache", "nomad", "nsid", "on", "pprof", "proxyproto", "quic", "rewrite", "root",
	"route53", "secondary", "shed", "sign", "template", "tenant", "timeouts", "tls",
	"trace", "transfer", "tsig", "unbound", "view",
};
/* clang-format on */

/* ---- what readers say ---- */

__attribute__((format(printf, 4, 0))) static void note(struct compile *c, bool fatal,
						       const struct token *at,
						       const char *format, va_list args)
{
	struct problem problem;

	problem_vset(&problem, at->place.file, at->place.line, format, args);
	if (fatal)
		c->errors++;
	config_note(c->notes, fatal, &problem);
}

void compile_error(struct compile *c, const struct token *at, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	note(c, true, at, format, args);
	va_end(args);
}

void compile_warn(struct compile *c, const struct token *at, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	note(c, false, at, format, args);
	va_end(args);
}

/* ---- words as values ---- */

/* "cache: success" for messages about an argument of @s. */
static const char *where(struct compile *c, const struct statement *s)
{
	const char *name = s->words[0].text;

	if (!strcmp(name, c->directive->name))
		return name;
	return arena_format(c->arena, "%s: %s", c->directive->name, name);
}

struct plan_names compile_zones(struct compile *c, const struct statement *s,
				unsigned from)
{
	struct plan_names names = { 0 };

	for (unsigned i = from; i < s->count; i++)
		if (!value_zones(s->words[i].text, c->arena, &names))
			compile_error(c, &s->words[i],
				      "%s: found '%s', expected a domain name or CIDR",
				      where(c, s), s->words[i].text);
	return names;
}

struct plan_names compile_origins(struct compile *c, const struct statement *s,
				  unsigned from)
{
	struct plan_names names = compile_zones(c, s, from);
	const struct config_block *block = c->block;

	if (from < s->count)
		return names;
	for (unsigned i = 0; i < block->key_count; i++)
		for (unsigned j = 0; j < block->keys[i].zones.count; j++)
			*ARENA_PUSH(c->arena, names.at, names.count) =
				block->keys[i].zones.at[j];
	return names;
}

void compile_number(struct compile *c, const struct statement *s, unsigned i,
		    uint32_t min, uint32_t max, uint32_t *ret)
{
	if (value_number(s->words[i].text, min, max, ret))
		return;
	if (max == UINT32_MAX)
		compile_error(c, &s->words[i],
			      "%s: found '%s', expected a number, %u or more",
			      where(c, s), s->words[i].text, min);
	else
		compile_error(c, &s->words[i],
			      "%s: found '%s', expected a number from %u to %u",
			      where(c, s), s->words[i].text, min, max);
}

void compile_duration(struct compile *c, const struct statement *s, unsigned i,
		      uint32_t min_ms, uint32_t max_ms, uint32_t *ret_ms)
{
	const char *text = s->words[i].text;
	uint32_t ms;

	if (!value_duration(text, &ms))
		compile_error(c, &s->words[i],
			      "%s: found '%s', expected a time such as 500ms, 30s or "
			      "1h30m",
			      where(c, s), text);
	else if (ms < min_ms)
		compile_error(c, &s->words[i],
			      "%s: found '%s', expected a time of %gs or more",
			      where(c, s), text, min_ms / 1e3);
	else if (ms > max_ms)
		compile_error(c, &s->words[i],
			      "%s: found '%s', expected a time of %gs or less",
			      where(c, s), text, max_ms / 1e3);
	else
		*ret_ms = ms;
}

static const char *list_words(struct compile *c, const char *const *words,
			      unsigned count)
{
	const char *list = words[0];

	for (unsigned i = 1; i < count; i++)
		list = arena_format(c->arena, "%s%s%s", list,
				    i + 1 < count ? ", " : " or ", words[i]);
	return list;
}

/* What to say behind an unknown word. */
static const char *did_you_mean(struct compile *c, const char *word,
				const char *const *words, unsigned count)
{
	const char *nearest = value_nearest(word, words, count);

	return nearest ? arena_format(c->arena, "; did you mean '%s'?", nearest) : "";
}

int compile_word(struct compile *c, const struct statement *s, unsigned i,
		 const char *const *words, unsigned count)
{
	const char *text = s->words[i].text;

	for (unsigned j = 0; j < count; j++)
		if (!strcmp(text, words[j]))
			return (int)j;
	compile_error(c, &s->words[i], "%s: found '%s', expected %s%s", where(c, s),
		      text, list_words(c, words, count),
		      did_you_mean(c, text, words, count));
	return -1;
}

/*
 * \d and its like are not POSIX: the library would take them for a plain letter, and
 * what was meant would silently not match.
 */
static const char *foreign_escape(const char *text)
{
	for (const char *p = strchr(text, '\\'); p && p[1]; p = strchr(p + 2, '\\'))
		if (isalnum((unsigned char)p[1]) && !strchr("wWsSbB", p[1]))
			return p;
	return NULL;
}

void compile_regex(struct compile *c, const struct token *word)
{
	const char *escape = foreign_escape(word->text);
	const size_t len = strlen(word->text);
	regex_t regex;
	char why[128];
	int r;

	if (len > REGEX_BYTES) {
		compile_error(
			c, word,
			"%s: found an expression of %zu bytes, expected at most %d",
			c->directive->name, len, REGEX_BYTES);
		return;
	}
	if (escape) {
		compile_error(c, word,
			      "%s: found '%.2s' in '%s', expected a POSIX extended "
			      "regular expression: [0-9] for a digit",
			      c->directive->name, escape, word->text);
		return;
	}
	r = regcomp(&regex, word->text, REG_EXTENDED);
	if (r) {
		regerror(r, &regex, why, sizeof(why));
		compile_error(c, word,
			      "%s: found '%s', expected a regular expression: %s",
			      c->directive->name, word->text, why);
		return;
	}
	regfree(&regex);
}

struct config_step *compile_step(struct compile *c, enum plan_step_kind kind)
{
	struct config_block *block = c->block;
	struct config_step *step =
		ARENA_PUSH(c->arena, block->steps, block->step_count);

	step->kind = kind;
	step->source = -1;
	return step;
}

/* ---- the walk ---- */

static bool check_count(struct compile *c, const struct statement *s, unsigned min,
			unsigned max, const char *args)
{
	unsigned count = s->count - 1;

	if (count >= min && count <= max)
		return true;
	compile_error(c, &s->words[0], "%s: found %u argument%s, expected %s%s%s",
		      where(c, s), count, count == 1 ? "" : "s",
		      *args ? s->words[0].text : "none", *args ? " " : "", args);
	return false;
}

static void compile_option(struct compile *c, const struct statement *s)
{
	const struct directive *d = c->directive;
	const char *name = s->words[0].text;
	const char *names[32];
	unsigned count = 0;

	for (const struct option *o = d->options; o && o->name; o++) {
		unsigned errors = c->errors;

		names[count++] = o->name;
		if (d->any_case ? strcasecmp(name, o->name) : strcmp(name, o->name))
			continue;
		if (s->braces) {
			compile_error(c, &s->words[0],
				      "%s: found a '{', expected none behind it",
				      where(c, s));
			return;
		}
		if (!check_count(c, s, o->min, o->max, o->args))
			return;
		o->read(c, s);
		if (o->later && c->errors == errors)
			compile_warn(c, &s->words[0],
				     "%s: option '%s' is not active yet", d->name,
				     name);
		return;
	}
	if (d->line && d->line(c, s))
		return;
	if (count == 0)
		compile_error(c, &s->words[0],
			      "%s: found option '%s', expected none: it has no options",
			      d->name, name);
	else
		compile_error(c, &s->words[0], "%s: unknown option '%s', expected %s%s",
			      d->name, name, list_words(c, names, count),
			      did_you_mean(c, name, names, count));
}

static const struct directive *find(const char *name)
{
	for (unsigned i = 0; i < directive_count; i++)
		if (!strcmp(directives[i].name, name))
			return &directives[i];
	return NULL;
}

static void unknown_directive(struct compile *c, const struct token *word)
{
	const char *names[ARRAY_LEN(directives) + ARRAY_LEN(unbuilt)];
	unsigned count = 0;

	for (unsigned i = 0; i < ARRAY_LEN(unbuilt); i++) {
		if (!strcmp(word->text, unbuilt[i])) {
			compile_error(
				c, word,
				"directive '%s' is not built yet: take it out, or "
				"wait for a release that has it",
				word->text);
			return;
		}
	}
	for (unsigned i = 0; i < directive_count; i++)
		names[count++] = directives[i].name;
	for (unsigned i = 0; i < ARRAY_LEN(unbuilt); i++)
		names[count++] = unbuilt[i];
	compile_error(c, word, "unknown directive '%s', expected %s%s", word->text,
		      list_words(c, names, directive_count),
		      did_you_mean(c, word->text, names, count));
}

static void compile_statement(struct compile *c, const struct statement *s,
			      const struct statement *before, unsigned before_count)
{
	const struct directive *d = find(s->words[0].text);

	if (!d) {
		unknown_directive(c, &s->words[0]);
		return;
	}
	c->directive = d;
	c->state = NULL;
	for (unsigned i = 0; d->once && i < before_count; i++) {
		if (strcmp(before[i].words[0].text, d->name))
			continue;
		compile_error(c, &s->words[0],
			      "%s: found a second one, expected one in a server block "
			      "(the first is in line %u)",
			      d->name, before[i].words[0].place.line);
		return;
	}
	if (!check_count(c, s, d->min, d->max, d->args))
		return;
	d->begin(c, s);
	for (unsigned i = 0; i < s->child_count; i++)
		compile_option(c, &s->children[i]);
	if (d->end)
		d->end(c, s);
}

void directive_compile(struct compile *c, const struct statement *at, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		compile_statement(c, &at[i], at, i);
}

/* ---- the reference ---- */

static void print_example(FILE *out, const char *example)
{
	fputs("\n```corefile\n.:53 {\n", out);
	while (*example) {
		int len = (int)strcspn(example, "\n");

		fprintf(out, "    %.*s\n", len, example);
		example += len + (example[len] != 0);
	}
	fputs("}\n```\n", out);
}

/* @text in a table cell: | would end it. */
static void print_cell(FILE *out, const char *text)
{
	for (; *text; text++)
		fprintf(out, *text == '|' ? "\\|" : "%c", *text);
}

void directive_reference(FILE *out)
{
	for (unsigned i = 0; i < directive_count; i++) {
		const struct directive *d = &directives[i];

		fprintf(out, "%s### %s\n\n`%s%s%s%s`\n\n%s\n", i ? "\n" : "", d->name,
			d->name, *d->args ? " " : "", d->args,
			d->options ? " { OPTIONS }" : "", d->text);
		if (d->options)
			fputs("\n| option | |\n|---|---|\n", out);
		for (const struct option *o = d->options; o && o->name; o++) {
			fprintf(out, "| `%s%s", o->name, *o->args ? " " : "");
			print_cell(out, o->args);
			fputs("` | ", out);
			print_cell(out, o->text);
			fprintf(out, "%s |\n", o->later ? " (not active yet)" : "");
		}
		print_example(out, d->example);
	}
}
