/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * zonerdata.c - the words behind a type, field by field.
 *
 *   words ─► A, AAAA ─────────────────────────────────► rdata
 *         ├► fields of ldns's descriptor of the type ─► rdata
 *         ├► types made in another way: ldns alone ───► rdata
 *         └► \# LENGTH HEX (RFC 3597) ─► checked as wire format of the type
 */
#include "source/zonerdata.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <ldns/ldns.h>
#include <stdlib.h>
#include <string.h>

#include "dns/name.h"
#include "lane53/wire.h"

struct reader {
	struct zonerecord *record;
	const struct zonetext_word *type; /* the word before the first */
	const struct zonetext_word *words;
	unsigned count, at;
	size_t len; /* of the record's rdata, so far */
	struct zonetext_problem *problem;
};

/* ---- what is wrong ---- */

static int bad(const struct reader *r, const struct zonetext_word *word,
	       const char *expected)
{
	char text[160];

	snprintf(text, sizeof(text), "expected %s", expected);
	return zonerecord_bad(r->problem, word, text);
}

static const char *expected_of(ldns_rdf_type field)
{
	switch (field) {
	case LDNS_RDF_TYPE_DNAME:
		return "a domain name";
	case LDNS_RDF_TYPE_A:
		return "an IPv4 address";
	case LDNS_RDF_TYPE_AAAA:
		return "an IPv6 address";
	case LDNS_RDF_TYPE_INT8:
		return "a number of 0 to 255";
	case LDNS_RDF_TYPE_INT16:
		return "a number of 0 to 65535";
	case LDNS_RDF_TYPE_INT32:
		return "a number of 0 to 4294967295";
	case LDNS_RDF_TYPE_PERIOD:
		return "0 to 4294967295 seconds, or as 1w2d3h4m5s";
	case LDNS_RDF_TYPE_TIME:
		return "a time as YYYYMMDDHHMMSS, or seconds since 1970";
	case LDNS_RDF_TYPE_STR:
		return "text of up to 255 bytes, with escapes \\X and \\000 to \\255";
	case LDNS_RDF_TYPE_LONG_STR:
		return "text, with escapes \\X and \\000 to \\255";
	case LDNS_RDF_TYPE_HEX:
		return "hexadecimal digits, two for each byte";
	case LDNS_RDF_TYPE_B64:
		return "base64";
	case LDNS_RDF_TYPE_B32_EXT:
	case LDNS_RDF_TYPE_NSEC3_NEXT_OWNER:
		return "a hash in base32";
	case LDNS_RDF_TYPE_TYPE:
		return "a type of records";
	case LDNS_RDF_TYPE_NSEC:
		return "types of records";
	case LDNS_RDF_TYPE_ALG:
	case LDNS_RDF_TYPE_CERT_ALG:
		return "the name or the number of an algorithm";
	case LDNS_RDF_TYPE_SVCPARAMS:
		return "KEY=VALUE, each key once, mandatory ones too (RFC 9460 2.1)";
	default:
		return NULL;
	}
}

static int bad_field(const struct reader *r, const struct zonetext_word *word,
		     ldns_rdf_type field)
{
	const char *expected = expected_of(field);
	char text[64];

	if (!expected) {
		snprintf(text, sizeof(text), "a value of the type %.20s",
			 r->type->text);
		expected = text;
	}
	return bad(r, word, expected);
}

static int missing(const struct reader *r, const char *expected)
{
	const struct zonetext_word *word = r->at ? &r->words[r->at - 1] : r->type;
	char text[160];

	snprintf(text, sizeof(text), "nothing behind it; expected %s",
		 expected ? expected : "more of the record");
	return zonerecord_bad(r->problem, word, text);
}

static int superfluous(const struct reader *r)
{
	char text[80];

	snprintf(text, sizeof(text), "expected the end of the %.20s record",
		 r->type->text);
	return zonerecord_bad(r->problem, &r->words[r->at], text);
}

/* ---- bytes ---- */

