/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * frame.c - frames on the lane: check a query's, build a response's.
 *
 * Everything is read and written by bytes: the tag's 48 bytes keep the alignment of
 * what follows, but a VLAN tag or a strange sender does not.
 */
#include "io/frame.h"

#include <string.h>
#include "lane53/abi.h"
#include "lane53/wire.h"

#define ETH_BYTES      14
#define MAC_BYTES      6
#define UDP_BYTES      8
#define IPV4_BYTES     20
#define IPV6_BYTES     40
#define PROTO_UDP      17
#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_IPV6 0x86dd
#define IPV4_DF        0x40 /* first byte of flags and fragment offset */
#define OUR_TTL        64
#define TAG_OFF        ETH_BYTES
#define CLIENT_OFF     LANE53_LANE_PUSH
#define VLANS_MAX      2
#define VLAN_BYTES     4
#define CLIENT_L3_MAX  (ETH_BYTES + VLANS_MAX * VLAN_BYTES)

static uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void swap(uint8_t *a, uint8_t *b, size_t len)
{
	uint8_t kept[16];

	memcpy(kept, a, len);
	memcpy(a, b, len);
	memcpy(b, kept, len);
}

/* Ones' complement sum, RFC 1071; not folded. */
static uint64_t sum_bytes(const uint8_t *p, size_t len)
{
	uint64_t sum = 0;

	for (; len >= 2; p += 2, len -= 2)
		sum += be16(p);
	if (len)
		sum += (uint32_t)p[0] << 8;
	return sum;
}

static uint16_t sum_fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static bool read_ipv4(struct frame *f, const uint8_t *ip)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	/* no options, no fragment (MF or an offset), UDP, and lengths that agree */
	if (f->l4_off - f->l3_off != IPV4_BYTES || ip[0] != 0x45 ||
	    (be16(ip + 6) & 0x3fff) || ip[9] != PROTO_UDP ||
	    be16(ip + 2) != IPV4_BYTES + UDP_BYTES + f->dns_len)
		return false;
	memcpy(f->remote, mapped, sizeof(mapped));
	memcpy(f->remote + 12, ip + 12, 4);
	memcpy(f->local, mapped, sizeof(mapped));
	memcpy(f->local + 12, ip + 16, 4);
	return true;
}

static bool read_ipv6(struct frame *f, const uint8_t *ip)
{
	if (f->l4_off - f->l3_off != IPV6_BYTES || ip[0] >> 4 != 6 ||
	    ip[6] != PROTO_UDP || be16(ip + 4) != UDP_BYTES + f->dns_len)
		return false;
	memcpy(f->remote, ip + 8, 16);
	memcpy(f->local, ip + 24, 16);
	return true;
}

/* The tag's offsets, made absolute, if they stand in order within @len bytes. */
static bool read_offsets(struct frame *f, const struct lane53_tag *tag, size_t len)
{
	size_t l3 = be16((const uint8_t *)&tag->l3_off_be);
	size_t l4 = be16((const uint8_t *)&tag->l4_off_be);
	size_t dns = be16((const uint8_t *)&tag->dns_off_be);
	size_t dns_len = be16((const uint8_t *)&tag->dns_len_be);

	if (l3 < ETH_BYTES || l3 > CLIENT_L3_MAX || (l3 - ETH_BYTES) % VLAN_BYTES ||
	    l4 < l3 + IPV4_BYTES || l4 > l3 + IPV6_BYTES || dns != l4 + UDP_BYTES ||
	    CLIENT_OFF + dns + dns_len > len)
		return false;
	f->l3_off = (uint16_t)(CLIENT_OFF + l3);
	f->l4_off = (uint16_t)(CLIENT_OFF + l4);
	f->dns_off = (uint16_t)(CLIENT_OFF + dns);
	f->dns_len = (uint16_t)dns_len;
	return true;
}

enum frame_status frame_read(struct frame *ret, const uint8_t *bytes, size_t len)
{
	struct lane53_tag tag;
	struct frame f = { 0 };
	const uint8_t *udp;

	if (len < ETH_BYTES || be16(bytes + 12) != LANE53_ETHERTYPE)
		return FRAME_NOT_LANE;
	if (len < CLIENT_OFF)
		return FRAME_BAD_TAG;
	memcpy(&tag, bytes + TAG_OFF, sizeof(tag));
	if (be16((const uint8_t *)&tag.magic_be) != LANE53_TAG_MAGIC ||
	    tag.version != LANE53_ABI_VERSION || !read_offsets(&f, &tag, len))
		return FRAME_BAD_TAG;

