/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * abi.h - what the XDP programs, the workers and the daemon all know.
 *
 * Every byte that crosses the kernel boundary or the lane is laid out here and
 * nowhere else.  BPF, worker, control, tests and fuzzers compile this same file.
 *
 * Rules: fixed-width __uXX only; padding is a named field and is zero; multi-byte
 * fields are host order unless the name ends in _be.  Maps are pinned under
 * /sys/fs/bpf/lane53/INSTANCE/v<LANE53_ABI_VERSION>/ by their name in BPF.
 */
#ifndef LANE53_ABI_H
#define LANE53_ABI_H

#include <linux/types.h>

#define LANE53_ABI_ASSERT(cond) _Static_assert(cond, #cond)

/* Bump on any layout change: it is part of the pin path, so versions never mix. */
#define LANE53_ABI_VERSION 2

/* ---- outcomes: how a frame's visit to an XDP program ended, counted once each ---- */

/* Order is ABI: append, never reorder. */
#define LANE53_OUTCOMES(X)                                                           \
	X(ANSWERED_LOCAL, "answered from the local-record table")                    \
	X(ANSWERED_CACHE, "answered from the cache table")                           \
	X(ANSWERED_TRUNCATED, "answered with TC=1: does not fit the client's limit") \
	X(TO_LANE, "sent down the lane to the worker")                               \
	X(FROM_LANE, "response from the worker sent to its client")                  \
	X(PASSED_NOT_DNS, "not a UDP frame to a DNS port: left to the stack")        \
	X(PASSED_NOT_OURS, "not addressed to a service of ours: left to the stack")  \
	X(PASSED_NO_WORKER, "no fresh heartbeat: left to the socket worker")         \
	X(PASSED_UNSUPPORTED, "a query XDP and lane do not take: left to the stack") \
	X(PASSED_DISABLED, "kill switch is set: left to the stack")                  \
	X(PASSED_NO_ROOM, "no room for the lane's tag: left to the stack")           \
	X(LANE_PROBE, "a probe's response left on the lane for the daemon")          \
	X(LANE_BAD_TAG, "frame on the lane without a valid tag: dropped")            \
	X(LANE_NO_INTERFACE, "response for an interface that is gone: dropped")      \
	X(EVENT_LOST, "event not delivered: ring full or rate limit reached")        \
	X(UPSTREAM_ASKED, "question of the worker sent straight to its upstream")    \
	X(UPSTREAM_ANSWERED, "an upstream's response sent down the lane")            \
	X(UPSTREAM_NO_NEIGHBOUR, "upstream's MAC not known: back to the worker")     \
	X(UPSTREAM_NO_WAY, "no route by an interface of ours: back to the worker")

enum lane53_outcome {
#define X(name, text) LANE53_##name,
	LANE53_OUTCOMES(X)
#undef X
		LANE53_OUTCOME_COUNT
};

/* ---- interfaces: where a frame came in ---- */

/* HASH `interfaces`; the entry with vlan 0 is the interface's own (untagged). */
struct lane53_iface_key {
	__u32 ifindex;
	__u16 vlan;       /* outer VLAN ID, 0 = untagged */
	__u16 vlan_inner; /* inner VLAN ID of a QinQ frame, 0 = none */
};

#define LANE53_IFACE_HIJACK 0x01 /* answer whatever the destination address and MAC */
#define LANE53_IFACE_SOURCES \
	0x02 /* `sources` may name another tenant by source prefix */

struct lane53_iface {
	__u8 mac[6]; /* frames to another MAC are left to the stack, unless HIJACK */
	__u8 flags;  /* LANE53_IFACE_* */
	__u8 pad;
	__u32 tenant; /* 0 = the default tenant */
	__u32 view;   /* only with HIJACK: the view that answers */
};

/* LPM_TRIE `sources`: source prefix on one interface and VLAN -> tenant. */
struct lane53_source_key {
	__u32 prefix_len; /* bits of what follows: 64 for `in` + prefix (v4: + 96) */
	struct lane53_iface_key in;
	__u8 addr[16]; /* IPv4 as ::ffff:a.b.c.d */
};

