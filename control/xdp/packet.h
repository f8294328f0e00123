/* SPDX-License-Identifier: BSD-3-Clause */
/* packet.h - a question as a client's frame, and the response out of one. */
#ifndef LANE53_PACKET_H
#define LANE53_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct xdp_question;
struct xdp_reply;

/* Where things are in a frame; offsets from its start. */
struct packet {
	size_t len, l3_off, l4_off, dns_off;
	bool ipv6;
};

/*
 * Write @question as a frame to @mac into @bytes.
 * Return: 0, -EINVAL: does not fit @room, or is empty.
 */
int packet_build(struct packet *ret_packet, const struct xdp_question *question,
		 const uint8_t mac[6], uint8_t *bytes, size_t room);

/*
 * The DNS message of a frame with the headers of @packet; reply->len is 0 if the lengths
 * in it do not fit.
 */
void packet_read_reply(const struct packet *packet, const uint8_t *bytes, size_t len,
		       struct xdp_reply *reply);

#endif
