/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_differential.c - the program against the same headers compiled natively.
 *
 * Queries are bent at random; question_read() and table_lookup() in this process say
 * what must come of each, and the program must agree: outcome, answer and flags.
 * The seed is printed; DIFFERENTIAL_SEED repeats a run.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../check.h"
#include "cache/answer.h"
#include "cache/table.h"
#include "dns/name.h"
#include "lane53/abi.h"
#include "lane53/question.h"
#include "lane53/wire.h"
#include "rig.h"

#define RUNS 100000

static struct rig rig;
static uint64_t seed;

static const uint8_t rr_a[] = {
	0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1
};
static const uint8_t filler[700] = { 1, 2, 3 };

static const struct rig_entry entries[] = {
	{ .qname = "a.example.",
	  .bytes = rr_a,
	  .len = 16,
	  .ancount = 1,
	  .slot_flags = LANE53_SLOT_AA },
	{ .qname = "b.example.",
	  .bytes = filler,
	  .len = 200,
	  .ancount = 3,
	  .slot_flags = LANE53_SLOT_AA | LANE53_SLOT_AD },
	{ .qname = "a.longer.name.example.",
	  .bytes = filler,
	  .len = 700,
	  .nscount = 2,
	  .rcode = RCODE_NXDOMAIN,
	  .slot_flags = LANE53_SLOT_RA },
	{ .qname = ".", .bytes = filler, .len = 40, .nscount = 1 },
};

static const uint8_t options[] = { 0, 10, 0, 8, 1,  2, 3, 4, 5,
				   6, 7,  8, 0, 12, 0, 2, 0, 0 };

