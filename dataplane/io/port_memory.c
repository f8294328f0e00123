/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * port_memory.c - queries in a fixed set of slots, responses in a list.
 *
 * A slot is free, waiting (asked, not received) or out (the caller's).  Responses are
 * copied into nodes of their own, so that nothing of the caller's is borrowed.
 */
#include "io/port_memory.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum slot_state { SLOT_FREE, SLOT_WAITING, SLOT_OUT };

struct slot {
	enum slot_state state;
	struct client client;
	size_t len;
	uint8_t *message;
	uint8_t *reply;
};

struct reply {
	struct reply *next;
	struct client client;
	size_t len;
	uint8_t bytes[];
};

struct memory {
	struct port port;
	struct slot slots[PORT_MEMORY_QUERIES];
	unsigned ask, recv; /* slots go round */
	struct reply *head, **tail;
	struct reply *taken; /* lent to the caller of port_memory_take() */
	struct port_memory_count count;
};

static struct memory *memory_of(struct port *port)
{
	return (struct memory *)port;
}

static unsigned memory_recv(struct port *port, struct query *queries, unsigned max)
{
	struct memory *m = memory_of(port);
	unsigned count = 0;

	while (count < max && m->slots[m->recv].state == SLOT_WAITING) {
		struct slot *slot = &m->slots[m->recv];

		slot->state = SLOT_OUT;
		queries[count++] = (struct query){
			.message = slot->message,
			.len = slot->len,
			.client = slot->client,
			.reply = slot->reply,
			.reply_room = PORT_MESSAGE_MAX,
			.handle = slot,
		};
		m->recv = (m->recv + 1) % PORT_MEMORY_QUERIES;
	}
	m->count.received += count;
	m->count.out += count;
	return count;
}

static void keep_reply(struct memory *m, const struct client *client,
		       const uint8_t *bytes, size_t len)
{
	struct reply *reply = malloc(sizeof(*reply) + len);

	assert(reply && len <= PORT_MESSAGE_MAX);
	*reply = (struct reply){ .client = *client, .len = len };
	memcpy(reply->bytes, bytes, len);
	*m->tail = reply;
	m->tail = &reply->next;
}

static void give_back(struct memory *m, struct query *query)
{
	struct slot *slot = query->handle;

	assert(slot->state == SLOT_OUT); /* twice, or never handed out */
	slot->state = SLOT_FREE;
	m->count.out--;
}

static void memory_send(struct port *port, struct query *queries, unsigned count)
{
	struct memory *m = memory_of(port);

	for (unsigned i = 0; i < count; i++) {
		keep_reply(m, &queries[i].client, queries[i].reply,
			   queries[i].reply_len);
		give_back(m, &queries[i]);
	}
	m->count.sent += count;
}

static void memory_drop(struct port *port, struct query *queries, unsigned count)
{
	struct memory *m = memory_of(port);

	for (unsigned i = 0; i < count; i++)
		give_back(m, &queries[i]);
	m->count.dropped += count;
}

static void memory_send_later(struct port *port, const struct client *client,
			      const uint8_t *bytes, size_t len)
{
	struct memory *m = memory_of(port);

	keep_reply(m, client, bytes, len);
	m->count.sent_later++;
}

static void memory_close(struct port *port)
{
	struct memory *m = memory_of(port);

	while (m->head) {
		struct reply *next = m->head->next;

		free(m->head);
		m->head = next;
	}
	free(m->taken);
	for (unsigned i = 0; i < PORT_MEMORY_QUERIES; i++) {
		free(m->slots[i].message);
		free(m->slots[i].reply);
	}
	free(m);
}

static const struct port_ops memory_ops = {
	.name = "memory",
	.recv = memory_recv,
	.send = memory_send,
	.drop = memory_drop,
	.send_later = memory_send_later,
	.close = memory_close,
};

int port_memory_open(struct port **ret_port)
{
	struct memory *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	m->port.ops = &memory_ops;
	m->tail = &m->head;
	*ret_port = &m->port;
	return 0;
}

int port_memory_ask(struct port *port, const struct client *client,
		    const uint8_t *message, size_t len)
{
	struct memory *m = memory_of(port);
	struct slot *slot = &m->slots[m->ask];

	if (len > PORT_MESSAGE_MAX)
		return -EMSGSIZE;
	if (slot->state != SLOT_FREE)
		return -ENOBUFS;
	if (!slot->reply)
		slot->reply = malloc(PORT_MESSAGE_MAX);
	/* Exactly the message's size: a read past its end is then an ASan report. */
	free(slot->message);
	slot->message = malloc(len ? len : 1);
	if (!slot->reply || !slot->message)
		return -ENOBUFS;
	memcpy(slot->message, message, len);
	slot->len = len;
	slot->client = *client;
	slot->state = SLOT_WAITING;
	m->ask = (m->ask + 1) % PORT_MEMORY_QUERIES;
	m->count.asked++;
	return 0;
}

bool port_memory_take(struct port *port, struct client *ret_client,
		      const uint8_t **ret_bytes, size_t *ret_len)
{
	struct memory *m = memory_of(port);
	struct reply *reply = m->head;

	free(m->taken);
	m->taken = reply;
	if (!reply)
		return false;
	m->head = reply->next;
	if (!m->head)
		m->tail = &m->head;
	*ret_client = reply->client;
	*ret_bytes = reply->bytes;
	*ret_len = reply->len;
	return true;
}

void port_memory_count(const struct port *port, struct port_memory_count *ret)
{
	*ret = ((const struct memory *)port)->count;
}
