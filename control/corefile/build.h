/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * build.h - a plan under construction; for plan_build.c and plan_steps.c.
 *
 * The first failure is remembered and checked at the end; until then the plan is always
 * one that plan_free() takes.
 */
#ifndef LANE53_BUILD_H
#define LANE53_BUILD_H

#include "corefile/config.h"

struct unit {
	unsigned block; /* of the config */
	uint16_t port;
};

struct socket_at {
	struct plan_address local;
	uint32_t tenant;
	const char *scope; /* the tenant's text, NULL = default */
	unsigned *units;   /* ascending */
	unsigned unit_count;
};

struct build {
	const struct config *config;
	const struct plan_inputs *in;
	struct plan *plan;
	struct plan_origins origins;
	struct unit *units;
	unsigned unit_count;
	struct socket_at *sockets;
	unsigned socket_count;
	int error; /* the first */
};

void build_fail(struct build *b, int error);

/* Zeroed memory; NULL after a failure. */
void *build_take(struct build *b, size_t count, size_t size);
char *build_text(struct build *b, const char *text);
void build_names(struct build *b, struct plan_names *out,
		 const struct plan_names *names);

/*
 * Lengthen the array *@at of *@count elements by one.
 * Return: the new element, zeroed; NULL, and the array as it was, after a failure.
 */
void *build_grow(struct build *b, void **at, unsigned *count, size_t size);

#define GROW(b, at, count) build_grow((b), (void **)&(at), &(count), sizeof(*(at)))

/* A number from plan_inputs.id(); 0 after a failure. */
uint32_t build_id(struct build *b, const char *kind, const char *text);

/* Fill @out's steps from those of @block; its zones stand already. */
void build_steps(struct build *b, struct plan_block *out,
		 const struct config_block *block);

#endif
