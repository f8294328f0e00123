/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * asking.h - what directives that ask upstreams have in common; for their readers.
 */
#ifndef LANE53_ASKING_H
#define LANE53_ASKING_H

#include "corefile/directive.h"

/* compile.state of such a directive. */
struct asking {
	struct plan_forward *forward;
	struct config_step *step;
	unsigned left_out; /* upstreams of a kind that is not built yet */
};

/* FROM TO...; @limit upstreams at the most.  Leaves all settings zero. */
void asking_begin(struct compile *c, const struct statement *s, unsigned limit);
void asking_end(struct compile *c, const struct statement *s);

/* Options. */
void asking_except(struct compile *c, const struct statement *s);
void asking_number(struct compile *c, const struct statement *s);
void asking_unchecked(struct compile *c, const struct statement *s);

#endif
