/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * build.c - records into an answer: counts and TTL places noted on the way.
 */
#include "respond/build.h"
#include <string.h>
#include "lane53/wire.h"
#include "dns/name.h"
#include "store/store.h"

uint32_t ttl_read(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 |
	       at[3];
}

void ttl_write(uint8_t *at, uint32_t ttl_s)
{
	at[0] = (uint8_t)(ttl_s >> 24);
	at[1] = (uint8_t)(ttl_s >> 16);
	at[2] = (uint8_t)(ttl_s >> 8);
	at[3] = (uint8_t)ttl_s;
}

void build_begin(struct build *b, struct answer *answer, const uint8_t *qname)
{
	*answer = (struct answer){ .room = answer->room,
				   .bytes = answer->bytes,
				   .dnssec_ok = answer->dnssec_ok };
	b->answer = answer;
	b->ttls = 0;
	message_write_begin(&b->writer, answer->bytes, answer->room, qname);
}

void build_rr(struct build *b, enum message_section section,
	      const struct message_rr *rr)
{
	struct answer *answer = b->answer;
	size_t off = message_write_rr(&b->writer, rr);

	if (b->writer.overflow)
		return;
	if (b->ttls < ANSWER_TTLS)
		answer->ttl_off[answer->ttl_count++] = (uint16_t)off;
	b->ttls++;
	switch (section) {
	case SECTION_ANSWER:
		answer->ancount++;
		break;
	case SECTION_AUTHORITY:
		answer->nscount++;
		break;
	case SECTION_ADDITIONAL:
		answer->arcount++;
		break;
	}
}

void build_rrset(struct build *b, enum message_section section, const uint8_t *owner,
		 const struct rrset *set, uint32_t ttl_s)
{
	struct message_rr rr = {
		.owner = owner,
		.type = set->type,
		.class_ = CLASS_IN,
		.ttl_s = ttl_s,
	};
	size_t pos = 0;

	while (rrset_next(set, &pos, &rr.rdata, &rr.rdata_len))
		build_rr(b, section, &rr);
}

void build_append(struct build *b, const struct answer *from, const uint8_t *qname,
		  enum message_section section)
{
	static const uint8_t in[4] = { 0, TYPE_A, 0, CLASS_IN }; /* not looked at */
	const uint16_t counts[3] = { from->ancount, from->nscount, from->arcount };
	uint8_t message[65535];
	struct message_reader reader;
	struct message_rr rr;
	enum message_section at;
	size_t name_len = name_size(qname), len = DNS_HEADER_BYTES;

	if (!counts[section])
		return;
	memset(message, 0, DNS_HEADER_BYTES);
	message[5] = 1;
	for (unsigned i = 0; i < 3; i++) {
		message[6 + 2 * i] = (uint8_t)(counts[i] >> 8);
		message[7 + 2 * i] = (uint8_t)counts[i];
	}
	memcpy(message + len, qname, name_len);
	len += name_len;
	memcpy(message + len, in, sizeof(in));
	len += sizeof(in);
	if (from->len > sizeof(message) - len) {
		b->writer.overflow = true;
		return;
	}
	memcpy(message + len, from->bytes, from->len);
	if (message_read_begin(&reader, message, len + from->len) < 0) {
		b->writer.overflow = true;
		return;
	}
	while (message_read_rr(&reader, &rr, &at) == MESSAGE_RR)
		if (at == section)
			build_rr(b, section, &rr);
}

bool build_end(struct build *b)
{
	b->answer->len = b->writer.len;
	return !b->writer.overflow;
}
