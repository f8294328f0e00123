/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * directives_forward.c - forward (and proxy), and what all directives that ask upstreams
 * have in common.
 */
#include <string.h>
#include "corefile/asking.h"

#define FORWARD_UPSTREAMS 15 /* as CoreDNS has it */

void asking_unchecked(struct compile *c, const struct statement *s)
{
	(void)c;
	(void)s;
}

/* ---- upstreams ---- */

static const char resolv_space[] = " \t\r";

/* The `nameserver` lines of @text; @word named the file. */
static unsigned take_nameservers(struct compile *c, const struct token *word,
				 char *text)
{
	struct asking *asking = c->state;
	struct plan_forward *forward = asking->forward;
	unsigned count = 0;
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		char *inner = NULL;
		char *key = strtok_r(line, resolv_space, &inner);
		char *value = strtok_r(NULL, resolv_space, &inner);
		struct plan_upstream *up;
		struct plan_address remote = { .port = 53 };

		if (!key || strcmp(key, "nameserver") || !value)
			continue;
		if (!value_address(value, remote.addr)) {
			compile_warn(c, word, "%s: nameserver '%s' is left out: %s",
				     word->text, value,
				     strchr(value, '%')
					     ? "addresses with a zone are not built yet"
					     : "not an address");
			continue;
		}
		up = ARENA_PUSH(c->arena, forward->upstreams, forward->upstream_count);
		up->remote = remote;
		up->proto = PLAN_UDP;
		c->config->digest = syntax_digest(c->config->digest, value);
		count++;
	}
	return count;
}

static void take_file(struct compile *c, const struct token *word)
{
	char *text;
	size_t len;
	int r = syntax_file(c->arena, word->text, &text, &len);

	if (r < 0)
		compile_error(
			c, word,
			"%s: found '%s', expected ADDRESS[:PORT], "
			"tls://ADDRESS[:PORT] or a file like /etc/resolv.conf (%s)",
			c->directive->name, word->text, strerror(-r));
	else if (take_nameservers(c, word, text) == 0)
		compile_error(c, word,
			      "%s: found no nameserver in '%s', expected one or more",
			      c->directive->name, word->text);
}

static void take_upstream(struct compile *c, const struct token *word)
{
	static const char *const later[] = { "tls://", "https://", "grpc://",
					     "quic://" };
	struct asking *asking = c->state;
	struct plan_forward *forward = asking->forward;
	const char *text = word->text;
	struct plan_address remote;

	for (unsigned i = 0; i < sizeof(later) / sizeof(later[0]); i++) {
		size_t len = strlen(later[i]);

		if (strncmp(text, later[i], len))
			continue;
		if (i == 0 && !value_address_port(text + len, 853, &remote))
			compile_error(c, word,
				      "%s: found '%s', expected tls://ADDRESS[:PORT]",
				      c->directive->name, text);
		else
			compile_warn(c, word,
				     "%s: upstream '%s' is not active yet: it is not "
				     "asked",
				     c->directive->name, text);
		asking->left_out++;
		return;
	}
	if (!strncmp(text, "dns://", 6))
		text += 6;
	if (value_address_port(text, 53, &remote)) {
		struct plan_upstream *up = ARENA_PUSH(c->arena, forward->upstreams,
						      forward->upstream_count);

		up->remote = remote;
		up->proto = PLAN_UDP;
	} else {
		take_file(c, word);
	}
}

void asking_begin(struct compile *c, const struct statement *s, unsigned limit)
{
	struct asking *asking = arena_take(c->arena, sizeof(*asking));
	struct plan_forward *forward = arena_take(c->arena, sizeof(*forward));
	struct statement from = { .words = s->words, .count = 2 };

	asking->forward = forward;
	asking->step = compile_step(c, STEP_FORWARD);
	asking->step->forward = forward;
	c->state = asking;
	forward->health_check_name = (struct plan_name){ .len = 1 };
	asking->step->zones = compile_zones(c, &from, 1);
	if (asking->step->zones.count == 1 && asking->step->zones.at[0].len == 1)
		asking->step->zones.count = 0; /* the root: all of the block's */
	for (unsigned i = 2; i < s->count; i++)
		take_upstream(c, &s->words[i]);
	if (forward->upstream_count + asking->left_out > limit)
		compile_error(c, &s->words[0],
			      "%s: found %u upstreams, expected at most %u",
			      s->words[0].text,
			      forward->upstream_count + asking->left_out, limit);
}

