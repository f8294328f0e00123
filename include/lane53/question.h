/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * question.h - the one parser of DNS queries: XDP, workers, tests and fuzzers.
 *
 * Reads the header, the question and an optional OPT (RFC 1035 4.1, RFC 6891 6.1).
 * Every byte is checked against the end before it is read; every loop is bounded.  Free
 * of libc and of helpers, so the same text runs under the verifier and under ASan.
 *
 * What is read is told as offsets from the start of the message, never as pointers: an
 * offset means the same in a frame, in a copy and after the frame was moved.
 */
#ifndef LANE53_QUESTION_H
#define LANE53_QUESTION_H

#include <linux/types.h>
#include "lane53/wire.h"

#ifdef __bpf__
#define QUESTION_INLINE static inline __attribute__((always_inline))
#define QUESTION_ROLLED _Pragma("clang loop unroll(disable)")
/* verifier: a packet pointer's variable part must stay well below 64 KiB */
#define MESSAGE_OFF_MAX 0x3fff
/* verifier: each option is one more walk of the loop; who sends more takes the lane */
#define QUESTION_OPTIONS_MAX 4
#else
#define QUESTION_INLINE static inline
#define QUESTION_ROLLED
#define MESSAGE_OFF_MAX      0xffff
#define QUESTION_OPTIONS_MAX (0xffff / 4) /* all that a message can hold */
#endif

/*
 * verifier: keep @scalar a number.  Otherwise clang turns `start + off` in a loop into a
 * pointer that is advanced, whose fixed part differs in every turn: no state is pruned.
 */
#define QUESTION_OPAQUE(scalar) __asm__ volatile("" : "+r"(scalar))

struct cursor {
	const __u8 *pos;
	const __u8 *end;
};

/*
 * Take @len bytes, or return NULL and leave the cursor where it was.  @len is a small
 * constant at every call site, so the addition cannot wrap.
 */
QUESTION_INLINE const void *cursor_take(struct cursor *c, __u32 len)
{
	const __u8 *p = c->pos;

	if (p + len > c->end)
		return 0;
	c->pos = p + len;
	return p;
}

/* @len bytes at @off from where @c stands, or NULL. */
QUESTION_INLINE const __u8 *cursor_peek(const struct cursor *c, __u64 off, __u32 len)
{
	const __u8 *p;

	if (off > MESSAGE_OFF_MAX)
		return 0;
	p = c->pos + off;
	if (p + len > c->end)
		return 0;
	return p;
}

QUESTION_INLINE __u16 wire_u16(const __u8 *p)
{
	return (__u16)(p[0] << 8 | p[1]);
}

#define QNAME_OFF 12 /* the question follows the header */

/* What to do with it is the caller's policy; the usual rcode is given. */
enum question_status {
	QUESTION_OK,
	QUESTION_SHORT,    /* no whole header: no response is due */
	QUESTION_RESPONSE, /* QR=1: no response is due */
	QUESTION_OPCODE,   /* not QUERY: NOTIMP */
	QUESTION_COUNTS,   /* QDCOUNT is not 1: FORMERR */
	QUESTION_NAME,     /* question cut, QNAME too long or with a pointer: FORMERR */
	QUESTION_SECTIONS, /* other records than one OPT: see question_read_rest() */
	QUESTION_TSIG,     /* signed */
	QUESTION_EDNS,     /* OPT malformed or more than one: FORMERR */
	QUESTION_OPTIONS,  /* BPF only: more options than are walked here */
};

#define QUESTION_EDNS_DO 0x01
/* Options seen; who has to act on them looks again. */
#define QUESTION_EDNS_HAS_NSID   0x02
#define QUESTION_EDNS_HAS_ECS    0x04
#define QUESTION_EDNS_HAS_COOKIE 0x08
#define QUESTION_EDNS_HAS_OTHER  0x10

struct question_edns {
	__u8 present;
	__u8 version;
	__u8 flags; /* QUESTION_EDNS_* */
	__u8 pad;
	__u16 udp_payload_size; /* as sent: may be below 512 */
	__u16 options_off;      /* RDATA of the OPT, from the start of the message */
	__u16 options_len;
};

/*
 * Filled as far as @status tells: from OPCODE on the header fields, from SECTIONS on the
 * question, with OK (and OPTIONS: without the flags of options) all of it.
 * The QNAME is the qname_len bytes at QNAME_OFF, as sent; root label included.
 */
