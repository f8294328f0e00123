/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_message.c - any bytes as an upstream's response: what the reader gives is sound,
 * and written again it reads the same.
 */
#include "fuzz.h"
#include <string.h>
#include "dns/message.h"
#include "dns/name.h"
#include "lane53/wire.h"

static void check_rr(const struct message_rr *rr)
{
	volatile uint8_t sum = 0;

	FUZZ_CHECK(name_length(rr->owner, NAME_MAX_BYTES));
	FUZZ_CHECK(rr->type == TYPE_OPT || rr->ttl_s >> 31 == 0);
	for (size_t i = 0; i < rr->rdata_len; i++)
		sum = (uint8_t)(sum + rr->rdata[i]);
}

/* Records of @data one by one against those of the message written from them. */
static void compare(const uint8_t *data, size_t size, const uint8_t *written,
		    size_t len, unsigned count)
{
	struct message_reader a, b;
	struct message_rr x, y;
	enum message_section section;

	FUZZ_CHECK(message_read_begin(&a, data, size) == 0);
	FUZZ_CHECK(message_read_begin(&b, written, len) == 0);
	while (count--) {
		FUZZ_CHECK(message_read_rr(&a, &x, &section) == MESSAGE_RR);
		FUZZ_CHECK(message_read_rr(&b, &y, &section) == MESSAGE_RR);
		FUZZ_CHECK(x.type == y.type && x.class_ == y.class_ &&
			   x.ttl_s == y.ttl_s && x.rdata_len == y.rdata_len);
		FUZZ_CHECK(name_equal(x.owner, y.owner));
	}
	FUZZ_CHECK(message_read_rr(&b, &y, &section) == MESSAGE_END);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t out[65535];
	static const uint8_t tail[4] = { 0, 1, 0, 1 };
	uint8_t qname[255] = { 0 };
	struct message_reader r;
	struct message_writer w;
	struct message_rr rr;
	enum message_section section;
	size_t start;
	unsigned count = 0;

	if (message_read_begin(&r, data, size))
		return 0;
	if (r.has_question)
		memcpy(qname, r.qname, name_size(r.qname));
	start = DNS_HEADER_BYTES + name_size(qname) + sizeof(tail);
	message_write_begin(&w, out + start, sizeof(out) - start, qname);
	while (message_read_rr(&r, &rr, &section) == MESSAGE_RR) {
		check_rr(&rr);
		message_write_rr(&w, &rr);
		count += !w.overflow;
		FUZZ_CHECK(w.len <= w.room);
		FUZZ_CHECK(r.pos <= size);
	}
	if (w.overflow)
		return 0; /* more than a message holds once it is written plainly */
	memset(out, 0, DNS_HEADER_BYTES);
	out[5] = 1;
	out[6] = (uint8_t)(count >> 8);
	out[7] = (uint8_t)count;
	memcpy(out + DNS_HEADER_BYTES, qname, name_size(qname));
	memcpy(out + start - sizeof(tail), tail, sizeof(tail));
	compare(data, size, out, start + w.len, count);
	return 0;
}
