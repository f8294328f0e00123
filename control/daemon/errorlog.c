/* SPDX-License-Identifier: BSD-3-Clause */
/* errorlog.c - see errorlog.h. */
#include "daemon/errorlog.h"

#include <ctype.h>
#include <errno.h>
#include <ldns/ldns.h>
#include <netinet/in.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dns/name.h"
#include "io/address.h"
#include "lane53/abi.h"
#include "lane53/wire.h"

#define LINE_ROOM 2048 /* a name of 255 bytes, escaped, and the cause */

struct rule {
	const struct config_consolidate *config;
	regex_t regex;
	uint64_t count; /* in this period; 0: none is running */
	uint64_t due_ms;
};

struct errorlog {
	errorlog_put *put;
	void *context;
	unsigned *first; /* rules of block i: first[i] up to first[i + 1] */
	struct rule *rules;
	unsigned rule_count;
	unsigned block_count;
};

/* ---- words ---- */

static const char *cause_text(unsigned cause)
{
	static const char *const texts[] = {
#define X(name, text) text,
		LANE53_CAUSES(X)
#undef X
	};

	return cause < sizeof(texts) / sizeof(texts[0]) ? texts[cause] : "unknown";
}

/* Go has the C library's texts, but for the first letter, and its own for a timeout. */
static void errno_text(char *out, size_t room, int error)
{
	snprintf(out, room, "%s", error == ETIMEDOUT ? "i/o timeout" : strerror(error));
	out[0] = (char)tolower((unsigned char)out[0]);
}

/* Go says "dial" where the connection did not come about. */
static bool is_dialling(const struct lane53_failure *failure)
{
	return failure->cause == LANE53_CAUSE_IO && failure->proto == IPPROTO_TCP &&
	       (failure->number == ECONNREFUSED || failure->number == ENETUNREACH ||
		failure->number == EHOSTUNREACH);
}

void errorlog_cause(char out[ERRORLOG_CAUSE_ROOM], const struct lane53_failure *failure)
{
	const char *down = failure->flags & LANE53_FAILURE_ALL_DOWN
				   ? "all upstreams are down: "
				   : "";
	char at[ADDRESS_TEXT_ROOM], what[128];

	snprintf(what, sizeof(what), "%s", cause_text(failure->cause));
	if (failure->cause == LANE53_CAUSE_IO)
		errno_text(what, sizeof(what), (int)failure->number);
	if (failure->cause == LANE53_CAUSE_LIMIT)
		snprintf(what, sizeof(what), "%s %u", cause_text(failure->cause),
			 failure->number);
	if (!failure->proto) {
		snprintf(out, ERRORLOG_CAUSE_ROOM, "%s", what);
		return;
	}
	address_to_text(at, failure->upstream, failure->port);
	snprintf(out, ERRORLOG_CAUSE_ROOM, "%s%s %s %s: %s%s", down,
		 is_dialling(failure) ? "dial" : "read",
		 failure->proto == IPPROTO_TCP ? "tcp" : "udp", at,
		 is_dialling(failure) ? "connect: " : "", what);
}

/* As Go prints a time.Duration: "1h0m0s", "5m0s", "1.5s", "250ms". */
static void period_text(char *out, size_t room, uint32_t ms)
{
	const unsigned hours = ms / 3600000, minutes = ms / 60000 % 60,
		       seconds = ms / 1000 % 60, rest = ms % 1000;
	char fraction[8];
	size_t len;

	if (ms < 1000) {
		snprintf(out, room, "%ums", ms);
		return;
	}
	snprintf(fraction, sizeof(fraction), ".%03u", rest);
	for (len = 4; len > 1 && fraction[len - 1] == '0'; len--)
		;
	fraction[len > 1 ? len : 0] = 0;
	if (hours)
		snprintf(out, room, "%uh%um%u%ss", hours, minutes, seconds, fraction);
	else if (minutes)
		snprintf(out, room, "%um%u%ss", minutes, seconds, fraction);
	else
		snprintf(out, room, "%u%ss", seconds, fraction);
}

static void put(const struct errorlog *errorlog, enum config_level level,
		const char *line)
{
	if (level != LEVEL_DEBUG)
		errorlog->put(errorlog->context, level, line);
}

static void put_one(const struct errorlog *errorlog, enum config_level level,
		    const struct lane53_event *event, const char *cause)
{
	char name[NAME_TEXT_ROOM] = "?", line[LINE_ROOM];
	char *type = ldns_rr_type2str((ldns_rr_type)event->qtype);
	uint8_t lower[NAME_MAX_BYTES];

	if (event->qname_len &&
	    name_length(event->qname, event->qname_len) == event->qname_len) {
		name_lower(lower, event->qname);
		name_to_text(name, lower);
	}
	snprintf(line, sizeof(line), "plugin/errors: %u %s %s: %s",
		 event->response_flags & FLAG_RCODE, name, type ? type : "?", cause);
	free(type);
	put(errorlog, level, line);
}

