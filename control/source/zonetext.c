/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * zonetext.c - characters to words.
 *
 * The words of an entry stand one behind the other in `text`, each with a NUL; while it
 * grows, words have offsets, and get their pointers when the entry is whole.
 */
#include "source/zonetext.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 32768 /* the types that a bitmap can list, and more */

enum { END = -1 }; /* beside the values of a byte */

struct zonetext {
	FILE *file;
	uint8_t input[65536];
	size_t at, end;
	unsigned line;
	bool failed;   /* to read */
	bool hopeless; /* not text: nothing more is read */
	int last;      /* character taken */
	bool is_cut;

	char *text; /* ZONETEXT_ENTRY_MAX and a NUL */
	size_t len;
	struct zonetext_word *words;
	unsigned count, room;
	unsigned depth;     /* of parentheses */
	unsigned open_line; /* of the first of them */
};

/* What a character is outside of quotes; a zero is part of a word. */
enum kind {
	PLAIN,
	BLANK,
	NEWLINE,
	RETURN,
	COMMENT,
	OPEN,
	CLOSE,
	QUOTE,
	ESCAPE,
	CONTROL
};

static const uint8_t kinds[256] = {
	[0 ... 8] = CONTROL, [11 ... 12] = CONTROL, [14 ... 31] = CONTROL,
	[127] = CONTROL,     [' '] = BLANK,         ['\t'] = BLANK,
	['\n'] = NEWLINE,    ['\r'] = RETURN,       [';'] = COMMENT,
	['('] = OPEN,        [')'] = CLOSE,         ['"'] = QUOTE,
	['\\'] = ESCAPE,
};

int zonetext_open(struct zonetext **ret, FILE *file)
{
	struct zonetext *z = calloc(1, sizeof(*z));

	if (!z)
		return -ENOMEM;
	z->text = malloc(ZONETEXT_ENTRY_MAX + 1);
	if (!z->text) {
		free(z);
		return -ENOMEM;
	}
	z->file = file;
	z->line = 1;
	z->last = '\n';
	*ret = z;
	return 0;
}

void zonetext_close(struct zonetext *z)
{
	if (!z)
		return;
	free(z->text);
	free(z->words);
	free(z);
}

unsigned zonetext_line(const struct zonetext *z)
{
	return z->line;
}

bool zonetext_is_cut(const struct zonetext *z)
{
	return z->is_cut;
}

/* ---- characters ---- */

static int refill(struct zonetext *z)
{
	z->at = 0;
	z->end = z->failed || z->hopeless
			 ? 0
			 : fread(z->input, 1, sizeof(z->input), z->file);
	if (z->end)
		return z->input[0];
	z->failed |= ferror(z->file) != 0;
	return END;
}

static inline int peek(struct zonetext *z)
{
	return z->at < z->end ? z->input[z->at] : refill(z);
}

/* Of what peek() has shown. */
static inline void take(struct zonetext *z)
{
	z->last = z->input[z->at++];
	z->line += z->last == '\n';
}

/* The kind of the next character, END's is NEWLINE: CR LF is LF, CR alone is none. */
static enum kind next_kind(struct zonetext *z)
{
	const int c = peek(z);

	if (c == END)
		return NEWLINE;
	if (kinds[c] != RETURN)
		return kinds[c];
	take(z);
	if (peek(z) == '\n')
		return NEWLINE;
	z->last = '\r';
	return CONTROL;
}

/* ---- problems ---- */

static int bad(struct zonetext *z, struct zonetext_problem *problem, unsigned line,
	       const char *value, const char *text)
{
	problem->line = line;
	input_quote(problem->value, value);
	snprintf(problem->text, sizeof(problem->text), "%s", text);
	z->depth = 0;
	z->count = 0;
	return ZONETEXT_BAD;
}

static void skip_line(struct zonetext *z)
{
	while (peek(z) != END && peek(z) != '\n')
		take(z);
	if (peek(z) != END)
		take(z);
}

