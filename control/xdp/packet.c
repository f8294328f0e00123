/* SPDX-License-Identifier: BSD-3-Clause */
/* packet.c - a question as a client's frame, and the response out of one. */
#include "packet.h"

#include <errno.h>
#include <string.h>
#include "xdp.h"

#define ETHERNET_BYTES 14
#define VLAN_BYTES     4
#define IPV4_BYTES     20
#define IPV6_BYTES     40
#define UDP_BYTES      8
#define PROTO_UDP      17
#define TEST_PORT      53053

/* Clients that do not exist: 192.0.2.53 (RFC 5737), 2001:db8::53 (RFC 3849). */
static const uint8_t test_ipv4[16] = { [10] = 0xff, [11] = 0xff, 192, 0, 2, 53 };
static const uint8_t test_ipv6[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 0x53 };
static const uint8_t test_mac[6] = { 0x02, 0x4c, 0x35, 0, 0, 1 };

static void put16(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static unsigned get16(const uint8_t *at)
{
	return (unsigned)at[0] << 8 | at[1];
}

/* Ones' complement sum (RFC 1071). */
static uint32_t sum(uint32_t start, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i + 1 < len; i += 2)
		start += get16(bytes + i);
	if (len & 1)
		start += (uint32_t)bytes[len - 1] << 8;
	return start;
}

static uint16_t fold(uint32_t value)
{
	while (value >> 16)
		value = (value & 0xffff) + (value >> 16);
	return (uint16_t)~value;
}

static bool is_ipv4(const uint8_t addr[16])
{
	return !memcmp(addr, test_ipv4, 12);
}

static uint8_t *put_ethernet(uint8_t *at, const struct xdp_question *question,
			     const uint8_t mac[6], bool ipv6)
{
	memcpy(at, mac, 6);
	memcpy(at + 6, test_mac, 6);
	at += 12;
	if (question->vlan) {
		put16(at, question->vlan_inner ? 0x88a8 : 0x8100);
		put16(at + 2, question->vlan);
		at += VLAN_BYTES;
	}
	if (question->vlan && question->vlan_inner) {
		put16(at, 0x8100);
		put16(at + 2, question->vlan_inner);
		at += VLAN_BYTES;
	}
	put16(at, ipv6 ? 0x86dd : 0x0800);
	return at + 2;
}

/* The IP header; returns the sum of the addresses, for UDP's pseudo header. */
static uint32_t put_ip(uint8_t *at, const uint8_t from[16], const uint8_t to[16],
		       bool ipv6, size_t payload)
{
	if (ipv6) {
		at[0] = 0x60;
		put16(at + 4, (unsigned)payload);
		at[6] = PROTO_UDP;
		at[7] = 64;
		memcpy(at + 8, from, 16);
		memcpy(at + 24, to, 16);
		return sum(0, at + 8, 32);
	}
	at[0] = 0x45;
	put16(at + 2, (unsigned)(IPV4_BYTES + payload));
	at[8] = 64;
	at[9] = PROTO_UDP;
	memcpy(at + 12, from + 12, 4);
	memcpy(at + 16, to + 12, 4);
	put16(at + 10, fold(sum(0, at, IPV4_BYTES)));
	return sum(0, at + 12, 8);
}

static void put_udp(uint8_t *at, const struct xdp_question *question,
		    uint32_t addresses)
{
	const size_t len = UDP_BYTES + question->len;
	uint16_t checksum;

	put16(at, question->remote_port ? question->remote_port : TEST_PORT);
	put16(at + 2, question->local_port);
	put16(at + 4, (unsigned)len);
	memcpy(at + UDP_BYTES, question->message, question->len);
	checksum = fold(sum(addresses + PROTO_UDP + (uint32_t)len, at, len));
	put16(at + 6, checksum ? checksum : 0xffff); /* RFC 768 */
}

int packet_build(struct packet *ret_packet, const struct xdp_question *question,
		 const uint8_t mac[6], uint8_t *bytes, size_t room)
{
	static const uint8_t none[16];
	const bool ipv6 = !is_ipv4(question->local);
	const size_t most = ETHERNET_BYTES + 2 * VLAN_BYTES + IPV6_BYTES + UDP_BYTES;
	const uint8_t *from = question->remote;
	struct packet packet = { .ipv6 = ipv6 };
	uint32_t addresses;

	if (!question->len || room < most || question->len > room - most)
		return -EINVAL;
	if (!memcmp(from, none, sizeof(none)))
		from = ipv6 ? test_ipv6 : test_ipv4;
	memset(bytes, 0, most);
	packet.l3_off = (size_t)(put_ethernet(bytes, question, mac, ipv6) - bytes);
	packet.l4_off = packet.l3_off + (ipv6 ? IPV6_BYTES : IPV4_BYTES);
	packet.dns_off = packet.l4_off + UDP_BYTES;
	packet.len = packet.dns_off + question->len;
	addresses = put_ip(bytes + packet.l3_off, from, question->local, ipv6,
			   UDP_BYTES + question->len);
	put_udp(bytes + packet.l4_off, question, addresses);
	*ret_packet = packet;
	return 0;
}

void packet_read_reply(const struct packet *packet, const uint8_t *bytes, size_t len,
		       struct xdp_reply *reply)
{
	size_t udp_len;

	reply->len = 0;
	if (len < packet->dns_off)
		return;
	udp_len = get16(bytes + packet->l4_off + 4);
	if (udp_len < UDP_BYTES || packet->l4_off + udp_len > len ||
	    udp_len - UDP_BYTES > sizeof(reply->message))
		return;
	reply->len = udp_len - UDP_BYTES;
	memcpy(reply->message, bytes + packet->dns_off, reply->len);
}
