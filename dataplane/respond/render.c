/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * render.c - header, question, answer, OPT.
 */
#include "respond/render.h"
#include <string.h>
#include "lane53/question.h"
#include "lane53/wire.h"
#include "cache/answer.h"

static uint8_t *put_u16(uint8_t *out, unsigned value)
{
	out[0] = (uint8_t)(value >> 8);
	out[1] = (uint8_t)value;
	return out + 2;
}

void asked_from(struct asked *ret, const uint8_t *message,
		const struct question *question)
{
	ret->id_be = question->id_be;
	ret->flags = question->flags;
	ret->qtype = question->qtype;
	ret->qclass = question->qclass;
	ret->edns = question->edns.present;
	ret->dnssec_ok = question->edns.flags & QUESTION_EDNS_DO;
	ret->edns_bytes = question->edns.udp_payload_size;
	ret->qname_len = (uint8_t)question->qname_len;
	memcpy(ret->qname, message + QNAME_OFF, question->qname_len);
}

size_t render_header(uint8_t *out, uint16_t id_be, uint16_t flags, unsigned rcode)
{
	memset(out, 0, DNS_HEADER_BYTES);
	memcpy(out, &id_be, sizeof(id_be));
	put_u16(out + 2, response_flags(flags, (uint16_t)rcode, 0));
	return DNS_HEADER_BYTES;
}

size_t render_limit(const struct asked *asked, uint16_t configured)
{
	if (asked->tcp)
		return 65535; /* RFC 1035 4.2.2 */
	return udp_limit(asked->edns ? asked->edns_bytes : 0,
			 configured ? configured : LANE53_UDP_PAYLOAD);
}

/* RFC 6891 6.1.2: root owner, our size, extended rcode, version 0, DO, no options. */
static uint8_t *put_opt(uint8_t *out, unsigned rcode, bool dnssec_ok)
{
	*out++ = 0;
	out = put_u16(out, TYPE_OPT);
	out = put_u16(out, LANE53_UDP_PAYLOAD);
	*out++ = (uint8_t)(rcode >> 4);
	*out++ = 0;
	out = put_u16(out, dnssec_ok ? EDNS_DO : 0);
	return put_u16(out, 0);
}

/* BADVERS is 16: its bit is CD's, which comes from the query and never from @bits. */
static unsigned rcode_of(unsigned bits)
{
	return bits & (FLAG_RCODE | RCODE_BADVERS);
}

size_t render_response(uint8_t *out, size_t limit, const struct asked *asked,
		       unsigned bits, const struct answer *answer)
{
	size_t len = DNS_HEADER_BYTES + asked->qname_len + 4u;
	size_t opt = asked->edns ? OPT_BYTES : 0, body = answer ? answer->len : 0;
	unsigned rcode;
	uint8_t *p = out;

	if (answer)
		bits |= answer->flags;
	rcode = rcode_of(bits);
	bits &= ~(unsigned)RCODE_BADVERS;
	if (len + body + opt > limit) {
		bits |= FLAG_TC;
		answer = NULL;
		body = 0;
	}
	memcpy(p, &asked->id_be, 2);
	p = put_u16(p + 2,
		    response_flags(asked->flags, (uint16_t)bits, asked->dnssec_ok));
	p = put_u16(p, 1);
	p = put_u16(p, answer ? answer->ancount : 0);
	p = put_u16(p, answer ? answer->nscount : 0);
	p = put_u16(p, (answer ? answer->arcount : 0u) + (asked->edns ? 1 : 0));
	memcpy(p, asked->qname, asked->qname_len);
	p = put_u16(p + asked->qname_len, asked->qtype);
	p = put_u16(p, asked->qclass);
	if (body) {
		memcpy(p, answer->bytes, body);
		p += body;
	}
	if (asked->edns)
		p = put_opt(p, rcode, asked->dnssec_ok);
	return (size_t)(p - out);
}
