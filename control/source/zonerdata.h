/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * zonerdata.h - RDATA in presentation form; a part of zonerecord.h.
 *
 * Names, numbers and addresses are read here, and strictly; what else the types are made
 * of is ldns's to read, which also knows what fields each type has.
 */
#ifndef LANE53_ZONERDATA_H
#define LANE53_ZONERDATA_H

#include "source/zonerecord.h"

/*
 * Read @words, of which the first is the type and the others RDATA, into @record.
 * Return: 0, -EINVAL (@problem), -ENOMEM.
 */
int zonerdata_read(struct zonerecord *record, const struct zonetext_word *words,
		   unsigned count, struct zonetext_problem *problem);

/* Fill @problem: @word is wrong, @text says why.  Return: -EINVAL. */
int zonerecord_bad(struct zonetext_problem *problem, const struct zonetext_word *word,
		   const char *text);

#endif
