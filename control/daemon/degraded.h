/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * degraded.h - what is not as configured, though serving goes on: each thing under a key,
 * so that it is logged when it begins and when it ends, and listed in between.
 */
#ifndef LANE53_DEGRADED_H
#define LANE53_DEGRADED_H

#include <jansson.h>
#include <stdbool.h>

struct degraded {
	struct degraded_item *first;
};

void degraded_deinit(struct degraded *degraded);

/* Begin, or change the text of, @key; logged if the text is new. */
__attribute__((format(printf, 3, 4))) void
degraded_set(struct degraded *degraded, const char *key, const char *format, ...);

/* The same, but somebody else logs when it begins and ends. */
__attribute__((format(printf, 3, 4))) void
degraded_note(struct degraded *degraded, const char *key, const char *format, ...);

/* @key is well again (or always was). */
void degraded_clear(struct degraded *degraded, const char *key);

/*
 * Several things of one kind: begin(), set() each that still holds, end() clears the
 * others whose key starts with @prefix.
 */
void degraded_begin(struct degraded *degraded, const char *prefix);
void degraded_end(struct degraded *degraded, const char *prefix);

/* Is there anything whose key starts with @prefix? */
bool degraded_has(const struct degraded *degraded, const char *prefix);

json_t *degraded_list(const struct degraded *degraded);

#endif
