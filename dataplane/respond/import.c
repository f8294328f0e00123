/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * import.c - read an upstream's message twice: what is it, then what of it we keep.
 */
#include "respond/import.h"
#include <errno.h>
#include "lane53/wire.h"
#include "cache/answer.h"
#include "dns/message.h"
#include "dns/name.h"
#include "plan/plan.h"
#include "respond/build.h"

#define TYPE_NSEC3     50
#define TYPE_META_LOW  128 /* RFC 6895 3.1: QTYPEs and meta-TYPEs, 128..255 */
#define TYPE_META_HIGH 255

/* What the first reading tells. */
struct gist {
	unsigned rcode;
	unsigned answers;
	bool has_qtype; /* a record of the type asked for */
	bool has_soa;   /* in Authority: a negative answer that may be cached */
	bool has_opt;
	bool negative; /* NXDOMAIN, or NODATA by RFC 2308 2.2 */
};

/* Character-strings to the very end (RFC 1035 3.3), @min of them at least. */
static bool is_strings(const struct message_rr *rr, unsigned min)
{
	unsigned count = 0;
	size_t pos = 0;

	for (; pos < rr->rdata_len; count++)
		pos += 1u + rr->rdata[pos];
	return pos == rr->rdata_len && count >= min;
}

/*
 * Is the RDATA of a type that clients parse what it must be?  Names inside were checked
 * by the reader; types that nobody parses on the way are opaque (RFC 3597).
 */
static bool is_sound(const struct message_rr *rr)
{
	if (rr->class_ != CLASS_IN)
		return true;
	switch (rr->type) {
	case TYPE_A:
		return rr->rdata_len == 4;
	case TYPE_AAAA:
		return rr->rdata_len == 16;
	case TYPE_TXT:
		return is_strings(rr, 1);
	case TYPE_HINFO:
		return is_strings(rr, 2);
	}
	return true;
}

static enum import_result read_gist(const struct import_question *question,
				    const uint8_t *message, size_t len,
				    struct gist *ret)
{
	struct message_reader r;
	struct message_rr rr;
	enum message_section section;
	enum message_status status;
	unsigned extended = 0;

	*ret = (struct gist){ 0 };
	if (len < DNS_HEADER_BYTES || !(message[2] & FLAG_QR >> 8))
		return IMPORT_MISMATCHED;
	if (message_read_begin(&r, message, len) < 0)
		return IMPORT_MALFORMED;
	if (FLAGS_OPCODE(r.flags) != OPCODE_QUERY)
		return IMPORT_MISMATCHED;
	ret->rcode = r.flags & FLAG_RCODE;
	/* RFC 6891 7: who does not know EDNS may send a bare FORMERR header. */
	if (!r.has_question && ret->rcode == RCODE_FORMERR)
		return IMPORT_NO_EDNS;
	if (!r.has_question ||
	    !message_answers(&r, question->qname, question->qtype, question->qclass))
		return IMPORT_MISMATCHED;
	if (r.flags & FLAG_TC)
		return IMPORT_TRUNCATED;

	while ((status = message_read_rr(&r, &rr, &section)) == MESSAGE_RR) {
		if (section == SECTION_ADDITIONAL && rr.type == TYPE_OPT) {
			ret->has_opt = true;
			extended = rr.ttl_s >> 24;
		}
		if (section != SECTION_ADDITIONAL && !is_sound(&rr))
			return IMPORT_MALFORMED;
		ret->answers += section == SECTION_ANSWER;
		ret->has_qtype |=
			section == SECTION_ANSWER &&
			(rr.type == question->qtype || question->qtype == TYPE_ANY);
		ret->has_soa |= section == SECTION_AUTHORITY && rr.type == TYPE_SOA;
	}
	if (status == MESSAGE_BAD)
		return IMPORT_MALFORMED;
	ret->rcode |= extended << 4;
	if (ret->rcode == RCODE_FORMERR && !ret->has_opt)
		return IMPORT_NO_EDNS;
	ret->negative = ret->rcode == RCODE_NXDOMAIN ||
			(ret->rcode == RCODE_NOERROR && !ret->has_qtype);
	return IMPORT_DONE;
}

static bool is_dnssec(uint16_t type)
{
	return type == TYPE_RRSIG || type == TYPE_NSEC || type == TYPE_NSEC3;
}

static bool is_kept(const struct import_question *question, const struct gist *gist,
		    enum message_section section, uint16_t type)
{
	switch (section) {
	case SECTION_ANSWER:
		return question->dnssec_ok || !is_dnssec(type) ||
		       type == question->qtype || question->qtype == TYPE_ANY;
	case SECTION_AUTHORITY:
		if (is_dnssec(type))
			return question->dnssec_ok;
		if (type == TYPE_NS) /* a referral, which only RD=0 can bring */
			return !gist->answers && !gist->has_soa;
		return type == TYPE_SOA && gist->negative;
	case SECTION_ADDITIONAL:
		return false;
	}
	return false;
}