#define LANE53_SOURCE_BITS 64 /* of prefix_len: before the prefix itself */

struct lane53_source {
	__u32 tenant;
};

/* HASH `services`: an address and port that we answer for. */
struct lane53_service_key {
	__u8 addr[16]; /* IPv4 as ::ffff:a.b.c.d */
	__u32 tenant;
	__u16 port_be;
	__u16 pad;
};

struct lane53_service {
	__u32 view;
};

/* ---- tables: answers, open-addressed in BPF_F_MMAPABLE arrays ---- */

/*
 * The key of an answer is 128 bits of keyed hash (hash.h) over
 *   lower-cased QNAME, QTYPE, view, LANE53_KEY_* flags.
 * Collision bound: NH-Toeplitz over 32-bit words, two lanes: two given different
 * keys collide with probability <= 2^-64 over the secret drawn at each boot.
 */
#define LANE53_KEY_DO 0x1 /* `cache` only; `local` is published with flags 0 */
#define LANE53_KEY_CD 0x2 /* likewise */

/* u32 words of secret: 64 for a name, 4 for the rest of the key, 2 for the shift. */
#define LANE53_SECRET_WORDS 72

/*
 * Hopscotch neighbourhood: an entry lives in its home slot or one of the next 7.
 * 8 is one byte of `hop`; the home slot's `hop` says which neighbours to look at, so a
 * miss costs one cache line.  The last 7 slots of a table are nobody's home: nothing
 * wraps, and any number of slots from LANE53_SLOTS_MIN will do.
 */
#define LANE53_HOP_RANGE 8
#define LANE53_SLOTS_MIN 16

#define LANE53_INLINE_BYTES 28 /* one AAAA RR with a compressed owner */

#define LANE53_SLOT_USED  0x0001
#define LANE53_SLOT_AA    0x0002
#define LANE53_SLOT_AD    0x0004 /* shown only to a query with DO or AD */
#define LANE53_SLOT_RA    0x0008
#define LANE53_SLOT_AGE   0x0010 /* TTLs count down from stored_s */
#define LANE53_SLOT_RR    0x0020 /* inline: exactly one RR, owner C00C, TTL at byte 6 */
#define LANE53_SLOT_SMALL 0x0040 /* answer is in the `*_small` array */
#define LANE53_SLOT_LARGE 0x0080 /* answer is in the `*_large` array */
#define LANE53_SLOT_LOG   0x0100 /* an event per answer, for `log` */
#define LANE53_SLOT_NEEDS_RD \
	0x0200 /* never shown to a query with RD=0 (forwarded names) */
#define LANE53_SLOT_NO_DO \
	0x0400 /* a query with DO takes the lane: a signed zone says more to it */
#define LANE53_SLOT_RCODE(flags) ((flags) >> 12) /* top 4 bits */
#define LANE53_SLOT_RCODE_SHIFT  12

/*
 * One cache line.  One writer (`local`: lane53d, `cache`: the DPDK worker); readers
 * re-check `seq` after the copy and take the lane on a mismatch.
 */
struct lane53_slot {
	__u32 seq;      /* odd while being written */
	__u32 stored_s; /* CLOCK_MONOTONIC, when the TTLs were right */
	__u64 hash[2];
	__u32 expires_s; /* CLOCK_MONOTONIC; no answer from then on; UINT32_MAX = never */
	__u8 len;        /* inline: bytes in answer[]; blob: 0 */
	__u8 hop;    /* belongs to the bucket, not the entry: bit i = slot i after this
		   * one holds an entry whose home is here */
	__u16 flags; /* LANE53_SLOT_* */
	__u16 csum;  /* ones' complement sum of the answer bytes, folded, not inverted;
		     * as bpf_csum_diff() sums: 16-bit words in memory order, a zero
		     * byte after an odd length */
	__u8 label;  /* row of `series`, < LANE53_LABEL_MAX */
	__u8 directive; /* enum lane53_directive */
	union {
		__u8 answer[LANE53_INLINE_BYTES];
		__u32 blob; /* index into `*_small` or `*_large` */
	};
};

#define LANE53_NEVER_EXPIRES 0xffffffffu

