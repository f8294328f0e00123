/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * aliases.h - published names whose answers lead elsewhere, and where to.
 */
#ifndef LANE53_ALIASES_H
#define LANE53_ALIASES_H

#include <stdbool.h>
#include <stdint.h>
#include "daemon/nameset.h"

struct answer;

struct aliases {
	struct nameset owners; /* word: number of the chain + 1; 0 = none now */
	struct alias_chain *chains;
	size_t count, room;
};

void aliases_init(struct aliases *aliases);
void aliases_deinit(struct aliases *aliases); /* and ready to be used again */

/*
 * Read the chain of CNAMEs in @answer to a query for @owner and remember it; @sname (NULL:
 * none) is a further name that the answer stopped at.  An answer without any is nothing
 * to remember.  *@ret_referral: the chain ends in a referral.  Return: 0 or -ENOMEM.
 */
int aliases_note(struct aliases *aliases, uint32_t view, const uint8_t *owner,
		 const struct answer *answer, const uint8_t *sname, bool *ret_referral);

void aliases_forget(struct aliases *aliases, uint32_t view, const uint8_t *owner);
void aliases_forget_view(struct aliases *aliases, uint32_t view);

/* See publisher_dirty_aliases(). Return: 0 or -ENOMEM. */
int aliases_dirty(const struct aliases *aliases, uint32_t view,
		  const struct nameset *changed, bool existence, struct nameset *dirty);

#endif
