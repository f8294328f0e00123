/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * compile.c - corefile_compile(): from a Corefile to struct config.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "corefile/directive.h"
#include "dns/name.h"

/* What CoreDNS serves when it is started without a Corefile. */
static const char default_text[] = ".\nwhoami\nlog\n";

void config_note(struct config_notes *notes, bool fatal, const struct problem *problem)
{
	struct config_note *grown;

	/* a snippet used twice, a variable named twice: said once */
	for (unsigned i = 0; i < notes->count; i++)
		if (notes->at[i].problem.line == problem->line &&
		    !strcmp(notes->at[i].problem.file, problem->file) &&
		    !strcmp(notes->at[i].problem.text, problem->text))
			return;
	if (notes->count >= CONFIG_NOTES_MAX) {
		/* never lose that there was an error */
		if (fatal && !notes->at[notes->count - 1].fatal)
			notes->at[notes->count - 1] =
				(struct config_note){ true, *problem };
		return;
	}
	grown = realloc(notes->at, (notes->count + 1) * sizeof(*grown));
	if (!grown)
		abort(); /* as arena.h says */
	notes->at = grown;
	notes->at[notes->count++] = (struct config_note){ fatal, *problem };
}

void config_notes_deinit(struct config_notes *notes)
{
	free(notes->at);
	*notes = (struct config_notes){ 0 };
}

static void note_syntax(void *context, bool fatal, const struct problem *problem)
{
	struct compile *c = context;

	if (fatal)
		c->errors++;
	config_note(c->notes, fatal, problem);
}

/* ---- keys of server blocks ---- */

/*
 * The port at the end of @text, which loses it.  A colon with digits behind it parts a
 * port: an IPv6 CIDR ends in /BITS.
 */
static bool take_port(struct compile *c, const struct token *word, char *text,
		      uint16_t default_port, uint16_t *ret_port)
{
	char *colon = strrchr(text, ':');
	uint32_t port;

	*ret_port = default_port;
	if (!colon || (strchr(text, '/') && strchr(colon, '/')))
		return true;
	if (!colon[1] && word->unset) { /* ZONE:{$PORT} and no PORT */
		*colon = 0;
		return true;
	}
	if (!value_number(colon + 1, 1, UINT16_MAX, &port)) {
		compile_error(c, word,
			      "found '%s', expected a port from 1 to 65535 "
			      "behind the ':'",
			      word->text);
		return false;
	}
	*colon = 0;
	*ret_port = (uint16_t)port;
	return true;
}

/* SCHEME:// in front of @text; *@text is moved behind it. */
static bool take_scheme(struct compile *c, const struct token *word, char **text)
{
	static const char *const schemes[] = { "dns",    "tls",  "https",
					       "https3", "grpc", "quic" };
	char *end = strstr(*text, "://");

	if (!end)
		return true;
	for (unsigned i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		if (strlen(schemes[i]) != (size_t)(end - *text) ||
		    strncmp(schemes[i], *text, (size_t)(end - *text)))
			continue;
		if (i == 0) {
			*text = end + 3;
			return true;
		}
		compile_error(c, word,
			      "scheme '%s://' is not built yet, expected dns://",
			      schemes[i]);
		return false;
	}
	compile_error(c, word, "found '%s', expected dns:// as its scheme", word->text);
	return false;
}

static void compile_key(struct compile *c, const struct token *word,
			uint16_t default_port)
{
	struct config_block *block = c->block;
	struct config_key *key = ARENA_PUSH(c->arena, block->keys, block->key_count);
	char *text = arena_text(c->arena, word->text);

	key->place = word->place;
	if (take_scheme(c, word, &text) &&
	    take_port(c, word, text, default_port, &key->port)) {
		/* CoreDNS: ":53" is the root */
		if (value_zones(*text ? text : ".", c->arena, &key->zones))
			return;
		compile_error(c, word,
			      "found '%s', expected ZONE[:PORT] or CIDR[:PORT]",
			      word->text);
	}
	/* something to go on with */
	(void)value_zones(".", c->arena, &key->zones);
	block->keys[block->key_count - 1].port = default_port;
}

/* ---- the same zone twice ---- */

static bool is_bind_shared(const struct config_block *a, const struct config_block *b)
{
	if (a->bind_count == 0 || b->bind_count == 0)
		return true; /* every address is one of them */
	for (unsigned i = 0; i < a->bind_count; i++)
		for (unsigned j = 0; j < b->bind_count; j++)
			if (!strcmp(a->binds[i].text, b->binds[j].text))
				return true;
	return false;
}

static bool is_tenant_shared(const struct config *config, const struct config_block *a,
			     const struct config_block *b)
{
	if (a->scope < 0 || b->scope < 0)
		return a->scope == b->scope;
	return !strcmp(config->xdp[a->scope].tenant, config->xdp[b->scope].tenant);
}

static const struct plan_name *shared_zone(const struct config_key *a,
					   const struct config_key *b)
{
	if (a->port != b->port)
		return NULL;
	for (unsigned i = 0; i < a->zones.count; i++)
		for (unsigned j = 0; j < b->zones.count; j++)
			if (a->zones.at[i].len == b->zones.at[j].len &&
			    !memcmp(a->zones.at[i].wire, b->zones.at[j].wire,
				    a->zones.at[i].len))
				return &a->zones.at[i];
	return NULL;
}

