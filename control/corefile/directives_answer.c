/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * directives_answer.c - small directives that answer or say where: chaos, loop, whoami,
 * cache, xdp.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include "corefile/directive.h"
#include "lane53/abi.h"

static void no_check(struct compile *c, const struct statement *s)
{
	(void)c;
	(void)s;
}

/* ---- chaos, loop, whoami ---- */

void chaos_begin(struct compile *c, const struct statement *s)
{
	struct config_step *step = compile_step(c, STEP_CHAOS);
	const char **texts = NULL;

	*ARENA_PUSH(c->arena, texts, step->text_count) =
		s->count > 1 ? s->words[1].text : "lane53-" LANE53_VERSION;
	for (unsigned i = 2; i < s->count; i++)
		*ARENA_PUSH(c->arena, texts, step->text_count) = s->words[i].text;
	for (unsigned i = 1; i < s->count; i++)
		if (strlen(s->words[i].text) > 255)
			compile_error(c, &s->words[i],
				      "chaos: found %zu bytes, expected at most 255: a "
				      "TXT string (RFC 1035 3.3)",
				      strlen(s->words[i].text));
	step->texts = texts;
}

void loop_begin(struct compile *c, const struct statement *s)
{
	(void)s;
	c->block->loop = true;
	compile_step(c, STEP_LOOP);
}

void whoami_begin(struct compile *c, const struct statement *s)
{
	(void)s;
	compile_step(c, STEP_WHOAMI);
}

/* ---- cache ---- */

void cache_begin(struct compile *c, const struct statement *s)
{
	struct plan_cache *cache = &c->block->cache;
	unsigned zones = 1;
	uint32_t ttl;

	*cache = (struct plan_cache){ .on = true,
				      .success_capacity = 9984,
				      .denial_capacity = 9984,
				      .success_max_s = 3600,
				      .success_min_s = 5,
				      .denial_max_s = 1800,
				      .denial_min_s = 5,
				      .failure_s = 5 };
	if (s->count > 1 && value_number(s->words[1].text, 0, UINT32_MAX, &ttl)) {
		zones = 2;
		if (ttl == 0)
			compile_error(c, &s->words[1],
				      "cache: found a TTL of 0, expected 1 or more");
		cache->success_max_s = cache->denial_max_s = ttl;
	}
	cache->zones = compile_zones(c, s, zones);
}

/* CAPACITY [TTL [MINTTL]] */
static void cache_limits(struct compile *c, const struct statement *s,
			 unsigned *capacity, uint32_t *max_s, uint32_t *min_s)
{
	compile_number(c, s, 1, 1, UINT32_MAX, capacity);
	if (s->count > 2)
		compile_number(c, s, 2, 1, UINT32_MAX, max_s);
	if (s->count > 3)
		compile_number(c, s, 3, 0, UINT32_MAX, min_s);
}

static void cache_success(struct compile *c, const struct statement *s)
{
	struct plan_cache *cache = &c->block->cache;

	cache_limits(c, s, &cache->success_capacity, &cache->success_max_s,
		     &cache->success_min_s);
}

static void cache_denial(struct compile *c, const struct statement *s)
{
	struct plan_cache *cache = &c->block->cache;

	cache_limits(c, s, &cache->denial_capacity, &cache->denial_max_s,
		     &cache->denial_min_s);
}

static void cache_prefetch(struct compile *c, const struct statement *s)
{
	uint32_t number;

	compile_number(c, s, 1, 0, UINT32_MAX, &number);
	if (s->count > 2)
		compile_duration(c, s, 2, 0, DURATION_MAX, &number);
	if (s->count > 3) {
		const char *text = s->words[3].text;
		size_t len = strlen(text);

		if (len < 2 || text[len - 1] != '%' ||
		    !value_number(arena_text_n(c->arena, text, len - 1), 10, 90,
				  &number))
			compile_error(c, &s->words[3],
				      "cache: prefetch: found '%s', expected 10%% to "
				      "90%%",
				      text);
	}
}

static void cache_serve_stale(struct compile *c, const struct statement *s)
{
	static const char *const modes[] = { "immediate", "verify" };
	unsigned i = 1;
	uint32_t ms;
	int mode;

	if (i < s->count && s->words[i].text[0] >= '0' && s->words[i].text[0] <= '9')
		compile_duration(c, s, i++, 0, DURATION_MAX, &ms);
	if (i == s->count)
		return;
	mode = compile_word(c, s, i++, modes, 2);
	if (mode < 0)
		return;
	for (unsigned left = mode == 1 ? 3 : 2; i < s->count && left; left--)
		compile_duration(c, s, i++, 0, DURATION_MAX, &ms);
	if (i < s->count)
		compile_error(c, &s->words[i],
			      "cache: serve_stale: found '%s', expected nothing more",
			      s->words[i].text);
}

