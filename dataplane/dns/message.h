/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * message.h - write the records of a response, and read those of an upstream's.
 *
 * The writer compresses names (RFC 1035 4.1.4) and remembers its first failure; the
 * reader is for hostile bytes: bounded, and it decompresses, so that what comes out of
 * it can be written again behind another question.
 *
 * Between the two an RR is always plain: names inside RDATA uncompressed.  Which types
 * have names inside is known for RFC 1035's, and those that RFC 3597 4 lists (SIG and
 * NXT, long obsolete, are opaque); all others are opaque bytes.
 */
#ifndef LANE53_MESSAGE_H
#define LANE53_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct message_rr {
	const uint8_t *owner; /* wire, uncompressed */
	uint16_t type;
	uint16_t class_;
	uint32_t
		ttl_s; /* of an OPT: its extended rcode, version and flags as they are */
	const uint8_t *rdata; /* names inside uncompressed */
	uint16_t rdata_len;
};

/* ---- writing ---- */

/*
 * Labels that later names may point at.  A message of ours has a handful of distinct
 * names; once the table is full, further names are only compressed less.
 */
#define MESSAGE_LABELS_MAX 128

struct message_writer {
	uint8_t *bytes; /* what stands behind the question */
	size_t room, len;
	bool overflow; /* did not fit, or bad RDATA; once set every write is a no-op */
	size_t base;   /* message offset of bytes[0] */
	const uint8_t *qname;
	unsigned label_count;
	struct message_label {
		uint16_t off;  /* in the message */
		uint16_t hash; /* of the name from here to the root, lower case */
	} labels[MESSAGE_LABELS_MAX];
};

/*
 * Begin to write what follows the question: @bytes[0] is the byte of the message behind
 * QTYPE and QCLASS of a question for @qname at offset 12.  Header and question need not
 * be there.  Names are compressed against @qname (an equal name becomes 0xC00C, whatever
 * its case).  @bytes and @qname are borrowed.
 */
void message_write_begin(struct message_writer *w, uint8_t *bytes, size_t room,
			 const uint8_t *qname);

void message_write_bytes(struct message_writer *w, const void *bytes, size_t len);
void message_write_u16(struct message_writer *w, uint16_t value);
void message_write_u32(struct message_writer *w, uint32_t value);
void message_write_name(struct message_writer *w, const uint8_t *name); /* compressed */

/*
 * Write one RR; names in the RDATA of NS, CNAME, SOA, PTR and MX are compressed, of no
 * other type (RFC 3597 4).
 * Return: the offset of its TTL within bytes; meaningless after an overflow.
 */
size_t message_write_rr(struct message_writer *w, const struct message_rr *rr);

/* ---- reading ---- */

enum message_section { SECTION_ANSWER, SECTION_AUTHORITY, SECTION_ADDITIONAL };

/* SOA's two names and 20 bytes; NAPTR: 4 bytes, three strings, a name. */
#define MESSAGE_RDATA_ROOM 1060

struct message_reader {
	const uint8_t *message;
	size_t len, pos;
	uint16_t id, flags; /* host order */
	uint16_t left[3];   /* RRs not read yet, by section */

	bool has_question;
	uint8_t qname[255];
	uint16_t qtype, qclass;

	uint8_t owner[255];                /* of the last RR */
	uint8_t rdata[MESSAGE_RDATA_ROOM]; /* of the last RR, if it has names inside */
};

/*
 * Read the header and the question of @message, which is borrowed.
 * Return: 0; -EBADMSG: no whole header, more than one question, a bad question.
 */
int message_read_begin(struct message_reader *r, const uint8_t *message, size_t len);

/* Is it the response to this question?  Names compare without case. */
bool message_answers(const struct message_reader *r, const uint8_t *qname,
		     uint16_t qtype, uint16_t qclass);

enum message_status { MESSAGE_RR, MESSAGE_END, MESSAGE_BAD };

/*
 * Read the next RR.  On MESSAGE_RR fills @ret_rr, borrowed until the next call and from
 * the message; a TTL with the top bit set is 0 (RFC 2181 8).
 * MESSAGE_END: all that the header counts are read (bytes may follow: ignored).
 * MESSAGE_BAD: a cut or malformed RR, a compression loop; the rest cannot be read.
 */
enum message_status message_read_rr(struct message_reader *r, struct message_rr *ret_rr,
				    enum message_section *ret_section);

/*
 * Read the possibly compressed name at *@pos of @message into @out and move *@pos
 * behind it.  Pointers go strictly backwards, and no more than labels can be are followed.
 * Return: wire length, or 0 (and *@pos is untouched) if there is no valid name.
 */
size_t message_read_name(uint8_t out[255], const uint8_t *message, size_t len,
			 size_t *pos);

#endif
