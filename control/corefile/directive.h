/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * directive.h - the table of directives: what parses, checks, explains and documents
 * every directive and option of a Corefile.
 *
 * To add one: write its reader beside its kin in directives_*.c, and its row in
 * directive.c.  Help, the list of names in messages, and the reference in
 * docs/configuration.md (checked by test_corefile) follow from the row.
 */
#ifndef LANE53_DIRECTIVE_H
#define LANE53_DIRECTIVE_H

#include <stdio.h>
#include "corefile/arena.h"
#include "corefile/config.h"
#include "corefile/syntax.h"
#include "corefile/value.h"

struct directive;

/* One compilation.  Readers fill config and block; state is the directive's own. */
struct compile {
	struct arena *arena;
	struct config *config;
	struct config_notes *notes;
	struct config_block *block;
	const struct directive *directive;
	void *state;
	unsigned errors;
};

/*
 * Readers say what is wrong with compile_error() and return; the compilation goes on
 * with the next statement, so one run names every problem.
 */
typedef void option_read_fn(struct compile *c, const struct statement *s);

struct option {
	const char *name;
	const char *args; /* as documented, e.g. "CAPACITY [TTL [MINTTL]]" */
	const char *text;
	unsigned min, max; /* arguments */
	bool later;        /* checked, and then a warning: not active yet */
	option_read_fn *read;
};

#define ANY_NUMBER 4096 /* of arguments */

struct directive {
	const char *name;
	const char *args;
	const char *text;
	const char *example; /* lines of a server block; a test compiles them */
	unsigned min, max;
	bool once;                    /* in a server block */
	bool any_case;                /* of its options */
	const struct option *options; /* up to one without a name; NULL = none */
	void (*begin)(struct compile *c, const struct statement *s);
	/* a line that is no option; NULL = an error.  Return: was it one of ours? */
	bool (*line)(struct compile *c, const struct statement *s);
	void (*end)(struct compile *c, const struct statement *s);
};

extern const struct directive directives[];
extern const unsigned directive_count;

/* Compile all statements of a server block, in the order of the Corefile. */
void directive_compile(struct compile *c, const struct statement *at, unsigned count);

/* Markdown: one section for each directive; the reference part of configuration.md. */
void directive_reference(FILE *out);

/* ---- for readers ---- */

__attribute__((format(printf, 3, 4))) void
compile_error(struct compile *c, const struct token *at, const char *format, ...);
__attribute__((format(printf, 3, 4))) void
compile_warn(struct compile *c, const struct token *at, const char *format, ...);

/* Arguments @from and on of @s as zones; an error for each that is none. */
struct plan_names compile_zones(struct compile *c, const struct statement *s,
				unsigned from);

/* The same, and the block's own zones if there are no arguments. */
struct plan_names compile_origins(struct compile *c, const struct statement *s,
				  unsigned from);

/* Argument @i as a number or a time; on an error *@ret is left alone. */
void compile_number(struct compile *c, const struct statement *s, unsigned i,
		    uint32_t min, uint32_t max, uint32_t *ret);
void compile_duration(struct compile *c, const struct statement *s, unsigned i,
		      uint32_t min_ms, uint32_t max_ms, uint32_t *ret_ms);
/* Argument @i as one of @words.  Return: its index, -1 after an error. */
int compile_word(struct compile *c, const struct statement *s, unsigned i,
		 const char *const *words, unsigned count);

#define DURATION_MAX UINT32_MAX

/* An error unless @word is a POSIX extended regular expression of at most 10,000 bytes. */
void compile_regex(struct compile *c, const struct token *word);

/* compile.c: add to @notes, up to CONFIG_NOTES_MAX; a fatal one always finds room. */
void config_note(struct config_notes *notes, bool fatal, const struct problem *problem);

struct config_step *compile_step(struct compile *c, enum plan_step_kind kind);

/* directives_*.c */
void bind_begin(struct compile *c, const struct statement *s);
void errors_begin(struct compile *c, const struct statement *s);
void log_begin(struct compile *c, const struct statement *s);
void health_begin(struct compile *c, const struct statement *s);
void ready_begin(struct compile *c, const struct statement *s);
void prometheus_begin(struct compile *c, const struct statement *s);
void reload_begin(struct compile *c, const struct statement *s);
void xdp_begin(struct compile *c, const struct statement *s);
void xdp_end(struct compile *c, const struct statement *s);
void chaos_begin(struct compile *c, const struct statement *s);
void loop_begin(struct compile *c, const struct statement *s);
void whoami_begin(struct compile *c, const struct statement *s);
void cache_begin(struct compile *c, const struct statement *s);
void hosts_begin(struct compile *c, const struct statement *s);
bool hosts_line(struct compile *c, const struct statement *s);
void file_begin(struct compile *c, const struct statement *s);
void auto_begin(struct compile *c, const struct statement *s);
void auto_end(struct compile *c, const struct statement *s);
void forward_begin(struct compile *c, const struct statement *s);
void forward_end(struct compile *c, const struct statement *s);
void fanout_begin(struct compile *c, const struct statement *s);
void fanout_end(struct compile *c, const struct statement *s);

extern const struct option bind_options[], errors_options[], log_options[],
	health_options[], ready_options[], prometheus_options[], xdp_options[],
	cache_options[], hosts_options[], file_options[], auto_options[],
	forward_options[], fanout_options[];
#endif