	f.ipv6 = tag.flags & LANE53_TAG_IPV6;
	f.probe = tag.flags & LANE53_TAG_PROBE;
	f.upstream = tag.flags & LANE53_TAG_UPSTREAM;
	f.returned = tag.flags & LANE53_TAG_RETURNED;
	f.ifindex = be32(tag.ifindex_be);
	f.view = be32(tag.view_be);
	f.tenant = be32(tag.tenant_be);
	if (!(f.ipv6 ? read_ipv6(&f, bytes + f.l3_off)
		     : read_ipv4(&f, bytes + f.l3_off)))
		return FRAME_NOT_UDP;
	udp = bytes + f.l4_off;
	if (be16(udp + 4) != UDP_BYTES + f.dns_len)
		return FRAME_NOT_UDP;
	f.remote_port = be16(udp);
	f.local_port = be16(udp + 2);
	*ret = f;
	return FRAME_OK;
}

bool frame_is_upstream(const uint8_t *bytes, size_t len)
{
	return len >= CLIENT_OFF && be16(bytes + 12) == LANE53_ETHERTYPE &&
	       bytes[TAG_OFF + offsetof(struct lane53_tag, flags)] &
		       LANE53_TAG_UPSTREAM;
}

/* Addresses of either family are the 2 * @addr_len bytes from @addrs on. */
static void reply_udp(uint8_t *udp, const uint8_t *addrs, size_t addr_len,
		      size_t udp_len)
{
	uint64_t sum = sum_bytes(addrs, 2 * addr_len) + PROTO_UDP + udp_len;
	uint16_t folded;

	swap(udp, udp + 2, 2);
	put16(udp + 4, (uint16_t)udp_len);
	put16(udp + 6, 0);
	folded = sum_fold(sum + sum_bytes(udp, udp_len));
	put16(udp + 6, folded ? folded : 0xffff); /* 0 would mean "no checksum" */
}

static void reply_ipv4(uint8_t *ip, size_t udp_len)
{
	put16(ip + 2, (uint16_t)(IPV4_BYTES + udp_len));
	put16(ip + 4, 0); /* an atomic datagram needs no ID (RFC 6864 4.1) ... */
	put16(ip + 6, IPV4_DF << 8); /* ... and is one by DF */
	ip[8] = OUR_TTL;
	put16(ip + 10, 0);
	swap(ip + 12, ip + 16, 4);
	put16(ip + 10, sum_fold(sum_bytes(ip, IPV4_BYTES)));
	reply_udp(ip + IPV4_BYTES, ip + 12, 4, udp_len);
}

static void reply_ipv6(uint8_t *ip, size_t udp_len)
{
	put16(ip + 4, (uint16_t)udp_len);
	ip[7] = OUR_TTL;
	swap(ip + 8, ip + 24, 16);
	reply_udp(ip + IPV6_BYTES, ip + 8, 16, udp_len);
}

void frame_reply(uint8_t *bytes, size_t prefix_len, size_t message_len)
{
	bool ipv6 =
		bytes[TAG_OFF + offsetof(struct lane53_tag, flags)] & LANE53_TAG_IPV6;
	uint8_t *udp = bytes + prefix_len - UDP_BYTES;

	swap(bytes, bytes + MAC_BYTES, MAC_BYTES);
	swap(bytes + CLIENT_OFF, bytes + CLIENT_OFF + MAC_BYTES, MAC_BYTES);
	if (ipv6)
		reply_ipv6(udp - IPV6_BYTES, UDP_BYTES + message_len);
	else
		reply_ipv4(udp - IPV4_BYTES, UDP_BYTES + message_len);
}

/* ---- questions to upstreams ---- */

static bool ends_ipv4(const struct frame_ends *ends)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	return !memcmp(ends->remote, mapped, sizeof(mapped));
}

size_t frame_ask_prefix(const struct frame_ends *ends)
{
	return CLIENT_OFF + ETH_BYTES + (ends_ipv4(ends) ? IPV4_BYTES : IPV6_BYTES) +
	       UDP_BYTES;
}

