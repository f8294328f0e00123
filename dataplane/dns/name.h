/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * name.h - domain names in wire format (RFC 1035 3.1): labels, root label included,
 * uncompressed.  Pointers to names are to whole, valid names unless a length is given.
 */
#ifndef LANE53_NAME_H
#define LANE53_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NAME_TEXT_ROOM 1024 /* the longest presentation form, \DDD escapes and NUL */

/* Wire length of the name at @wire, or 0 if it is not a valid name within @room bytes. */
size_t name_length(const uint8_t *wire, size_t room);

/* Length of a name known to be valid. */
size_t name_size(const uint8_t *name);

/*
 * Presentation form to wire, with \. and \DDD escapes (RFC 1035 5.1); the trailing dot
 * is optional, "." is the root, case is kept.
 * Return: wire length, or 0 if @text is not a domain name.
 */
size_t name_from_text(uint8_t out[255], const char *text);

/* Wire to presentation form with trailing dot; returns strlen. @out has NAME_TEXT_ROOM. */
size_t name_to_text(char *out, const uint8_t *name);

/* ASCII case folding (RFC 4343). */
void name_lower(uint8_t *out, const uint8_t *name);
bool name_equal(const uint8_t *a, const uint8_t *b);

/* At or below @top? */
bool name_is_below(const uint8_t *name, const uint8_t *top);

unsigned name_label_count(const uint8_t *name); /* root = 0 */

/* The name without its first label; borrowed from @name; the root's parent is the root. */
const uint8_t *name_parent(const uint8_t *name);

/* Canonical order (RFC 4034 6.1): <0, 0, >0. */
int name_compare(const uint8_t *a, const uint8_t *b);

/* The in-addr.arpa or ip6.arpa name of an address (16 bytes, IPv4-mapped). */
size_t name_of_address(uint8_t out[255], const uint8_t addr[16]);

#endif
