/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * engine_kit.c - an engine in a box, for tests.
 */
#undef NDEBUG /* asserts here do work */
#include "engine_kit.h"
#include <assert.h>
#include <ldns/ldns.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "dns/name.h"
#include "io/port_memory.h"
#include "lane53/abi.h"
#include "lane53/wire.h"
#include "respond/engine.h"
#include "store/store.h"

static char text[KIT_TEXT];
static uint8_t last[65535];
static size_t last_len;

/* ---- records ---- */

struct set {
	uint32_t source;
	uint8_t owner[255];
	struct rrset set;
	uint8_t rdata[4096];
};

/* One line into (owner, type, ttl, RDATA in wire format). */
static void read_line(const char *line, uint8_t owner[255], uint16_t *type,
		      uint32_t *ttl_s, uint8_t *rdata, size_t *rdata_len)
{
	ldns_rr *rr = NULL;
	ldns_buffer *buffer = ldns_buffer_new(4096);
	size_t owner_len, end;

	if (ldns_rr_new_frm_str(&rr, line, 0, NULL, NULL) != LDNS_STATUS_OK) {
		fprintf(stderr, "bad record: %s\n", line);
		abort();
	}
	ldns_rr2buffer_wire(buffer, rr, LDNS_SECTION_ANSWER);
	memcpy(owner, ldns_buffer_begin(buffer), name_size(ldns_buffer_begin(buffer)));
	owner_len = name_size(owner);
	end = ldns_buffer_position(buffer);
	*type = (uint16_t)ldns_rr_get_type(rr);
	*ttl_s = ldns_rr_ttl(rr);
	*rdata_len = end - owner_len - 10;
	memcpy(rdata, ldns_buffer_begin(buffer) + owner_len + 10, *rdata_len);
	ldns_buffer_free(buffer);
	ldns_rr_free(rr);
}

static void add_to_set(struct set *sets, unsigned *count, uint32_t source,
		       const char *line)
{
	uint8_t owner[255], lower[255], rdata[2048];
	uint16_t type, len16;
	uint32_t ttl_s;
	size_t len;
	unsigned i = 0;

	read_line(line, owner, &type, &ttl_s, rdata, &len);
	name_lower(lower, owner);
	while (i < *count && (sets[i].source != source || sets[i].set.type != type ||
			      !name_equal(sets[i].owner, lower)))
		i++;
	if (i == *count) {
		assert(*count < 64);
		sets[(*count)++] = (struct set){ .source = source };
		memcpy(sets[i].owner, lower, name_size(lower));
		sets[i].set.type = type;
		sets[i].set.ttl_s = ttl_s;
	}
	len16 = (uint16_t)len;
	assert(sets[i].set.rdata_bytes + len + 2 <= sizeof(sets[i].rdata));
	memcpy(sets[i].rdata + sets[i].set.rdata_bytes, &len16, 2);
	memcpy(sets[i].rdata + sets[i].set.rdata_bytes + 2, rdata, len);
	sets[i].set.rdata_bytes += len + 2;
	sets[i].set.count++;
}

static void delete_line(struct store_write *write, const char *line)
{
	char owner[256], type[32];
	uint8_t wire[255];
	unsigned source;

	assert(sscanf(line, "-%u %255s %31s", &source, owner, type) == 3);
	assert(name_from_text(wire, owner));
	assert(store_delete(write, source, wire,
			    (uint16_t)ldns_get_rr_type_by_name(type)) >= 0);
}

void kit_commit(struct kit *kit, const char *const *records, const struct plan *plan)
{
	static struct set sets[64];
	struct store_write *write;
	unsigned count = 0;

	assert(store_write_begin(kit->store, &write) == 0);
	for (; records && *records; records++) {
		if (**records == '-')
			delete_line(write, *records);
		else
			add_to_set(sets, &count, (uint32_t)atoi(*records),
				   strchr(*records, ' ') + 1);
	}
	for (unsigned i = 0; i < count; i++) {
		sets[i].set.rdata = sets[i].rdata;
		assert(store_put(write, sets[i].source, sets[i].owner, &sets[i].set) ==
		       0);
	}
	if (plan) {
		char *json = plan_encode(plan);

		assert(json);
		assert(store_meta_put(write, PLAN_KEY, json, strlen(json)) == 0);
		free(json);
	}
	assert(store_write_commit(write) == 0);
}

