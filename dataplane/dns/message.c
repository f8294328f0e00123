/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * message.c - records to and from the wire, with name compression.
 *
 * The shape of RDATA with names inside is one table, used by the reader to decompress
 * and by the writer to compress: a field is a number of bytes, a string or a name.
 */
#include "dns/message.h"

#include <errno.h>
#include <string.h>

#include "dns/name.h"
#include "lane53/wire.h"

#define POINTER_MAX 0x3fff /* offsets a compression pointer can hold */

/*
 * Pointers followed for one name.  No name has more labels, so more are pointers to
 * pointers: 8,000 of them fit a message, and 4,000 records that begin with the last.
 */
#define POINTERS_MAX (NAME_MAX_BYTES / 2)

/* Fields of RDATA: 1..127 is that many bytes. */
#define END    0
#define NAME   0x80
#define STRING 0x81

static const struct shape {
	uint16_t type;
	bool compress; /* on output: RFC 1035's well-known types that are in use */
	uint8_t fields[6];
} shapes[] = {
	{ TYPE_NS, true, { NAME } },
	{ 3 /* MD */, false, { NAME } },
	{ 4 /* MF */, false, { NAME } },
	{ TYPE_CNAME, true, { NAME } },
	{ TYPE_SOA, true, { NAME, NAME, 20 } },
	{ 7 /* MB */, false, { NAME } },
	{ 8 /* MG */, false, { NAME } },
	{ 9 /* MR */, false, { NAME } },
	{ TYPE_PTR, true, { NAME } },
	{ 14 /* MINFO */, false, { NAME, NAME } },
	{ TYPE_MX, true, { 2, NAME } },
	{ 17 /* RP */, false, { NAME, NAME } },
	{ 18 /* AFSDB */, false, { 2, NAME } },
	{ 21 /* RT */, false, { 2, NAME } },
	{ 26 /* PX */, false, { 2, NAME, NAME } },
	{ TYPE_SRV, false, { 6, NAME } },
	{ 35 /* NAPTR */, false, { 4, STRING, STRING, STRING, NAME } },
	{ 36 /* KX */, false, { 2, NAME } },
	{ TYPE_DNAME, false, { NAME } },
	/* No names, but a fixed size that everybody relies on. */
	{ TYPE_A, false, { 4 } },
	{ TYPE_AAAA, false, { 16 } },
};

static const struct shape *shape_of(uint16_t type, uint16_t class_)
{
	/* RFC 1035 3.4: these are of class IN; names look the same in every class. */
	if (class_ != CLASS_IN && (type == TYPE_A || type == TYPE_AAAA))
		return NULL;
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		if (shapes[i].type == type)
			return &shapes[i];
	return NULL;
}

/* ---- writing ---- */

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

/* Hash of the label at @label in front of a name that hashes to @rest. */
static uint16_t label_hash(uint32_t rest, const uint8_t *label)
{
	uint32_t hash = rest * 31 + 7;

	for (unsigned i = 0; i <= *label; i++)
		hash = (hash ^ lower(label[i])) * 16777619u;
	return (uint16_t)(hash ^ hash >> 16);
}

/* Offsets of the labels and the hash from each to the root.  Return: how many. */
static unsigned label_hashes(uint8_t offsets[128], uint16_t hashes[128],
			     const uint8_t *name)
{
	unsigned count = 0;
	uint32_t hash = 0;

	for (size_t off = 0; name[off]; off += 1u + name[off])
		offsets[count++] = (uint8_t)off;
	for (unsigned i = count; i-- > 0;)
		hash = hashes[i] = label_hash(hash, name + offsets[i]);
	return count;
}

static uint8_t byte_at(const struct message_writer *w, size_t off)
{
	return off < w->base ? w->qname[off - DNS_HEADER_BYTES]
			     : w->bytes[off - w->base];
}

/* Is the name written at @off of the message @name?  Our own pointers are sound. */
static bool written_is(const struct message_writer *w, size_t off, const uint8_t *name)
{
	for (;;) {
		uint8_t len = byte_at(w, off);

		if (len >= NAME_POINTER) {
			off = (size_t)(len & 0x3f) << 8 | byte_at(w, off + 1);
			continue;
		}
		if (len != *name)
			return false;
		if (len == 0)
			return true;
		for (unsigned i = 1; i <= len; i++)
			if (lower(byte_at(w, off + i)) != lower(name[i]))
				return false;
		off += 1u + len;
		name += 1u + len;
	}
}

static void remember(struct message_writer *w, size_t off, uint16_t hash)
{
	if (w->label_count == MESSAGE_LABELS_MAX || off > POINTER_MAX)
		return;
	w->labels[w->label_count++] = (struct message_label){ (uint16_t)off, hash };
}