/*
 * What does not fit a slot.  `bytes` is everything after the Question section and
 * before the OPT, wire format, compression pointers included: they stay valid because
 * the QNAME has the same length and place in every query for it.
 *
 * A blob is written before the slot that names it and is reused only after it has
 * passed through the whole free list, so a reader's seq check covers it too.
 */
#define LANE53_BLOB_TTLS 16 /* more TTLs to age than this: not published */

struct lane53_blob_head {
	__u16 len;
	__u8 ancount;
	__u8 nscount;
	__u16 ttl_count;
	__u16 pad;
	__u16 ttl_off[LANE53_BLOB_TTLS]; /* offsets of TTL fields within bytes[] */
};

#define LANE53_SMALL_BYTES 216  /* CNAME chains, a handful of addresses, most SOAs */
#define LANE53_LARGE_BYTES 1240 /* all that a 1232-byte response can carry */

struct lane53_small {
	struct lane53_blob_head head;
	__u8 bytes[LANE53_SMALL_BYTES];
};

struct lane53_large {
	struct lane53_blob_head head;
	__u8 bytes[LANE53_LARGE_BYTES];
};

/*
 * ARRAY `cache_names`, one per slot of `cache`; XDP never reads it.  It is how a
 * restarted worker and `cache flush NAME` know what the hashes stand for.
 */
#define LANE53_CACHED_NAME_BYTES 116 /* longer names are not published */

struct lane53_cached_name {
	__u32 view;
	__u16 qtype;
	__u8 key_flags;                      /* LANE53_KEY_* */
	__u8 name_len;                       /* 0 = slot unused */
	__u8 name[LANE53_CACHED_NAME_BYTES]; /* wire format, lower case */
	__u32 pad;
};

/* ---- settings: ARRAY of one, mmapable ---- */

/*
 * A heartbeat older than this and the lane is closed.  The worker writes it at least
 * every 100 ms; five missed beats are a stuck worker, and a client retry is 1 s.
 */
#define LANE53_HEARTBEAT_MAX_AGE_NS 500000000ull

/*
 * settings.event_limit of a new instance.  An event is 344 bytes in a ring of 256 KiB, so
 * the daemon has to come by every 38 ms at this rate; what is lost is counted.
 */
#define LANE53_EVENT_LIMIT 20000

/* settings.enabled: with anything but ON everything is left to the stack. */
#define LANE53_XDP_OFF     0 /* kill switch: until somebody turns it on */
#define LANE53_XDP_ON      1
#define LANE53_XDP_LEAVING 2 /* being taken away; a lane53d that starts turns it on */

struct lane53_settings {
	/* written by lane53d, read by XDP; `enabled` also by `lane53ctl xdp` itself */
	__u8 enabled; /* LANE53_XDP_* */
	/* Events may come: take the time at the entry, which costs every frame a clock. */
	__u8 event_timed;
	__u8 pad[2];
	__u16 udp_limit; /* largest response over UDP; 512..4096 */
	/*
	 * First of the LANE53_ASKED_COUNT local ports of the fast upstream path; 0 = it is
	 * not in use.  The one field of these that the DPDK worker writes, when it starts.
	 */
	__u16 upstream_port;
	__u32 event_sample; /* 0 = off; else every Nth answer is an event */
	__u32 event_limit; /* events per second and CPU at the most; half for samples */
	__u32 secret[LANE53_SECRET_WORDS]; /* drawn once, when the map is made */
	__u8 lane_mac_a[6];                /* MAC of lane53a */
	__u8 lane_mac_b[6];                /* MAC of lane53b */
	/*
	 * Bumped after each change of interfaces, sources or services: XDP remembers per
	 * CPU which view answers a client, as long as this stays the same.
	 */
	__u32 address_generation;
	/* written by the DPDK worker (and cleared by lane53d at its death), read by XDP */
	__u64 heartbeat_ns __attribute__((aligned(64))); /* CLOCK_MONOTONIC_COARSE */
	__u32 lanes; /* that the DPDK worker serves, from the first on; 0 = 1 */
	__u32 pad2;
	__u64 pad3[6];
};

/* ---- lanes ---- */