static int put(struct reader *r, const void *bytes, size_t len)
{
	if (r->len + len > sizeof(r->record->rdata))
		return zonerecord_bad(r->problem, r->type,
				      "more than 64 KiB; expected a record that fits a "
				      "message");
	memcpy(r->record->rdata + r->len, bytes, len);
	r->len += len;
	return 0;
}

/* The lower @bytes of @value, in network order. */
static int put_number(struct reader *r, uint32_t value, unsigned bytes)
{
	const uint32_t be = htonl(value);

	return put(r, (const uint8_t *)&be + 4 - bytes, bytes);
}

static bool read_number(const char *text, uint32_t max, uint32_t *ret)
{
	uint64_t number = 0;

	if (!*text)
		return false;
	for (; isdigit((unsigned char)*text) && number <= max; text++)
		number = number * 10 + (uint64_t)(*text - '0');
	*ret = (uint32_t)number;
	return !*text && number <= max;
}

/* ---- fields of one word ---- */

static int read_integer(struct reader *r, const struct zonetext_word *word,
			ldns_rdf_type field)
{
	const unsigned bytes = field == LDNS_RDF_TYPE_INT8    ? 1
			       : field == LDNS_RDF_TYPE_INT16 ? 2
							      : 4;
	uint32_t value;
	bool ok;

	if (field == LDNS_RDF_TYPE_PERIOD)
		ok = zonerecord_seconds(word->text, &value);
	else
		ok = read_number(word->text, UINT32_MAX >> (32 - 8 * bytes), &value);
	return ok ? put_number(r, value, bytes) : bad_field(r, word, field);
}

static int read_address(struct reader *r, const struct zonetext_word *word,
			ldns_rdf_type field)
{
	const bool v4 = field == LDNS_RDF_TYPE_A;
	uint8_t addr[16];

	if (inet_pton(v4 ? AF_INET : AF_INET6, word->text, addr) != 1)
		return bad_field(r, word, field);
	return put(r, addr, v4 ? 4 : 16);
}

static int read_name(struct reader *r, const struct zonetext_word *word)
{
	uint8_t name[255], addr[4];
	const size_t len = zonerecord_name(r->record, name, word, r->problem);

	if (!len)
		return -EINVAL;
	if (inet_pton(AF_INET, word->text, addr) == 1)
		r->record->address_name = word;
	return put(r, name, len);
}

static int read_type(struct reader *r, const struct zonetext_word *word)
{
	const uint16_t type = zonerecord_type(word->text);

	return type ? put_number(r, type, 2) : bad_field(r, word, LDNS_RDF_TYPE_TYPE);
}

static int read_by_ldns(struct reader *r, const struct zonetext_word *word,
			ldns_rdf_type field, const char *text)
{
	ldns_rdf *rdf = ldns_rdf_new_frm_str(field, text);
	int result = rdf ? put(r, ldns_rdf_data(rdf), ldns_rdf_size(rdf))
			 : bad_field(r, word, field);

	ldns_rdf_deep_free(rdf);
	return result;
}

static bool may_be_quoted(ldns_rdf_type field)
{
	return field == LDNS_RDF_TYPE_STR || field == LDNS_RDF_TYPE_LONG_STR ||
	       field == LDNS_RDF_TYPE_TAG;
}

static int read_word(struct reader *r, ldns_rdf_type field)
{
	const struct zonetext_word *word = &r->words[r->at];
	uint32_t number;

	if (word->quoted && !may_be_quoted(field))
		return bad_field(r, word, field);
	switch (field) {
	case LDNS_RDF_TYPE_DNAME:
		return read_name(r, word);
	case LDNS_RDF_TYPE_A:
	case LDNS_RDF_TYPE_AAAA:
		return read_address(r, word, field);
	case LDNS_RDF_TYPE_INT8:
	case LDNS_RDF_TYPE_INT16:
	case LDNS_RDF_TYPE_INT32:
	case LDNS_RDF_TYPE_PERIOD:
		return read_integer(r, word, field);
	case LDNS_RDF_TYPE_TYPE:
		return read_type(r, word);
	case LDNS_RDF_TYPE_ALG:
		if (read_number(word->text, UINT32_MAX, &number))
			return read_integer(r, word, LDNS_RDF_TYPE_INT8);
		break;
	default:
		break;
	}
	return read_by_ldns(r, word, field, word->text);
}