/* ---- upstreams ---- */

static struct kit *kit_of(struct transport *transport)
{
	return (struct kit *)((char *)transport - offsetof(struct kit, transport));
}

static int kit_transport_ask(struct transport *transport, struct exchange *exchange,
			     const struct plan_upstream *upstream, bool tcp,
			     const uint8_t *query, size_t len, void **ret_handle)
{
	struct kit *kit = kit_of(transport);
	struct kit_sent *sent;

	if (kit->refuse_all)
		return -ENETUNREACH;
	assert(kit->sent_count < KIT_ASKS_MAX && len <= sizeof(sent->query));
	sent = &kit->sent[kit->sent_count++];
	*sent = (struct kit_sent){
		.exchange = exchange,
		.upstream = upstream,
		.tcp = tcp,
		.open = true,
		.at_ns = kit->now_ns,
		.len = len,
	};
	memcpy(sent->query, query, len);
	*ret_handle = sent;
	return 0;
}

static void kit_transport_cancel(struct transport *transport, void *handle)
{
	struct kit_sent *sent = handle;

	(void)transport;
	assert(sent->open); /* cancelled twice, or after it was reported */
	sent->open = false;
}

static const struct transport_ops kit_transport_ops = {
	.ask = kit_transport_ask,
	.cancel = kit_transport_cancel,
};

unsigned kit_open_count(const struct kit *kit)
{
	unsigned count = 0;

	for (unsigned i = 0; i < kit->sent_count; i++)
		count += kit->sent[i].open;
	return count;
}

struct kit_sent *kit_sent(struct kit *kit, int n)
{
	int i = n < 0 ? (int)kit->sent_count + n : n;

	assert(i >= 0 && i < (int)kit->sent_count);
	return &kit->sent[i];
}

/* ---- responses of upstreams ---- */

static uint16_t put_section(char *section, uint8_t **at)
{
	uint16_t count = 0;
	char *line, *state = NULL;

	for (line = section ? strtok_r(section, ";", &state) : NULL; line;
	     line = strtok_r(NULL, ";", &state)) {
		uint8_t rdata[2048], *p = *at;
		uint16_t type;
		uint32_t ttl_s;
		size_t len;

		while (*line == ' ')
			line++;
		if (!*line)
			continue;
		read_line(line, p, &type, &ttl_s, rdata, &len);
		p += name_size(p);
		*p++ = (uint8_t)(type >> 8);
		*p++ = (uint8_t)type;
		*p++ = 0;
		*p++ = CLASS_IN;
		*p++ = (uint8_t)(ttl_s >> 24);
		*p++ = (uint8_t)(ttl_s >> 16);
		*p++ = (uint8_t)(ttl_s >> 8);
		*p++ = (uint8_t)ttl_s;
		*p++ = (uint8_t)(len >> 8);
		*p++ = (uint8_t)len;
		memcpy(p, rdata, len);
		*at = p + len;
		count++;
	}
	return count;
}

size_t kit_response(const struct kit_sent *sent, const char *spec, uint8_t *out)
{
	char head[64] = "", copy[8192], *answer, *authority = NULL;
	size_t question = DNS_HEADER_BYTES + name_size(sent->query + 12) + 4;
	uint8_t *at = out + question;
	uint16_t count;
	ldns_lookup_table *rcode;

	snprintf(copy, sizeof(copy), "%s", spec);
	answer = strchr(copy, '|');
	if (answer) {
		*answer++ = 0;
		authority = strchr(answer, '|');
		if (authority)
			*authority++ = 0;
	}
	sscanf(copy, "%63s", head);
	rcode = ldns_lookup_by_name(ldns_rcodes, head);
	assert(rcode);
	memcpy(out, sent->query, question);
	out[2] = (uint8_t)(0x80 | (out[2] & 1) | (strstr(copy, " tc") ? 2 : 0));
	out[3] = (uint8_t)(0x80 | (strstr(copy, " ad") ? FLAG_AD : 0) | rcode->id);
	count = put_section(answer, &at);
	out[6] = (uint8_t)(count >> 8);
	out[7] = (uint8_t)count;
	out[9] = (uint8_t)put_section(authority, &at);
	out[11] = 0;
	if (!strstr(copy, "noedns")) {
		static const uint8_t opt[11] = { 0, 0, TYPE_OPT, 4, 0xd0 };

		memcpy(at, opt, sizeof(opt));
		at += sizeof(opt);
		out[11] = 1;
	}
	return (size_t)(at - out);
}