static int bad_control(struct zonetext *z, struct zonetext_problem *problem)
{
	const int c = z->last == '\r' ? '\r' : peek(z);
	const unsigned line = z->line;
	char value[8];

	snprintf(value, sizeof(value), "\\%03d", c);
	if (c == 0) {
		z->hopeless = true;
		z->at = z->end;
		return bad(z, problem, line, value,
			   "this is no text: expected a zone file");
	}
	skip_line(z);
	return bad(z, problem, line, value,
		   c == '\r' ? "a carriage return within a line; expected lines that "
			       "end with LF or CR LF"
			     : "a control character; expected printable text, or \\DDD "
			       "in its place");
}

static int too_long(struct zonetext *z, struct zonetext_problem *problem)
{
	const unsigned depth = z->depth, line = depth ? z->open_line : z->line;

	skip_line(z);
	if (depth)
		return bad(z, problem, line, "(",
			   "no ')' within 256 KiB; expected one that closes it");
	return bad(z, problem, line, z->text,
		   "this entry is longer than 256 KiB; expected a record that fits a "
		   "message");
}

/* ---- words ---- */

static inline bool put(struct zonetext *z)
{
	if (z->len >= ZONETEXT_ENTRY_MAX)
		return false;
	z->text[z->len++] = (char)z->input[z->at];
	take(z);
	return true;
}

static int begin_word(struct zonetext *z, bool quoted)
{
	if (z->count == z->room) {
		unsigned room = z->room ? z->room * 2 : 64;
		struct zonetext_word *words =
			reallocarray(z->words, room, sizeof(*words));

		if (!words)
			return -ENOMEM;
		z->words = words;
		z->room = room;
	}
	z->words[z->count] = (struct zonetext_word){ .line = z->line,
						     .quoted = quoted,
						     .len = z->len };
	return 0;
}

static void end_word(struct zonetext *z)
{
	struct zonetext_word *word = &z->words[z->count++];

	word->len = z->len - word->len;
	z->text[z->len++] = 0;
}

enum run { RUN_OK, RUN_LONG, RUN_OPEN, RUN_CONTROL };

/* An escape: \DDD or \X, of which only \ and X matter here. */
static enum run read_escape(struct zonetext *z)
{
	if (!put(z))
		return RUN_LONG;
	if (peek(z) == END || peek(z) == '\n' || peek(z) == '\r')
		return RUN_OK; /* a \ at the line's end: who reads the word will say */
	if (peek(z) != '\t' && kinds[peek(z)] == CONTROL)
		return RUN_CONTROL;
	return put(z) ? RUN_OK : RUN_LONG;
}

/* To the closing quote, which is left there. */
static enum run read_quoted(struct zonetext *z)
{
	for (;;) {
		enum run run = RUN_OK;

		switch (next_kind(z)) {
		case NEWLINE:
			return RUN_OPEN;
		case QUOTE:
			return RUN_OK;
		case CONTROL:
			return RUN_CONTROL;
		case ESCAPE:
			run = read_escape(z);
			break;
		default:
			run = put(z) ? RUN_OK : RUN_LONG;
		}
		if (run)
			return run;
	}
}

/* A quote within a word is part of it, as in alpn="h2,h3". */
static enum run read_plain(struct zonetext *z)
{
	for (;;) {
		enum run run = RUN_OK;

		switch (next_kind(z)) {
		case PLAIN:
			run = put(z) ? RUN_OK : RUN_LONG;
			break;
		case ESCAPE:
			run = read_escape(z);
			break;
		case QUOTE:
			run = put(z) ? read_quoted(z) : RUN_LONG;
			if (run == RUN_OK && !put(z))
				run = RUN_LONG;
			break;
		case CONTROL:
			return RUN_CONTROL;
		default:
			return RUN_OK;
		}
		if (run)
			return run;
	}
}