/* ---- rules ---- */

static void sum_up(const struct errorlog *errorlog, struct rule *rule)
{
	const struct config_consolidate *config = rule->config;
	size_t room = strlen(config->regex) + 128;
	char *line = malloc(room), period[32];

	if (line && (rule->count > 1 || !config->show_first)) {
		period_text(period, sizeof(period), config->period_ms);
		snprintf(line, room,
			 "plugin/errors: %llu errors like '%s' occurred in last %s",
			 (unsigned long long)rule->count, config->regex, period);
		put(errorlog, config->level, line);
	}
	free(line);
	rule->count = 0;
}

static void drop_rules(struct errorlog *errorlog)
{
	for (unsigned i = 0; i < errorlog->rule_count; i++) {
		if (errorlog->rules[i].count)
			sum_up(errorlog, &errorlog->rules[i]);
		regfree(&errorlog->rules[i].regex);
	}
	free(errorlog->rules);
	free(errorlog->first);
	errorlog->rules = NULL;
	errorlog->first = NULL;
	errorlog->rule_count = errorlog->block_count = 0;
}

int errorlog_open(struct errorlog **ret, errorlog_put *put_line, void *context)
{
	struct errorlog *errorlog = calloc(1, sizeof(*errorlog));

	if (!errorlog)
		return -ENOMEM;
	errorlog->put = put_line;
	errorlog->context = context;
	*ret = errorlog;
	return 0;
}

int errorlog_set(struct errorlog *errorlog, const struct config *config)
{
	unsigned count = 0;

	drop_rules(errorlog);
	for (unsigned b = 0; b < config->block_count; b++)
		count += config->blocks[b].consolidate_count;
	errorlog->first = calloc(config->block_count + 1u, sizeof(*errorlog->first));
	errorlog->rules = calloc(count + 1u, sizeof(*errorlog->rules));
	if (!errorlog->first || !errorlog->rules) {
		drop_rules(errorlog);
		return -ENOMEM;
	}
	for (unsigned b = 0; b < config->block_count; b++) {
		const struct config_block *block = &config->blocks[b];

		for (unsigned i = 0; i < block->consolidate_count; i++) {
			struct rule *rule = &errorlog->rules[errorlog->rule_count];

			rule->config = &block->consolidates[i];
			/* it compiled when the Corefile was read: only memory can lack */
			if (regcomp(&rule->regex, rule->config->regex,
				    REG_EXTENDED | REG_NOSUB) == 0)
				errorlog->rule_count++;
		}
		errorlog->first[b + 1] = errorlog->rule_count;
	}
	errorlog->block_count = config->block_count;
	return 0;
}

static struct rule *rule_for(const struct errorlog *errorlog, unsigned block,
			     const char *cause)
{
	if (block >= errorlog->block_count)
		return NULL;
	for (unsigned i = errorlog->first[block]; i < errorlog->first[block + 1]; i++)
		if (regexec(&errorlog->rules[i].regex, cause, 0, NULL, 0) == 0)
			return &errorlog->rules[i];
	return NULL;
}

void errorlog_take(struct errorlog *errorlog, unsigned block,
		   const struct lane53_report *report, uint64_t now_ms)
{
	char cause[ERRORLOG_CAUSE_ROOM];
	struct rule *rule;

	errorlog_cause(cause, &report->failure);
	rule = rule_for(errorlog, block, cause);
	if (!rule) {
		put_one(errorlog, LEVEL_ERROR, &report->event, cause);
		return;
	}
	if (rule->count && now_ms >= rule->due_ms)
		sum_up(errorlog, rule); /* nobody has come by since */
	if (rule->count++)
		return;
	rule->due_ms = now_ms + rule->config->period_ms;
	if (rule->config->show_first)
		put_one(errorlog, rule->config->level, &report->event, cause);
}

uint64_t errorlog_tick(struct errorlog *errorlog, uint64_t now_ms)
{
	uint64_t next = UINT64_MAX;

	for (unsigned i = 0; i < errorlog->rule_count; i++) {
		struct rule *rule = &errorlog->rules[i];

		if (rule->count && rule->due_ms <= now_ms)
			sum_up(errorlog, rule);
		if (rule->count && rule->due_ms < next)
			next = rule->due_ms;
	}
	return next;
}

void errorlog_close(struct errorlog *errorlog)
{
	if (!errorlog)
		return;
	drop_rules(errorlog);
	free(errorlog);
}