static void begin(struct kit *kit)
{
	assert(engine_batch_begin(kit->engine, kit->now_ns) == 0);
}

static void finish(struct kit *kit)
{
	kit->next_ns = engine_tick(kit->engine, kit->now_ns);
	engine_batch_end(kit->engine);
}

void kit_respond_raw(struct kit *kit, struct kit_sent *sent, const uint8_t *message,
		     size_t len)
{
	uint8_t *copy = malloc(len ? len : 1); /* exactly: ASan sees a read past it */

	assert(sent->open && copy);
	memcpy(copy, message, len);
	sent->open = false;
	begin(kit);
	engine_upstream_response(kit->engine, sent->exchange, copy, len);
	finish(kit);
	free(copy);
}

void kit_respond(struct kit *kit, struct kit_sent *sent, const char *spec)
{
	static uint8_t message[65535];

	kit_respond_raw(kit, sent, message, kit_response(sent, spec, message));
}

void kit_fail(struct kit *kit, struct kit_sent *sent, int error)
{
	assert(sent->open);
	sent->open = false;
	begin(kit);
	engine_upstream_failed(kit->engine, sent->exchange, error);
	finish(kit);
}

/* ---- opening ---- */

static void on_event(void *context, const struct lane53_report *report)
{
	struct kit *kit = context;

	kit->events++;
	*kit->event = report->event;
	*kit->failure = report->failure;
}

static void make_table(struct kit *kit)
{
	uint32_t *secret = calloc(LANE53_SECRET_WORDS, sizeof(*secret));

	for (unsigned i = 0; i < LANE53_SECRET_WORDS; i++)
		secret[i] = i * 2654435761u + 12345u;
	kit->arrays = (struct table_arrays){
		.slots = aligned_alloc(64, 1024 * sizeof(struct lane53_slot)),
		.slot_count = 1024,
		.small = calloc(256, sizeof(struct lane53_small)),
		.small_count = 256,
		.large = calloc(64, sizeof(struct lane53_large)),
		.large_count = 64,
		.names = calloc(1024, sizeof(struct lane53_cached_name)),
		.secret = secret,
	};
	memset(kit->arrays.slots, 0, 1024 * sizeof(struct lane53_slot));
	assert(table_open(&kit->table, &kit->arrays) == 0);
}

static void free_table(struct kit *kit)
{
	table_close(kit->table);
	free(kit->arrays.slots);
	free(kit->arrays.small);
	free(kit->arrays.large);
	free(kit->arrays.names);
	free((void *)kit->arrays.secret);
}

static void open_engine(struct kit *kit)
{
	struct engine_config config = {
		.store = kit->store,
		.transport = &kit->transport,
		.publish = kit->table,
		.stats = kit->stats,
		.siblings = kit->siblings,
		.on_event = on_event,
		.context = kit,
		.seed = 53,
		.max_waiting = 256,
	};

	assert(engine_open(&kit->engine, &config) == 0);
}

void kit_open(struct kit *kit, const char *const *records, const struct plan *plan,
	      bool publish)
{
	memset(kit, 0, sizeof(*kit));
	kit->transport.ops = &kit_transport_ops;
	kit->now_ns = 1000 * 1000000000ull;
	kit->client = (struct client){
		.remote = { [10] = 0xff, 0xff, 198, 51, 100, 7 },
		.local = { [10] = 0xff, 0xff, 127, 0, 0, 1 },
		.remote_port = 40000,
		.local_port = 53,
		.view = 1,
		.proto = CLIENT_UDP,
	};
	snprintf(kit->dir, sizeof(kit->dir), "/tmp/lane53-kit-XXXXXX");
	assert(mkdtemp(kit->dir));
	assert(store_open(&kit->store, kit->dir, STORE_READ_WRITE, 64 << 20) == 0);
	kit_commit(kit, records, plan);
	if (publish)
		make_table(kit);
	kit->stats = calloc(1, sizeof(*kit->stats));
	kit->event = calloc(1, sizeof(*kit->event));
	kit->failure = calloc(1, sizeof(*kit->failure));
	assert(kit->stats && kit->event && kit->failure &&
	       port_memory_open(&kit->port) == 0);
	open_engine(kit);
}

