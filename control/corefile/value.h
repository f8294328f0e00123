/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * value.h - what a single word of a Corefile can be: a number, a time, a zone, an
 * address; and the word that was probably meant.
 *
 * All return false, and leave *ret alone, when @text is not such a value.
 */
#ifndef LANE53_VALUE_H
#define LANE53_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "plan/plan.h"

struct arena;
struct config_prefix;

bool value_number(const char *text, uint32_t min, uint32_t max, uint32_t *ret);

/* A time as Go writes it: "30s", "1h5m", "0.5s", "250ms", "0".  Rounded to ms, upwards. */
bool value_duration(const char *text, uint32_t *ret_ms);

/* An address, IPv4 as ::ffff:a.b.c.d; IPv6 also in brackets. */
bool value_address(const char *text, uint8_t ret[16]);

/* ADDR, ADDR:PORT, [ADDR]:PORT. */
bool value_address_port(const char *text, uint16_t default_port,
			struct plan_address *ret);

/* :PORT, HOST:PORT where HOST is an address or localhost. */
bool value_listen(const char *text, struct plan_address *ret);

/* ADDR/BITS or ADDR. */
bool value_prefix(const char *text, struct config_prefix *ret);

/* A domain name, in lower case. */
bool value_name(const char *text, struct plan_name *ret);

/*
 * Append the zones @text stands for: a domain name itself; a CIDR the reverse zones
 * that make it up, at the next octet (IPv4) or nibble (IPv6) boundary.
 */
bool value_zones(const char *text, struct arena *arena, struct plan_names *names);

/* The word of @words nearest to @word, or NULL if none is near. */
const char *value_nearest(const char *word, const char *const *words, size_t count);

#endif