static void cache_stale_policy(struct compile *c, const struct statement *s)
{
	static const char *const policies[] = { "prefer_positive" };

	(void)compile_word(c, s, 1, policies, 1);
}

static void cache_servfail(struct compile *c, const struct statement *s)
{
	uint32_t ms = 5000;

	compile_duration(c, s, 1, 0, 5 * 60 * 1000, &ms);
	c->block->cache.failure_s = (ms + 999) / 1000;
}

static void cache_disable(struct compile *c, const struct statement *s)
{
	static const char *const words[] = { "success", "denial" };
	struct plan_cache *cache = &c->block->cache;
	int which = compile_word(c, s, 1, words, 2);
	struct plan_names zones = compile_zones(c, s, 2);

	if (which == 0) {
		cache->disable_success = true;
		cache->disable_success_zones = zones;
	} else if (which == 1) {
		cache->disable_denial = true;
		cache->disable_denial_zones = zones;
	}
}

const struct option cache_options[] = {
	{ "success", "CAPACITY [TTL [MINTTL]]",
	  "entries of positive answers, longest and shortest life in seconds; default "
	  "9984 3600 5",
	  1, 3, false, cache_success },
	{ "denial", "CAPACITY [TTL [MINTTL]]",
	  "the same for NXDOMAIN and NODATA; default 9984 1800 5", 1, 3, false,
	  cache_denial },
	{ "servfail", "DURATION",
	  "how long a failed resolution is remembered, 0 to 5m; default 5s", 1, 1,
	  false, cache_servfail },
	{ "disable", "success|denial [ZONES...]",
	  "no such cache for these zones; without zones for all", 1, ANY_NUMBER, false,
	  cache_disable },
	{ "prefetch", "AMOUNT [DURATION [PERCENT%]]",
	  "refresh what is asked often before it expires", 1, 3, true, cache_prefetch },
	{ "serve_stale", "[DURATION] [immediate|verify [...]]",
	  "answer from expired entries while upstreams fail (RFC 8767)", 0, 5, true,
	  cache_serve_stale },
	{ "serve_stale_policy", "prefer_positive",
	  "a stale positive answer beats a newer negative one", 1, 1, true,
	  cache_stale_policy },
	{ "keepttl", "", "show TTLs as they came", 0, 0, true, no_check },
	{ 0 },
};

/* ---- xdp ---- */

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void xdp_begin(struct compile *c, const struct statement *s)
{
	struct config_xdp *xdp =
		ARENA_PUSH(c->arena, c->config->xdp, c->config->xdp_count);
	const char **patterns = NULL;

	xdp->place = s->words[0].place;
	for (unsigned i = 1; i < s->count; i++) {
		const struct token *word = &s->words[i];
		bool glob = strpbrk(word->text, "*?[") != NULL;

		if (!*word->text || strchr(word->text, '/') ||
		    strlen(word->text) > (glob ? 63 : 15))
			compile_error(c, word,
				      "xdp: found '%s', expected the name of an "
				      "interface (at most 15 bytes) or a pattern such "
				      "as veth*",
				      word->text);
		*ARENA_PUSH(c->arena, patterns, xdp->pattern_count) = word->text;
	}
	qsort(patterns, xdp->pattern_count, sizeof(*patterns), compare_texts);
	xdp->patterns = patterns;
	c->state = xdp;
}

static void xdp_mode(struct compile *c, const struct statement *s)
{
	static const char *const modes[] = { "auto", "native", "generic" };
	struct config_xdp *xdp = c->state;
	int mode = compile_word(c, s, 1, modes, 3);

	if (mode >= 0)
		xdp->mode = (enum config_xdp_mode)mode;
}

static void xdp_vlan(struct compile *c, const struct statement *s)
{
	struct config_xdp *xdp = c->state;
	uint32_t vlan = 0;

	compile_number(c, s, 1, 1, 4094, &vlan);
	xdp->vlan = (uint16_t)vlan;
}

static void xdp_from(struct compile *c, const struct statement *s)
{
	struct config_xdp *xdp = c->state;

	for (unsigned i = 1; i < s->count; i++) {
		struct config_prefix prefix;

		if (value_prefix(s->words[i].text, &prefix))
			*ARENA_PUSH(c->arena, xdp->from, xdp->from_count) = prefix;
		else
			compile_error(
				c, &s->words[i],
				"xdp: from: found '%s', expected a prefix such as "
				"10.1.0.0/16",
				s->words[i].text);
	}
}

