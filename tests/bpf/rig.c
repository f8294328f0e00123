/* SPDX-License-Identifier: BSD-3-Clause */
/* rig.c - see rig.h. */
#include "rig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include "../check.h"
#include "dns/name.h"
#include "lane53.skel.h"
#include "lane53/hash.h"
#include "lane53/table.h"
#include "lane53/wire.h"

#define CPUS_MAX 1024

uint32_t rig_now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint32_t)now.tv_sec;
}

void rig_heartbeat(struct rig *rig)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	rig->settings->heartbeat_ns =
		(uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void rig_iface(struct rig *rig, const struct lane53_iface_key *key,
	       const struct lane53_iface *iface)
{
	(void)bpf_map__update_elem(rig->skel->maps.interfaces, key, sizeof(*key), iface,
				   sizeof(*iface), BPF_ANY);
	rig->settings->address_generation++;
}

void rig_service(struct rig *rig, const char *addr, uint32_t tenant, uint16_t port,
		 uint32_t view)
{
	struct lane53_service_key key = { .tenant = tenant };
	struct lane53_service service = { .view = view };

	packet_addr(key.addr, addr);
	packet_put_u16((uint8_t *)&key.port_be, port);
	(void)bpf_map__update_elem(rig->skel->maps.services, &key, sizeof(key),
				   &service, sizeof(service), BPF_ANY);
}

static void *map_memory(struct bpf_map *map)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t len = (size_t)bpf_map__value_size(map) * bpf_map__max_entries(map);
	void *p;

	len = (len + page - 1) / page * page;
	p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);
	return p == MAP_FAILED ? NULL : p;
}

#define BLOBS 64

static void size_tables(struct rig *rig, const struct rig_sizes *sizes)
{
	struct lane53_bpf *skel = rig->skel;

	rig->local = (struct rig_table){ .slot_count = 1024,
					 .small_count = BLOBS,
					 .large_count = BLOBS };
	rig->cache = rig->local;
	if (sizes && sizes->local_slots)
		rig->local.slot_count = sizes->local_slots;
	if (sizes && sizes->cache_slots)
		rig->cache.slot_count = sizes->cache_slots;
	bpf_map__set_max_entries(skel->maps.local, rig->local.slot_count);
	bpf_map__set_max_entries(skel->maps.local_small, BLOBS);
	bpf_map__set_max_entries(skel->maps.local_large, BLOBS);
	bpf_map__set_max_entries(skel->maps.cache, rig->cache.slot_count);
	bpf_map__set_max_entries(skel->maps.cache_small, BLOBS);
	bpf_map__set_max_entries(skel->maps.cache_large, BLOBS);
	skel->rodata->local_slots = rig->local.slot_count;
	skel->rodata->cache_slots = rig->cache.slot_count;
}

static int map_tables(struct rig *rig)
{
	struct lane53_bpf *skel = rig->skel;

	rig->settings = map_memory(skel->maps.settings);
	rig->local.slots = map_memory(skel->maps.local);
	rig->local.small = map_memory(skel->maps.local_small);
	rig->local.large = map_memory(skel->maps.local_large);
	rig->cache.slots = map_memory(skel->maps.cache);
	rig->cache.small = map_memory(skel->maps.cache_small);
	rig->cache.large = map_memory(skel->maps.cache_large);
	return rig->settings && rig->local.slots && rig->local.small &&
			       rig->local.large && rig->cache.slots &&
			       rig->cache.small && rig->cache.large
		       ? 0
		       : -ENOMEM;
}

static void preset(struct rig *rig, const uint32_t *secret)
{
	const struct lane53_iface_key key = { .ifindex = (uint32_t)rig->ifindex };
	struct lane53_iface iface = { .flags = 0 };
	uint32_t zero = 0, lane = (uint32_t)rig->peer_ifindex;

	memcpy(rig->settings->secret, secret, sizeof(rig->settings->secret));
	rig->settings->enabled = 1;
	rig->settings->udp_limit = 1232;
	rig->settings->event_limit = 1000000;
	memcpy(rig->settings->lane_mac_a, "\x02\x4c\x35\x0\x0\x0a", 6);
	memcpy(rig->settings->lane_mac_b, "\x02\x4c\x35\x0\x0\x0b", 6);
	rig_heartbeat(rig);
	memcpy(iface.mac, packet_mac, 6);
	rig_iface(rig, &key, &iface);
	rig_service(rig, "192.0.2.53", 0, 53, RIG_VIEW);
	rig_service(rig, "2001:db8::53", 0, 53, RIG_VIEW);
	(void)bpf_map__update_elem(rig->skel->maps.lane, &zero, sizeof(zero), &lane,
				   sizeof(lane), BPF_ANY);
}

