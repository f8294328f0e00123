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

/* Bytes of the UTF-8 character at @p (RFC 3629 4); 0 = none that may stand in a text. */
static size_t utf8_size(const unsigned char *p, size_t room)
{
	/* of each first byte: how many follow, and which the second may be */
	static const struct {
		unsigned char first, last, more, low, high;
	} kinds[] = {
		{ 0x01, 0x7f, 0, 0, 0 },       { 0xc2, 0xdf, 1, 0x80, 0xbf },
		{ 0xe0, 0xe0, 2, 0xa0, 0xbf }, { 0xe1, 0xec, 2, 0x80, 0xbf },
		{ 0xed, 0xed, 2, 0x80, 0x9f }, { 0xee, 0xef, 2, 0x80, 0xbf },
		{ 0xf0, 0xf0, 3, 0x90, 0xbf }, { 0xf1, 0xf3, 3, 0x80, 0xbf },
		{ 0xf4, 0xf4, 3, 0x80, 0x8f },
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (p[0] < kinds[i].first || p[0] > kinds[i].last)
			continue;
		if (room <= kinds[i].more ||
		    (kinds[i].more && (p[1] < kinds[i].low || p[1] > kinds[i].high)))
			return 0;
		for (size_t j = 2; j <= kinds[i].more; j++)
			if ((p[j] & 0xc0) != 0x80)
				return 0;
		return kinds[i].more + 1u;
	}
	return 0;
}

const char *lexer_fault(const char *text, size_t len)
{
	for (size_t pos = 0, size; pos < len; pos += size) {
		size = utf8_size((const unsigned char *)text + pos, len - pos);
		if (!size)
			return text + pos;
	}
	return NULL;
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
	const char *fault = lexer_fault(text, len);

	if (fault) {
		unsigned line = 1;

		for (const char *p = text; p < fault; p++)
			line += *p == '\n';
		problem_set(problem, file, line,
			    "found the byte 0x%02x, expected a text file in UTF-8",
			    (unsigned char)*fault);
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
