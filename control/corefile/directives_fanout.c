/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * directives_fanout.c - fanout: every upstream at once.
 */
#include <string.h>
#include "corefile/asking.h"

#define FANOUT_UPSTREAMS 100 /* as the plugin has it */

/*
 * fanout FROM TO...; the first generation (seed 000) had no FROM, so an address in its
 * place means the root.
 */
void fanout_begin(struct compile *c, const struct statement *s)
{
	struct asking *asking;
	struct plan_address first;

	if (value_address_port(s->words[1].text, 53, &first) ||
	    !strncmp(s->words[1].text, "tls://", 6)) {
		static struct token root = { .text = "." };
		struct statement whole = { .braces = s->braces };

		for (unsigned i = 0; i < s->count; i++) {
			*ARENA_PUSH(c->arena, whole.words, whole.count) = s->words[i];
			if (i == 0)
				*ARENA_PUSH(c->arena, whole.words, whole.count) = root;
		}
		asking_begin(c, &whole, FANOUT_UPSTREAMS);
	} else if (s->count < 3) {
		compile_error(
			c, &s->words[0],
			"fanout: found no upstream, expected fanout [FROM] TO...");
		asking_begin(c, s, FANOUT_UPSTREAMS);
	} else {
		asking_begin(c, s, FANOUT_UPSTREAMS);
	}
	asking = c->state;
	asking->forward->policy = POLICY_PARALLEL;
	asking->forward->attempts = 3;
	asking->forward->try_timeout_ms = 2000;
	asking->forward->timeout_ms = 30000;
}

void fanout_end(struct compile *c, const struct statement *s)
{
	struct plan_forward *forward = ((struct asking *)c->state)->forward;

	asking_end(c, s);
	if (forward->workers >= forward->upstream_count)
		forward->workers = 0;
	for (unsigned i = 0; forward->force_tcp && i < forward->upstream_count; i++)
		forward->upstreams[i].proto = PLAN_TCP;
}

static void fanout_network(struct compile *c, const struct statement *s)
{
	static const char *const networks[] = { "udp", "tcp", "tcp-tls" };
	struct asking *asking = c->state;
	int network = compile_word(c, s, 1, networks, 3);

	asking->forward->force_tcp = network == 1;
	if (network == 2) /* plain instead would tell the wire what was to be hidden */
		compile_error(
			c, &s->words[1],
			"fanout: network 'tcp-tls' is not built yet, expected udp "
			"or tcp");
}

static void fanout_workers(struct compile *c, const struct statement *s)
{
	struct asking *asking = c->state;

	compile_number(c, s, 1, 2, 32, &asking->forward->workers);
}

static void fanout_policy(struct compile *c, const struct statement *s)
{
	static const char *const policies[] = { "sequential", "weighted-random" };

	if (compile_word(c, s, 1, policies, 2) == 1)
		compile_warn(c, &s->words[1],
			     "fanout: policy 'weighted-random' is not active yet: "
			     "upstreams are asked in their order");
}

static void fanout_weights(struct compile *c, const struct statement *s)
{
	struct asking *asking = c->state;
	unsigned count = asking->forward->upstream_count + asking->left_out;
	uint32_t weight;

	for (unsigned i = 1; i < s->count; i++)
		compile_number(c, s, i, 1, 100, &weight);
	if (s->count - 1 != count)
		compile_error(c, &s->words[0],
			      "fanout: %s: found %u weights, expected %u: one for each "
			      "upstream",
			      s->words[0].text, s->count - 1, count);
}

/* Names, one a line; an empty line is nothing. */
static void fanout_except_file(struct compile *c, const struct statement *s)
{
	struct asking *asking = c->state;
	char *text, *save = NULL;
	size_t len;
	int r = syntax_file(c->arena, s->words[1].text, &text, &len);

	if (r < 0) {
		compile_error(c, &s->words[1],
			      "fanout: except-file: cannot read '%s': %s",
			      s->words[1].text, strerror(-r));
		return;
	}
	c->config->digest = syntax_digest(c->config->digest, text);
	for (char *word = strtok_r(text, " \t\r\n", &save); word;
	     word = strtok_r(NULL, " \t\r\n", &save))
		if (!value_zones(word, c->arena, &asking->forward->except))
			compile_error(c, &s->words[1],
				      "fanout: except-file: found '%s' in it, expected "
				      "domain names",
				      word);
}

static void fanout_attempts(struct compile *c, const struct statement *s)
{
	struct asking *asking = c->state;

	compile_number(c, s, 1, 0, 1000, &asking->forward->attempts);
}

static void fanout_timeout(struct compile *c, const struct statement *s)
{
	struct asking *asking = c->state;

	compile_duration(c, s, 1, 1, DURATION_MAX, &asking->forward->timeout_ms);
}

static void fanout_race(struct compile *c, const struct statement *s)
{
	struct asking *asking = c->state;

	(void)s;
	asking->forward->race = true;
}

const struct option fanout_options[] = {
	{ "network", "udp|tcp|tcp-tls", "how upstreams are asked; default udp", 1, 1,
	  false, fanout_network },
	{ "worker-count", "NUMBER",
	  "upstreams asked at once, 2 to 32; default all of them", 1, 1, false,
	  fanout_workers },
	{ "except", "NAMES...", "names at and below these are not asked for", 1,
	  ANY_NUMBER, false, asking_except },
	{ "except-file", "FILE", "the same, from a file", 1, 1, false,
	  fanout_except_file },
	{ "attempt-count", "NUMBER",
	  "tries per upstream; default 3, 0 = until the timeout", 1, 1, false,
	  fanout_attempts },
	{ "timeout", "DURATION", "of the whole query; default 30s", 1, 1, false,
	  fanout_timeout },
	{ "race", "", "the first response counts, whatever its rcode", 0, 0, false,
	  fanout_race },
	{ "policy", "sequential|weighted-random",
	  "the order upstreams are asked in; default sequential", 1, 1, false,
	  fanout_policy },
	{ "weighted-random-server-count", "NUMBER", "upstreams asked per query", 1, 1,
	  true, asking_number },
	{ "weighted-random-load-factor", "WEIGHT...", "1 to 100 for each upstream", 1,
	  ANY_NUMBER, true, fanout_weights },
	{ "tls", "[CA | CERT KEY [CA]]", "credentials for tls:// upstreams", 0, 3, true,
	  asking_unchecked },
	{ "tls-server", "NAME", "name to verify of tls:// upstreams", 1, 1, true,
	  asking_unchecked },
	{ 0 },
};
