/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * querylog.c - a format is copied; each {placeholder} in it is looked up in one table.
 */
#include "daemon/querylog.h"
#include "corefile/config.h"
#include "dns/name.h"
#include "lane53/abi.h"
#include "lane53/wire.h"
#include <arpa/inet.h>
#include <ldns/ldns.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The most that one placeholder becomes: a name, escaped. */
#define VALUE_ROOM NAME_TEXT_ROOM

struct value {
	char text[VALUE_ROOM];
};

#define NS_PER_S 1000000000u

__attribute__((format(printf, 2, 3))) static void value_set(struct value *value,
							    const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(value->text, sizeof(value->text), format, args);
	va_end(args);
}

/* ---- one function per placeholder ---- */

static void put_type(struct value *out, const struct lane53_event *event)
{
	char *text = ldns_rr_type2str((ldns_rr_type)event->qtype);

	value_set(out, "%s", text ? text : "-");
	free(text);
}

static void put_class(struct value *out, const struct lane53_event *event)
{
	static const struct {
		uint16_t number;
		const char *text;
	} known[] = { { CLASS_IN, "IN" },
		      { CLASS_CH, "CH" },
		      { 4, "HS" },
		      { 254, "NONE" },
		      { CLASS_ANY, "ANY" } };

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].number == event->qclass) {
			value_set(out, "%s", known[i].text);
			return;
		}
	value_set(out, "CLASS%u", event->qclass);
}

/* The QNAME in lower case; false if the event holds none. */
static bool event_name(const struct lane53_event *event, uint8_t ret[NAME_MAX_BYTES])
{
	if (!event->qname_len ||
	    name_length(event->qname, event->qname_len) != event->qname_len)
		return false;
	name_lower(ret, event->qname);
	return true;
}

static void put_name(struct value *out, const struct lane53_event *event)
{
	uint8_t name[NAME_MAX_BYTES];

	if (event_name(event, name))
		name_to_text(out->text, name);
	else
		value_set(out, "-");
}

static void put_proto(struct value *out, const struct lane53_event *event)
{
	value_set(out, event->proto == IPPROTO_TCP ? "tcp" : "udp");
}

static void put_address(struct value *out, const uint8_t addr[16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	char text[INET6_ADDRSTRLEN];

	if (!memcmp(addr, mapped, sizeof(mapped))) {
		inet_ntop(AF_INET, addr + 12, text, sizeof(text));
		value_set(out, "%s", text);
	} else {
		inet_ntop(AF_INET6, addr, text, sizeof(text));
		value_set(out, "[%s]", text);
	}
}

static void put_remote(struct value *out, const struct lane53_event *event)
{
	put_address(out, event->remote);
}

static void put_local(struct value *out, const struct lane53_event *event)
{
	put_address(out, event->local);
}

static void put_port(struct value *out, const struct lane53_event *event)
{
	value_set(out, "%u", ntohs(event->remote_port_be));
}

static void put_size(struct value *out, const struct lane53_event *event)
{
	value_set(out, "%u", event->request_bytes);
}

static void put_response_size(struct value *out, const struct lane53_event *event)
{
	value_set(out, "%u", event->response_bytes);
}

/* Seconds with as many digits as they need, as Go's FormatFloat(…, 'f', -1, 64). */
static void put_duration(struct value *out, const struct lane53_event *event)
{
	const unsigned ns = (unsigned)(event->duration_ns % NS_PER_S);
	char digits[10];
	size_t len = 9;

	snprintf(digits, sizeof(digits), "%09u", ns);
	while (len && digits[len - 1] == '0')
		len--;
	value_set(out, "%u%s%.*ss", (unsigned)(event->duration_ns / NS_PER_S),
		  len ? "." : "", (int)len, digits);
}

static void put_rcode(struct value *out, const struct lane53_event *event)
{
	ldns_lookup_table *known =
		ldns_lookup_by_id(ldns_rcodes, event->response_flags & FLAG_RCODE);

	if (known)
		value_set(out, "%s", known->name);
	else
		value_set(out, "%u", event->response_flags & FLAG_RCODE);
}

static void put_flags(struct value *out, const struct lane53_event *event)
{
	static const struct {
		uint16_t bit;
		const char *text;
	} flags[] = { { FLAG_QR, "qr" }, { FLAG_AA, "aa" }, { FLAG_TC, "tc" },
		      { FLAG_RD, "rd" }, { FLAG_RA, "ra" }, { FLAG_Z, "z" },
		      { FLAG_AD, "ad" }, { FLAG_CD, "cd" } };
	char *end = out->text;

	*end = '\0';
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		if (!(event->response_flags & flags[i].bit))
			continue;
		end += snprintf(end, 4, "%s%s", end == out->text ? "" : ",",
				flags[i].text);
	}
	if (end == out->text)
		value_set(out, "-");
}

