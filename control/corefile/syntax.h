/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * syntax.h - the shape of a Corefile, before anybody knows what its words mean:
 * server blocks of statements, statements of words, with environment variables, snippets
 * and imports already in their place.
 */
#ifndef LANE53_SYNTAX_H
#define LANE53_SYNTAX_H

#include "corefile/lexer.h"

/* Imports inside imports, imports and words in all, beyond which a file is not sane. */
#define SYNTAX_IMPORT_DEPTH 32
#define SYNTAX_IMPORTS_MAX  10000
#define SYNTAX_TOKENS_MAX   1000000
#define SYNTAX_NESTING      8
#define SYNTAX_FILE_BYTES   (16u << 20)

/* WORD... [{ statements }] */
struct statement {
	struct token *words;
	unsigned count; /* at least 1 */
	struct statement *children;
	unsigned child_count;
	bool braces; /* has { }, maybe empty */
};

/* KEY... { statements } */
struct syntax_block {
	struct token *keys;
	unsigned key_count;
	struct statement *statements;
	unsigned statement_count;
};

struct syntax {
	struct syntax_block *blocks;
	unsigned block_count;
	uint64_t digest; /* of all words */
};

/* Takes a warning (!fatal) or the one error. */
typedef void syntax_note_fn(void *context, bool fatal, const struct problem *problem);

/*
 * Read @text as the Corefile @file.  All memory is @arena's.
 * Return: 0; -EINVAL: a fatal note has been given.
 */
int syntax_read(struct syntax *out, struct arena *arena, const char *file,
		const char *text, size_t len, syntax_note_fn *note, void *context);

/*
 * The whole file at @path, NUL added.
 * Return: 0 or a negative errno (-EFBIG beyond SYNTAX_FILE_BYTES).
 */
int syntax_file(struct arena *arena, const char *path, char **ret_text,
		size_t *ret_len);

#define SYNTAX_DIGEST_START 0xcbf29ce484222325ull
/* FNV-1a of @text and its end, added to @digest. */
uint64_t syntax_digest(uint64_t digest, const char *text);

#endif
