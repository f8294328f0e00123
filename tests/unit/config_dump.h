/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * config_dump.h - a compiled Corefile as text that a person can check, for tests.
 */
#ifndef LANE53_CONFIG_DUMP_H
#define LANE53_CONFIG_DUMP_H

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include "corefile/config.h"
#include "dns/name.h"

static inline void dump_names(FILE *out, const char *what,
			      const struct plan_names *names)
{
	char text[NAME_TEXT_ROOM];

	if (names->count == 0)
		return;
	fprintf(out, " %s", what);
	for (unsigned i = 0; i < names->count; i++) {
		(void)name_to_text(text, names->at[i].wire);
		fprintf(out, "%c%s", i ? ',' : '=', text);
	}
}

static inline void dump_address(FILE *out, const uint8_t addr[16])
{
	char text[INET6_ADDRSTRLEN];
	bool v4 = !memcmp(addr, (uint8_t[12]){ [10] = 0xff, [11] = 0xff }, 12);

	fputs(v4 ? inet_ntop(AF_INET, addr + 12, text, sizeof(text))
		 : inet_ntop(AF_INET6, addr, text, sizeof(text)),
	      out);
}

static inline void dump_forward(FILE *out, const struct plan_forward *f)
{
	static const char *const policies[] = { "random", "round_robin", "sequential",
						"parallel" };
	static const char *const protos[] = { "udp", "tcp", "tls" };

	fprintf(out, " %s to", policies[f->policy]);
	for (unsigned i = 0; i < f->upstream_count; i++) {
		fputc(i ? ',' : '=', out);
		dump_address(out, f->upstreams[i].remote.addr);
		fprintf(out, "#%u/%s", f->upstreams[i].remote.port,
			protos[f->upstreams[i].proto]);
	}
	dump_names(out, "except", &f->except);
	fprintf(out,
		"%s%s%s fails=%u concurrent=%u workers=%u attempts=%u try=%u all=%u",
		f->force_tcp ? " force_tcp" : "", f->prefer_udp ? " prefer_udp" : "",
		f->race ? " race" : "", f->max_fails, f->max_concurrent, f->workers,
		f->attempts, f->try_timeout_ms, f->timeout_ms);
	if (f->health_check_ms) {
		char text[NAME_TEXT_ROOM];

		(void)name_to_text(text, f->health_check_name.wire);
		fprintf(out, " health=%u%s/%s", f->health_check_ms,
			f->health_check_rd ? "" : "/no_rec", text);
	}
}

static inline void dump_step(FILE *out, const struct config_step *step)
{
	static const char *const kinds[] = { "chaos", "hosts",   "zone",
					     "loop",  "forward", "whoami" };

	fprintf(out, "    %s", kinds[step->kind]);
	if (step->source >= 0)
		fprintf(out, " source=%d", step->source);
	dump_names(out, "zones", &step->zones);
	if (step->fallthrough.on)
		fputs(" fallthrough", out);
	dump_names(out, "of", &step->fallthrough.zones);
	for (unsigned i = 0; i < step->text_count; i++)
		fprintf(out, " '%s'", step->texts[i]);
	if (step->forward)
		dump_forward(out, step->forward);
	fputc('\n', out);
}

static inline void dump_cache(FILE *out, const struct plan_cache *cache)
{
	fprintf(out, "    cache success=%u/%u/%u denial=%u/%u/%u failure=%u",
		cache->success_capacity, cache->success_max_s, cache->success_min_s,
		cache->denial_capacity, cache->denial_max_s, cache->denial_min_s,
		cache->failure_s);
	dump_names(out, "zones", &cache->zones);
	if (cache->disable_success)
		fputs(" no-success", out);
	dump_names(out, "for", &cache->disable_success_zones);
	if (cache->disable_denial)
		fputs(" no-denial", out);
	dump_names(out, "for", &cache->disable_denial_zones);
	fputc('\n', out);
}

