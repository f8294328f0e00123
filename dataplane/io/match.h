/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * match.h - is a message the response to a query of ours? (RFC 5452 9.1)
 */
#ifndef LANE53_MATCH_H
#define LANE53_MATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "lane53/wire.h"

#define MATCH_QUESTION_MAX (NAME_MAX_BYTES + 4)

/* Length of the question section of our own query, or 0 if it has not just one. */
size_t match_question_length(const uint8_t *query, size_t len);

/*
 * Does @message answer the query with @id (two bytes as on the wire) and @question
 * (@question_len bytes, as match_question_length() measured it)?
 */
bool match_response(const uint8_t id[2], const uint8_t *question, size_t question_len,
		    const uint8_t *message, size_t len);

#endif
