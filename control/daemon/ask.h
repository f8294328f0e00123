/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ask.h - the daemon as a DNS client: of its own workers, for `lane53ctl query`, and of
 * itself, for `loop`.
 */
#ifndef LANE53_ASK_H
#define LANE53_ASK_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct plan_address;

/* A query with a random ID, RD=1 and an OPT. Return: its length (<= 512). */
size_t ask_build(uint8_t out[512], const uint8_t *qname, uint16_t qtype);

/* @message NULL: no response, and @error says why.  Borrowed. */
typedef void ask_done(void *context, const uint8_t *message, size_t len,
		      uint32_t rtt_us, const char *error);

struct ask {
	uv_loop_t *loop;
	const struct plan_address *server; /* any address: this machine's loopback */
	bool tcp;
	const uint8_t *query;
	size_t len;
	unsigned timeout_ms;
};

/* Send it; the query is copied.  @done is called once, never from within. */
void ask_send(const struct ask *ask, ask_done *done, void *context);

/*
 * Add what `query` shows of @message to @object: rcode, flags, answers, authority, bytes.
 * Return: 0, -EBADMSG.
 */
int ask_describe(json_t *object, const uint8_t *message, size_t len);

/* The bits of a DNS header's flags word that are set: ["qr","aa"]. */
json_t *ask_flags(uint16_t flags);

#endif
