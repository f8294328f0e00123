/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_question.c - any bytes as a query: offsets stay inside, and what the parser calls
 * a name is one.
 */
#include "fuzz.h"
#include "dns/name.h"
#include "lane53/question.h"

static void check_question(const uint8_t *data, size_t size, const struct question *q)
{
	FUZZ_CHECK(q->qname_len >= 1 && q->qname_len <= NAME_MAX_BYTES);
	FUZZ_CHECK(name_length(data + QNAME_OFF, size - QNAME_OFF) == q->qname_len);
	FUZZ_CHECK(q->question_end == QNAME_OFF + q->qname_len + 4);
	FUZZ_CHECK(q->question_end <= size);
	FUZZ_CHECK(q->end >= q->question_end && q->end <= size);
	if (q->edns.present)
		FUZZ_CHECK(q->edns.options_off >= q->question_end + OPT_BYTES &&
			   q->edns.options_off <= size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct cursor c = { data, data + size };
	struct question q;

	if (size > MESSAGE_OFF_MAX)
		return 0;
	switch (question_read(&c, &q)) {
	case QUESTION_SHORT:
		FUZZ_CHECK(size < DNS_HEADER_BYTES);
		break;
	case QUESTION_RESPONSE:
		FUZZ_CHECK(data[2] & 0x80);
		break;
	case QUESTION_OPCODE:
		FUZZ_CHECK(data[2] & 0x78);
		break;
	case QUESTION_COUNTS:
		FUZZ_CHECK(q.qdcount != 1);
		break;
	case QUESTION_NAME:
		break;
	case QUESTION_SECTIONS:
		check_question(data, size, &q);
		FUZZ_CHECK(!q.edns.present);
		if (question_read_rest(&c, &q) == QUESTION_OK)
			check_question(data, size, &q);
		break;
	case QUESTION_OK:
		FUZZ_CHECK(q.edns.present == q.arcount);
		FUZZ_CHECK(!q.ancount && !q.nscount);
		check_question(data, size, &q);
		break;
	case QUESTION_TSIG:
	case QUESTION_EDNS:
		check_question(data, size, &q);
		break;
	case QUESTION_OPTIONS:
		abort(); /* BPF's limit only */
	}
	return 0;
}