void asking_end(struct compile *c, const struct statement *s)
{
	struct asking *asking = c->state;

	if (asking->forward->upstream_count == 0 && asking->left_out)
		compile_error(c, &s->words[0],
			      "%s: found only upstreams that are not active yet, "
			      "expected at least one ADDRESS[:PORT]",
			      s->words[0].text);
}

void asking_except(struct compile *c, const struct statement *s)
{
	struct asking *asking = c->state;
	struct plan_names names = compile_zones(c, s, 1);

	for (unsigned i = 0; i < names.count; i++)
		*ARENA_PUSH(c->arena, asking->forward->except.at,
			    asking->forward->except.count) = names.at[i];
}

/* ---- values that are only checked ---- */

static void check_duration(struct compile *c, const struct statement *s)
{
	uint32_t ms;

	compile_duration(c, s, 1, 0, DURATION_MAX, &ms);
}

void asking_number(struct compile *c, const struct statement *s)
{
	uint32_t number;

	compile_number(c, s, 1, 0, UINT32_MAX, &number);
}

static void check_addresses(struct compile *c, const struct statement *s)
{
	struct plan_address address;

	for (unsigned i = 1; i < s->count; i++)
		if (!value_address_port(s->words[i].text, 53, &address))
			compile_error(c, &s->words[i],
				      "%s: %s: found '%s', expected an address",
				      c->directive->name, s->words[0].text,
				      s->words[i].text);
}

static void check_rcodes(struct compile *c, const struct statement *s)
{
	static const char *const rcodes[] = { "NOERROR",  "FORMERR", "SERVFAIL",
					      "NXDOMAIN", "NOTIMP",  "REFUSED",
					      "YXDOMAIN", "YXRRSET", "NXRRSET",
					      "NOTAUTH",  "NOTZONE" };

	for (unsigned i = 1; i < s->count; i++)
		(void)compile_word(c, s, i, rcodes, 11);
}

static void check_method(struct compile *c, const struct statement *s)
{
	static const char *const methods[] = { "GET", "POST" };

	(void)compile_word(c, s, 1, methods, 2);
}

/* ---- forward ---- */

void forward_begin(struct compile *c, const struct statement *s)
{
	struct asking *asking;

	if (token_is(&s->words[0], "proxy"))
		compile_warn(c, &s->words[0],
			     "'proxy' is an old name, read as 'forward'");
	asking_begin(c, s, FORWARD_UPSTREAMS);
	asking = c->state;
	asking->forward->policy = POLICY_RANDOM;
	asking->forward->max_fails = 2;
	asking->forward->attempts = 2;
	asking->forward->try_timeout_ms = 2000;
	asking->forward->timeout_ms = 5000;
	asking->forward->health_check_ms = 500;
	asking->forward->health_check_rd = true;
}

void forward_end(struct compile *c, const struct statement *s)
{
	asking_end(c, s);
}

static void forward_policy(struct compile *c, const struct statement *s)
{
	static const char *const policies[] = { "random", "round_robin", "sequential" };
	struct asking *asking = c->state;
	int policy = compile_word(c, s, 1, policies, 3);

	if (policy >= 0)
		asking->forward->policy = (enum plan_policy)policy;
}

static void forward_max_fails(struct compile *c, const struct statement *s)
{
	struct asking *asking = c->state;

	compile_number(c, s, 1, 0, UINT32_MAX, &asking->forward->max_fails);
}

static void forward_max_concurrent(struct compile *c, const struct statement *s)
{
	struct asking *asking = c->state;

	compile_number(c, s, 1, 0, UINT32_MAX, &asking->forward->max_concurrent);
}

static void forward_force_tcp(struct compile *c, const struct statement *s)
{
	struct asking *asking = c->state;

	(void)s;
	asking->forward->force_tcp = true;
}