int rig_open(struct rig *rig, const struct rig_sizes *sizes)
{
	uint32_t secret[LANE53_SECRET_WORDS];
	int r;

	memset(rig, 0, sizeof(*rig));
	if (geteuid() != 0)
		return check_skip("needs root");
	if (unshare(CLONE_NEWNET) ||
	    system("ip link add " RIG_IFACE " type veth peer name " RIG_PEER) != 0)
		return check_skip("cannot make a network namespace with a veth pair");
	rig->ifindex = (int)if_nametoindex(RIG_IFACE);
	rig->peer_ifindex = (int)if_nametoindex(RIG_PEER);
	rig->skel = lane53_bpf__open();
	if (!rig->skel)
		return check_skip("libbpf cannot open the skeleton");
	if (getrandom(secret, sizeof(secret), 0) != sizeof(secret))
		return check_skip("no random bytes");
	memcpy((void *)rig->skel->rodata->lane53_secret, secret, sizeof(secret));
	size_tables(rig, sizes);
	r = lane53_bpf__load(rig->skel);
	if (r == -EPERM)
		return check_skip("needs CAP_BPF and CAP_NET_ADMIN");
	if (r || map_tables(rig)) {
		printf("the programs do not load: %s\n", strerror(-r));
		return 1;
	}
	preset(rig, secret);
	return 0;
}

void rig_close(struct rig *rig)
{
	lane53_bpf__destroy(rig->skel);
}

/* ---- answers ---- */

static struct lane53_slot *slot_claim(struct rig_table *table, const __u64 hash[2])
{
	const uint32_t home = table_home(hash, table->slot_count);
	struct lane53_slot *slot;

	for (uint32_t i = 0; i < LANE53_HOP_RANGE; i++) {
		slot = &table->slots[home + i];
		if (slot->flags & LANE53_SLOT_USED && memcmp(slot->hash, hash, 16) != 0)
			continue;
		table->slots[home].hop |= (uint8_t)(1 << i);
		slot->hash[0] = hash[0];
		slot->hash[1] = hash[1];
		return slot;
	}
	return NULL;
}

static void put_blob(struct rig_table *table, struct lane53_slot *slot,
		     const struct rig_entry *e)
{
	const bool large = e->len > LANE53_SMALL_BYTES;
	struct lane53_blob_head head = { .len = (uint16_t)e->len,
					 .ancount = e->ancount,
					 .nscount = e->nscount,
					 .ttl_count = e->ttl_count };

	memcpy(head.ttl_off, e->ttl_off, sizeof(head.ttl_off));
	slot->len = 0;
	if (large) {
		slot->flags |= LANE53_SLOT_LARGE;
		slot->blob = table->large_used++ % table->large_count;
		table->large[slot->blob].head = head;
		memcpy(table->large[slot->blob].bytes, e->bytes, e->len);
	} else {
		slot->flags |= LANE53_SLOT_SMALL;
		slot->blob = table->small_used++ % table->small_count;
		table->small[slot->blob].head = head;
		memcpy(table->small[slot->blob].bytes, e->bytes, e->len);
	}
}

struct lane53_slot *rig_put(struct rig *rig, struct rig_table *table,
			    const struct rig_entry *e)
{
	struct lane53_slot *slot = rig_try_put(rig, table, e);

	if (!slot)
		abort(); /* a test that fills a neighbourhood has to know */
	return slot;
}

