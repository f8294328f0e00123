/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_import.c - any bytes as an upstream's response to the question in them: what
 * becomes an answer is whole, its TTLs are where it says, and it joins another answer.
 */
#include "fuzz.h"
#include <string.h>
#include "cache/answer.h"
#include "dns/message.h"
#include "dns/name.h"
#include "lane53/wire.h"
#include "plan/plan.h"
#include "respond/build.h"
#include "respond/import.h"

static const struct plan_cache cache = {
	.on = true,
	.success_max_s = 3600,
	.success_min_s = 5,
	.denial_max_s = 1800,
	.denial_min_s = 5,
	.failure_s = 5,
};

static void check_ttls(const struct answer *answer)
{
	for (unsigned i = 0; i < answer->ttl_count; i++) {
		uint32_t ttl_s;

		FUZZ_CHECK(answer->ttl_off[i] + 4u <= answer->len);
		ttl_s = ttl_read(answer->bytes + answer->ttl_off[i]);
		if (answer->cacheable)
			FUZZ_CHECK(ttl_s >= answer->ttl_s && ttl_s <= 3600);
	}
	FUZZ_CHECK(!answer->cacheable || answer->ttl_s >= 5);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t bytes[65000], joined_bytes[65000];
	struct answer answer = { .bytes = bytes, .room = sizeof(bytes) };
	struct answer joined = { .bytes = joined_bytes, .room = sizeof(joined_bytes) };
	struct message_reader r;
	struct import_question question = { .cache = &cache };
	uint8_t qname[255];
	enum cache_kind kind;
	struct build b;

	if (message_read_begin(&r, data, size) || !r.has_question)
		return 0;
	name_lower(qname, r.qname);
	question.qname = qname;
	question.qtype = r.qtype;
	question.qclass = r.qclass;
	question.dnssec_ok = r.id & 1;
	if (import_response(&question, data, size, &answer, &kind) != IMPORT_DONE)
		return 0;
	FUZZ_CHECK(answer.len <= answer.room && !answer.arcount);
	check_ttls(&answer);
	build_begin(&b, &joined, qname);
	build_append(&b, &answer, qname, SECTION_ANSWER);
	build_append(&b, &answer, qname, SECTION_AUTHORITY);
	FUZZ_CHECK(build_end(&b));
	FUZZ_CHECK(joined.len == answer.len && joined.ancount == answer.ancount &&
		   joined.nscount == answer.nscount);
	FUZZ_CHECK(!memcmp(joined_bytes, bytes, answer.len));
	return 0;
}
