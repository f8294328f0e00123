/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * maps.bpf.h - the maps both programs share, and the knobs frozen at load.
 *
 * Layouts and meanings are in lane53/abi.h.  The loader sets the sizes of the tables
 * before load; the numbers here are those of an empty instance.
 */
#ifndef LANE53_MAPS_BPF_H
#define LANE53_MAPS_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "lane53/abi.h"

/* Slot counts.  Set by the loader. */
const volatile __u32 local_slots = LANE53_SLOTS_MIN;
const volatile __u32 cache_slots = LANE53_SLOTS_MIN;

/* A copy of settings.secret: constants to the verifier, and one lookup less. */
const volatile __u32 lane53_secret[LANE53_SECRET_WORDS] = { 0 };

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct lane53_iface_key);
	__type(value, struct lane53_iface);
} interfaces SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct lane53_source_key);
	__type(value, struct lane53_source);
} sources SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct lane53_service_key);
	__type(value, struct lane53_service);
} services SEC(".maps");

#define TABLE_ARRAY(name, element)                 \
	struct {                                   \
		__uint(type, BPF_MAP_TYPE_ARRAY);  \
		__uint(max_entries, 1);            \
		__uint(map_flags, BPF_F_MMAPABLE); \
		__type(key, __u32);                \
		__type(value, element);            \
	} name SEC(".maps")

TABLE_ARRAY(local, struct lane53_slot);
TABLE_ARRAY(local_small, struct lane53_small);
TABLE_ARRAY(local_large, struct lane53_large);
TABLE_ARRAY(cache, struct lane53_slot);
TABLE_ARRAY(cache_small, struct lane53_small);
TABLE_ARRAY(cache_large, struct lane53_large);
TABLE_ARRAY(cache_names, struct lane53_cached_name); /* for user space only */
TABLE_ARRAY(settings, struct lane53_settings);

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LANE53_ASKED_COUNT);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct lane53_asked);
} asked SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, LANE53_LANES_MAX);
	__type(key, __u32);
	__type(value, __u32); /* ifindex of lane53a, and of those of further lanes */
} lane SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, LANE53_OUTCOME_COUNT);
	__type(key, __u32);
	__type(value, __u64);
} outcomes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, LANE53_LABEL_MAX);
	__type(key, __u32);
	__type(value, struct lane53_series);
} series SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} events SEC(".maps");

/*
 * What one CPU needs beyond the stack, for the time of one frame; XDP programs of a CPU
 * do not interrupt each other.  Not pinned: private to a loaded program.
 */
#define SCRATCH_HEAD_BYTES 384 /* Ethernet to the end of the longest question: 341 */
#define SCRATCH_TAIL_BYTES 512 /* what follows the question in a query: OPT, options */

struct scratch {
	__u64 event_start_ns; /* at the entry, if settings.event_timed */
	__u64 event_second;   /* of the rate limit */
	__u32 event_count;    /* in that second */
	__u32 event_why;      /* LANE53_EVENT_* of the answer in hand */
	__u32 sampled;        /* answers since the last sampled event */
	__u32 pad;
	__u8 head[SCRATCH_HEAD_BYTES];
	__u8 tail[SCRATCH_TAIL_BYTES];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch);
} scratch SEC(".maps");

/*
 * The view that answers a client, remembered: three look-ups in hash maps cost more than
 * all else of a hit.  Direct-mapped by addresses, one cache line each; not pinned.
 *
 * 256 x 64 bytes stay in the second-level cache beside what the driver needs.  Who
 * floods with made-up sources only makes each frame take the long way.
 */
#define KNOWN_COUNT 256

struct known {
	__u32 generation; /* settings.address_generation, read before the maps */
	__u32 view;
	struct lane53_iface_key in;
	__u8 from[16];
	struct lane53_service_key to; /* tenant included */
	__u8 mac[6];
	__u8 ipv6; /* ::ffff:a.b.c.d may be on the wire, too */
	__u8 used;
};
LANE53_ABI_ASSERT(sizeof(struct known) == 64);

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, KNOWN_COUNT);
	__type(key, __u32);
	__type(value, struct known);
} known SEC(".maps");

static __always_inline const struct lane53_settings *settings_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&settings, &zero);
}

static __always_inline struct scratch *scratch_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&scratch, &zero);
}

#endif
