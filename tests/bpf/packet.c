/* SPDX-License-Identifier: BSD-3-Clause */
/* packet.c - see packet.h. */
#include "packet.h"

#include <arpa/inet.h>
#include <string.h>

#include "dns/name.h"
#include "lane53/wire.h"

const uint8_t packet_mac[6] = { 0x02, 0x53, 0, 0, 0, 0x01 };
const uint8_t packet_client[6] = { 0x02, 0xc1, 0, 0, 0, 0x07 };

uint16_t packet_u16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

uint32_t packet_u32(const uint8_t *p)
{
	return (uint32_t)packet_u16(p) << 16 | packet_u16(p + 2);
}

void packet_put_u16(uint8_t *p, uint16_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

void packet_put_u32(uint8_t *p, uint32_t value)
{
	packet_put_u16(p, (uint16_t)(value >> 16));
	packet_put_u16(p + 2, (uint16_t)value);
}

uint32_t packet_sum(const uint8_t *p, size_t len, uint32_t sum)
{
	for (size_t i = 0; i < len; i++)
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static uint32_t udp_sum(const uint8_t *l3, bool ipv6)
{
	const uint8_t *udp = l3 + (ipv6 ? 40 : 20);
	const size_t len = packet_u16(udp + 4);
	uint32_t sum = 17 + (uint32_t)len;

	sum = ipv6 ? packet_sum(l3 + 8, 32, sum) : packet_sum(l3 + 12, 8, sum);
	return packet_sum(udp, len, sum);
}

bool packet_udp_sum_is_right(const uint8_t *l3, bool ipv6)
{
	const uint8_t *udp = l3 + (ipv6 ? 40 : 20);

	if (!ipv6 && packet_u16(udp + 6) == 0)
		return true; /* RFC 768: not computed */
	return packet_u16(udp + 6) != 0 && udp_sum(l3, ipv6) == 0xffff;
}

void packet_addr(uint8_t out[16], const char *text)
{
	memset(out, 0, 16);
	if (inet_pton(AF_INET6, text, out) == 1)
		return;
	out[10] = out[11] = 0xff;
	(void)inet_pton(AF_INET, text, out + 12);
}

static void put(struct packet *p, const void *bytes, size_t len)
{
	memcpy(p->bytes + p->len, bytes, len);
	p->len += len;
}

static void put_u16(struct packet *p, uint16_t value)
{
	packet_put_u16(p->bytes + p->len, value);
	p->len += 2;
}

static struct packet_spec presets(const struct packet_spec *spec)
{
	struct packet_spec s = *spec;

	if (!s.qtype)
		s.qtype = TYPE_A;
	if (!s.qclass)
		s.qclass = CLASS_IN;
	if (!s.flags && !s.no_flags)
		s.flags = FLAG_RD;
	if (!s.id)
		s.id = 0x1234;
	if (!s.udp_size)
		s.udp_size = 1232;
	if (!s.from_port)
		s.from_port = 40000;
	if (!s.to_port)
		s.to_port = 53;
	if (!s.from)
		s.from = s.ipv6 ? "2001:db8::7" : "192.0.2.7";
	if (!s.to)
		s.to = s.ipv6 ? "2001:db8::53" : "192.0.2.53";
	if (!s.to_mac)
		s.to_mac = packet_mac;
	return s;
}

static void put_link(struct packet *p, const struct packet_spec *s)
{
	put(p, s->to_mac, 6);
	put(p, packet_client, 6);
	for (unsigned i = 0; i < s->tags; i++) {
		put_u16(p, i + 1 < s->tags ? 0x88a8 : 0x8100);
		put_u16(p, s->vlan[i]);
	}
	put_u16(p, s->ipv6 ? 0x86dd : 0x0800);
}

static void put_ip(struct packet *p, const struct packet_spec *s)
{
	static const uint8_t head4[] = { 0x45, 0, 0,  0,  0x12, 0x34,
					 0x40, 0, 61, 17, 0,    0 };
	static const uint8_t head6[] = { 0x60, 0x01, 0x02, 0x03, 0, 0, 17, 61 };
	uint8_t from[16], to[16];

	packet_addr(from, s->from);
	packet_addr(to, s->to);
	p->l3_off = p->len;
	if (s->ipv6) {
		put(p, head6, sizeof(head6));
		put(p, from, 16);
		put(p, to, 16);
	} else {
		put(p, head4, sizeof(head4));
		put(p, from + 12, 4);
		put(p, to + 12, 4);
	}
	p->l4_off = p->len;
	put_u16(p, s->from_port);
	put_u16(p, s->to_port);
	put_u16(p, 0);
	put_u16(p, 0);
}

static void put_message(struct packet *p, const struct packet_spec *s)
{
	uint8_t name[255];

	p->dns_off = p->len;
	put_u16(p, s->id);
	put_u16(p, s->flags);
	put_u16(p, 1);
	put_u16(p, 0);
	put_u16(p, 0);
	put_u16(p, s->edns);
	put(p, name, name_from_text(name, s->qname));
	put_u16(p, s->qtype);
	put_u16(p, s->qclass);
	p->question_end = p->len - p->dns_off;
	if (!s->edns)
		return;
	put(p, "", 1);
	put_u16(p, TYPE_OPT);
	put_u16(p, s->udp_size);
	put_u16(p, s->version);
	put_u16(p, s->dnssec_ok ? EDNS_DO : 0);
	put_u16(p, (uint16_t)s->options_len);
	if (s->options_len)
		put(p, s->options, s->options_len);
}

void packet_seal(struct packet *p)
{
	uint8_t *l3 = p->bytes + p->l3_off, *udp = p->bytes + p->l4_off;
	const bool ipv6 = l3[0] >> 4 == 6;
	const uint16_t udp_len = (uint16_t)(8 + p->dns_len);

	packet_put_u16(udp + 4, udp_len);
	packet_put_u16(udp + 6, 0);
	if (ipv6) {
		packet_put_u16(l3 + 4, udp_len);
	} else {
		packet_put_u16(l3 + 2, (uint16_t)(20 + udp_len));
		packet_put_u16(l3 + 10, 0);
		packet_put_u16(l3 + 10, (uint16_t)~packet_sum(l3, 20, 0));
	}
	packet_put_u16(udp + 6, (uint16_t)~udp_sum(l3, ipv6));
}

void packet_build(struct packet *p, const struct packet_spec *spec)
{
	const struct packet_spec s = presets(spec);

	memset(p, 0, sizeof(*p));
	put_link(p, &s);
	put_ip(p, &s);
	put_message(p, &s);
	p->dns_len = p->len - p->dns_off;
	packet_seal(p);
	p->len += s.padding;
}

static const char *link_check(const struct packet *query, const uint8_t *bytes)
{
	if (memcmp(bytes, query->bytes + 6, 6) || memcmp(bytes + 6, query->bytes, 6))
		return "MACs not swapped";
	if (memcmp(bytes + 12, query->bytes + 12, query->l3_off - 12))
		return "VLAN tags or EtherType changed";
	return NULL;
}

static const char *ip_check(const struct packet *query, const uint8_t *l3, bool ipv6,
			    size_t dns_len)
{
	const uint8_t *asked = query->bytes + query->l3_off;

	if (ipv6) {
		if (memcmp(l3 + 8, asked + 24, 16) || memcmp(l3 + 24, asked + 8, 16))
			return "addresses not swapped";
		if (packet_u32(l3) != 0x60000000 || l3[6] != 17 || l3[7] != 64)
			return "IPv6 header";
		return packet_u16(l3 + 4) == 8 + dns_len ? NULL : "IPv6 length";
	}
	if (memcmp(l3 + 12, asked + 16, 4) || memcmp(l3 + 16, asked + 12, 4))
		return "addresses not swapped";
	if (l3[0] != 0x45 || l3[1] || packet_u16(l3 + 6) || l3[8] != 64 || l3[9] != 17)
		return "IPv4 header";
	if (packet_sum(l3, 20, 0) != 0xffff)
		return "IPv4 checksum";
	return packet_u16(l3 + 2) == 28 + dns_len ? NULL : "IPv4 length";
}

static const char *udp_check(const struct packet *query, const uint8_t *l3, bool ipv6,
			     size_t dns_len)
{
	const uint8_t *udp = l3 + (ipv6 ? 40 : 20);
	const uint8_t *asked = query->bytes + query->l4_off;

	if (memcmp(udp, asked + 2, 2) || memcmp(udp + 2, asked, 2))
		return "ports not swapped";
	if (packet_u16(udp + 4) != 8 + dns_len)
		return "UDP length";
	return packet_udp_sum_is_right(l3, ipv6) ? NULL : "UDP checksum";
}

static const char *opt_check(const struct packet *query, struct response *r)
{
	const uint8_t *asked = query->bytes + query->dns_off + query->question_end;
	static const uint8_t ours[] = { 0, 0, 41, 0x04, 0xd0, 0, 0 };
	const uint8_t *opt = r->message + r->len - OPT_BYTES;

	r->opt = packet_u16(query->bytes + query->dns_off + 10) == 1;
	if (r->arcount != r->opt)
		return "ARCOUNT";
	if (!r->opt)
		return NULL;
	if (r->answer_len < OPT_BYTES)
		return "no room for the OPT";
	r->answer_len -= OPT_BYTES;
	if (memcmp(opt, ours, sizeof(ours)) || opt[7] != (asked[7] & 0x80) || opt[8] ||
	    packet_u16(opt + 9))
		return "OPT";
	return NULL;
}

static const char *message_check(const struct packet *query, struct response *r)
{
	const uint8_t *asked = query->bytes + query->dns_off;

	if (memcmp(r->message, asked, 2))
		return "ID";
	if (packet_u16(r->message + 4) != 1 ||
	    memcmp(r->message + 12, asked + 12, query->question_end - 12))
		return "question changed";
	r->flags = packet_u16(r->message + 2);
	r->ancount = packet_u16(r->message + 6);
	r->nscount = packet_u16(r->message + 8);
	r->arcount = packet_u16(r->message + 10);
	r->answer = r->message + query->question_end;
	r->answer_len = r->len - query->question_end;
	return opt_check(query, r);
}

const char *response_read(struct response *ret, const struct packet *query,
			  const uint8_t *bytes, size_t len)
{
	const uint8_t *l3 = bytes + query->l3_off;
	const bool ipv6 = query->bytes[query->l3_off] >> 4 == 6;
	const char *why;

	memset(ret, 0, sizeof(*ret));
	if (len < query->dns_off + query->question_end)
		return "too short";
	ret->message = bytes + query->dns_off;
	ret->len = len - query->dns_off;
	why = link_check(query, bytes);
	if (!why)
		why = ip_check(query, l3, ipv6, ret->len);
	if (!why)
		why = udp_check(query, l3, ipv6, ret->len);
	if (!why)
		why = message_check(query, ret);
	return why;
}