struct question {
	__u16 id_be;
	__u16 flags; /* host order */
	__u16 qdcount, ancount, nscount, arcount;
	__u16 qname_len;
	__u16 qtype, qclass;
	__u16 question_end; /* offset after QCLASS */
	__u16 end;          /* offset after what was read, the OPT if there is one */
	struct question_edns edns;
};

/* Bytes of the QNAME, or 0: cut, too long, or with a pointer (RFC 1035 3.1, 4.1.4). */
QUESTION_INLINE __u64 qname_span(const struct cursor *c)
{
	__u64 at = 0;

	QUESTION_ROLLED
	for (int labels = 0; labels < NAME_MAX_BYTES / 2 + 1; labels++) {
		const __u8 *p;
		__u64 len;

		/*
		 * verifier: the mask (nothing is above it) makes it forget the lower
		 * bound, which would rise in every turn and keep the 128 ways out of
		 * this loop from being seen as one.
		 */
		QUESTION_OPAQUE(at);
		at &= 0x1ff;
		if (at > NAME_MAX_BYTES - 1)
			return 0;
		p = cursor_peek(c, QNAME_OFF + at, 1);
		if (!p)
			return 0;
		len = *p;
		if (len == 0)
			return at + 1;
		if (len > LABEL_MAX_BYTES)
			return 0;
		at += len + 1;
	}
	return 0;
}

/* Walk the options of the OPT; each must fit (RFC 6891 6.1.2). */
QUESTION_INLINE enum question_status options_read(const struct cursor *c,
						  struct question_edns *edns)
{
	const __u64 room = edns->options_len;
	__u64 at = 0;

	QUESTION_ROLLED
	for (int i = 0; i <= QUESTION_OPTIONS_MAX; i++) {
		const __u8 *p;

		QUESTION_OPAQUE(at);
		at &= 0xffff; /* verifier: as in qname_span() */
		if (at == room)
			return QUESTION_OK;
		if (at + 4 > room)
			return QUESTION_EDNS;
		p = cursor_peek(c, edns->options_off + at, 4);
		if (!p)
			return QUESTION_EDNS;
		switch (wire_u16(p)) {
		case EDNS_NSID:
			edns->flags |= QUESTION_EDNS_HAS_NSID;
			break;
		case EDNS_ECS:
			edns->flags |= QUESTION_EDNS_HAS_ECS;
			break;
		case EDNS_COOKIE:
			edns->flags |= QUESTION_EDNS_HAS_COOKIE;
			break;
		default:
			edns->flags |= QUESTION_EDNS_HAS_OTHER;
		}
		at += 4 + (__u64)wire_u16(p + 2);
		if (at > room)
			return QUESTION_EDNS;
	}
	return QUESTION_OPTIONS;
}

/* The fixed part of an RR after its owner, at @off: type, class, TTL, RDLENGTH. */
#define RR_FIXED_BYTES 10

/* The OPT whose (root) owner is at @off: sets edns, end (RFC 6891 6.1.2, 6.1.3). */
QUESTION_INLINE enum question_status opt_read(const struct cursor *c, __u64 off,
					      struct question *out)
{
	const __u8 *p = cursor_peek(c, off, OPT_BYTES);
	__u64 end;

	if (!p)
		return QUESTION_EDNS;
	out->edns.present = 1;
	out->edns.udp_payload_size = wire_u16(p + 3);
	out->edns.version = p[6];
	out->edns.flags = p[7] & (EDNS_DO >> 8) ? QUESTION_EDNS_DO : 0;
	out->edns.options_off = (__u16)(off + OPT_BYTES);
	out->edns.options_len = wire_u16(p + 9);
	end = off + OPT_BYTES + out->edns.options_len;
	if (!cursor_peek(c, end, 0))
		return QUESTION_EDNS;
	out->end = (__u16)end;
	return options_read(c, &out->edns);
}

/* The one record of the Additional section: an OPT, or else not for us to judge. */
QUESTION_INLINE enum question_status additional_read(const struct cursor *c, __u64 off,
						     struct question *out)
{
	const __u8 *p = cursor_peek(c, off, 1 + RR_FIXED_BYTES);

