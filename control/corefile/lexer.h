/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lexer.h - the words of a Corefile.
 *
 * White space parts words.  A word that begins with # starts a comment, to the end of
 * the line; # inside a word is itself.  "..." is one word, spaces and line ends
 * included, in which \" is a quote and any other backslash itself; `...` is one word
 * taken as it stands.
 */
#ifndef LANE53_LEXER_H
#define LANE53_LEXER_H

#include <stdbool.h>
#include <stddef.h>
#include "corefile/config.h"

struct arena;

struct token {
	const char *text;
	struct config_place place;
	bool first;  /* of its line */
	bool quoted; /* never a brace, an import or a snippet */
	bool unset;  /* had an environment variable in it that is not set or empty */
};

struct tokens {
	struct token *at;
	unsigned count;
};

/*
 * Append the words of @text to @tokens; all memory is @arena's; @file is borrowed.
 * Return: 0, -EINVAL with @problem set.
 */
int lexer_read(struct tokens *tokens, struct arena *arena, const char *file,
	       const char *text, size_t len, struct problem *problem);

/* The first byte of @text that is zero or not UTF-8; NULL: all is well. */
const char *lexer_fault(const char *text, size_t len);

static inline bool token_is(const struct token *token, const char *syntax)
{
	return !token->quoted && !strcmp(token->text, syntax);
}

#endif