/* ---- fields that are all the words that are left ---- */

static bool takes_all(ldns_rdf_type field)
{
	return field == LDNS_RDF_TYPE_HEX || field == LDNS_RDF_TYPE_B64 ||
	       field == LDNS_RDF_TYPE_NSEC || field == LDNS_RDF_TYPE_SVCPARAMS;
}

/* What is left, with @between between the words.  To be freed; NULL: out of memory. */
static char *join(const struct reader *r, unsigned from, const char *between)
{
	size_t room = 1, len = 0;
	char *text;

	for (unsigned i = from; i < r->count; i++)
		room += r->words[i].len + 3;
	text = malloc(room);
	if (!text)
		return NULL;
	for (unsigned i = from; i < r->count; i++) {
		const char *quote = r->words[i].quoted && *between ? "\"" : "";

		len += (size_t)sprintf(text + len, "%s%s%s%s", i > from ? between : "",
				       quote, r->words[i].text, quote);
	}
	text[len] = 0;
	return text;
}

static bool is_hex(const char *text)
{
	size_t len = strlen(text);

	return len % 2 == 0 && strspn(text, "0123456789abcdefABCDEF") == len;
}

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

#define SVC_MANDATORY 0
#define SVC_ALPN      1

static bool has_param(const uint8_t *params, size_t len, uint16_t key)
{
	for (size_t at = 0; at + 4 <= len; at += 4u + get16(params + at + 2))
		if (get16(params + at) == key)
			return true;
	return false;
}

/*
 * RFC 9460 2.2, 7.1.1, 8: keys rise, so none is there twice; an alpn has protocols; what
 * is mandatory is there.
 */
static bool are_params(const uint8_t *params, size_t len)
{
	int last = -1;

	for (size_t at = 0; at + 4 <= len;) {
		const uint16_t key = get16(params + at), size = get16(params + at + 2);

		if (key <= last || (key == SVC_ALPN && size == 0))
			return false;
		last = key;
		at += 4;
		for (unsigned i = 0; key == SVC_MANDATORY && i + 2 <= size; i += 2)
			if (!has_param(params, len, get16(params + at + i)))
				return false;
		at += size;
	}
	return true;
}

static int check_types(const struct reader *r)
{
	for (unsigned i = r->at; i < r->count; i++)
		if (r->words[i].quoted || !zonerecord_type(r->words[i].text))
			return bad_field(r, &r->words[i], LDNS_RDF_TYPE_TYPE);
	return 0;
}

static int read_all(struct reader *r, ldns_rdf_type field)
{
	const bool apart =
		field == LDNS_RDF_TYPE_NSEC || field == LDNS_RDF_TYPE_SVCPARAMS;
	const struct zonetext_word *word = &r->words[r->at];
	const size_t from = r->len;
	int result = field == LDNS_RDF_TYPE_NSEC ? check_types(r) : 0;
	char *text = result ? NULL : join(r, r->at, apart ? " " : "");

	if (result)
		return result;
	if (!text)
		return -ENOMEM;
	if (field == LDNS_RDF_TYPE_HEX && !is_hex(text))
		result = bad_field(r, word, field);
	else
		result = read_by_ldns(r, word, field, text);
	if (result == 0 && field == LDNS_RDF_TYPE_SVCPARAMS &&
	    !are_params(r->record->rdata + from, r->len - from))
		result = bad_field(r, word, field);
	free(text);
	r->at = r->count;
	return result;
}

/* ---- records ---- */

