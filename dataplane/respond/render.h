/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * render.h - from who asked and what the answer is to the message.
 */
#ifndef LANE53_RENDER_H
#define LANE53_RENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct answer;
struct question;

/* All of a query that its response depends on, or that is counted: a copy. */
struct asked {
	uint16_t id_be;
	uint16_t flags; /* host order */
	uint16_t qtype, qclass;
	uint16_t request_bytes;
	uint16_t edns_bytes; /* requestor's UDP payload size, as sent */
	bool edns;
	bool dnssec_ok;
	bool tcp;
	uint8_t qname_len;
	uint8_t qname[255]; /* case as sent */
};

/* Copy what @question (read, with its name) says of @message. */
void asked_from(struct asked *ret, const uint8_t *message,
		const struct question *question);

/* A bare header: for what cannot be read further.  @out has DNS_HEADER_BYTES. */
size_t render_header(uint8_t *out, uint16_t id_be, uint16_t flags, unsigned rcode);

/*
 * The largest message that may go back: @configured is the plan's for UDP, 0 = our own.
 */
size_t render_limit(const struct asked *asked, uint16_t configured);

/*
 * The response: header, question as asked, @answer (NULL = nothing), OPT if there was
 * one.  @bits: FLAG_AA, FLAG_RA and an rcode, extended ones included (an answer's own
 * flags and rcode are added).  What exceeds @limit becomes TC=1 with question and OPT.
 * @out has @limit bytes, and at least DNS_UDP_MIN.
 * Return: length of the message.
 */
size_t render_response(uint8_t *out, size_t limit, const struct asked *asked,
		       unsigned bits, const struct answer *answer);

#endif
