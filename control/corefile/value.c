/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * value.c - see value.h.
 */
#include "corefile/value.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "corefile/arena.h"
#include "corefile/config.h"
#include "dns/name.h"

bool value_number(const char *text, uint32_t min, uint32_t max, uint32_t *ret)
{
	uint64_t number = 0;
	const char *p = text;

	if (!*p)
		return false;
	for (; *p; p++) {
		if (*p < '0' || *p > '9')
			return false;
		number = number * 10 + (unsigned)(*p - '0');
		if (number > max)
			return false;
	}
	if (number < min)
		return false;
	*ret = (uint32_t)number;
	return true;
}

/* Nanoseconds of the unit at *@pos, which is moved behind it; 0 = no unit. */
static double unit_ns(const char **pos)
{
	static const struct {
		const char *name;
		double ns;
	} units[] = {
		{ "ns", 1 },  { "us", 1e3 }, { "\xc2\xb5s", 1e3 }, { "ms", 1e6 },
		{ "s", 1e9 }, { "m", 60e9 }, { "h", 3600e9 },
	};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		size_t len = strlen(units[i].name);

		if (!strncmp(*pos, units[i].name, len)) {
			*pos += len;
			return units[i].ns;
		}
	}
	return 0;
}

bool value_duration(const char *text, uint32_t *ret_ms)
{
	double total_ns = 0;
	uint64_t ms;

	if (!strcmp(text, "0")) {
		*ret_ms = 0;
		return true;
	}
	if (!*text)
		return false;
	while (*text) {
		double value = 0, scale = 1, ns;
		bool digits = false;

		for (; isdigit((unsigned char)*text); text++, digits = true)
			value = value * 10 + (*text - '0');
		if (*text == '.')
			for (text++; isdigit((unsigned char)*text);
			     text++, digits = true)
				value += (*text - '0') * (scale /= 10);
		ns = digits ? unit_ns(&text) : 0;
		if (ns == 0)
			return false;
		total_ns += value * ns;
	}
	if (total_ns > 4e15) /* 46 days: any time here is shorter */
		return false;
	ms = (uint64_t)(total_ns / 1e6);
	if ((double)ms * 1e6 < total_ns - 0.5)
		ms++;
	*ret_ms = (uint32_t)ms;
	return true;
}

