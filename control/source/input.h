/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * input.h - files that users name: opened, quoted and closed with care.
 */
#ifndef LANE53_INPUT_H
#define LANE53_INPUT_H

#include <stddef.h>
#include <stdio.h>

struct records;
struct report;

#define INPUT_QUOTE_ROOM 68 /* 64 characters and "..." */

/*
 * Open @path to read; reported (fatal) if that fails, or if it is a directory or a pipe.
 * On success *@ret_file goes to fclose().  Return: 0 or a negative errno.
 */
int input_open(FILE **ret_file, const char *path, struct report *report);

/* The start of @text for a message, with what is not printable as '?'. */
const char *input_quote(char out[INPUT_QUOTE_ROOM], const char *text);

/*
 * As input_quote(), of the first line of @path from *@line on that has more than a zone
 * file's comment, and make *@line its number; "" if there is none to be read.
 */
const char *input_quote_line(char out[INPUT_QUOTE_ROOM], const char *path,
			     unsigned *line);

/*
 * records_end(), and report what it had to change: RRs left out, TTLs made equal.
 * Return: as records_end().
 */
int input_end(struct records *records, const char *path, struct report *report);

#endif
