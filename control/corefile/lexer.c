/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lexer.c - see lexer.h.
 */
#include "corefile/lexer.h"
#include <errno.h>
#include <string.h>
#include "corefile/arena.h"

struct lexer {
	struct tokens *tokens;
	struct arena *arena;
	const char *file;
	const char *pos, *end;
	unsigned line;
	bool at_line_start;
	struct problem *problem;
};

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' ||
	       c == '\f';
}

static struct token *push(struct lexer *l, unsigned line, bool quoted)
{
	struct token *token = ARENA_PUSH(l->arena, l->tokens->at, l->tokens->count);

	token->place = (struct config_place){ l->file, line };
	token->first = l->at_line_start;
	token->quoted = quoted;
	l->at_line_start = false;
	return token;
}

static void read_word(struct lexer *l)
{
	const char *start = l->pos;

	while (l->pos < l->end && !is_space(*l->pos))
		l->pos++;
	push(l, l->line, false)->text =
		arena_text_n(l->arena, start, (size_t)(l->pos - start));
}

/* The quote that ends what begins at @pos, or NULL. */
static const char *find_end(const char *pos, const char *end, char quote)
{
	for (; pos < end && *pos != quote; pos++)
		if (quote == '"' && *pos == '\\' && pos + 1 < end && pos[1] == '"')
			pos++;
	return pos < end ? pos : NULL;
}

/* At the quote that opens. */
static int read_quoted(struct lexer *l)
{
	const char quote = *l->pos++;
	const unsigned line = l->line;
	const char *end = find_end(l->pos, l->end, quote);
	char *text, *to;

	if (!end) {
		problem_set(l->problem, l->file, line,
			    "found a word that begins with %c, expected another %c "
			    "at its end",
			    quote, quote);
		return -EINVAL;
	}
	text = to = arena_take(l->arena, (size_t)(end - l->pos) + 1);
	for (; l->pos < end; l->pos++) {
		if (quote == '"' && l->pos[0] == '\\' && l->pos[1] == '"')
			l->pos++;
		if (*l->pos == '\n')
			l->line++;
		*to++ = *l->pos;
	}
	l->pos++;
	push(l, line, true)->text = text;
	return 0;
}

static void skip_space(struct lexer *l)
{
	while (l->pos < l->end && is_space(*l->pos)) {
		if (*l->pos++ != '\n')
			continue;
		l->line++;
		l->at_line_start = true;
	}
}

int lexer_read(struct tokens *tokens, struct arena *arena, const char *file,
	       const char *text, size_t len, struct problem *problem)
{
	struct lexer l = { .tokens = tokens,
			   .arena = arena,
			   .file = file,
			   .pos = text,
			   .end = text + len,
			   .line = 1,
			   .at_line_start = true,
			   .problem = problem };
	const char *nul = memchr(text, 0, len);

	if (nul) {
		unsigned line = 1;

		for (const char *p = text; p < nul; p++)
			line += *p == '\n';
		problem_set(problem, file, line,
			    "found a byte of zero, expected a text file");
		return -EINVAL;
	}
	if (len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3)) /* byte order mark */
		l.pos += 3;
	for (;;) {
		skip_space(&l);
		if (l.pos == l.end)
			return 0;
		if (*l.pos == '#') {
			while (l.pos < l.end && *l.pos != '\n')
				l.pos++;
		} else if (*l.pos == '"' || *l.pos == '`') {
			if (read_quoted(&l) < 0)
				return -EINVAL;
		} else {
			read_word(&l);
		}
	}
}