void kit_restart(struct kit *kit)
{
	engine_close(kit->engine);
	if (kit->table) {
		table_close(kit->table);
		assert(table_open(&kit->table, &kit->arrays) == 0);
	}
	open_engine(kit);
}

void kit_close(struct kit *kit)
{
	static const char *const files[] = { "data.mdb", "lock.mdb" };
	struct port_memory_count count;
	char path[128];

	port_memory_count(kit->port, &count);
	assert(count.out == 0 && count.received == count.sent + count.dropped);
	engine_close(kit->engine);
	assert(kit_open_count(kit) == 0); /* all cancelled */
	kit->port->ops->close(kit->port);
	if (kit->table)
		free_table(kit);
	free(kit->stats);
	free(kit->event);
	free(kit->failure);
	store_close(kit->store);
	for (unsigned i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s", kit->dir, files[i]);
		(void)unlink(path);
	}
	(void)rmdir(kit->dir);
}

/* ---- asking ---- */

static bool has(const char *options, const char *word)
{
	size_t len = strlen(word);
	const char *at = options;

	while (at && (at = strstr(at, word))) {
		if ((at == options || at[-1] == ' ') &&
		    (at[len] == 0 || at[len] == ' '))
			return true;
		at += len;
	}
	return false;
}

static unsigned number(const char *options, const char *word, unsigned otherwise)
{
	const char *at = options ? strstr(options, word) : NULL;

	return at ? (unsigned)atoi(at + strlen(word)) : otherwise;
}

size_t kit_query(struct kit *kit, uint8_t *out, const char *question,
		 const char *options)
{
	char name[1024], type[32] = "A";
	unsigned edns = number(options, "edns=", has(options, "do") ? 1232 : 0);
	uint8_t *at = out + DNS_HEADER_BYTES;
	uint16_t qtype;

	if (has(options, "edns1"))
		edns = 1232;
	assert(sscanf(question, "%1023s %31s", name, type) >= 1);
	qtype = (uint16_t)ldns_get_rr_type_by_name(type);
	memset(out, 0, DNS_HEADER_BYTES);
	kit->id++;
	out[0] = (uint8_t)(kit->id >> 8);
	out[1] = (uint8_t)kit->id;
	out[2] = has(options, "nord") ? 0 : FLAG_RD >> 8;
	out[3] = (uint8_t)((has(options, "ad") ? FLAG_AD : 0) |
			   (has(options, "cd") ? FLAG_CD : 0));
	out[5] = 1;
	out[11] = edns > 0;
	at += name_from_text(at, name);
	*at++ = (uint8_t)(qtype >> 8);
	*at++ = (uint8_t)qtype;
	*at++ = 0;
	*at++ = has(options, "ch")    ? CLASS_CH
		: has(options, "any") ? CLASS_ANY
				      : CLASS_IN;
	if (edns) {
		const uint8_t opt[11] = {
			0,
			0,
			TYPE_OPT,
			(uint8_t)(edns >> 8),
			(uint8_t)edns,
			0,
			has(options, "edns1"),
			has(options, "do") ? 0x80 : 0,
		};

		memcpy(at, opt, sizeof(opt));
		at += sizeof(opt);
	}
	return (size_t)(at - out);
}

static const char *show_next(struct kit *kit, const char *otherwise)
{
	struct client client;
	const uint8_t *bytes;

	if (!port_memory_take(kit->port, &client, &bytes, &last_len))
		return otherwise;
	memcpy(last, bytes, last_len);
	return kit_show(last, last_len);
}

