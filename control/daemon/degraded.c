/* SPDX-License-Identifier: BSD-3-Clause */
/* degraded.c - see degraded.h. */
#include "degraded.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/lines.h"
#include "daemon/log.h"

#define DEGRADED_TEXT 1024

struct degraded_item {
	struct degraded_item *next;
	bool stale; /* not set again since begin() */
	bool quiet; /* logged by somebody else */
	char *key;  /* from strdup(): paths are in keys */
	char text[DEGRADED_TEXT];
};

void degraded_deinit(struct degraded *degraded)
{
	struct degraded_item *next;

	for (struct degraded_item *i = degraded->first; i; i = next) {
		next = i->next;
		free(i->key);
		free(i);
	}
	degraded->first = NULL;
}

/* The link that holds @key, or the last one. */
static struct degraded_item **link_of(struct degraded *degraded, const char *key)
{
	struct degraded_item **link = &degraded->first;

	while (*link && strcmp((*link)->key, key))
		link = &(*link)->next;
	return link;
}

/* Return: is the text new? */
static bool keep(struct degraded *degraded, const char *key, bool quiet,
		 const char *text)
{
	struct degraded_item **link = link_of(degraded, key), *item = *link;

	if (!item) {
		item = calloc(1, sizeof(*item));
		if (item)
			item->key = strdup(key);
		if (!item || !item->key) {
			free(item);
			return true;
		}
		*link = item;
	}
	item->stale = false;
	item->quiet = quiet;
	if (!strcmp(item->text, text))
		return false;
	snprintf(item->text, sizeof(item->text), "%s", text);
	return true;
}

void degraded_set(struct degraded *degraded, const char *key, const char *format, ...)
{
	char text[DEGRADED_TEXT];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (keep(degraded, key, false, text))
		log_warning("%s", text);
}

void degraded_note(struct degraded *degraded, const char *key, const char *format, ...)
{
	char text[DEGRADED_TEXT];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	(void)keep(degraded, key, true, text);
}

static void drop(struct degraded_item **link)
{
	struct degraded_item *item = *link;

	if (!item->quiet)
		log_info("over: %s", item->text);
	*link = item->next;
	free(item->key);
	free(item);
}

void degraded_clear(struct degraded *degraded, const char *key)
{
	struct degraded_item **link = link_of(degraded, key);

	if (*link)
		drop(link);
}

void degraded_begin(struct degraded *degraded, const char *prefix)
{
	for (struct degraded_item *i = degraded->first; i; i = i->next)
		if (!strncmp(i->key, prefix, strlen(prefix)))
			i->stale = true;
}

void degraded_end(struct degraded *degraded, const char *prefix)
{
	struct degraded_item **link = &degraded->first;

	while (*link) {
		if ((*link)->stale && !strncmp((*link)->key, prefix, strlen(prefix)))
			drop(link);
		else
			link = &(*link)->next;
	}
}

bool degraded_has(const struct degraded *degraded, const char *prefix)
{
	for (const struct degraded_item *i = degraded->first; i; i = i->next)
		if (!strncmp(i->key, prefix, strlen(prefix)))
			return true;
	return false;
}

json_t *degraded_list(const struct degraded *degraded)
{
	json_t *list = json_array();

	for (const struct degraded_item *i = degraded->first; i; i = i->next)
		json_array_append_new(list, lines_text(i->text));
	return list;
}