/* Of RFC 4034 5.1.4 and the registry of digest types; 0: of any length. */
static size_t digest_bytes(uint8_t digest_type)
{
	switch (digest_type) {
	case 1:
		return 20;
	case 2:
	case 3:
		return 32;
	case 4:
		return 48;
	}
	return 0;
}

static int check_ds(const struct reader *r)
{
	const size_t want = r->len > 4 ? digest_bytes(r->record->rdata[3]) : 0;

	if (!want || r->len - 4 == want)
		return 0;
	return bad(r, &r->words[r->count - 1], "a digest as long as its type has them");
}

/* RFC 1876 2: 90 degrees, and 180, in thousandths of a second from the middle. */
static int check_loc(const struct reader *r)
{
	static const int64_t middle = 1ll << 31, degree = 3600000;
	uint32_t latitude_be, longitude_be;

	memcpy(&latitude_be, r->record->rdata + 4, sizeof(latitude_be));
	memcpy(&longitude_be, r->record->rdata + 8, sizeof(longitude_be));
	if (r->len < 16 || r->record->rdata[0] != 0 ||
	    (llabs(ntohl(latitude_be) - middle) <= 90 * degree &&
	     llabs(ntohl(longitude_be) - middle) <= 180 * degree))
		return 0;
	return bad(r, &r->words[0], "up to 90 degrees N or S, 180 degrees E or W");
}

static int read_fields(struct reader *r, const ldns_rr_descriptor *descriptor)
{
	const size_t max = ldns_rr_descriptor_maximum(descriptor);
	const size_t min = ldns_rr_descriptor_minimum(descriptor);
	size_t i;
	int result = 0;

	for (i = 0; i < max && r->at < r->count && result == 0; i++) {
		const ldns_rdf_type field =
			ldns_rr_descriptor_field_type(descriptor, i);

		if (takes_all(field) && i + 1 == max)
			return read_all(r, field);
		result = read_word(r, field);
		r->at++;
	}
	if (result)
		return result;
	if (i < min)
		return missing(
			r, expected_of(ldns_rr_descriptor_field_type(descriptor, i)));
	return r->at < r->count ? superfluous(r) : 0;
}

/* Does ldns read the type in one go, and not field by field? */
static bool is_special(const ldns_rr_descriptor *descriptor)
{
	const size_t min = ldns_rr_descriptor_minimum(descriptor);

	for (size_t i = 0; i < (min ? min : 1); i++) {
		switch (ldns_rr_descriptor_field_type(descriptor, i)) {
		case LDNS_RDF_TYPE_APL:
		case LDNS_RDF_TYPE_HIP:
		case LDNS_RDF_TYPE_LOC:
		case LDNS_RDF_TYPE_WKS:
		case LDNS_RDF_TYPE_IPSECKEY:
		case LDNS_RDF_TYPE_AMTRELAY:
			return true;
		default:
			break;
		}
	}
	return false;
}

static bool is_unknown(const ldns_rr_descriptor *descriptor)
{
	return ldns_rr_descriptor_maximum(descriptor) == 0 ||
	       ldns_rr_descriptor_field_type(descriptor, 0) == LDNS_RDF_TYPE_UNKNOWN;
}

static int put_rr(struct reader *r, const ldns_rr *rr)
{
	ldns_buffer *wire = ldns_buffer_new(LDNS_MIN_BUFLEN);
	int result = -ENOMEM;

	if (wire && ldns_rr_rdata2buffer_wire(wire, rr) == LDNS_STATUS_OK)
		result = put(r, ldns_buffer_begin(wire), ldns_buffer_position(wire));
	ldns_buffer_free(wire);
	return result;
}

static int read_special(struct reader *r)
{
	char *rdata = join(r, 0, " "), *line = NULL;
	ldns_rdf *origin = ldns_rdf_new_frm_data(
		LDNS_RDF_TYPE_DNAME, name_size(r->record->origin), r->record->origin);
	ldns_rr *rr = NULL;
	int result = -ENOMEM;

	if (rdata && origin &&
	    asprintf(&line, ". 0 IN %s %s", r->type->text, rdata) > 0)
		result = ldns_rr_new_frm_str(&rr, line, 0, origin, NULL) ==
					 LDNS_STATUS_OK
				 ? put_rr(r, rr)
				 : bad_field(r, &r->words[0], LDNS_RDF_TYPE_NONE);
	ldns_rr_free(rr);
	ldns_rdf_deep_free(origin);
	free(rdata);
	free(line);
	return result;
}

