/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * syntax.c - see syntax.h.
 */
#include "corefile/syntax.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "corefile/arena.h"
#include "corefile/expand.h"

struct parser {
	struct arena *arena;
	struct token *pos, *end;
	unsigned nesting;
	syntax_note_fn *note;
	void *context;
};

uint64_t syntax_digest(uint64_t digest, const char *text)
{
	do
		digest = (digest ^ (unsigned char)*text) * 0x100000001b3ull;
	while (*text++);
	return digest;
}

static int read_all(int fd, char *text, size_t len)
{
	while (len) {
		ssize_t got = read(fd, text, len);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			return -EAGAIN; /* cut while we read: try again at the next look */
		text += got;
		len -= (size_t)got;
	}
	return 0;
}

int syntax_file(struct arena *arena, const char *path, char **ret_text, size_t *ret_len)
{
	struct stat st;
	char *text;
	int r = 0, fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		r = -errno;
	else if (S_ISDIR(st.st_mode))
		r = -EISDIR;
	else if (!S_ISREG(st.st_mode))
		r = -EINVAL;
	else if (st.st_size > SYNTAX_FILE_BYTES)
		r = -EFBIG;
	if (r < 0)
		goto out;
	text = arena_take(arena, (size_t)st.st_size + 1);
	r = read_all(fd, text, (size_t)st.st_size);
	if (r == 0) {
		*ret_text = text;
		*ret_len = (size_t)st.st_size;
	}
out:
	close(fd);
	return r;
}

__attribute__((format(printf, 3, 4))) static int
fail(struct parser *p, const struct token *at, const char *format, ...)
{
	struct problem problem;
	va_list args;

	va_start(args, format);
	problem_vset(&problem, at->place.file, at->place.line, format, args);
	va_end(args);
	p->note(p->context, true, &problem);
	return -EINVAL;
}

static bool is_brace(const struct token *token)
{
	return token_is(token, "{") || token_is(token, "}");
}

static int parse_statements(struct parser *p, const struct token *open,
			    struct statement **ret_at, unsigned *ret_count);

/* At its first word. */
static int parse_statement(struct parser *p, struct statement *out)
{
	const struct token *open;

	if (token_is(p->pos, "{"))
		return fail(p, p->pos, "found '{', expected a word in front of it");
	out->words = p->pos;
	do {
		p->pos++;
		out->count++;
	} while (p->pos < p->end && !p->pos->first && !is_brace(p->pos));
	if (p->pos == p->end || !token_is(p->pos, "{"))
		return 0;
	if (p->pos->first)
		return fail(p, p->pos,
			    "found '{' on a line of its own, expected it at the end "
			    "of the line before");
	if (p->nesting == SYNTAX_NESTING)
		return fail(p, p->pos, "found more than %d braces open",
			    SYNTAX_NESTING);
	open = p->pos++;
	out->braces = true;
	return parse_statements(p, open, &out->children, &out->child_count);
}

/* Up to the } that closes @open, or to the end of the file if @open is NULL. */
static int parse_statements(struct parser *p, const struct token *open,
			    struct statement **ret_at, unsigned *ret_count)
{
	struct statement *at = NULL;
	unsigned count = 0;

	p->nesting++;
	while (p->pos < p->end && !token_is(p->pos, "}")) {
		struct statement *next = ARENA_PUSH(p->arena, at, count);

		if (parse_statement(p, next) < 0)
			return -EINVAL;
	}
	p->nesting--;
	if (open && p->pos == p->end)
		return fail(p, open, "found '{' and no end of it, expected a '}'");
	if (!open && p->pos < p->end)
		return fail(p, p->pos, "found '}', expected no brace that none opened");
	if (open)
		p->pos++;
	*ret_at = at;
	*ret_count = count;
	return 0;
}

/* A word of keys, parted at its commas.  Return: does another key follow it? */
static bool take_keys(struct parser *p, struct syntax_block *out)
{
	const struct token *word = p->pos++;
	const char *text = word->text, *comma;

	if (!*text)
		return false;
	do {
		size_t len = strcspn(text, ",");

		comma = text[len] ? text + len : NULL;
		if (len) {
			struct token *key =
				ARENA_PUSH(p->arena, out->keys, out->key_count);

			*key = *word;
			key->text = arena_text_n(p->arena, text, len);
		}
		text = comma ? comma + 1 : "";
	} while (*text);
	return comma != NULL;
}

static int parse_block(struct parser *p, struct syntax_block *out)
{
	const struct token *first = p->pos;
	bool more = false;

	if (is_brace(p->pos))
		return fail(p, p->pos,
			    "found '%s', expected the zones of a server block",
			    p->pos->text);
	do {
		size_t len = strlen(p->pos->text);

		if (len > 1 && !p->pos->quoted && p->pos->text[len - 1] == '{')
			return fail(p, p->pos,
				    "found '%s', expected a space in front of the '{'",
				    p->pos->text);
		more = take_keys(p, out);
	} while (p->pos < p->end && !is_brace(p->pos) && (more || !p->pos->first));
	if (more)
		return fail(p, p->pos - 1,
			    "found ',', expected another zone behind it");
	if (out->key_count == 0)
		return fail(p, first,
			    "found '%s', expected the zones of a server block",
			    first->text);
	if (p->pos < p->end && token_is(p->pos, "{") && !p->pos->first) {
		const struct token *open = p->pos++;

		return parse_statements(p, open, &out->statements,
					&out->statement_count);
	}
	if (p->pos < p->end && token_is(p->pos, "{"))
		return fail(p, p->pos,
			    "found '{' on a line of its own, expected it behind the "
			    "zones of line %u",
			    first->place.line);
	/* no braces: the rest of the file is the one block */
	return parse_statements(p, NULL, &out->statements, &out->statement_count);
}

int syntax_read(struct syntax *out, struct arena *arena, const char *file,
		const char *text, size_t len, syntax_note_fn *note, void *context)
{
	struct problem problem = { 0 };
	struct tokens words = { 0 }, all = { 0 };
	struct parser p = { .arena = arena, .note = note, .context = context };

	if (lexer_read(&words, arena, file, text, len, &problem) < 0) {
		note(context, true, &problem);
		return -EINVAL;
	}
	if (expand_tokens(&all, arena, &words, note, context) < 0)
		return -EINVAL;
	out->digest = SYNTAX_DIGEST_START;
	for (unsigned i = 0; i < all.count; i++) {
		out->digest = syntax_digest(out->digest, all.at[i].text);
		out->digest = syntax_digest(out->digest, all.at[i].first ? "\n" : " ");
	}
	if (!all.count)
		return 0;
	p.pos = all.at;
	p.end = all.at + all.count;
	while (p.pos < p.end)
		if (parse_block(&p, ARENA_PUSH(arena, out->blocks, out->block_count)) <
		    0)
			return -EINVAL;
	return 0;
}