/* Where @name, which hashes to @hash, was written before; 0 = nowhere. */
static uint16_t find_written(const struct message_writer *w, const uint8_t *name,
			     uint16_t hash)
{
	for (unsigned i = 0; i < w->label_count; i++)
		if (w->labels[i].hash == hash && written_is(w, w->labels[i].off, name))
			return w->labels[i].off;
	return 0;
}

void message_write_begin(struct message_writer *w, uint8_t *bytes, size_t room,
			 const uint8_t *qname)
{
	uint8_t offsets[128];
	uint16_t hashes[128];
	unsigned count = label_hashes(offsets, hashes, qname);

	w->bytes = bytes;
	w->room = room;
	w->len = 0;
	w->overflow = false;
	w->base = DNS_HEADER_BYTES + name_size(qname) + 4;
	w->qname = qname;
	w->label_count = 0;
	for (unsigned i = 0; i < count; i++)
		remember(w, DNS_HEADER_BYTES + (size_t)offsets[i], hashes[i]);
}

void message_write_bytes(struct message_writer *w, const void *bytes, size_t len)
{
	if (w->overflow || len > w->room - w->len) {
		w->overflow = true;
		return;
	}
	if (len)
		memcpy(w->bytes + w->len, bytes, len);
	w->len += len;
}

void message_write_u16(struct message_writer *w, uint16_t value)
{
	message_write_bytes(w, (uint8_t[]){ (uint8_t)(value >> 8), (uint8_t)value }, 2);
}

void message_write_u32(struct message_writer *w, uint32_t value)
{
	message_write_u16(w, (uint16_t)(value >> 16));
	message_write_u16(w, (uint16_t)value);
}

void message_write_name(struct message_writer *w, const uint8_t *name)
{
	uint8_t offsets[128];
	uint16_t hashes[128];
	unsigned count, written;
	size_t start = w->base + w->len;

	/* What nearly every owner is. */
	if (*name && name_equal(name, w->qname)) {
		message_write_u16(w, QNAME_POINTER);
		return;
	}
	count = label_hashes(offsets, hashes, name);
	for (written = 0; written < count && !w->overflow; written++) {
		const uint8_t *rest = name + offsets[written];
		uint16_t before = find_written(w, rest, hashes[written]);

		if (before) {
			message_write_u16(w, (uint16_t)(NAME_POINTER << 8 | before));
			break;
		}
		message_write_bytes(w, rest, 1u + *rest);
	}
	if (written == count)
		message_write_bytes(w, "", 1);
	/* Only now: a label is not to be found before its name is written to the end. */
	for (unsigned i = 0; i < written && !w->overflow; i++)
		remember(w, start + offsets[i], hashes[i]);
}

/* RDATA of a shape with names to be compressed. */
static void write_shaped(struct message_writer *w, const struct shape *shape,
			 const uint8_t *rdata, size_t len)
{
	for (const uint8_t *f = shape->fields; *f != END; f++) {
		size_t size = *f == NAME ? name_length(rdata, len) : *f;

		if (size == 0 || size > len) {
			w->overflow = true;
			return;
		}
		if (*f == NAME)
			message_write_name(w, rdata);
		else
			message_write_bytes(w, rdata, size);
		rdata += size;
		len -= size;
	}
	if (len)
		w->overflow = true;
}

size_t message_write_rr(struct message_writer *w, const struct message_rr *rr)
{
	const struct shape *shape = shape_of(rr->type, rr->class_);
	size_t ttl_off, start;

	message_write_name(w, rr->owner);
	message_write_u16(w, rr->type);
	message_write_u16(w, rr->class_);
	ttl_off = w->len;
	message_write_u32(w, rr->ttl_s);
	if (!shape || !shape->compress) {
		message_write_u16(w, rr->rdata_len);
		message_write_bytes(w, rr->rdata, rr->rdata_len);
		return ttl_off;
	}
	start = w->len + 2;
	message_write_u16(w, 0);
	write_shaped(w, shape, rr->rdata, rr->rdata_len);
	if (!w->overflow) {
		w->bytes[start - 2] = (uint8_t)((w->len - start) >> 8);
		w->bytes[start - 1] = (uint8_t)(w->len - start);
	}
	return ttl_off;
}

/* ---- reading ---- */

static uint16_t get_u16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get_u32(const uint8_t *p)
{
	return (uint32_t)get_u16(p) << 16 | get_u16(p + 2);
}