const char *kit_ask_raw(struct kit *kit, const uint8_t *message, size_t len)
{
	enum verdict verdict = VERDICT_DROP;
	struct query query;

	assert(port_memory_ask(kit->port, &kit->client, message, len) == 0);
	begin(kit);
	assert(kit->port->ops->recv(kit->port, &query, 1) == 1);
	verdict = engine_query(kit->engine, kit->port, &query);
	if (verdict == VERDICT_SEND)
		kit->port->ops->send(kit->port, &query, 1);
	else
		kit->port->ops->drop(kit->port, &query, 1);
	finish(kit);
	if (verdict == VERDICT_SEND)
		return show_next(kit, "(lost)");
	return verdict == VERDICT_LATER ? "(later)" : "(none)";
}

const char *kit_ask(struct kit *kit, const char *question, const char *options)
{
	struct client before = kit->client;
	uint8_t message[600];
	size_t len = kit_query(kit, message, question, options);
	const char *answer;

	kit->client.view = number(options, "view=", kit->client.view);
	if (has(options, "tcp"))
		kit->client.proto = CLIENT_TCP;
	answer = kit_ask_raw(kit, message, len);
	kit->client = before;
	return answer;
}

const char *kit_later(struct kit *kit)
{
	return show_next(kit, "(none)");
}

const uint8_t *kit_bytes(size_t *ret_len)
{
	*ret_len = last_len;
	return last;
}

void kit_pass(struct kit *kit, unsigned ms)
{
	uint64_t end_ns = kit->now_ns + ms * 1000000ull;

	while (kit->next_ns <= end_ns) {
		if (kit->next_ns > kit->now_ns)
			kit->now_ns = kit->next_ns;
		begin(kit);
		finish(kit);
	}
	kit->now_ns = end_ns;
	begin(kit);
	finish(kit);
}

/* ---- showing ---- */

static char *put(char *at, const char *what)
{
	size_t len = strlen(what);

	assert(at + len < text + sizeof(text));
	memcpy(at, what, len + 1);
	return at + len;
}

static char *put_rrs(char *at, const char *head, const ldns_rr_list *list)
{
	for (size_t i = 0; i < ldns_rr_list_rr_count(list); i++) {
		char *line = ldns_rr2str(ldns_rr_list_rr(list, i)), *p;

		if (i == 0)
			at = put(at, head);
		else
			at = put(at, " ;");
		for (p = line; *p; p++)
			if (*p == '\t')
				*p = ' ';
			else if (*p == '\n')
				*p = 0;
		at = put(at, " ");
		at = put(at, line);
		free(line);
	}
	return at;
}

const char *kit_show(const uint8_t *message, size_t len)
{
	ldns_pkt *pkt = NULL;
	ldns_lookup_table *rcode;
	char *at = text;
	unsigned code;

	text[0] = 0;
	if (len == DNS_HEADER_BYTES) {
		rcode = ldns_lookup_by_id(ldns_rcodes, message[3] & 15);
		snprintf(text, sizeof(text), "%s header", rcode ? rcode->name : "?");
		return text;
	}
	if (ldns_wire2pkt(&pkt, message, len) != LDNS_STATUS_OK)
		return "(malformed)";
	code = ldns_pkt_get_rcode(pkt) | (unsigned)ldns_pkt_edns_extended_rcode(pkt)
						 << 4;
	rcode = ldns_lookup_by_id(ldns_rcodes, (int)code);
	at = code == 16 ? put(at, "BADVERS") : put(at, rcode ? rcode->name : "?");
	at = ldns_pkt_aa(pkt) ? put(at, " aa") : at;
	at = ldns_pkt_tc(pkt) ? put(at, " tc") : at;
	at = ldns_pkt_ra(pkt) ? put(at, " ra") : at;
	at = ldns_pkt_ad(pkt) ? put(at, " ad") : at;
	at = ldns_pkt_cd(pkt) ? put(at, " cd") : at;
	if (ldns_pkt_edns(pkt))
		at += sprintf(at, " opt=%u%s", ldns_pkt_edns_udp_size(pkt),
			      ldns_pkt_edns_do(pkt) ? " do" : "");
	at = put_rrs(at, " |", ldns_pkt_answer(pkt));
	at = put_rrs(at, " ns|", ldns_pkt_authority(pkt));
	at = put_rrs(at, " ar|", ldns_pkt_additional(pkt));
	ldns_pkt_free(pkt);
	return text;
}

