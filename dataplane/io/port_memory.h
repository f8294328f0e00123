/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * port_memory.h - a port without a network: queries are put in, responses taken out.
 *
 * What tests, fuzzers and benchmarks drive the engine with.  It checks its own
 * contract: every query that recv() handed out must come back exactly once, by send()
 * or drop().
 */
#ifndef LANE53_PORT_MEMORY_H
#define LANE53_PORT_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "io/port.h"

/* Queries that can be on their way in at a time. */
#define PORT_MEMORY_QUERIES (4 * PORT_BATCH)

/* Return: 0, -ENOMEM. */
int port_memory_open(struct port **ret_port);

/* Put in a query of @client; its bytes are copied.  Return: 0, -ENOBUFS, -EMSGSIZE. */
int port_memory_ask(struct port *port, const struct client *client,
		    const uint8_t *message, size_t len);

/*
 * Take out the oldest response: the client and the bytes, borrowed until the next call.
 * Return: was there one?
 */
bool port_memory_take(struct port *port, struct client *ret_client,
		      const uint8_t **ret_bytes, size_t *ret_len);

struct port_memory_count {
	uint64_t asked, received, sent, sent_later, dropped;
	unsigned out; /* handed out by recv() and not given back */
};
void port_memory_count(const struct port *port, struct port_memory_count *ret);

#endif