static void forward_prefer_udp(struct compile *c, const struct statement *s)
{
	struct asking *asking = c->state;

	(void)s;
	asking->forward->prefer_udp = true;
}

static void forward_read_timeout(struct compile *c, const struct statement *s)
{
	struct asking *asking = c->state;

	compile_duration(c, s, 1, 1, DURATION_MAX, &asking->forward->try_timeout_ms);
}

/* DURATION [no_rec] [domain NAME] */
static void forward_health_check(struct compile *c, const struct statement *s)
{
	struct plan_forward *forward = ((struct asking *)c->state)->forward;

	compile_duration(c, s, 1, 1, DURATION_MAX, &forward->health_check_ms);
	for (unsigned i = 2; i < s->count; i++) {
		const struct token *word = &s->words[i];

		if (token_is(word, "no_rec")) {
			forward->health_check_rd = false;
		} else if (token_is(word, "domain") && i + 1 < s->count) {
			if (!value_name(s->words[++i].text,
					&forward->health_check_name))
				compile_error(c, &s->words[i],
					      "forward: health_check: found '%s', "
					      "expected a domain name",
					      s->words[i].text);
		} else {
			compile_error(c, word,
				      "forward: health_check: found '%s', expected "
				      "no_rec or domain NAME",
				      word->text);
			return;
		}
	}
}

const struct option forward_options[] = {
	{ "policy", "random|round_robin|sequential",
	  "which upstream is asked first; default random", 1, 1, false,
	  forward_policy },
	{ "except", "NAMES...", "names at and below these are not asked for", 1,
	  ANY_NUMBER, false, asking_except },
	{ "force_tcp", "", "ask over TCP", 0, 0, false, forward_force_tcp },
	{ "prefer_udp", "", "ask over UDP even for clients that came over TCP", 0, 0,
	  false, forward_prefer_udp },
	{ "max_fails", "NUMBER",
	  "failures in a row, beyond which an upstream is down; default 2, 0 = never",
	  1, 1, false, forward_max_fails },
	{ "health_check", "DURATION [no_rec] [domain NAME]",
	  "how often an upstream that failed is probed with `NAME IN NS`; default 0.5s "
	  "domain .",
	  1, 4, false, forward_health_check },
	{ "max_concurrent", "NUMBER",
	  "more queries than so many in flight are REFUSED; default 0: no limit", 1, 1,
	  false, forward_max_concurrent },
	{ "read_timeout", "DURATION", "of one try; default 2s", 1, 1, false,
	  forward_read_timeout },
	{ "expire", "DURATION", "when an idle connection is closed", 1, 1, true,
	  check_duration },
	{ "max_age", "DURATION", "when a connection is closed", 1, 1, true,
	  check_duration },
	{ "max_idle_conns", "NUMBER", "idle connections kept", 1, 1, true,
	  asking_number },
	{ "max_connect_attempts", "NUMBER", "tries in all", 1, 1, true, asking_number },
	{ "tls", "[CERT KEY [CA]]", "credentials for tls:// upstreams", 0, 3, true,
	  asking_unchecked },
	{ "tls_servername", "NAME", "name to verify of tls:// upstreams", 1, 1, true,
	  asking_unchecked },
	{ "failfast_all_unhealthy_upstreams", "", "SERVFAIL at once when all are down",
	  0, 0, true, asking_unchecked },
	{ "next", "RCODES...", "on these ask the forward that follows", 1, ANY_NUMBER,
	  true, check_rcodes },
	{ "next_on_nodata", "", "on NODATA ask the forward that follows", 0, 0, true,
	  asking_unchecked },
	{ "failover", "RCODES...", "on these ask another upstream", 1, ANY_NUMBER, true,
	  check_rcodes },
	{ "source_address", "ADDRESS", "to ask from", 1, 1, true, check_addresses },
	{ "resolver", "ADDRESS...", "to look upstreams' names up", 1, ANY_NUMBER, true,
	  check_addresses },
	{ "doh_method", "GET|POST", "of https:// upstreams", 1, 1, true, check_method },
	{ 0 },
};
