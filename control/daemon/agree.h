/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * agree.h - do results of `query` say the same?  (docs/control-protocol.md)
 */
#ifndef LANE53_AGREE_H
#define LANE53_AGREE_H

#include <jansson.h>
#include <stdbool.h>

/*
 * The same rcode, flags and, as sets and without their TTLs, RRs in all members of
 * @results that hold a response; at least one does.
 */
bool results_agree(const json_t *results);

#endif