/* Return: 0, ZONETEXT_BAD, -ENOMEM. */
static int read_word(struct zonetext *z, struct zonetext_problem *problem)
{
	const bool quoted = peek(z) == '"';
	const unsigned line = z->line;
	const size_t from = z->len;
	int r = begin_word(z, quoted);
	enum run run;

	if (r)
		return r;
	if (quoted)
		take(z);
	run = quoted ? read_quoted(z) : read_plain(z);
	z->text[z->len < ZONETEXT_ENTRY_MAX ? z->len : ZONETEXT_ENTRY_MAX] = 0;
	switch (run) {
	case RUN_OPEN:
		skip_line(z);
		return bad(z, problem, line, z->text + from,
			   "the quote is not closed; expected a '\"' on the same line");
	case RUN_CONTROL:
		return bad_control(z, problem);
	case RUN_LONG:
		return too_long(z, problem);
	case RUN_OK:
		break;
	}
	if (quoted)
		take(z);
	if (z->len >= ZONETEXT_ENTRY_MAX || z->count >= WORDS_MAX)
		return too_long(z, problem);
	end_word(z);
	return 0;
}

/* ---- entries ---- */

static int close_parenthesis(struct zonetext *z, struct zonetext_problem *problem)
{
	const unsigned line = z->line;

	take(z);
	if (z->depth) {
		z->depth--;
		return 0;
	}
	skip_line(z);
	return bad(z, problem, line, ")",
		   "nothing to close; expected a '(' before it, or \\) in a word");
}

static int end_entry(struct zonetext *z, struct zonetext_entry *ret)
{
	const char *text = z->text;

	for (unsigned i = 0; i < z->count; i++) {
		z->words[i].text = text;
		text += z->words[i].len + 1;
	}
	ret->words = z->words;
	ret->count = z->count;
	return ZONETEXT_ENTRY;
}

static int end_file(struct zonetext *z, struct zonetext_entry *ret,
		    struct zonetext_problem *problem)
{
	if (z->failed)
		return -EIO;
	z->is_cut = z->last != '\n' && !z->hopeless;
	if (z->depth)
		return bad(z, problem, z->open_line, "(",
			   "it is not closed at the end of the file; expected a ')'");
	return z->count ? end_entry(z, ret) : ZONETEXT_END;
}

/* The end of a line.  Return: ZONETEXT_ENTRY, or 0: the entry goes on. */
static int end_line(struct zonetext *z, struct zonetext_entry *ret)
{
	take(z);
	if (z->depth)
		return 0;
	if (z->count)
		return end_entry(z, ret);
	ret->is_indented = peek(z) != END && kinds[peek(z)] == BLANK;
	return 0;
}

/* What stands next.  Return: 0: the entry goes on; else as zonetext_next(). */
static int read_next(struct zonetext *z, struct zonetext_entry *ret,
		     struct zonetext_problem *problem)
{
	switch (next_kind(z)) {
	case BLANK:
		take(z);
		return 0;
	case COMMENT:
		while (peek(z) != END && peek(z) != '\n')
			take(z);
		return 0;
	case NEWLINE:
		return end_line(z, ret);
	case OPEN:
		if (!z->depth++)
			z->open_line = z->line;
		take(z);
		return 0;
	case CLOSE:
		return close_parenthesis(z, problem);
	case CONTROL:
		return bad_control(z, problem);
	default:
		return read_word(z, problem);
	}
}

static bool skip_mark(struct zonetext *z)
{
	if (z->line > 1 || z->at || peek(z) == END || z->end < 3 ||
	    memcmp(z->input, "\xef\xbb\xbf", 3) != 0)
		return false;
	z->at = 3;
	return true;
}

int zonetext_next(struct zonetext *z, struct zonetext_entry *ret,
		  struct zonetext_problem *problem)
{
	int r = 0;

	if (skip_mark(z))
		return bad(z, problem, 1, "\\239\\187\\191",
			   "a byte order mark; expected text without one");
	z->len = 0;
	z->count = 0;
	z->depth = 0;
	ret->is_indented = peek(z) != END && kinds[peek(z)] == BLANK;
	while (r == 0) {
		if (peek(z) == END)
			return end_file(z, ret, problem);
		r = read_next(z, ret, problem);
	}
	return r;
}
