/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * expand.c - see expand.h.
 *
 * Words are taken from a stack of streams: the file, and on top of it whatever is
 * being imported.  What an import brings is read like what surrounds it, so snippets
 * and files may import in turn; the stack's height bounds that.
 */
#include "corefile/expand.h"
#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include "corefile/arena.h"

struct stream {
	const struct token *pos, *end;
};

struct snippet {
	const char *name;
	struct tokens body;
};

struct expander {
	struct tokens *out;
	struct arena *arena;
	struct stream streams[SYNTAX_IMPORT_DEPTH];
	unsigned height;
	struct snippet *snippets;
	unsigned snippet_count;
	unsigned nesting; /* open braces */
	unsigned imports;
	syntax_note_fn *note;
	void *context;
};

__attribute__((format(printf, 4, 5))) static int
say(struct expander *e, bool fatal, const struct token *at, const char *format, ...)
{
	struct problem problem;
	va_list args;

	va_start(args, format);
	problem_vset(&problem, at->place.file, at->place.line, format, args);
	va_end(args);
	e->note(e->context, fatal, &problem);
	return -EINVAL;
}

static const struct token *peek(struct expander *e)
{
	while (e->height &&
	       e->streams[e->height - 1].pos == e->streams[e->height - 1].end)
		e->height--;
	return e->height ? e->streams[e->height - 1].pos : NULL;
}

/* The next word of the same stream, if it is on the same line. */
static const struct token *peek_same_line(struct expander *e)
{
	struct stream *s = &e->streams[e->height - 1];

	return s->pos < s->end && !s->pos->first ? s->pos : NULL;
}

static void take(struct expander *e)
{
	e->streams[e->height - 1].pos++;
}

/* ---- environment ---- */

static void warn_unset(struct expander *e, const struct token *at, const char *name)
{
	say(e, false, at, "environment variable '%s' is not set, taken as empty", name);
}

/*
 * {$NAME} and {%NAME%} in @token.  A value is taken as it stands: it is neither parted
 * into words nor searched for further names.
 */
static void put_environment(struct expander *e, struct token *token)
{
	const char *pos = token->text;
	char *out = NULL;

	for (;;) {
		const char *start = strchr(pos, '{'), *end;
		const char *value;
		char *name;
		bool percent;

		while (start && start[1] != '$' && start[1] != '%')
			start = strchr(start + 1, '{');
		if (!start)
			break;
		percent = start[1] == '%';
		end = strstr(start + 2, percent ? "%}" : "}");
		if (!end || end == start + 2)
			break;
		name = arena_text_n(e->arena, start + 2, (size_t)(end - start - 2));
		value = getenv(name);
		if (!value || !*value) {
			token->unset = true;
			warn_unset(e, token, name);
			value = "";
		}
		if (lexer_fault(value, strlen(value))) {
			say(e, true, token, "environment variable '%s' is not in UTF-8",
			    name);
			value = "";
		}
		out = arena_format(e->arena, "%s%.*s%s", out ? out : "",
				   (int)(start - pos), pos, value);
		pos = end + (percent ? 2 : 1);
	}
	if (out)
		token->text = arena_format(e->arena, "%s%s", out, pos);
}

/* ---- snippets ---- */

static const struct snippet *snippet_find(const struct expander *e, const char *name)
{
	for (unsigned i = 0; i < e->snippet_count; i++)
		if (!strcmp(e->snippets[i].name, name))
			return &e->snippets[i];
	return NULL;
}

/* Is the next word the (NAME) of a snippet? */
static bool is_snippet(struct expander *e, const struct token *token)
{
	const struct stream *s = &e->streams[e->height - 1];
	size_t len = strlen(token->text);

	return e->nesting == 0 && token->first && !token->quoted && len > 2 &&
	       token->text[0] == '(' && token->text[len - 1] == ')' &&
	       s->pos + 1 < s->end && token_is(s->pos + 1, "{") && !s->pos[1].first;
}

static int define_snippet(struct expander *e, const struct token *head)
{
	struct stream *s = &e->streams[e->height - 1];
	struct snippet *snippet;
	const char *name =
		arena_text_n(e->arena, head->text + 1, strlen(head->text) - 2);
	unsigned depth = 1;

	if (snippet_find(e, name))
		return say(e, true, head,
			   "found a second snippet '%s', expected another name", name);
	snippet = ARENA_PUSH(e->arena, e->snippets, e->snippet_count);
	snippet->name = name;
	for (s->pos += 2; s->pos < s->end; s->pos++) {
		if (token_is(s->pos, "{"))
			depth++;
		else if (token_is(s->pos, "}") && --depth == 0)
			break;
		*ARENA_PUSH(e->arena, snippet->body.at, snippet->body.count) = *s->pos;
	}
	if (depth)
		return say(e, true, head, "snippet '%s' has no end, expected a }",
			   name);
	s->pos++;
	if (snippet->body.count)
		snippet->body.at[0].first = true;
	return 0;
}