static void ask_lane_header(uint8_t *bytes, const struct frame_ends *ends,
			    size_t message_len)
{
	const size_t dns = frame_ask_prefix(ends) - CLIENT_OFF;
	struct lane53_tag tag = {
		.version = LANE53_ABI_VERSION,
		.flags = LANE53_TAG_UPSTREAM,
	};

	if (!ends_ipv4(ends))
		tag.flags |= LANE53_TAG_IPV6;
	put16((uint8_t *)&tag.magic_be, LANE53_TAG_MAGIC);
	put16((uint8_t *)&tag.l3_off_be, ETH_BYTES);
	put16((uint8_t *)&tag.l4_off_be, (uint16_t)(dns - UDP_BYTES));
	put16((uint8_t *)&tag.dns_off_be, (uint16_t)dns);
	put16((uint8_t *)&tag.dns_len_be, (uint16_t)message_len);
	memcpy(bytes, ends->lane_a, MAC_BYTES);
	memcpy(bytes + MAC_BYTES, ends->lane_b, MAC_BYTES);
	put16(bytes + 2 * MAC_BYTES, LANE53_ETHERTYPE);
	memcpy(bytes + TAG_OFF, &tag, sizeof(tag));
}

/*
 * As a response to a query that @ends.remote had sent us: frame_reply() turns addresses
 * and ports round and does lengths and checksums.
 */
void frame_ask(uint8_t *bytes, const struct frame_ends *ends, size_t message_len)
{
	const size_t prefix_len = frame_ask_prefix(ends);
	uint8_t *ip = bytes + CLIENT_OFF + ETH_BYTES;
	uint8_t *udp = bytes + prefix_len - UDP_BYTES;

	memset(bytes, 0, prefix_len);
	ask_lane_header(bytes, ends, message_len);
	swap(bytes, bytes + MAC_BYTES, MAC_BYTES);
	if (ends_ipv4(ends)) {
		put16(ip - 2, ETHERTYPE_IPV4);
		ip[0] = 0x45;
		ip[9] = PROTO_UDP;
		memcpy(ip + 12, ends->remote + 12, 4);
		memcpy(ip + 16, ends->local + 12, 4);
	} else {
		put16(ip - 2, ETHERTYPE_IPV6);
		ip[0] = 0x60;
		ip[6] = PROTO_UDP;
		memcpy(ip + 8, ends->remote, 16);
		memcpy(ip + 24, ends->local, 16);
	}
	put16(udp, ends->remote_port);
	put16(udp + 2, ends->local_port);
	frame_reply(bytes, prefix_len, message_len);
}

bool frame_sum_is_right(const struct frame *f, const uint8_t *bytes)
{
	const size_t addr_len = f->ipv6 ? 16 : 4;
	const uint8_t *udp = bytes + f->l4_off;
	const size_t udp_len = UDP_BYTES + (size_t)f->dns_len;
	const uint64_t pseudo =
		sum_bytes(udp - 2 * addr_len, 2 * addr_len) + PROTO_UDP + udp_len;
	const uint16_t sum = be16(udp + 6);

	if (sum == 0) /* none: only over IPv4 (RFC 8200 8.1) */
		return !f->ipv6;
	return sum_fold(pseudo + sum_bytes(udp, udp_len)) == 0 ||
	       sum == 0xffff - sum_fold(pseudo);
}

size_t frame_truncate(uint8_t *message, size_t len)
{
	bool opt = be16(message + offsetof(struct dns_header, arcount_be)) > 0;
	size_t end = DNS_HEADER_BYTES;
	uint16_t flags = be16(message + 2);

	/* our own message: the question's name is whole and uncompressed */
	while (end < len && message[end])
		end += 1u + message[end];
	end += 1 + 4; /* root label, QTYPE, QCLASS */
	if (end + (opt ? OPT_BYTES : 0) >= len)
		return len;
	if (opt) /* ours is the last record, without options */
		memmove(message + end, message + len - OPT_BYTES, OPT_BYTES);
	put16(message + 2, flags | FLAG_TC);
	put16(message + offsetof(struct dns_header, ancount_be), 0);
	put16(message + offsetof(struct dns_header, nscount_be), 0);
	put16(message + offsetof(struct dns_header, arcount_be), opt);
	return end + (opt ? OPT_BYTES : 0);
}
