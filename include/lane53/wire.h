/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * wire.h - the DNS message on the wire: header, flags, numbers.
 *
 * Free of libc, so that XDP and user space read the same definitions, and decide the
 * header of a response by the same function.  RFC 1035 4.1.1, RFC 6891, RFC 4035.
 */
#ifndef LANE53_WIRE_H
#define LANE53_WIRE_H

#include <linux/types.h>

struct dns_header {
	__u16 id_be;
	__u16 flags_be;
	__u16 qdcount_be;
	__u16 ancount_be;
	__u16 nscount_be;
	__u16 arcount_be;
};

/* The flags word, host order. */
#define FLAG_QR     0x8000
#define FLAG_OPCODE 0x7800
#define FLAG_AA     0x0400
#define FLAG_TC     0x0200
#define FLAG_RD     0x0100
#define FLAG_RA     0x0080
#define FLAG_Z      0x0040
#define FLAG_AD     0x0020
#define FLAG_CD     0x0010
#define FLAG_RCODE  0x000f

#define FLAGS_OPCODE(flags) (((flags)&FLAG_OPCODE) >> 11)
#define OPCODE_QUERY        0
#define OPCODE_NOTIFY       4

enum rcode {
	RCODE_NOERROR = 0,
	RCODE_FORMERR = 1,
	RCODE_SERVFAIL = 2,
	RCODE_NXDOMAIN = 3,
	RCODE_NOTIMP = 4,
	RCODE_REFUSED = 5,
	RCODE_YXDOMAIN = 6,
	RCODE_BADVERS = 16, /* extended: upper 8 bits live in the OPT */
};

#define TYPE_A      1
#define TYPE_NS     2
#define TYPE_CNAME  5
#define TYPE_SOA    6
#define TYPE_PTR    12
#define TYPE_HINFO  13
#define TYPE_MX     15
#define TYPE_TXT    16
#define TYPE_AAAA   28
#define TYPE_SRV    33
#define TYPE_DNAME  39
#define TYPE_OPT    41
#define TYPE_DS     43
#define TYPE_RRSIG  46
#define TYPE_NSEC   47
#define TYPE_DNSKEY 48
#define TYPE_NSEC3  50
#define TYPE_SVCB   64
#define TYPE_HTTPS  65
#define TYPE_TSIG   250
#define TYPE_IXFR   251
#define TYPE_AXFR   252
#define TYPE_ANY    255

#define CLASS_IN  1
#define CLASS_CH  3
#define CLASS_ANY 255

#define NAME_MAX_BYTES  255 /* RFC 1035 2.3.4, the root label included */
#define LABEL_MAX_BYTES 63
#define NAME_POINTER    0xC0   /* top bits of a compression pointer */
#define QNAME_POINTER   0xC00C /* points at the QNAME: offset 12 */

#define DNS_HEADER_BYTES 12
#define OPT_BYTES        11 /* of our own: root owner, no options */

#define EDNS_DO     0x8000 /* in the OPT's TTL, lower 16 bits */
#define EDNS_ECS    8
#define EDNS_NSID   3
#define EDNS_COOKIE 10

/*
 * Our own UDP payload size (DNS flag day 2020): a UDP/IPv6 message that no link of
 * minimum MTU fragments.
 */
#define LANE53_UDP_PAYLOAD 1232
#define DNS_UDP_MIN        512 /* without EDNS, RFC 1035 4.2.1 */

/* The limit for a response over UDP: @asked is the OPT's size, 0 without an OPT. */
static inline __u32 udp_limit(__u32 asked, __u32 configured)
{
	__u32 limit = asked < DNS_UDP_MIN ? DNS_UDP_MIN : asked;

	return limit < configured ? limit : configured;
}

/*
 * The flags word of a response to a query with flags word @query (host order).
 * @bits: FLAG_AA, FLAG_RA, FLAG_AD, FLAG_TC as the answer has them, and its rcode.
 * RD and CD are copied; AD is shown only if the query had DO (@dnssec_ok) or AD
 * (RFC 6840 5.7, 5.8); Z is cleared.
 */
static inline __u16 response_flags(__u16 query, __u16 bits, int dnssec_ok)
{
	if (!dnssec_ok && !(query & FLAG_AD))
		bits &= (__u16)~FLAG_AD;
	return (__u16)(FLAG_QR | (query & (FLAG_OPCODE | FLAG_RD | FLAG_CD)) | bits);
}

#endif