/*
 * A lane per thread of the DPDK worker: `lane` has their ends in order, and a name's
 * questions all go down the same one (lane_of_name() in hash.h).  One per CPU is the most
 * that helps, and 16 threads answer more misses than any upstream.
 */
#define LANE53_LANES_MAX 16

/* The ends of lane number 1 and on: name of the first lane's end, number. */
#define LANE53_LANE_FORMAT "%s-%u"

/* ---- asked: what the DPDK worker asked upstreams by the lane ---- */

/*
 * Local ports of the fast upstream path, one question each at a time: 12 bits of port and
 * 16 of message ID to guess.  4,096 fit between Linux's ephemeral ports (to 60,999) and
 * the end; a question more goes by a socket.
 */
#define LANE53_ASKED_COUNT 4096
#define LANE53_ASKED_PORT  61440 /* unless ip_local_port_range reaches it */

/*
 * ARRAY `asked`, mmapable, by local port - settings.upstream_port.  Written by the DPDK
 * worker, read by XDP: a frame that is the answer to an open entry goes down the lane,
 * everything else with such a port goes on to the stack.
 *
 * The fields are written while `open` is 0.  XDP may still see a mixture of two
 * questions: the worker checks every response again.
 */
struct lane53_asked {
	__u8 remote[16]; /* the upstream; IPv4 as ::ffff:a.b.c.d */
	__u32 ifindex;   /* where the response has to come in; 0 = anywhere */
	__u16 remote_port_be;
	__u16 id_be; /* of the DNS message */
	__u32 open;
	__u32 pad;
};

/* Ports are dealt out to lanes in order: entry @idx is of this lane of @lanes. */
static inline __u32 lane53_asked_lane(__u32 idx, __u32 lanes)
{
	return idx * lanes / LANE53_ASKED_COUNT;
}

/* ---- who answered ---- */

/*
 * The directive that an answer comes from: `plugin` in metrics.  Order is ABI: append.
 * NONE: nobody had an answer, so REFUSED or SERVFAIL; RECORD: `lane53ctl record set`.
 */
#define LANE53_DIRECTIVES(X)  \
	X(NONE, "")           \
	X(RECORD, "record")   \
	X(HOSTS, "hosts")     \
	X(FILE, "file")       \
	X(AUTO, "auto")       \
	X(CACHE, "cache")     \
	X(FORWARD, "forward") \
	X(FANOUT, "fanout")   \
	X(WHOAMI, "whoami")   \
	X(CHAOS, "chaos")

enum lane53_directive {
#define X(name, text) LANE53_BY_##name,
	LANE53_DIRECTIVES(X)
#undef X
		LANE53_DIRECTIVE_COUNT
};

/* Rows have room for more, and a power of two is a mask to the verifier. */
#define LANE53_DIRECTIVE_MAX 16

/* ---- series: what XDP answered, by metric label ---- */

/*
 * PERCPU_ARRAY `series`: one row per label.  Labels (server, zone, view) are numbered by
 * the daemon, kept in the zone store, and never reused; 0 is "other".
 */
#define LANE53_LABEL_MAX    64
#define LANE53_TYPE_CLASSES 32

/* Nothing else is published. */
enum lane53_result {
	LANE53_RESULT_NOERROR,
	LANE53_RESULT_NXDOMAIN,
	LANE53_RESULT_NODATA, /* NOERROR, with no answer but an SOA (RFC 2308 2.2) */
	LANE53_RESULT_COUNT
};
#define LANE53_RESULT_MAX 4 /* a mask, again */

/* Types with a name of their own in metrics, CoreDNS's; order is ABI. 0 = other. */
#define LANE53_TYPES(X) \
	X(A, 1)         \
	X(NS, 2)        \
	X(CNAME, 5)     \
	X(SOA, 6)       \
	X(PTR, 12)      \
	X(MX, 15)       \
	X(TXT, 16)      \
	X(AAAA, 28)     \
	X(SRV, 33)      \
	X(DS, 43)       \
	X(DNSKEY, 48)   \
	X(SVCB, 64)     \
	X(HTTPS, 65)    \
	X(RRSIG, 46)    \
	X(NSEC, 47)     \
	X(NSEC3, 50)    \
	X(IXFR, 251)    \
	X(AXFR, 252)    \
	X(ANY, 255)