	if (!p || p[0] != 0) /* cut, or an owner that is not the root: no OPT */
		return QUESTION_SECTIONS;
	switch (wire_u16(p + 1)) {
	case TYPE_OPT:
		return opt_read(c, off, out);
	case TYPE_TSIG:
		return QUESTION_TSIG;
	default:
		return QUESTION_SECTIONS;
	}
}

/*
 * Read the query that begins at c->pos.  The cursor stays where it is: offsets in @out
 * count from it.  What follows `end` is left to the caller (a length that does not match).
 */
QUESTION_INLINE enum question_status question_read(const struct cursor *c,
						   struct question *out)
{
	const __u8 *p = cursor_peek(c, 0, DNS_HEADER_BYTES);
	__u64 len, off;

	if (!p)
		return QUESTION_SHORT;
	*out = (struct question){
		.flags = wire_u16(p + 2),
		.qdcount = wire_u16(p + 4),
		.ancount = wire_u16(p + 6),
		.nscount = wire_u16(p + 8),
		.arcount = wire_u16(p + 10),
	};
	__builtin_memcpy(&out->id_be, p, sizeof(out->id_be));
	if (out->flags & FLAG_QR)
		return QUESTION_RESPONSE;
	if (FLAGS_OPCODE(out->flags) != OPCODE_QUERY)
		return QUESTION_OPCODE;
	if (out->qdcount != 1)
		return QUESTION_COUNTS;

	len = qname_span(c);
	if (!len)
		return QUESTION_NAME;
	QUESTION_OPAQUE(len);
	if (len > NAME_MAX_BYTES) /* verifier: says so again after the opaque point */
		return QUESTION_NAME;
	off = QNAME_OFF + len;
	p = cursor_peek(c, off, 4);
	if (!p)
		return QUESTION_NAME;
	out->qname_len = (__u16)len;
	out->qtype = wire_u16(p);
	out->qclass = wire_u16(p + 2);
	out->question_end = (__u16)(off + 4);
	out->end = (__u16)(off + 4);

	if (out->ancount || out->nscount || out->arcount > 1)
		return QUESTION_SECTIONS;
	if (!out->arcount)
		return QUESTION_OK;
	return additional_read(c, off + 4, out);
}

#ifndef __bpf__
/* Bytes of the owner name at @off, which may end in a pointer; 0 if it is bad. */
static inline __u64 owner_span(const struct cursor *c, __u64 off)
{
	const __u64 start = off;
	const __u8 *p;

	while ((p = cursor_peek(c, off, 1)) && *p && *p <= LABEL_MAX_BYTES &&
	       off - start < NAME_MAX_BYTES)
		off += (__u64)*p + 1;
	if (!p || off - start >= NAME_MAX_BYTES)
		return 0;
	if (*p == 0)
		return off + 1 - start;
	if ((*p & NAME_POINTER) != NAME_POINTER || !cursor_peek(c, off, 2))
		return 0;
	return off + 2 - start;
}

/*
 * After QUESTION_SECTIONS: walk all records of a query that carries more than one OPT,
 * as CoreDNS does for ANCOUNT <= 1, NSCOUNT <= 1 and ARCOUNT <= 2; the caller decides how
 * many are worth it.  Finds the OPT wherever it stands in the Additional section.
 * Return: QUESTION_OK, QUESTION_TSIG, QUESTION_EDNS (malformed, a second OPT, a record
 * cut short).
 */
static inline enum question_status question_read_rest(const struct cursor *c,
						      struct question *out)
{
	const unsigned before = (unsigned)out->ancount + out->nscount;
	enum question_status status = QUESTION_OK;
	__u64 off = out->question_end;

	for (unsigned i = 0; i < before + out->arcount; i++) {
		const __u64 owner = owner_span(c, off);
		const __u8 *p = cursor_peek(c, off + owner, RR_FIXED_BYTES);

		if (!owner || !p)
			return QUESTION_EDNS;
		if (wire_u16(p) == TYPE_TSIG)
			status = QUESTION_TSIG;
		if (i >= before && wire_u16(p) == TYPE_OPT &&
		    (owner != 1 || out->edns.present || opt_read(c, off, out)))
			return QUESTION_EDNS;
		off += owner + RR_FIXED_BYTES + wire_u16(p + 8);
		if (!cursor_peek(c, off, 0))
			return QUESTION_EDNS;
	}
	out->end = (__u16)off;
	return status;
}
#endif

#endif