static inline void dump_block(FILE *out, const struct config_block *block)
{
	fprintf(out, "block at %u%s\n", block->place.line,
		block->errors ? " errors" : "");
	for (unsigned i = 0; i < block->key_count; i++) {
		fprintf(out, "    key :%u", block->keys[i].port);
		dump_names(out, "zones", &block->keys[i].zones);
		fputc('\n', out);
	}
	for (unsigned i = 0; i < block->bind_count; i++)
		fprintf(out, "    bind %s %s\n",
			block->binds[i].is_address ? "address" : "interface",
			block->binds[i].text);
	for (unsigned i = 0; i < block->except_count; i++)
		fprintf(out, "    except %s %s\n",
			block->excepts[i].is_address ? "address" : "interface",
			block->excepts[i].text);
	if (block->scope >= 0)
		fprintf(out, "    scope %d\n", block->scope);
	if (block->cache.on)
		dump_cache(out, &block->cache);
	for (unsigned i = 0; i < block->log_count; i++) {
		fprintf(out, "    log %x '%s'", block->logs[i].classes,
			block->logs[i].format);
		dump_names(out, "names", &block->logs[i].names);
		fputc('\n', out);
	}
	for (unsigned i = 0; i < block->consolidate_count; i++)
		fprintf(out, "    consolidate %u ms '%s' level %d%s\n",
			block->consolidates[i].period_ms, block->consolidates[i].regex,
			(int)block->consolidates[i].level,
			block->consolidates[i].show_first ? " show_first" : "");
	for (unsigned i = 0; i < block->step_count; i++)
		dump_step(out, &block->steps[i]);
}

static inline void dump_source(FILE *out, unsigned i, const struct config_source *s)
{
	static const char *const kinds[] = { "hosts", "file", "auto" };

	fprintf(out, "source %u %s %s reload=%u%s", i, kinds[s->kind], s->path,
		s->reload_ms, s->reload_by_mtime ? "/mtime" : "");
	dump_names(out, "zones", &s->zones);
	if (s->kind == SOURCE_HOSTS)
		fprintf(out, " ttl=%u%s id='%s'", s->ttl_s,
			s->no_reverse ? " no_reverse" : "", s->id);
	if (s->kind == SOURCE_AUTO)
		fprintf(out, " '%s' -> '%s'", s->pattern, s->origin_text);
	fputc('\n', out);
	for (unsigned j = 0; j < s->line_count; j++)
		fprintf(out, "    line %u: %s\n", s->line_places[j].line, s->lines[j]);
}

static inline void dump_xdp(FILE *out, const struct config_xdp *xdp)
{
	static const char *const modes[] = { "auto", "native", "generic" };

	fputs("xdp", out);
	for (unsigned i = 0; i < xdp->pattern_count; i++)
		fprintf(out, " %s", xdp->patterns[i]);
	fprintf(out, " mode=%s vlan=%u", modes[xdp->mode], xdp->vlan);
	for (unsigned i = 0; i < xdp->from_count; i++) {
		fputs(" from=", out);
		dump_address(out, xdp->from[i].addr);
		fprintf(out, "/%u", xdp->from[i].bits);
	}
	fprintf(out, " tenant=%s\n", xdp->tenant ? xdp->tenant : "default");
}

static inline void config_dump(FILE *out, const struct config *config)
{
	static const char *const kinds[] = { "health", "ready", "prometheus" };

	for (unsigned i = 0; i < config->block_count; i++)
		dump_block(out, &config->blocks[i]);
	for (unsigned i = 0; i < config->source_count; i++)
		dump_source(out, i, &config->sources[i]);
	for (unsigned i = 0; i < config->http_count; i++) {
		const struct config_http *http = &config->http[i];

		fprintf(out, "%s '%s' ", kinds[http->kind], http->text);
		dump_address(out, http->local.addr);
		fprintf(out, "#%u lameduck=%u%s\n", http->local.port, http->lameduck_ms,
			http->continuously ? " continuously" : "");
	}
	for (unsigned i = 0; i < config->xdp_count; i++)
		dump_xdp(out, &config->xdp[i]);
	if (config->event_every)
		fprintf(out, "events every=%u limit=%u\n", config->event_every,
			config->event_limit);
	if (config->reload)
		fprintf(out, "reload %u +- %u\n", config->reload_ms,
			config->reload_jitter_ms);
}

#endif