struct lane53_slot *rig_try_put(struct rig *rig, struct rig_table *table,
				const struct rig_entry *e)
{
	uint8_t name[255];
	const uint32_t len = (uint32_t)name_from_text(name, e->qname);
	const uint32_t *secret = rig->settings->secret;
	const struct key_hash key =
		key_hash(secret, name_lanes(secret, name, len), len,
			 e->qtype ? e->qtype : TYPE_A, e->view ? e->view : RIG_VIEW,
			 e->key_flags);
	struct lane53_slot *slot = slot_claim(table, key.hash);

	if (!slot)
		return NULL;
	slot->seq += 2;
	slot->stored_s = e->stored_s ? e->stored_s : rig_now_s();
	slot->expires_s = e->expires_s ? e->expires_s : LANE53_NEVER_EXPIRES;
	slot->flags = (uint16_t)(LANE53_SLOT_USED | e->slot_flags |
				 e->rcode << LANE53_SLOT_RCODE_SHIFT);
	slot->label = RIG_LABEL;
	slot->directive = RIG_DIRECTIVE;
	slot->csum = htons((uint16_t)packet_sum(e->bytes, e->len, 0));
	if (e->len > LANE53_INLINE_BYTES || e->nscount || e->ancount > 1) {
		put_blob(table, slot, e);
		return slot;
	}
	if (e->ancount)
		slot->flags |= LANE53_SLOT_RR;
	slot->len = (uint8_t)e->len;
	if (e->len)
		memcpy(slot->answer, e->bytes, e->len);
	return slot;
}

void rig_clear(struct rig_table *table)
{
	memset(table->slots, 0, sizeof(*table->slots) * table->slot_count);
}

/* ---- runs ---- */

static void outcomes_read(const struct rig *rig, uint64_t ret[LANE53_OUTCOME_COUNT])
{
	const int fd = bpf_map__fd(rig->skel->maps.outcomes);
	const int cpus = libbpf_num_possible_cpus();
	uint64_t per_cpu[CPUS_MAX];

	for (uint32_t i = 0; i < LANE53_OUTCOME_COUNT; i++) {
		ret[i] = 0;
		if (cpus > CPUS_MAX || bpf_map_lookup_elem(fd, &i, per_cpu))
			continue;
		for (int cpu = 0; cpu < cpus; cpu++)
			ret[i] += per_cpu[cpu];
	}
}

static void outcome_find(const uint64_t *before, const uint64_t *after,
			 struct rig_run *ret)
{
	unsigned counted = 0;

	ret->outcome = -1;
	for (int i = 0; i < LANE53_OUTCOME_COUNT; i++) {
		if (i == LANE53_EVENT_LOST)
			continue;
		counted += (unsigned)(after[i] - before[i]);
		if (after[i] != before[i])
			ret->outcome = i;
	}
	if (counted != 1)
		ret->outcome = -1;
	ret->events_lost = after[LANE53_EVENT_LOST] - before[LANE53_EVENT_LOST];
}

static void run(struct rig *rig, struct bpf_program *prog, const uint8_t *frame,
		size_t len, struct rig_run *ret)
{
	uint64_t before[LANE53_OUTCOME_COUNT], after[LANE53_OUTCOME_COUNT];
	struct xdp_md ctx = { .data_end = (uint32_t)len,
			      .ingress_ifindex = (uint32_t)rig->ifindex };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame,
		    .data_size_in = (uint32_t)len, .data_out = ret->bytes,
		    .data_size_out = sizeof(ret->bytes), .ctx_in = &ctx,
		    .ctx_size_in = sizeof(ctx), .repeat = 1);

	outcomes_read(rig, before);
	CU_ASSERT_EQUAL(bpf_prog_test_run_opts(bpf_program__fd(prog), &opts), 0);
	outcomes_read(rig, after);
	ret->action = opts.retval;
	ret->len = opts.data_size_out;
	outcome_find(before, after, ret);
}

void rig_entry(struct rig *rig, const uint8_t *frame, size_t len, struct rig_run *ret)
{
	run(rig, rig->skel->progs.lane53_entry, frame, len, ret);
}

void rig_return(struct rig *rig, const uint8_t *frame, size_t len, struct rig_run *ret)
{
	run(rig, rig->skel->progs.lane53_return, frame, len, ret);
}

const char *rig_outcome_name(int outcome)
{
	static const char *const names[] = {
#define X(name, text) [LANE53_##name] = #name,
		LANE53_OUTCOMES(X)
#undef X
	};

	return outcome < 0 || outcome >= LANE53_OUTCOME_COUNT ? "(not one)"
							      : names[outcome];
}