static int compare_prefixes(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct config_prefix));
}

static const char *prefix_text(struct compile *c, const struct config_prefix *prefix)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	bool v4 = prefix->bits >= 96 && !memcmp(prefix->addr, mapped, 12);
	char text[INET6_ADDRSTRLEN];

	inet_ntop(v4 ? AF_INET : AF_INET6, prefix->addr + (v4 ? 12 : 0), text,
		  sizeof(text));
	return arena_format(c->arena, "%s/%u", text, prefix->bits - (v4 ? 96u : 0));
}

/*
 * Numbers are drawn by text, of at most 511 bytes with what stands around it
 * (store_id()): of a longer one the head, and a hash of all.
 */
#define TENANT_TEXT_MAX 256

static const char *short_text(struct compile *c, const char *text)
{
	int head = TENANT_TEXT_MAX - 18;

	if (strlen(text) <= TENANT_TEXT_MAX)
		return text;
	while ((text[head] & 0xc0) == 0x80) /* not within a character */
		head--;
	return arena_format(
		c->arena, "%.*s#%016llx", head, text,
		(unsigned long long)syntax_digest(SYNTAX_DIGEST_START, text));
}

/* The tenant's canonical text: the same scope is the same tenant, however written. */
static const char *tenant_text(struct compile *c, const struct config_xdp *xdp)
{
	const char *text = "";

	for (unsigned i = 0; i < xdp->pattern_count; i++)
		text = arena_format(c->arena, "%s%s%s", text, i ? "," : "",
				    xdp->patterns[i]);
	if (xdp->vlan)
		text = arena_format(c->arena, "%s;vlan=%u", text, xdp->vlan);
	for (unsigned i = 0; i < xdp->from_count; i++)
		text = arena_format(c->arena, "%s%s%s", text,
				    i ? "," : ";from=", prefix_text(c, &xdp->from[i]));
	return short_text(c, text);
}

void xdp_end(struct compile *c, const struct statement *s)
{
	struct config_xdp *xdp = c->state;

	if (xdp->vlan || xdp->from_count) {
		if (xdp->from_count)
			qsort(xdp->from, xdp->from_count, sizeof(*xdp->from),
			      compare_prefixes);
		xdp->tenant = tenant_text(c, xdp);
		if (c->block->scope >= 0)
			compile_error(c, &s->words[0],
				      "xdp: found a second one with vlan or from, "
				      "expected one for a server block");
		c->block->scope = (int)c->config->xdp_count - 1;
	}
}

/* EVERY [LIMIT]; the settings are one for all interfaces. */
static void xdp_events(struct compile *c, const struct statement *s)
{
	struct config *config = c->config;
	uint32_t every = 0, limit = LANE53_EVENT_LIMIT;

	compile_number(c, s, 1, 1, UINT32_MAX, &every);
	if (s->count > 2)
		compile_number(c, s, 2, 1, UINT32_MAX, &limit);
	if (config->event_every &&
	    (config->event_every != every || config->event_limit != limit))
		compile_error(c, &s->words[1],
			      "xdp: events: found %u %u, expected %u %u as before: "
			      "they are for all interfaces",
			      every, limit, config->event_every, config->event_limit);
	config->event_every = every;
	config->event_limit = limit;
}

const struct option xdp_options[] = {
	{ "mode", "auto|native|generic",
	  "the kernel's hook: native in the driver, generic for any interface; auto "
	  "(default) takes native on NICs and tap, generic on veth, bridges and lo; "
	  "native "
	  "on a veth delivers only if its peer runs an XDP program as well",
	  1, 1, false, xdp_mode },
	{ "vlan", "ID",
	  "only frames with this VLAN tag; makes the server block a tenant of its own",
	  1, 1, false, xdp_vlan },
	{ "from", "CIDR...",
	  "only queries from these sources; makes the server block a tenant of its own",
	  1, ANY_NUMBER, false, xdp_from },
	{ "events", "EVERY [LIMIT]",
	  "sample every EVERYth answer of XDP for `lane53ctl events`, all the time and "
	  "on all interfaces; LIMIT: events, lines of `log` included, per second and "
	  "CPU "
	  "at the most (default 20000; samples get half of it)",
	  1, 2, false, xdp_events },
	{ 0 },
};