static inline __u32 lane53_type_class(__u16 qtype)
{
	__u32 i = 1;
#define X(name, value)        \
	if (qtype == (value)) \
		return i;     \
	i++;
	LANE53_TYPES(X)
#undef X
	return 0;
}

/* Message size buckets, CoreDNS's: upper bounds 0 100 200 300 400 511 1023 2047 (+Inf). */
#define LANE53_SIZE_BUCKETS 8

/* Counters only, 64 bits each: 32 wrap after 72 minutes of a million answers a second. */
struct lane53_series {
	__u64 do_count;
	__u64 request_bytes;
	__u64 response_bytes;
	__u64 truncated;
	/* not cumulative; index = lane53_size_bucket() */
	__u64 request_bucket[LANE53_SIZE_BUCKETS];
	__u64 response_bucket[LANE53_SIZE_BUCKETS];
	__u64 requests[2 /* IPv4, IPv6 */][LANE53_TYPE_CLASSES];
	__u64 responses[LANE53_DIRECTIVE_MAX][LANE53_RESULT_MAX];
};

static inline __u32 lane53_size_bucket(__u32 bytes)
{
	return bytes <= 100    ? 1
	       : bytes <= 200  ? 2
	       : bytes <= 300  ? 3
	       : bytes <= 400  ? 4
	       : bytes <= 511  ? 5
	       : bytes <= 1023 ? 6
			       : 7;
}

/* ---- lane: what travels between the client's interface and the worker ---- */

#define LANE53_ETHERTYPE 0x88B5 /* IEEE 802 local experimental 1 */
#define LANE53_TAG_MAGIC 0x4C35 /* "L5" */

#define LANE53_TAG_PROBE 0x01 /* the daemon's own: the response stays on lane53a */
#define LANE53_TAG_IPV6  0x02
/*
 * On the way in: a response from an upstream.  On the way out: a question to one; its MAC
 * addresses are zero, XDP looks up the route and writes them.
 */
#define LANE53_TAG_UPSTREAM 0x04
#define LANE53_TAG_RETURNED 0x08 /* a question that XDP knows no way for, as it was */

/*
 * A frame on the lane is
 *   Ethernet header (lane MACs, LANE53_ETHERTYPE) | tag | the client's frame, whole.
 * A response carries the tag it came with, and a frame ready for the client.
 * 14 + 34 = 48 bytes are pushed, so what follows keeps its alignment.
 */
struct lane53_tag {
	__u16 magic_be;
	__u8 version;       /* LANE53_ABI_VERSION */
	__u8 flags;         /* LANE53_TAG_* */
	__u8 ifindex_be[4]; /* bytes: the tag is not 4-aligned in a frame */
	__u8 view_be[4];
	__u8 tenant_be[4];
	/* parse result, offsets from the start of the client's frame */
	__u16 l3_off_be;
	__u16 l4_off_be;
	__u16 dns_off_be;
	__u16 dns_len_be;
	__u8 pad[10];
};

#define LANE53_LANE_PUSH 48
#define LANE53_LANE_MTU  1600 /* 1,500 loses 1,472-byte questions silently (measured) */

/* ---- events: sampled or logged answers ---- */

#define LANE53_EVENT_LOGGED  0x01 /* `log` wants it */
#define LANE53_EVENT_SAMPLED 0x02 /* by settings.event_sample */