/* What the client takes, never below what DNS grants (as CoreDNS shows it). */
static void put_bufsize(struct value *out, const struct lane53_event *event)
{
	unsigned bytes =
		event->edns_bytes < DNS_UDP_MIN ? DNS_UDP_MIN : event->edns_bytes;

	value_set(out, "%u", event->proto == IPPROTO_TCP ? 65535u : bytes);
}

static void put_do(struct value *out, const struct lane53_event *event)
{
	value_set(out, event->edns_do ? "true" : "false");
}

static void put_id(struct value *out, const struct lane53_event *event)
{
	value_set(out, "%u", ntohs(event->id_be));
}

static void put_opcode(struct value *out, const struct lane53_event *event)
{
	value_set(out, "%u", event->opcode);
}

static const struct placeholder {
	const char *name; /* with its braces */
	void (*put)(struct value *out, const struct lane53_event *event);
	const char *format; /* instead of put: a format of its own */
} placeholders[] = {
	{ "{type}", put_type, NULL },
	{ "{name}", put_name, NULL },
	{ "{class}", put_class, NULL },
	{ "{proto}", put_proto, NULL },
	{ "{remote}", put_remote, NULL },
	{ "{local}", put_local, NULL },
	{ "{port}", put_port, NULL },
	{ "{size}", put_size, NULL },
	{ "{duration}", put_duration, NULL },
	{ "{rcode}", put_rcode, NULL },
	{ "{rsize}", put_response_size, NULL },
	{ "{>rflags}", put_flags, NULL },
	{ "{>bufsize}", put_bufsize, NULL },
	{ "{>do}", put_do, NULL },
	{ "{>id}", put_id, NULL },
	{ "{>opcode}", put_opcode, NULL },
	{ "{common}", NULL, QUERYLOG_COMMON },
	{ "{combined}", NULL, QUERYLOG_COMBINED },
};

/* ---- the line ---- */

struct line {
	char *out;
	size_t room, len;
};

static void line_add(struct line *line, const char *text, size_t len)
{
	const size_t left = line->room - 1 - line->len;

	len = len < left ? len : left;
	memcpy(line->out + line->len, text, len);
	line->len += len;
}

static const struct placeholder *placeholder_at(const char *text)
{
	for (size_t i = 0; i < sizeof(placeholders) / sizeof(placeholders[0]); i++)
		if (!strncmp(text, placeholders[i].name, strlen(placeholders[i].name)))
			return &placeholders[i];
	return NULL;
}

/* Formats in formats do not nest: {common} has no {common} in it. */
static void line_format(struct line *line, const char *format,
			const struct lane53_event *event)
{
	while (*format) {
		const size_t plain = strcspn(format, "{");
		const struct placeholder *found;
		struct value value;
		const char *end;

		line_add(line, format, plain);
		format += plain;
		if (!*format)
			return;
		found = placeholder_at(format);
		end = strchr(format, '}');
		if (found && found->put) {
			found->put(&value, event);
			line_add(line, value.text, strlen(value.text));
			format += strlen(found->name);
		} else if (found) {
			line_format(line, found->format, event);
			format += strlen(found->name);
		} else if (format[1] == '/' && end) { /* metadata: none of it here */
			line_add(line, "-", 1);
			format = end + 1;
		} else {
			line_add(line, format++, 1);
		}
	}
}

size_t querylog_fill(char *out, size_t room, const char *format,
		     const struct lane53_event *event)
{
	struct line line = { .out = out, .room = room };

	line_format(&line, format ? format : QUERYLOG_COMMON, event);
	out[line.len] = '\0';
	return line.len;
}

size_t querylog_format(char *out, size_t room, const char *format,
		       const struct lane53_event *event)
{
	static const char level[] = "[INFO] ";
	const size_t len = sizeof(level) - 1;

	if (room <= len)
		return querylog_fill(out, room, "", event);
	memcpy(out, level, len);
	return len + querylog_fill(out + len, room - len, format, event);
}

unsigned querylog_class(const struct lane53_event *event)
{
	switch (event->response_flags & FLAG_RCODE) {
	case RCODE_NOERROR:
		return event->nodata ? PLAN_LOG_DENIAL : PLAN_LOG_SUCCESS;
	case RCODE_NXDOMAIN:
		return PLAN_LOG_DENIAL;
	default:
		return PLAN_LOG_ERROR;
	}
}

bool querylog_matches(const struct config_log *rule, const struct lane53_event *event)
{
	uint8_t name[NAME_MAX_BYTES];

	return rule->classes & querylog_class(event) && event_name(event, name) &&
	       plan_names_cover(&rule->names, name, event->qname_len);
}
