/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rig.h - the real programs, loaded and run as functions: frame in, frame and outcome out.
 *
 * A rig lives in a network namespace of its own with one veth pair; nothing is attached
 * or pinned, and all of it is gone with the process.
 */
#ifndef LANE53_TESTS_RIG_H
#define LANE53_TESTS_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lane53/abi.h"
#include "packet.h"

struct lane53_bpf;

#define RIG_IFACE     "l53t0"
#define RIG_PEER      "l53t1"
#define RIG_VIEW      1 /* of the preset services */
#define RIG_LABEL     3
#define RIG_DIRECTIVE LANE53_BY_AUTO

struct rig {
	struct lane53_bpf *skel;
	int ifindex; /* RIG_IFACE: what frames come in by */
	int peer_ifindex;
	struct lane53_settings *settings;
	struct rig_table {
		struct lane53_slot *slots;
		struct lane53_small *small;
		struct lane53_large *large;
		uint32_t slot_count, small_count, large_count;
		uint32_t small_used, large_used;
	} local, cache;
};

/* What to size the tables to; 0 = 1024 slots, 64 blobs of each kind. */
struct rig_sizes {
	uint32_t local_slots, cache_slots;
};

/*
 * Load everything; the settings enabled, the heartbeat fresh, RIG_IFACE known with
 * packet_mac, and services for 192.0.2.53 and 2001:db8::53 at port 53.
 * Return: 0, or CHECK_SKIPPED after saying why.
 */
int rig_open(struct rig *rig, const struct rig_sizes *sizes);
void rig_close(struct rig *rig);

void rig_heartbeat(struct rig *rig);
uint32_t rig_now_s(void);

void rig_iface(struct rig *rig, const struct lane53_iface_key *key,
	       const struct lane53_iface *iface);
void rig_service(struct rig *rig, const char *addr, uint32_t tenant, uint16_t port,
		 uint32_t view);

/* An answer in a table.  Flags USED, SMALL and LARGE are the rig's own business. */
struct rig_entry {
	const char *qname;
	uint16_t qtype; /* A */
	uint32_t view;  /* RIG_VIEW */
	uint8_t key_flags;
	uint16_t slot_flags; /* LANE53_SLOT_* */
	uint16_t rcode;
	const uint8_t *bytes;
	size_t len;
	uint8_t ancount, nscount;
	uint16_t ttl_off[LANE53_BLOB_TTLS];
	uint16_t ttl_count;
	uint32_t stored_s, expires_s; /* 0 = now; 0 = never */
};

/* The slot it went to, in mapped memory. */
struct lane53_slot *rig_put(struct rig *rig, struct rig_table *table,
			    const struct rig_entry *entry);
/* NULL if the eight slots of its neighbourhood are taken; nothing is moved. */
struct lane53_slot *rig_try_put(struct rig *rig, struct rig_table *table,
				const struct rig_entry *entry);
void rig_clear(struct rig_table *table);

struct rig_run {
	uint32_t action;
	int outcome; /* the one that was counted, -1 if it was not exactly one */
	uint64_t events_lost;
	uint8_t bytes[4096];
	size_t len;
};

void rig_entry(struct rig *rig, const uint8_t *frame, size_t len, struct rig_run *ret);
void rig_return(struct rig *rig, const uint8_t *frame, size_t len, struct rig_run *ret);

const char *rig_outcome_name(int outcome);

#endif