/* RFC 2308 5: the lesser of the SOA's TTL and its MINIMUM, the last 4 bytes. */
static uint32_t negative_ttl(const struct message_rr *soa)
{
	uint32_t minimum = ttl_read(soa->rdata + soa->rdata_len - 4);

	return soa->ttl_s < minimum ? soa->ttl_s : minimum;
}

static bool is_disabled(bool disabled, const struct plan_names *zones,
			const uint8_t *qname)
{
	return disabled && plan_names_cover(zones, qname, name_size(qname));
}

/* May it be kept, by its own nature and by the `cache` directive? */
static bool is_cacheable(const struct import_question *question,
			 const struct gist *gist, const struct answer *answer,
			 unsigned ttls)
{
	const struct plan_cache *cache = question->cache;

	if (!cache || question->qclass != CLASS_IN || ttls > ANSWER_TTLS || !ttls)
		return false;
	if (question->qtype >= TYPE_META_LOW && question->qtype <= TYPE_META_HIGH &&
	    question->qtype != TYPE_ANY)
		return false;
	for (unsigned i = 0; i < answer->ttl_count; i++)
		if (!ttl_read(answer->bytes + answer->ttl_off[i]))
			return false;
	if (gist->negative)
		return gist->has_soa &&
		       !is_disabled(cache->disable_denial, &cache->disable_denial_zones,
				    question->qname);
	return gist->rcode == RCODE_NOERROR && gist->has_qtype &&
	       !is_disabled(cache->disable_success, &cache->disable_success_zones,
			    question->qname);
}

/* Clamp each TTL to the directive's limits; the shortest is the answer's life. */
static void clamp(struct answer *answer, uint32_t min_s, uint32_t max_s)
{
	uint32_t shortest = UINT32_MAX;

	for (unsigned i = 0; i < answer->ttl_count; i++) {
		uint8_t *at = answer->bytes + answer->ttl_off[i];
		uint32_t ttl = ttl_read(at);

		if (ttl < min_s)
			ttl = min_s;
		if (ttl > max_s)
			ttl = max_s;
		if (ttl < shortest)
			shortest = ttl;
		ttl_write(at, ttl);
	}
	answer->ttl_s = shortest;
	answer->cacheable = shortest > 0;
}

static bool copy_records(const struct import_question *question,
			 const struct gist *gist, const uint8_t *message, size_t len,
			 struct build *b)
{
	struct message_reader r;
	struct message_rr rr;
	enum message_section section;

	if (message_read_begin(&r, message, len) < 0)
		return false;
	while (message_read_rr(&r, &rr, &section) == MESSAGE_RR) {
		if (!is_kept(question, gist, section, rr.type))
			continue;
		if (rr.type == TYPE_SOA && section == SECTION_AUTHORITY)
			rr.ttl_s = negative_ttl(&rr);
		build_rr(b, section, &rr);
	}
	b->answer->flags = (uint16_t)((r.flags & FLAG_AD) | gist->rcode);
	return build_end(b);
}

void import_failure(const struct plan_cache *cache, struct answer *ret)
{
	*ret = (struct answer){ .room = ret->room, .bytes = ret->bytes };
	ret->flags = RCODE_SERVFAIL;
	ret->ttl_s = cache ? cache->failure_s : 0;
	ret->cacheable = ret->ttl_s > 0;
}

enum import_result import_response(const struct import_question *question,
				   const uint8_t *message, size_t len,
				   struct answer *ret, enum cache_kind *ret_kind)
{
	const struct plan_cache *cache = question->cache;
	enum import_result result;
	struct gist gist;
	struct build b;

	result = read_gist(question, message, len, &gist);
	if (result != IMPORT_DONE)
		return result;
	*ret_kind = CACHE_NEGATIVE;
	/* An extended rcode is between the upstream and us: no answer to a client. */
	if (gist.rcode == RCODE_SERVFAIL || gist.rcode > FLAG_RCODE) {
		import_failure(cache, ret);
		return IMPORT_DONE;
	}
	build_begin(&b, ret, question->qname);
	if (!copy_records(question, &gist, message, len, &b))
		return IMPORT_MALFORMED;
	if (!is_cacheable(question, &gist, ret, b.ttls))
		return IMPORT_DONE;
	if (gist.negative) {
		clamp(ret, cache->denial_min_s, cache->denial_max_s);
		return IMPORT_DONE;
	}
	*ret_kind = CACHE_POSITIVE;
	clamp(ret, cache->success_min_s, cache->success_max_s);
	return IMPORT_DONE;
}