static void check_pair(struct compile *c, const struct config_key *first,
		       const struct config_key *second)
{
	const struct plan_name *zone = shared_zone(first, second);
	struct token at = { .place = second->place };
	char text[NAME_TEXT_ROOM];

	if (!zone)
		return;
	(void)name_to_text(text, zone->wire);
	compile_error(c, &at,
		      "zone %s:%u is served already, by the server block at %s:%u",
		      text, second->port, first->place.file, first->place.line);
}

/* Blocks that answer at the same address must not share a zone. */
static void check_duplicates(struct compile *c)
{
	const struct config *config = c->config;

	for (unsigned i = 0; i < config->block_count; i++) {
		const struct config_block *b = &config->blocks[i];

		for (unsigned k = 0; k < b->key_count; k++)
			for (unsigned l = 0; l < k; l++)
				check_pair(c, &b->keys[l], &b->keys[k]);
		for (unsigned j = 0; j < i; j++) {
			const struct config_block *a = &config->blocks[j];

			if (!is_bind_shared(a, b) || !is_tenant_shared(config, a, b))
				continue;
			for (unsigned k = 0; k < b->key_count; k++)
				for (unsigned l = 0; l < a->key_count; l++)
					check_pair(c, &a->keys[l], &b->keys[k]);
		}
	}
}

/* ---- the whole ---- */

/* Stable, and steps in the order they run: whatever the order in the Corefile. */
static void sort_steps(struct config_block *block)
{
	for (unsigned i = 1; i < block->step_count; i++) {
		struct config_step step = block->steps[i];
		unsigned j = i;

		for (; j > 0 && block->steps[j - 1].kind > step.kind; j--)
			block->steps[j] = block->steps[j - 1];
		block->steps[j] = step;
	}
}

static void compile_block(struct compile *c, const struct syntax_block *syntax,
			  uint16_t default_port)
{
	struct config *config = c->config;
	struct config_block *block =
		ARENA_PUSH(c->arena, config->blocks, config->block_count);

	block->place = syntax->keys[0].place;
	block->scope = -1;
	c->block = block;
	for (unsigned i = 0; i < syntax->key_count; i++)
		compile_key(c, &syntax->keys[i], default_port);
	directive_compile(c, syntax->statements, syntax->statement_count);
	sort_steps(block);
	if (block->scope >= 0 && block->loop) {
		struct token at = { .place = block->place };

		compile_warn(c, &at,
			     "loop: a tenant's server block answers no query of this "
			     "machine: not checked");
		block->loop = false;
	}
}

static bool read_text(struct compile *c, const struct config_options *options,
		      const char **ret_text, size_t *ret_len)
{
	struct problem problem;
	char *text;
	int r;

	c->config->file =
		arena_text(c->arena, options->file ? options->file : "Corefile");
	if (options->text) {
		*ret_text = options->text;
		*ret_len = strlen(options->text);
		return true;
	}
	r = syntax_file(c->arena, c->config->file, &text, ret_len);
	if (r == -ENOENT && !options->file) {
		c->config->file = "built-in Corefile";
		*ret_text = default_text;
		*ret_len = strlen(default_text);
		return true;
	}
	if (r < 0) {
		problem_set(&problem, c->config->file, 0,
			    "cannot read it: %s; expected a Corefile", strerror(-r));
		note_syntax(c, true, &problem);
		return false;
	}
	*ret_text = text;
	return true;
}

int corefile_compile(struct config **ret_config, const struct config_options *options,
		     struct config_notes *notes)
{
	struct arena *arena = arena_open();
	struct config *config = arena_take(arena, sizeof(*config));
	struct compile c = { .arena = arena, .config = config, .notes = notes };
	uint16_t port = options->dns_port ? options->dns_port : 53;
	struct syntax syntax = { 0 };
	const char *text;
	size_t len;

	config->arena = arena;
	if (!read_text(&c, options, &text, &len) ||
	    syntax_read(&syntax, arena, config->file, text, len, note_syntax, &c) < 0)
		goto err;
	config->digest = syntax.digest;
	for (unsigned i = 0; i < syntax.block_count; i++)
		compile_block(&c, &syntax.blocks[i], port);
	check_duplicates(&c);
	if (syntax.block_count == 0) {
		struct problem problem;

		problem_set(
			&problem, config->file, 0,
			"found no server block, expected one such as \".:53 { ... }\"");
		note_syntax(&c, true, &problem);
	}
	if (c.errors)
		goto err;
	*ret_config = config;
	return 0;
err:
	arena_close(arena);
	return -EINVAL;
}

void config_free(struct config *config)
{
	if (config)
		arena_close(config->arena);
}

void config_zone_id(char *out, size_t room, const char *path, const uint8_t *origin)
{
	char text[NAME_TEXT_ROOM];

	(void)name_to_text(text, origin);
	snprintf(out, room, "zone %s %s", path, text);
}
