/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * frame.h - frames on the lane: from a client's query to the response, L2 to L4.
 *
 *   | Ethernet | tag | Ethernet [VLAN] [VLAN] | IPv4 or IPv6 | UDP | DNS message |
 *   |    14    | 34  |                client's headers             |
 *   '--------------------- prefix, <= FRAME_PREFIX_MAX ------------'
 *
 * XDP parsed the frame before it tagged it, but anything may be put on a veth: every
 * offset of the tag is checked against the bytes again before it is used.
 */
#ifndef LANE53_FRAME_H
#define LANE53_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 14 + 34 (lane) + 14 + 2 * 4 (VLAN tags) + 40 (IPv6) + 8 (UDP). */
#define FRAME_PREFIX_MAX 118

enum frame_status {
	FRAME_OK,
	FRAME_NOT_LANE, /* another EtherType: neighbour discovery and the like */
	FRAME_BAD_TAG,  /* magic, version or offsets that do not fit the bytes */
	FRAME_NOT_UDP, /* IP options, fragments, another protocol, lengths that disagree */
};

/* What frame_read() found; offsets from the start of the lane's frame. */
struct frame {
	uint16_t l3_off, l4_off, dns_off, dns_len; /* dns_off = length of the prefix */
	bool ipv6;
	bool probe;    /* LANE53_TAG_PROBE */
	bool upstream; /* not a client's: from an upstream, or a question returned */
	bool returned; /* with `upstream`: our own, and remote and local are turned */
	uint32_t ifindex, view, tenant;
	uint8_t remote[16], local[16]; /* IPv4 as ::ffff:a.b.c.d */
	uint16_t remote_port, local_port;
};

/* Read the @len bytes of a frame from the lane.  On FRAME_OK fills @ret. */
enum frame_status frame_read(struct frame *ret, const uint8_t *bytes, size_t len);

/* Does the tag say that the frame is no client's?  Nothing else of it is read. */
bool frame_is_upstream(const uint8_t *bytes, size_t len);

/*
 * Turn a query's frame into its response's: @bytes starts with the prefix of the query
 * (@prefix_len bytes, as frame_read() accepted it) and goes on with the response,
 * @message_len bytes.  MAC addresses (the lane's and the client's), IP addresses and
 * UDP ports are swapped, VLAN tags and the tag of the lane kept, checksums computed in
 * full (RFC 768, RFC 8200 8.1).
 */
void frame_reply(uint8_t *bytes, size_t prefix_len, size_t message_len);

/* Both ends of a question to an upstream. */
struct frame_ends {
	uint8_t remote[16], local[16]; /* IPv4 as ::ffff:a.b.c.d, both of one family */
	uint16_t remote_port, local_port;
	uint8_t lane_a[6], lane_b[6]; /* MACs of the lane's ends */
};

/* Bytes before the message in the frame of a question between @ends. */
size_t frame_ask_prefix(const struct frame_ends *ends);

/*
 * Write those bytes in front of the query @message_len bytes long that stands behind
 * them: the lane's header with the UPSTREAM tag, an Ethernet header that XDP completes,
 * IP and UDP with full checksums.
 */
void frame_ask(uint8_t *bytes, const struct frame_ends *ends, size_t message_len);

/*
 * Is the UDP checksum of a frame from an upstream, as frame_read() found @f in @bytes,
 * one that the stack would take?  A sender on this machine may leave the pseudo header's
 * sum there for hardware to complete (ARCHITECTURE 5); that much is checked then.
 */
bool frame_sum_is_right(const struct frame *f, const uint8_t *bytes);

/*
 * Cut a response of ours that does not fit the lane to header, question and OPT, with
 * TC=1 (RFC 2181 9).  @message has at least one question.  Return: the new length.
 */
size_t frame_truncate(uint8_t *message, size_t len);

#endif