static uint64_t random_next(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static uint32_t below(size_t limit)
{
	return (uint32_t)(random_next() % limit);
}

/* A query for one of the names, bent not at all or in up to three places. */
static void query_build(struct packet *p)
{
	static const uint8_t telling[] = { 0,    1,    3,    8,    0x28, 0x29,
					   0x3f, 0x40, 0x80, 0xc0, 0xfa, 0xff };
	uint32_t changes = below(4);

	packet_build(p, &(struct packet_spec){
				.qname = entries[below(ARRAY_LEN(entries))].qname,
				.ipv6 = below(2),
				.edns = below(4) > 0,
				.dnssec_ok = below(2),
				.udp_size = (uint16_t)(1 + below(2000)),
				.options = options,
				.options_len = below(2) ? sizeof(options) : 0,
				.flags = below(4) ? 0x0100 : (uint16_t)below(0x10000),
			});
	while (changes--) {
		uint8_t *at = p->bytes + p->dns_off + below(p->dns_len);

		*at = below(2) ? (uint8_t)below(256) : telling[below(sizeof(telling))];
	}
	if (!below(8)) {
		p->dns_len = below(p->dns_len + 1);
		p->len = p->dns_off + p->dns_len;
	}
	packet_seal(p);
}

static unsigned option_count(const struct cursor *c, const struct question *q)
{
	unsigned count = 0;

	for (size_t off = q->edns.options_off;
	     off < (size_t)q->edns.options_off + q->edns.options_len; count++)
		off += 4 + (size_t)wire_u16(c->pos + off + 2);
	return count;
}

static bool is_plain(const struct cursor *c, const struct question *q, size_t len)
{
	if (q->qclass != CLASS_IN || q->end != len)
		return false;
	if (!q->edns.present)
		return true;
	return q->edns.version == 0 &&
	       !(q->edns.flags & (QUESTION_EDNS_HAS_ECS | QUESTION_EDNS_HAS_NSID)) &&
	       option_count(c, q) <= 4; /* the program walks no more */
}

struct model {
	int outcome;
	struct question question;
	struct answer answer;
	uint8_t bytes[2048];
};

static struct table_arrays arrays_of(const struct rig_table *table)
{
	return (struct table_arrays){
		.slots = table->slots,
		.slot_count = table->slot_count,
		.small = table->small,
		.small_count = table->small_count,
		.large = table->large,
		.large_count = table->large_count,
		.secret = rig.settings->secret,
	};
}

/* By the writer that lane53d uses. */
static int entry_publish(struct table *table, const struct rig_entry *e)
{
	struct answer answer = { .ancount = e->ancount,
				 .nscount = e->nscount,
				 .local = true,
				 .len = e->len,
				 .bytes = (uint8_t *)e->bytes };
	const struct table_meta meta = { .expires_s = LANE53_NEVER_EXPIRES };
	uint8_t name[255];
	struct table_key key = { .qname = name, .qtype = TYPE_A, .view = RIG_VIEW };

	answer.flags = e->rcode;
	answer.flags |= e->slot_flags & LANE53_SLOT_AA ? FLAG_AA : 0;
	answer.flags |= e->slot_flags & LANE53_SLOT_RA ? FLAG_RA : 0;
	answer.flags |= e->slot_flags & LANE53_SLOT_AD ? FLAG_AD : 0;
	(void)name_from_text(name, e->qname);
	return table_publish(table, &key, &answer, &meta);
}

static void model_answer(const struct packet *p, struct model *ret)
{
	const struct table_arrays arrays = arrays_of(&rig.local);
	const struct table_key key = { .qname = p->bytes + p->dns_off + QNAME_OFF,
				       .qtype = ret->question.qtype,
				       .view = RIG_VIEW };
	const struct question *q = &ret->question;
	struct table_meta meta;
	size_t len;

	ret->answer =
		(struct answer){ .bytes = ret->bytes, .room = sizeof(ret->bytes) };
	ret->outcome = LANE53_TO_LANE;
	if (table_lookup(&arrays, &key, rig_now_s(), &ret->answer, &meta))
		return;
	len = q->question_end + ret->answer.len + (q->edns.present ? OPT_BYTES : 0);
	ret->outcome = LANE53_ANSWERED_LOCAL;
	if (len > udp_limit(q->edns.udp_payload_size, 1232))
		ret->outcome = LANE53_ANSWERED_TRUNCATED;
}

static void model_run(const struct packet *p, struct model *ret)
{
	const struct cursor c = { p->bytes + p->dns_off, p->bytes + p->len };

	switch (question_read(&c, &ret->question)) {
	case QUESTION_SHORT:
	case QUESTION_RESPONSE:
		ret->outcome = LANE53_PASSED_UNSUPPORTED;
		return;
	case QUESTION_OK:
		if (is_plain(&c, &ret->question, p->dns_len)) {
			model_answer(p, ret);
			return;
		}
		ret->outcome = LANE53_TO_LANE;
		return;
	default:
		ret->outcome = LANE53_TO_LANE;
	}
}

static bool answers_agree(const struct packet *p, const struct model *m,
			  const struct rig_run *run)
{
	const struct question *q = &m->question;
	const bool truncated = m->outcome == LANE53_ANSWERED_TRUNCATED;
	struct packet asked = *p;
	struct response r;

	asked.question_end = q->question_end;
	if (response_read(&r, &asked, run->bytes, run->len))
		return false;
	if (r.flags !=
	    response_flags(q->flags,
			   (uint16_t)(m->answer.flags | (truncated ? FLAG_TC : 0)),
			   q->edns.flags & QUESTION_EDNS_DO))
		return false;
	if (truncated)
		return r.answer_len == 0 && !r.ancount && !r.nscount;
	return r.answer_len == m->answer.len && r.ancount == m->answer.ancount &&
	       r.nscount == m->answer.nscount &&
	       memcmp(r.answer, m->answer.bytes, r.answer_len) == 0;
}

static void entries_are_published(void)
{
	const struct table_arrays arrays = arrays_of(&rig.local);
	struct table *table;

	CU_ASSERT_EQUAL_FATAL(table_open(&table, &arrays), 0);
	for (size_t i = 0; i < ARRAY_LEN(entries); i++)
		CU_ASSERT_EQUAL(entry_publish(table, &entries[i]), 0);
	table_close(table);
}

static void programs_agree(void)
{
	static struct model model;
	static struct rig_run run;
	unsigned wrong = 0, seen[LANE53_OUTCOME_COUNT] = { 0 };

	for (unsigned i = 0; i < RUNS; i++) {
		const uint64_t before = seed;
		struct packet p;
		bool right;

		query_build(&p);
		model_run(&p, &model);
		rig_heartbeat(&rig);
		rig_entry(&rig, p.bytes, p.len, &run);
		right = run.outcome == model.outcome;
		if (right && run.action == 3)
			right = answers_agree(&p, &model, &run);
		if (!right && !wrong++)
			printf("\n    seed %#lx: got %s, want %s\n", before,
			       rig_outcome_name(run.outcome),
			       rig_outcome_name(model.outcome));
		seen[model.outcome]++;
	}
	printf("%u local, %u truncated, %u lane, %u passed ... ",
	       seen[LANE53_ANSWERED_LOCAL], seen[LANE53_ANSWERED_TRUNCATED],
	       seen[LANE53_TO_LANE], seen[LANE53_PASSED_UNSUPPORTED]);
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT_TRUE(seen[LANE53_ANSWERED_LOCAL] > RUNS / 20);
	CU_ASSERT_TRUE(seen[LANE53_ANSWERED_TRUNCATED] > RUNS / 100);
	CU_ASSERT_TRUE(seen[LANE53_TO_LANE] > RUNS / 20);
	CU_ASSERT_TRUE(seen[LANE53_PASSED_UNSUPPORTED] > RUNS / 100);
}

static const struct check_case checks[] = {
	{ "entries are published", entries_are_published },
	{ "program and native code agree", programs_agree },
};

int main(void)
{
	const char *given = getenv("DIFFERENTIAL_SEED");
	int r = rig_open(&rig, NULL);

	if (r)
		return r;
	seed = given ? strtoull(given, NULL, 0)
		     : (uint64_t)time(NULL) * 0x9e3779b97f4a7c15ull | 1;
	printf("seed %#lx\n", seed);
	r = check_main("differential", checks, ARRAY_LEN(checks));
	rig_close(&rig);
	return r;
}