size_t message_read_name(uint8_t out[255], const uint8_t *message, size_t len,
			 size_t *pos)
{
	uint8_t name[NAME_MAX_BYTES];
	size_t off = *pos, lowest = *pos, size = 0, end = 0;
	unsigned pointers = 0;

	for (;;) {
		unsigned label;

		if (off >= len)
			return 0;
		label = message[off];
		if (label >= NAME_POINTER) {
			if (off + 1 >= len || ++pointers > POINTERS_MAX)
				return 0;
			if (!end)
				end = off + 2;
			off = get_u16(message + off) & POINTER_MAX;
			if (off >= lowest || off < DNS_HEADER_BYTES)
				return 0;
			lowest = off;
			continue;
		}
		if (label > LABEL_MAX_BYTES || size + 1 + label > NAME_MAX_BYTES ||
		    label >= len - off)
			return 0;
		memcpy(name + size, message + off, 1 + label);
		size += 1 + label;
		off += 1 + label;
		if (label == 0)
			break;
	}
	memcpy(out, name, size);
	*pos = end ? end : off;
	return size;
}

int message_read_begin(struct message_reader *r, const uint8_t *message, size_t len)
{
	uint16_t questions;

	if (len < DNS_HEADER_BYTES)
		return -EBADMSG;
	r->message = message;
	r->len = len;
	r->pos = DNS_HEADER_BYTES;
	r->id = get_u16(message);
	r->flags = get_u16(message + 2);
	questions = get_u16(message + 4);
	for (unsigned i = 0; i < 3; i++)
		r->left[i] = get_u16(message + 6 + 2 * i);
	r->has_question = questions == 1;
	if (questions > 1)
		return -EBADMSG;
	if (!r->has_question)
		return 0;
	if (!message_read_name(r->qname, message, len, &r->pos) || len - r->pos < 4)
		return -EBADMSG;
	r->qtype = get_u16(message + r->pos);
	r->qclass = get_u16(message + r->pos + 2);
	r->pos += 4;
	return 0;
}

bool message_answers(const struct message_reader *r, const uint8_t *qname,
		     uint16_t qtype, uint16_t qclass)
{
	return r->has_question && r->flags & FLAG_QR && r->qtype == qtype &&
	       r->qclass == qclass && name_equal(r->qname, qname);
}

/*
 * Copy the RDATA that ends at @end with its names decompressed into r->rdata.
 * Return: its length, or 0 if it is not of that shape (no shape is empty).
 */
static size_t read_shaped(struct message_reader *r, const struct shape *shape,
			  size_t end)
{
	size_t pos = r->pos, used = 0;

	for (const uint8_t *f = shape->fields; *f != END; f++) {
		size_t size = *f;

		if (*f == NAME) {
			/* Bounded by @end: a name may not run out of its RDATA. */
			size = message_read_name(r->rdata + used, r->message, end,
						 &pos);
			if (size == 0)
				return 0;
			used += size;
			continue;
		}
		if (*f == STRING) {
			if (pos >= end)
				return 0;
			size = 1u + r->message[pos];
		}
		if (size > end - pos)
			return 0;
		memcpy(r->rdata + used, r->message + pos, size);
		pos += size;
		used += size;
	}
	return pos == end ? used : 0;
}

static bool next_section(const struct message_reader *r, unsigned *ret_section)
{
	for (unsigned s = SECTION_ANSWER; s <= SECTION_ADDITIONAL; s++) {
		if (r->left[s]) {
			*ret_section = s;
			return true;
		}
	}
	return false;
}

enum message_status message_read_rr(struct message_reader *r, struct message_rr *ret_rr,
				    enum message_section *ret_section)
{
	const struct shape *shape;
	const uint8_t *fixed;
	struct message_rr rr;
	unsigned section;

	if (!next_section(r, &section))
		return MESSAGE_END;
	if (!message_read_name(r->owner, r->message, r->len, &r->pos) ||
	    r->len - r->pos < 10)
		return MESSAGE_BAD;
	fixed = r->message + r->pos;
	rr.owner = r->owner;
	rr.type = get_u16(fixed);
	rr.class_ = get_u16(fixed + 2);
	rr.ttl_s = get_u32(fixed + 4);
	rr.rdata_len = get_u16(fixed + 8);
	rr.rdata = fixed + 10;
	r->pos += 10;
	if (rr.rdata_len > r->len - r->pos)
		return MESSAGE_BAD;
	if (rr.ttl_s >> 31 && rr.type != TYPE_OPT)
		rr.ttl_s = 0; /* RFC 2181 8 */
	shape = shape_of(rr.type, rr.class_);
	if (shape) {
		size_t size = read_shaped(r, shape, r->pos + rr.rdata_len);

		if (size == 0)
			return MESSAGE_BAD;
		r->pos += rr.rdata_len;
		rr.rdata = r->rdata;
		rr.rdata_len = (uint16_t)size;
	} else {
		r->pos += rr.rdata_len;
	}
	r->left[section]--;
	*ret_rr = rr;
	*ret_section = (enum message_section)section;
	return MESSAGE_RR;
}