/* ---- \# ---- */

/* Is what was put what the type has on the wire? */
static bool is_wire(const struct reader *r)
{
	uint8_t wire[2 + sizeof(r->record->rdata)];
	struct reader again = { .problem = r->problem, .type = r->type };
	size_t pos = 0;
	ldns_rr *rr = ldns_rr_new();
	bool ok = false;

	wire[0] = (uint8_t)(r->len >> 8);
	wire[1] = (uint8_t)r->len;
	memcpy(wire + 2, r->record->rdata, r->len);
	again.record = calloc(1, sizeof(*again.record));
	if (rr && again.record) {
		ldns_rr_set_type(rr, r->record->type);
		/* A compressed name would be written in another way. */
		ok = ldns_wire2rdf(rr, wire, r->len + 2, &pos) == LDNS_STATUS_OK &&
		     pos == r->len + 2 && put_rr(&again, rr) == 0 &&
		     again.len == r->len &&
		     memcmp(again.record->rdata, r->record->rdata, r->len) == 0;
	}
	ldns_rr_free(rr);
	free(again.record);
	return ok;
}

static int read_generic(struct reader *r, const ldns_rr_descriptor *descriptor)
{
	const struct zonetext_word *length = &r->words[1];
	uint32_t len;
	char *hex;
	int result = 0;

	if (r->count < 2 || !read_number(length->text, UINT16_MAX, &len)) {
		r->at = 1;
		return r->count < 2 ? missing(r, "the length of RDATA in bytes")
				    : bad(r, length, "the length of RDATA in bytes");
	}
	hex = join(r, 2, "");
	if (!hex)
		return -ENOMEM;
	if (!is_hex(hex))
		result = bad(r, &r->words[2], expected_of(LDNS_RDF_TYPE_HEX));
	else if (strlen(hex) != (size_t)len * 2)
		result = bad(r, length, "as many bytes as there are behind it");
	for (size_t i = 0; i < len && result == 0; i++) {
		char digits[3] = { hex[2 * i], hex[2 * i + 1], 0 };

		result = put_number(r, (uint32_t)strtoul(digits, NULL, 16), 1);
	}
	free(hex);
	if (result == 0 && !is_unknown(descriptor) && !is_wire(r))
		result = bad_field(r, r->type, LDNS_RDF_TYPE_NONE);
	return result;
}

int zonerdata_read(struct zonerecord *record, const struct zonetext_word *words,
		   unsigned count, struct zonetext_problem *problem)
{
	struct reader r = { .record = record,
			    .type = words,
			    .words = words + 1,
			    .count = count - 1,
			    .problem = problem };
	const ldns_rr_descriptor *descriptor = ldns_rr_descript(record->type);
	int result;

	if (r.count && !r.words[0].quoted && strcmp(r.words[0].text, "\\#") == 0)
		result = read_generic(&r, descriptor);
	else if (is_unknown(descriptor))
		result = r.count ? bad(&r, &r.words[0],
				       "\\# LENGTH HEX (RFC 3597), as the type is "
				       "not known here")
				 : missing(&r, "\\# LENGTH HEX (RFC 3597)");
	else if (is_special(descriptor))
		result = r.count ? read_special(&r) : missing(&r, NULL);
	else
		result = read_fields(&r, descriptor);
	if (result == 0 && record->type == TYPE_DS)
		result = check_ds(&r);
	if (result == 0 && record->type == (uint16_t)LDNS_RR_TYPE_LOC)
		result = check_loc(&r);
	record->rdata_len = (uint16_t)r.len;
	return result;
}
