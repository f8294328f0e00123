/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * expand.h - words with snippets, imports and environment variables put in.
 */
#ifndef LANE53_EXPAND_H
#define LANE53_EXPAND_H

#include "corefile/syntax.h"

/*
 * Expand @in, the words of one file, into @out.
 * Return: 0; -EINVAL: a fatal note has been given.
 */
int expand_tokens(struct tokens *out, struct arena *arena, const struct tokens *in,
		  syntax_note_fn *note, void *context);

#endif