/* ---- imports ---- */

static int push(struct expander *e, const struct token *at, const struct tokens *tokens)
{
	if (tokens->count == 0)
		return 0;
	if (e->height == SYNTAX_IMPORT_DEPTH)
		return say(e, true, at,
			   "found imports more than %d deep, expected no file or "
			   "snippet to import itself",
			   SYNTAX_IMPORT_DEPTH);
	e->streams[e->height++] =
		(struct stream){ tokens->at, tokens->at + tokens->count };
	return 0;
}

static int read_import(struct expander *e, const struct token *at, const char *path,
		       struct tokens *out)
{
	struct problem problem = { 0 };
	char *text;
	size_t len;
	int r = syntax_file(e->arena, path, &text, &len);

	if (r < 0)
		return say(e, true, at, "import: cannot read '%s': %s", path,
			   strerror(-r));
	if (lexer_read(out, e->arena, arena_text(e->arena, path), text, len, &problem) <
	    0) {
		e->note(e->context, true, &problem);
		return -EINVAL;
	}
	return 0;
}

/* @pattern as seen from the file that imports it. */
static const char *beside(struct expander *e, const struct token *at,
			  const char *pattern)
{
	const char *slash = strrchr(at->place.file, '/');

	if (pattern[0] == '/' || !slash)
		return pattern;
	return arena_format(e->arena, "%.*s%s", (int)(slash - at->place.file + 1),
			    at->place.file, pattern);
}

static int import_files(struct expander *e, const struct token *at, const char *pattern)
{
	const char *path = beside(e, at, pattern);
	struct tokens all = { 0 };
	glob_t found;
	int r = 0;

	if (!strpbrk(pattern, "*?[")) {
		r = read_import(e, at, path, &all);
		return r < 0 ? r : push(e, at, &all);
	}
	if (glob(path, 0, NULL, &found) != 0) {
		say(e, false, at, "import: no file matches '%s'", pattern);
		return 0;
	}
	for (size_t i = 0; i < found.gl_pathc && r == 0; i++)
		r = read_import(e, at, found.gl_pathv[i], &all);
	globfree(&found);
	return r < 0 ? r : push(e, at, &all);
}

/* At the word `import`. */
static int import(struct expander *e, const struct token *at)
{
	const struct token *next;
	const struct snippet *snippet;
	struct token what;

	if (++e->imports > SYNTAX_IMPORTS_MAX)
		return say(e, true, at, "found more than %d imports, expected fewer",
			   SYNTAX_IMPORTS_MAX);
	take(e);
	next = peek_same_line(e);
	if (!next || token_is(next, "{") || token_is(next, "}"))
		return say(e, true, at,
			   "import: expected a file, a pattern of files or the name "
			   "of a snippet behind it");
	what = *next;
	take(e);
	next = peek_same_line(e);
	if (next && !token_is(next, "}"))
		return say(e, true, next, "import: found '%s', expected one name only",
			   next->text);
	put_environment(e, &what);
	snippet = snippet_find(e, what.text);
	if (snippet)
		return push(e, at, &snippet->body);
	return import_files(e, at, what.text);
}

/* ---- the whole ---- */

static int emit(struct expander *e, const struct token *token)
{
	struct token *out;

	if (e->out->count == SYNTAX_TOKENS_MAX)
		return say(e, true, token, "found more than %d words, expected fewer",
			   SYNTAX_TOKENS_MAX);
	out = ARENA_PUSH(e->arena, e->out->at, e->out->count);
	*out = *token;
	if (token_is(token, "{"))
		e->nesting++;
	else if (token_is(token, "}") && e->nesting)
		e->nesting--;
	put_environment(e, out);
	return 0;
}

int expand_tokens(struct tokens *out, struct arena *arena, const struct tokens *in,
		  syntax_note_fn *note, void *context)
{
	struct expander e = {
		.out = out, .arena = arena, .note = note, .context = context
	};
	const struct token *token;
	bool after_brace = false;
	int r = 0;

	if (in->count)
		e.streams[e.height++] = (struct stream){ in->at, in->at + in->count };
	while (r == 0 && (token = peek(&e))) {
		bool starts = token->first || after_brace;

		after_brace = token_is(token, "{");
		if (is_snippet(&e, token)) {
			r = define_snippet(&e, token);
		} else if (starts && token_is(token, "import")) {
			r = import(&e, token);
		} else {
			take(&e);
			r = emit(&e, token);
		}
	}
	return r;
}
