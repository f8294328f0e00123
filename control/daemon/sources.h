/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sources.h - hosts files and zone files in use: read into commits, watched for changes.
 *
 * What cannot be read keeps the records that the store has of it, and is `degraded`.
 */
#ifndef LANE53_SOURCES_H
#define LANE53_SOURCES_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct commit;
struct config;
struct config_found;
struct daemon;
struct plan;
struct sources;

/*
 * The sources of @config (borrowed; outlives them): `auto` directories are scanned.
 * On success *@ret is the caller's.  Return: 0 or -ENOMEM.
 */
int sources_open(struct sources **ret, struct daemon *d, const struct config *config);
void sources_close(struct sources *sources); /* NULL is allowed */

/* Zones found by `auto`, for plan_build(); borrowed. */
const struct config_found *sources_found(const struct sources *sources,
					 unsigned *ret_count);

/* Read every source into @commit.  Return: 0, or what the store says. */
int sources_load(struct sources *sources, struct commit *commit);

/* Begin to look for changes, as the directives' reload options say. */
void sources_watch(struct sources *sources);

/* [{kind, path, records, state}] of the sources numbered as in @plan's block @block. */
json_t *sources_of_block(const struct sources *sources, const struct plan *plan,
			 unsigned block);

/* Path or inline of store number @source, for `trace`; NULL: not one of them. */
const char *sources_path(const struct sources *sources, uint32_t source);

#endif
