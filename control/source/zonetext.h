/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * zonetext.h - a master file (RFC 1035 5.1) as entries of words.
 *
 * An entry is a line, or several that parentheses hold together; comments and empty lines
 * are left out.  Words are as they are written: escapes stay, quotes around one do not.
 */
#ifndef LANE53_ZONETEXT_H
#define LANE53_ZONETEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include "source/input.h"

/* The text of 64 KiB of RDATA in the longest way to write it, \DDD for each byte. */
#define ZONETEXT_ENTRY_MAX (4 * 65536)

struct zonetext;

struct zonetext_word {
	const char *text; /* ends with NUL */
	size_t len;
	unsigned line;
	bool quoted;
};

struct zonetext_entry {
	const struct zonetext_word *words; /* one or more */
	unsigned count;
	bool is_indented; /* it begins with a blank: the owner is that before */
};

/* What is wrong with some text. */
struct zonetext_problem {
	unsigned line;
	char value[INPUT_QUOTE_ROOM]; /* the text that is meant, for a message */
	char text[200];               /* what is wrong, and what was expected */
};

/* @file is borrowed.  Return: 0, -ENOMEM; *@ret goes to zonetext_close(). */
int zonetext_open(struct zonetext **ret, FILE *file);
void zonetext_close(struct zonetext *text); /* NULL is allowed */

enum zonetext_status {
	ZONETEXT_END,   /* there is no more */
	ZONETEXT_ENTRY, /* *@ret_entry is borrowed until the next call */
	ZONETEXT_BAD,   /* *@problem says why; reading goes on behind it */
};

/* Return: enum zonetext_status, -ENOMEM, or -EIO: the file cannot be read. */
int zonetext_next(struct zonetext *text, struct zonetext_entry *ret_entry,
		  struct zonetext_problem *problem);

unsigned zonetext_line(const struct zonetext *text); /* where reading is */
/* At the end: was there text behind the last newline? */
bool zonetext_is_cut(const struct zonetext *text);

#endif