/* ---- plans ---- */

struct plan_name kit_name(const char *name)
{
	struct plan_name ret;
	uint8_t wire[255];

	assert(name_from_text(wire, name));
	memset(&ret, 0, sizeof(ret));
	ret.len = (uint8_t)name_size(wire);
	name_lower(ret.wire, wire);
	return ret;
}

struct plan_names kit_names(struct kit_plan *kp, const char *zone)
{
	struct plan_names names = { NULL, 0 };

	if (!zone)
		return names;
	assert(kp->name_count < 64);
	names.at = &kp->names[kp->name_count++];
	*names.at = kit_name(zone);
	names.count = 1;
	return names;
}

void kit_plan_init(struct kit_plan *kp)
{
	memset(kp, 0, sizeof(*kp));
	kp->listener = (struct plan_listener){ .local = { .port = 53 }, .view = 1 };
	kp->view = (struct plan_view){ .id = 1, .name = "default", .blocks = kp->idx };
	kp->plan = (struct plan){
		.generation = 1,
		.udp_payload = 1232,
		.publish = true,
		.listeners = &kp->listener,
		.listener_count = 1,
		.views = &kp->view,
		.view_count = 1,
		.blocks = kp->blocks,
		.tcp_idle_ms = 10000,
		.tcp_connections = 100,
	};
}

struct plan_block *kit_block(struct kit_plan *kp, const char *zone)
{
	unsigned i = kp->plan.block_count++;

	assert(i < 8);
	kp->view.block_count = kp->plan.block_count;
	kp->idx[i] = i;
	kp->zones[i].name = kit_name(zone);
	kp->zones[i].label = (uint16_t)(i + 1);
	kp->blocks[i] = (struct plan_block){
		.server = "dns://:53",
		.zones = &kp->zones[i],
		.zone_count = 1,
		.steps = kp->steps[i],
	};
	return &kp->blocks[i];
}

static struct plan_block *last_block(struct kit_plan *kp)
{
	return &kp->blocks[kp->plan.block_count - 1];
}

struct plan_step *kit_step(struct kit_plan *kp, enum plan_step_kind kind,
			   uint32_t source, const char *zone)
{
	struct plan_block *block = last_block(kp);
	struct plan_step *step = &block->steps[block->step_count++];

	assert(block->step_count <= 6);
	*step = (struct plan_step){
		.kind = kind,
		.source = source,
		.zones = kit_names(kp, zone),
	};
	return step;
}

struct plan_forward *kit_forward(struct kit_plan *kp, enum plan_policy policy,
				 unsigned count)
{
	unsigned n = kp->plan.block_count - 1;
	struct plan_forward *forward = &kp->forwards[n];
	struct plan_step *step = kit_step(kp, STEP_FORWARD, 0, NULL);

	assert(count <= 8);
	last_block(kp)->recursion = true;
	step->forward = forward;
	*forward = (struct plan_forward){
		.policy = policy,
		.upstreams = kp->upstreams[n],
		.upstream_count = count,
		.max_fails = 2,
		.attempts = 2,
		.try_timeout_ms = 2000,
		.timeout_ms = 5000,
		.health_check_ms = 500,
		.health_check_rd = true,
		.health_check_name = kit_name("."),
	};
	for (unsigned i = 0; i < count; i++)
		forward->upstreams[i] = (struct plan_upstream){
			.remote = { .addr = { [10] = 0xff,
					      0xff,
					      192,
					      0,
					      2,
					      (uint8_t)(i + 1) },
				    .port = 53 },
			.proto = PLAN_UDP,
		};
	return forward;
}

void kit_cache(struct kit_plan *kp)
{
	last_block(kp)->cache = (struct plan_cache){
		.on = true,
		.success_capacity = 9984,
		.denial_capacity = 9984,
		.success_max_s = 3600,
		.success_min_s = 5,
		.denial_max_s = 1800,
		.denial_min_s = 5,
		.failure_s = 5,
	};
}