bool value_address(const char *text, uint8_t ret[16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	char inner[64];
	size_t len = strlen(text);
	uint8_t v4[4], v6[16];

	if (inet_pton(AF_INET, text, v4) == 1) {
		memcpy(ret, mapped, 12);
		memcpy(ret + 12, v4, 4);
		return true;
	}
	if (len > 2 && len < sizeof(inner) && text[0] == '[' && text[len - 1] == ']') {
		memcpy(inner, text + 1, len - 2);
		inner[len - 2] = 0;
		text = inner;
	}
	if (inet_pton(AF_INET6, text, v6) != 1)
		return false;
	memcpy(ret, v6, 16);
	return true;
}

/* Part HOST:PORT.  Return: false if there is no port, or no good one. */
static bool split_port(const char *text, char *host, size_t room, uint16_t *ret_port)
{
	const char *colon = strrchr(text, ':');
	uint32_t port;

	if (!colon || (size_t)(colon - text) >= room ||
	    !value_number(colon + 1, 1, UINT16_MAX, &port))
		return false;
	memcpy(host, text, (size_t)(colon - text));
	host[colon - text] = 0;
	*ret_port = (uint16_t)port;
	return true;
}

bool value_address_port(const char *text, uint16_t default_port,
			struct plan_address *ret)
{
	struct plan_address out = { .port = default_port };
	char host[64];

	if (!value_address(text, out.addr)) {
		if (!split_port(text, host, sizeof(host), &out.port) ||
		    (strchr(host, ':') && host[0] != '[') ||
		    !value_address(host, out.addr))
			return false;
	}
	*ret = out;
	return true;
}

bool value_listen(const char *text, struct plan_address *ret)
{
	struct plan_address out = { 0 };
	char host[64];

	if (!split_port(text, host, sizeof(host), &out.port))
		return false;
	if (!strcmp(host, "localhost"))
		(void)value_address("127.0.0.1", out.addr);
	else if (host[0] && ((strchr(host, ':') && host[0] != '[') ||
			     !value_address(host, out.addr)))
		return false;
	/* 0.0.0.0 is every address, as :PORT is */
	if (!memcmp(out.addr, (uint8_t[16]){ [10] = 0xff, [11] = 0xff }, 16))
		memset(out.addr, 0, sizeof(out.addr));
	*ret = out;
	return true;
}

static bool is_mapped(const uint8_t addr[16])
{
	return !memcmp(addr, (uint8_t[12]){ [10] = 0xff, [11] = 0xff }, 12);
}

bool value_prefix(const char *text, struct config_prefix *ret)
{
	struct config_prefix out = { .bits = 128 };
	const char *slash = strchr(text, '/');
	char host[64];
	uint32_t bits;

	if (!slash) {
		if (!value_address(text, out.addr))
			return false;
		*ret = out;
		return true;
	}
	if ((size_t)(slash - text) >= sizeof(host))
		return false;
	memcpy(host, text, (size_t)(slash - text));
	host[slash - text] = 0;
	if (host[0] == '[' || !value_address(host, out.addr) ||
	    !value_number(slash + 1, 0, strchr(host, ':') ? 128 : 32, &bits))
		return false;
	if (!strchr(host, ':'))
		bits += 96;
	for (unsigned i = bits; i < 128; i++)
		out.addr[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
	out.bits = (uint8_t)bits;
	*ret = out;
	return true;
}

bool value_name(const char *text, struct plan_name *ret)
{
	uint8_t wire[255];
	size_t len = name_from_text(wire, text);

	/* a slash is a CIDR gone wrong, a colon a port or scheme gone wrong */
	if (len == 0 || strpbrk(text, "/:{}\"`, "))
		return false;
	name_lower(ret->wire, wire);
	ret->len = (uint8_t)len;
	return true;
}

/*
 * The reverse zone of the first @count parts of @addr: octets of IPv4 (in-addr.arpa),
 * nibbles of IPv6 (ip6.arpa).
 */
static void reverse_zone(const uint8_t addr[16], bool v4, unsigned count,
			 struct plan_name *out)
{
	char text[160] = "";
	size_t len = 0;

	while (count-- > 0) {
		unsigned part = v4 ? addr[12 + count]
				   : addr[count / 2] >> (count % 2 ? 0 : 4) & 15;

		len += (size_t)snprintf(text + len, sizeof(text) - len,
					v4 ? "%u." : "%x.", part);
	}
	snprintf(text + len, sizeof(text) - len, v4 ? "in-addr.arpa." : "ip6.arpa.");
	out->len = (uint8_t)name_from_text(out->wire, text);
}

bool value_zones(const char *text, struct arena *arena, struct plan_names *names)
{
	struct config_prefix prefix;
	struct plan_name name;
	unsigned step, bits, skip, parts;

	if (!strchr(text, '/')) {
		if (!value_name(text, &name))
			return false;
		*ARENA_PUSH(arena, names->at, names->count) = name;
		return true;
	}
	if (!value_prefix(text, &prefix))
		return false;
	step = is_mapped(prefix.addr) && !strchr(text, ':') ? 8 : 4;
	skip = step == 8 ? 96 : 0;
	bits = prefix.bits - skip;
	parts = (bits + step - 1) / step;
	for (unsigned i = 0; i < 1u << (parts * step - bits); i++) {
		uint8_t addr[16];
		/* the last octet, or the octet of the last nibble, counts up */
		unsigned last = parts ? (skip + parts * step - 1) / 8 : 0;

		memcpy(addr, prefix.addr, 16);
		if (parts)
			addr[last] |= (uint8_t)(step == 4 && parts % 2 ? i << 4 : i);
		reverse_zone(addr, step == 8, parts, &name);
		*ARENA_PUSH(arena, names->at, names->count) = name;
	}
	return true;
}

static bool is_same_letter(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* Edits (insert, delete, replace, swap neighbours) from @a to @b; long words: many. */
static unsigned distance(const char *a, const char *b)
{
	enum { ROOM = 40 };
	unsigned d[ROOM + 1][ROOM + 1];
	size_t la = strlen(a), lb = strlen(b);

	if (la > ROOM || lb > ROOM)
		return ROOM;
	for (size_t i = 0; i <= la; i++) {
		for (size_t j = 0; j <= lb; j++) {
			unsigned best;

			if (i == 0 || j == 0) {
				d[i][j] = (unsigned)(i + j);
				continue;
			}
			best = d[i - 1][j - 1] + !is_same_letter(a[i - 1], b[j - 1]);
			if (d[i - 1][j] + 1 < best)
				best = d[i - 1][j] + 1;
			if (d[i][j - 1] + 1 < best)
				best = d[i][j - 1] + 1;
			if (i > 1 && j > 1 && is_same_letter(a[i - 1], b[j - 2]) &&
			    is_same_letter(a[i - 2], b[j - 1]) &&
			    d[i - 2][j - 2] + 1 < best)
				best = d[i - 2][j - 2] + 1;
			d[i][j] = best;
		}
	}
	return d[la][lb];
}

const char *value_nearest(const char *word, const char *const *words, size_t count)
{
	const char *nearest = NULL;
	unsigned best = (unsigned)strlen(word) / 3 + 2; /* farther is no help */

	for (size_t i = 0; i < count; i++) {
		unsigned edits = distance(word, words[i]);

		if (edits < best && edits < strlen(words[i])) {
			best = edits;
			nearest = words[i];
		}
	}
	return nearest;
}
