/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * packet.h - build query frames that read as what they are, and take responses apart.
 *
 *	packet_build(&p, &(struct packet_spec){ .qname = "www.example.org.",
 *						.qtype = TYPE_A, .ipv6 = true });
 *
 * What is not named has a sensible value (packet.c: presets).  Nothing here shares code
 * with the programs under test: own headers, own checksums.
 */
#ifndef LANE53_TESTS_PACKET_H
#define LANE53_TESTS_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PACKET_ROOM 3400 /* what BPF_PROG_RUN takes, less the page's own needs */

/* All numbers in host order. */
struct packet_spec {
	const char *qname; /* presentation form, "." escapes as in zone files */
	uint16_t qtype;    /* A */
	uint16_t qclass;   /* IN */
	uint16_t flags;    /* RD, unless no_flags */
	bool no_flags;
	uint16_t id; /* 0x1234 */

	bool edns;
	uint16_t udp_size; /* 1232 */
	uint8_t version;
	bool dnssec_ok;
	const uint8_t *options; /* RDATA of the OPT */
	size_t options_len;

	bool ipv6;
	unsigned tags; /* VLAN tags: 0..2 */
	uint16_t vlan[2];
	uint16_t from_port; /* 40000 */
	uint16_t to_port;   /* 53 */
	const char *from;   /* 192.0.2.7, 2001:db8::7 */
	const char *to;     /* 192.0.2.53, 2001:db8::53 */
	const uint8_t *to_mac;
	size_t padding; /* bytes after the message */
};

struct packet {
	uint8_t bytes[PACKET_ROOM];
	size_t len;
	size_t l3_off, l4_off, dns_off;
	size_t dns_len;
	size_t question_end; /* from the start of the message */
};

extern const uint8_t packet_mac[6];    /* of the interface */
extern const uint8_t packet_client[6]; /* of the client */

void packet_build(struct packet *p, const struct packet_spec *spec);

/* After a change to the frame: lengths and checksums of IP and UDP as they should be. */
void packet_seal(struct packet *p);

/* 16 bytes, IPv4 mapped. */
void packet_addr(uint8_t out[16], const char *text);

uint16_t packet_u16(const uint8_t *p);
uint32_t packet_u32(const uint8_t *p);
void packet_put_u16(uint8_t *p, uint16_t value);
void packet_put_u32(uint8_t *p, uint32_t value);

/* RFC 1071 over @len bytes, two at a time, added to @sum; not inverted. */
uint32_t packet_sum(const uint8_t *p, size_t len, uint32_t sum);

/* The Internet checksum of UDP with its pseudo header comes out right. */
bool packet_udp_sum_is_right(const uint8_t *l3, bool ipv6);

struct response {
	const uint8_t *message;
	size_t len;
	uint16_t flags, ancount, nscount, arcount;
	const uint8_t *answer; /* all between question and OPT */
	size_t answer_len;
	bool opt;
};

/*
 * Take apart the frame @bytes as the response to @query: turned round, same ID and
 * question, lengths that agree to the byte, checksums right, an OPT of ours iff the
 * query had one.  Return: NULL, or what is wrong.
 */
const char *response_read(struct response *ret, const struct packet *query,
			  const uint8_t *bytes, size_t len);

#endif