struct lane53_event {
	__u64 time_ns;     /* CLOCK_REALTIME from a worker, CLOCK_MONOTONIC from XDP */
	__u64 duration_ns; /* from XDP: in the program; 0 = not taken (event_timed) */
	__u32 view;
	__u32 ifindex;
	__u16 label;
	__u16 id_be;
	__u8 remote[16]; /* IPv4 as ::ffff:a.b.c.d */
	__u8 local[16];
	__u16 remote_port_be;
	__u16 local_port_be;
	__u16 qtype;
	__u16 qclass;
	__u16 request_bytes;
	__u16 response_bytes;
	__u16 edns_bytes;     /* requestor's UDP payload size; 0 = no OPT */
	__u16 response_flags; /* DNS header flags word, host order, rcode included */
	__u8 outcome;         /* enum lane53_outcome; LANE53_FROM_LANE from a worker */
	__u8 proto;           /* 17 or 6 */
	__u8 edns_do;
	__u8 qname_len;
	__u8 opcode;
	__u8 nodata; /* 1 = NODATA with its SOA: a denial for `log` */
	__u8 why;    /* LANE53_EVENT_*; from XDP only */
	__u8 pad[5];
	__u8 qname[256]; /* wire format, as asked; only qname_len bytes count */
};

/* Why a worker could not answer: what `errors` says. */
#define LANE53_CAUSES(X)                                                             \
	X(NONE, "")                                                                  \
	X(NOT_FOUND, "no next plugin found")                                         \
	X(HOSTS, "hosts has no such name, and no fallthrough")                       \
	X(ZONE, "the zone has not been read")                                        \
	X(RECORDS, "the records at hand do not make an answer")                      \
	X(CHAIN, "too many aliases in a row")                                        \
	X(ALIAS, "what the alias leads to is not to be had")                         \
	X(STORE, "the zone store cannot be read")                                    \
	X(BUSY, "too many queries wait for upstreams")                               \
	X(LIMIT, "concurrent queries exceeded maximum") /* number: max_concurrent */ \
	X(NO_UPSTREAM, "no healthy proxies")                                         \
	X(IO, "input or output with the upstream failed") /* number: errno */        \
	X(MALFORMED, "malformed response")                                           \
	X(MISMATCHED, "response to another question")                                \
	X(SERVFAIL, "the upstream's response is SERVFAIL")

enum lane53_cause {
#define X(name, text) LANE53_CAUSE_##name,
	LANE53_CAUSES(X)
#undef X
};

#define LANE53_FAILURE_ALL_DOWN 0x01 /* all upstreams were, and one was tried */

struct lane53_failure {
	__u8 upstream[16]; /* IPv4 as ::ffff:a.b.c.d; all zero: none was asked */
	__u16 port;
	__u8 proto; /* 17 or 6 */
	__u8 cause; /* enum lane53_cause */
	__u32 number;
	__u8 flags; /* LANE53_FAILURE_* */
	__u8 pad[7];
};

/* The datagram a worker sends to the daemon's `events.sock`. */
struct lane53_report {
	struct lane53_event event;
	struct lane53_failure
		failure; /* all zero: it went well, or is not told again */
};

LANE53_ABI_ASSERT(sizeof(struct lane53_iface_key) == 8);
LANE53_ABI_ASSERT(sizeof(struct lane53_iface) == 16);
LANE53_ABI_ASSERT(sizeof(struct lane53_source_key) == 28);
LANE53_ABI_ASSERT(sizeof(struct lane53_service_key) == 24);
LANE53_ABI_ASSERT(sizeof(struct lane53_slot) == 64);
LANE53_ABI_ASSERT(__builtin_offsetof(struct lane53_slot, answer) == 36);
LANE53_ABI_ASSERT(sizeof(struct lane53_blob_head) == 40);
LANE53_ABI_ASSERT(sizeof(struct lane53_small) == 256);
LANE53_ABI_ASSERT(sizeof(struct lane53_large) == 1280);
LANE53_ABI_ASSERT(sizeof(struct lane53_cached_name) == 128);
LANE53_ABI_ASSERT(__builtin_offsetof(struct lane53_settings, heartbeat_ns) % 64 == 0);
LANE53_ABI_ASSERT(sizeof(struct lane53_asked) == 32);
LANE53_ABI_ASSERT(sizeof(struct lane53_series) == 1184);
LANE53_ABI_ASSERT(LANE53_LABEL_MAX <= 256); /* lane53_slot.label */
LANE53_ABI_ASSERT(sizeof(struct lane53_tag) == 34);
LANE53_ABI_ASSERT(sizeof(struct lane53_event) == 344);
LANE53_ABI_ASSERT(sizeof(struct lane53_report) == 376);

#endif
