/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * plan_json.c - a plan as JSON text and back.
 *
 * Names and addresses are hex strings of their bytes; every key is always written, so
 * a text that lacks one is not of this format.  Reading remembers its first failure
 * (struct reader) and goes on harmlessly; only the end is checked.
 */
#include "plan/plan.h"
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include "lane53/abi.h"

/* ---- writing ---- */

static json_t *hex_json(const uint8_t *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	char text[2 * 255 + 1];

	for (size_t i = 0; i < len; i++) {
		text[2 * i] = digits[bytes[i] >> 4];
		text[2 * i + 1] = digits[bytes[i] & 15];
	}
	return json_stringn(text, 2 * len);
}

static json_t *names_json(const struct plan_names *names)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < names->count; i++)
		if (json_array_append_new(
			    array, hex_json(names->at[i].wire, names->at[i].len)) < 0)
			goto err;
	return array;
err:
	json_decref(array);
	return NULL;
}

static json_t *listener_json(const struct plan_listener *listener)
{
	return json_pack("{so si sI sI}", "addr", hex_json(listener->local.addr, 16),
			 "port", (int)listener->local.port, "tenant",
			 (json_int_t)listener->tenant, "view",
			 (json_int_t)listener->view);
}

static json_t *scope_json(const struct plan_scope *scope)
{
	json_t *sources = json_array();

	for (unsigned i = 0; i < scope->source_count; i++) {
		const struct plan_source *source = &scope->sources[i];

		(void)json_array_append_new(
			sources,
			json_pack("{so si sI}", "addr", hex_json(source->addr, 16),
				  "bits", (int)source->bits, "tenant",
				  (json_int_t)source->tenant));
	}
	return json_pack("{sI sI so}", "tenant", (json_int_t)scope->tenant, "view",
			 (json_int_t)scope->view, "sources", sources);
}

static json_t *indices_json(const unsigned *at, unsigned count)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < count; i++)
		(void)json_array_append_new(array, json_integer(at[i]));
	return array;
}

static json_t *ingress_json(const struct plan_ingress *ingress)
{
	return json_pack("{sI so}", "ifindex", (json_int_t)ingress->ifindex, "scopes",
			 indices_json(ingress->scopes, ingress->scope_count));
}

static json_t *view_json(const struct plan_view *view)
{
	return json_pack("{sI ss sI si so}", "id", (json_int_t)view->id, "name",
			 view->name, "manual", (json_int_t)view->manual, "label",
			 (int)view->label, "blocks",
			 indices_json(view->blocks, view->block_count));
}

static json_t *zone_json(const struct plan_zone *zone)
{
	return json_pack("{so si}", "name", hex_json(zone->name.wire, zone->name.len),
			 "label", (int)zone->label);
}

static json_t *cache_json(const struct plan_cache *cache)
{
	return json_pack(
		"{sb so sI sI sI sI sI sI sI sb sb so so}", "on", cache->on, "zones",
		names_json(&cache->zones), "success_capacity",
		(json_int_t)cache->success_capacity, "denial_capacity",
		(json_int_t)cache->denial_capacity, "success_max_s",
		(json_int_t)cache->success_max_s, "success_min_s",
		(json_int_t)cache->success_min_s, "denial_max_s",
		(json_int_t)cache->denial_max_s, "denial_min_s",
		(json_int_t)cache->denial_min_s, "failure_s",
		(json_int_t)cache->failure_s, "disable_success", cache->disable_success,
		"disable_denial", cache->disable_denial, "disable_success_zones",
		names_json(&cache->disable_success_zones), "disable_denial_zones",
		names_json(&cache->disable_denial_zones));
}

static json_t *upstreams_json(const struct plan_forward *forward)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < forward->upstream_count; i++) {
		const struct plan_upstream *up = &forward->upstreams[i];

		(void)json_array_append_new(array,
					    json_pack("{so si si}", "addr",
						      hex_json(up->remote.addr, 16),
						      "port", (int)up->remote.port,
						      "proto", (int)up->proto));
	}
	return array;
}

static json_t *forward_json(const struct plan_forward *forward)
{
	if (!forward)
		return json_null();
	return json_pack("{si so so sb sb sb sI sI sI sI sI sI sI sb so}", "policy",
			 (int)forward->policy, "upstreams", upstreams_json(forward),
			 "except", names_json(&forward->except), "force_tcp",
			 forward->force_tcp, "prefer_udp", forward->prefer_udp, "race",
			 forward->race, "max_fails", (json_int_t)forward->max_fails,
			 "max_concurrent", (json_int_t)forward->max_concurrent,
			 "workers", (json_int_t)forward->workers, "attempts",
			 (json_int_t)forward->attempts, "try_timeout_ms",
			 (json_int_t)forward->try_timeout_ms, "timeout_ms",
			 (json_int_t)forward->timeout_ms, "health_check_ms",
			 (json_int_t)forward->health_check_ms, "health_check_rd",
			 forward->health_check_rd, "health_check_name",
			 hex_json(forward->health_check_name.wire,
				  forward->health_check_name.len));
}

static json_t *step_json(const struct plan_step *step)
{
	json_t *texts = json_array();

	for (unsigned i = 0; i < step->text_count; i++)
		(void)json_array_append_new(texts, json_string(step->texts[i]));
	return json_pack("{si so sI sb sb so so so}", "kind", (int)step->kind, "zones",
			 names_json(&step->zones), "source", (json_int_t)step->source,
			 "automatic", step->automatic, "fallthrough",
			 step->fallthrough.on, "fallthrough_zones",
			 names_json(&step->fallthrough.zones), "forward",
			 forward_json(step->forward), "texts", texts);
}

static json_t *block_json(const struct plan_block *block)
{
	json_t *zones = json_array(), *steps = json_array();

	for (unsigned i = 0; i < block->zone_count; i++)
		(void)json_array_append_new(zones, zone_json(&block->zones[i]));
	for (unsigned i = 0; i < block->step_count; i++)
		(void)json_array_append_new(steps, step_json(&block->steps[i]));
	return json_pack("{ss so so sI sb sb so}", "server", block->server, "zones",
			 zones, "cache", cache_json(&block->cache), "log",
			 (json_int_t)block->log, "errors", block->errors, "recursion",
			 block->recursion, "steps", steps);
}

/*
 * Append the part made for each element.  A part that could not be made leaves the array
 * short; plan_encode() counts.
 */
#define APPEND_EACH(array, count, make, at)                   \
	for (unsigned each_i = 0; each_i < (count); each_i++) \
	(void)json_array_append_new(array, make(&(at)[each_i]))

char *plan_encode(const struct plan *plan)
{
	const char *const keys[] = { "listeners", "scopes", "ingresses", "views",
				     "blocks" };
	const unsigned counts[] = { plan->listener_count, plan->scope_count,
				    plan->ingress_count, plan->view_count,
				    plan->block_count };
	json_t *arrays[] = { json_array(), json_array(), json_array(), json_array(),
			     json_array() };
	char *text = NULL;
	bool whole = true;
	json_t *root;

	APPEND_EACH(arrays[0], plan->listener_count, listener_json, plan->listeners);
	APPEND_EACH(arrays[1], plan->scope_count, scope_json, plan->scopes);
	APPEND_EACH(arrays[2], plan->ingress_count, ingress_json, plan->ingresses);
	APPEND_EACH(arrays[3], plan->view_count, view_json, plan->views);
	APPEND_EACH(arrays[4], plan->block_count, block_json, plan->blocks);
	root = json_pack("{si sI si sb sI sI}", "format", PLAN_FORMAT, "generation",
			 (json_int_t)plan->generation, "udp_payload",
			 (int)plan->udp_payload, "publish", plan->publish,
			 "tcp_idle_ms", (json_int_t)plan->tcp_idle_ms,
			 "tcp_connections", (json_int_t)plan->tcp_connections);
	for (unsigned i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		whole &= json_array_size(arrays[i]) == counts[i];
		whole &= json_object_set_new(root, keys[i], arrays[i]) == 0;
	}
	if (whole)
		text = json_dumps(root, JSON_COMPACT);
	json_decref(root);
	return text;
}

/* ---- reading ---- */

struct reader {
	int error; /* the first failure: -EPROTO or -ENOMEM */
};

static void fail(struct reader *r, int error)
{
	if (!r->error)
		r->error = error;
}

static uint64_t take_number(struct reader *r, const json_t *object, const char *key,
			    uint64_t max)
{
	const json_t *value = json_object_get(object, key);

	if (!json_is_integer(value) || json_integer_value(value) < 0 ||
	    (uint64_t)json_integer_value(value) > max) {
		fail(r, -EPROTO);
		return 0;
	}
	return (uint64_t)json_integer_value(value);
}

static uint32_t take_u32(struct reader *r, const json_t *object, const char *key)
{
	return (uint32_t)take_number(r, object, key, UINT32_MAX);
}

static bool take_bool(struct reader *r, const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	if (!json_is_boolean(value))
		fail(r, -EPROTO);
	return json_is_true(value);
}

static char *text_copy(struct reader *r, const json_t *value)
{
	char *copy;

	if (!json_is_string(value)) {
		fail(r, -EPROTO);
		return NULL;
	}
	copy = strdup(json_string_value(value));
	if (!copy)
		fail(r, -ENOMEM);
	return copy;
}

/*
 * The array @key of @object, and zeroed room for its elements of @size bytes.
 * Return: borrowed, or NULL when there is none (*@ret_room is NULL then too).
 */
static const json_t *take_array(struct reader *r, const json_t *object, const char *key,
				size_t size, void **ret_room)
{
	const json_t *array = json_object_get(object, key);

	*ret_room = NULL;
	if (!json_is_array(array)) {
		fail(r, -EPROTO);
		return NULL;
	}
	if (json_array_size(array) == 0)
		return NULL;
	*ret_room = calloc(json_array_size(array), size);
	if (!*ret_room) {
		fail(r, -ENOMEM);
		return NULL;
	}
	return array;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* Return: bytes, 0 on failure. */
static size_t take_hex(struct reader *r, const json_t *value, uint8_t *out, size_t room)
{
	const char *text = json_string_value(value);
	size_t len = text ? json_string_length(value) : 0;

	if (!text || len % 2 || len / 2 > room) {
		fail(r, -EPROTO);
		return 0;
	}
	for (size_t i = 0; i < len; i += 2) {
		int high = hex_digit(text[i]), low = hex_digit(text[i + 1]);

		if (high < 0 || low < 0) {
			fail(r, -EPROTO);
			return 0;
		}
		out[i / 2] = (uint8_t)(high << 4 | low);
	}
	return len / 2;
}

static void take_name(struct reader *r, const json_t *value, struct plan_name *out)
{
	size_t len = take_hex(r, value, out->wire, sizeof(out->wire)), pos = 0;

	while (pos < len && out->wire[pos] && out->wire[pos] <= 63)
		pos += 1u + out->wire[pos];
	if (len == 0 || pos != len - 1 || out->wire[pos])
		fail(r, -EPROTO);
	out->len = (uint8_t)len;
}

static void take_names(struct reader *r, const json_t *object, const char *key,
		       struct plan_names *out)
{
	void *room;
	const json_t *array = take_array(r, object, key, sizeof(*out->at), &room);

	out->at = room;
	for (size_t i = 0; array && i < json_array_size(array); i++)
		take_name(r, json_array_get(array, i), &out->at[out->count++]);
}

static void take_address(struct reader *r, const json_t *object,
			 struct plan_address *out)
{
	if (take_hex(r, json_object_get(object, "addr"), out->addr, 16) != 16)
		fail(r, -EPROTO);
	out->port = (uint16_t)take_number(r, object, "port", UINT16_MAX);
}

static void take_listener(struct reader *r, const json_t *object,
			  struct plan_listener *out)
{
	take_address(r, object, &out->local);
	out->tenant = take_u32(r, object, "tenant");
	out->view = take_u32(r, object, "view");
}

static unsigned *take_indices(struct reader *r, const json_t *object, const char *key,
			      unsigned *ret_count)
{
	void *room;
	const json_t *array = take_array(r, object, key, sizeof(unsigned), &room);
	unsigned *at = room;

	for (size_t i = 0; array && i < json_array_size(array); i++) {
		const json_t *index = json_array_get(array, i);

		if (!json_is_integer(index))
			fail(r, -EPROTO);
		at[(*ret_count)++] = (unsigned)json_integer_value(index);
	}
	return at;
}

static void take_scope(struct reader *r, const json_t *object, struct plan_scope *out)
{
	void *room;
	const json_t *array;

	out->tenant = take_u32(r, object, "tenant");
	out->view = take_u32(r, object, "view");
	array = take_array(r, object, "sources", sizeof(*out->sources), &room);
	out->sources = room;
	for (size_t i = 0; array && i < json_array_size(array); i++) {
		struct plan_source *source = &out->sources[out->source_count++];
		const json_t *value = json_array_get(array, i);

		if (take_hex(r, json_object_get(value, "addr"), source->addr, 16) != 16)
			fail(r, -EPROTO);
		source->bits = (uint8_t)take_number(r, value, "bits", 128);
		source->tenant = take_u32(r, value, "tenant");
	}
}

static void take_ingress(struct reader *r, const json_t *object,
			 struct plan_ingress *out)
{
	out->ifindex = take_u32(r, object, "ifindex");
	out->scopes = take_indices(r, object, "scopes", &out->scope_count);
}

static void take_view(struct reader *r, const json_t *object, struct plan_view *out)
{
	out->id = take_u32(r, object, "id");
	out->name = text_copy(r, json_object_get(object, "name"));
	out->manual = take_u32(r, object, "manual");
	out->label = (uint16_t)take_number(r, object, "label", LANE53_LABEL_MAX - 1);
	out->blocks = take_indices(r, object, "blocks", &out->block_count);
}

static void take_cache(struct reader *r, const json_t *object, struct plan_cache *out)
{
	out->on = take_bool(r, object, "on");
	take_names(r, object, "zones", &out->zones);
	out->success_capacity = take_u32(r, object, "success_capacity");
	out->denial_capacity = take_u32(r, object, "denial_capacity");
	out->success_max_s = take_u32(r, object, "success_max_s");
	out->success_min_s = take_u32(r, object, "success_min_s");
	out->denial_max_s = take_u32(r, object, "denial_max_s");
	out->denial_min_s = take_u32(r, object, "denial_min_s");
	out->failure_s = take_u32(r, object, "failure_s");
	out->disable_success = take_bool(r, object, "disable_success");
	out->disable_denial = take_bool(r, object, "disable_denial");
	take_names(r, object, "disable_success_zones", &out->disable_success_zones);
	take_names(r, object, "disable_denial_zones", &out->disable_denial_zones);
}

static struct plan_forward *take_forward(struct reader *r, const json_t *object)
{
	struct plan_forward *out;
	const json_t *array;
	void *room;

	if (json_is_null(object))
		return NULL;
	out = calloc(1, sizeof(*out));
	if (!out) {
		fail(r, -ENOMEM);
		return NULL;
	}
	out->policy =
		(enum plan_policy)take_number(r, object, "policy", POLICY_PARALLEL);
	array = take_array(r, object, "upstreams", sizeof(*out->upstreams), &room);
	out->upstreams = room;
	for (size_t i = 0; array && i < json_array_size(array); i++) {
		struct plan_upstream *up = &out->upstreams[out->upstream_count++];
		const json_t *value = json_array_get(array, i);

		take_address(r, value, &up->remote);
		up->proto = (enum plan_proto)take_number(r, value, "proto", PLAN_TLS);
	}
	take_names(r, object, "except", &out->except);
	out->force_tcp = take_bool(r, object, "force_tcp");
	out->prefer_udp = take_bool(r, object, "prefer_udp");
	out->race = take_bool(r, object, "race");
	out->max_fails = take_u32(r, object, "max_fails");
	out->max_concurrent = take_u32(r, object, "max_concurrent");
	out->workers = take_u32(r, object, "workers");
	out->attempts = take_u32(r, object, "attempts");
	out->try_timeout_ms = take_u32(r, object, "try_timeout_ms");
	out->timeout_ms = take_u32(r, object, "timeout_ms");
	out->health_check_ms = take_u32(r, object, "health_check_ms");
	out->health_check_rd = take_bool(r, object, "health_check_rd");
	take_name(r, json_object_get(object, "health_check_name"),
		  &out->health_check_name);
	return out;
}

static void take_step(struct reader *r, const json_t *object, struct plan_step *out)
{
	void *room;
	const json_t *array;

	out->kind = (enum plan_step_kind)take_number(r, object, "kind", STEP_WHOAMI);
	take_names(r, object, "zones", &out->zones);
	out->source = take_u32(r, object, "source");
	out->automatic = take_bool(r, object, "automatic");
	out->fallthrough.on = take_bool(r, object, "fallthrough");
	take_names(r, object, "fallthrough_zones", &out->fallthrough.zones);
	out->forward = take_forward(r, json_object_get(object, "forward"));
	array = take_array(r, object, "texts", sizeof(*out->texts), &room);
	out->texts = room;
	for (size_t i = 0; array && i < json_array_size(array); i++)
		out->texts[out->text_count++] = text_copy(r, json_array_get(array, i));
	if ((out->kind == STEP_FORWARD) != (out->forward != NULL) ||
	    (out->kind == STEP_ZONE && out->zones.count == 0))
		fail(r, -EPROTO);
}

static void take_block(struct reader *r, const json_t *object, struct plan_block *out)
{
	void *room;
	const json_t *array;

	out->server = text_copy(r, json_object_get(object, "server"));
	array = take_array(r, object, "zones", sizeof(*out->zones), &room);
	out->zones = room;
	for (size_t i = 0; array && i < json_array_size(array); i++) {
		struct plan_zone *zone = &out->zones[out->zone_count++];
		const json_t *value = json_array_get(array, i);

		take_name(r, json_object_get(value, "name"), &zone->name);
		zone->label =
			(uint16_t)take_number(r, value, "label", LANE53_LABEL_MAX - 1);
	}
	take_cache(r, json_object_get(object, "cache"), &out->cache);
	out->log = (unsigned)take_number(r, object, "log", PLAN_LOG_ALL);
	out->errors = take_bool(r, object, "errors");
	out->recursion = take_bool(r, object, "recursion");
	array = take_array(r, object, "steps", sizeof(*out->steps), &room);
	out->steps = room;
	for (size_t i = 0; array && i < json_array_size(array); i++)
		take_step(r, json_array_get(array, i), &out->steps[out->step_count++]);
}

static void take_ingresses(struct reader *r, const json_t *root, struct plan *out)
{
	void *room;
	const json_t *array =
		take_array(r, root, "scopes", sizeof(*out->scopes), &room);

	out->scopes = room;
	for (size_t i = 0; array && i < json_array_size(array); i++)
		take_scope(r, json_array_get(array, i),
			   &out->scopes[out->scope_count++]);
	array = take_array(r, root, "ingresses", sizeof(*out->ingresses), &room);
	out->ingresses = room;
	for (size_t i = 0; array && i < json_array_size(array); i++)
		take_ingress(r, json_array_get(array, i),
			     &out->ingresses[out->ingress_count++]);
}

static void take_plan(struct reader *r, const json_t *root, struct plan *out)
{
	void *room;
	const json_t *array;

	if (take_number(r, root, "format", UINT32_MAX) != PLAN_FORMAT)
		fail(r, -EPROTO);
	out->generation = take_number(r, root, "generation", INT64_MAX);
	out->udp_payload = (uint16_t)take_number(r, root, "udp_payload", UINT16_MAX);
	out->publish = take_bool(r, root, "publish");
	out->tcp_idle_ms = take_u32(r, root, "tcp_idle_ms");
	out->tcp_connections = take_u32(r, root, "tcp_connections");
	array = take_array(r, root, "listeners", sizeof(*out->listeners), &room);
	out->listeners = room;
	for (size_t i = 0; array && i < json_array_size(array); i++)
		take_listener(r, json_array_get(array, i),
			      &out->listeners[out->listener_count++]);
	take_ingresses(r, root, out);
	array = take_array(r, root, "views", sizeof(*out->views), &room);
	out->views = room;
	for (size_t i = 0; array && i < json_array_size(array); i++)
		take_view(r, json_array_get(array, i), &out->views[out->view_count++]);
	array = take_array(r, root, "blocks", sizeof(*out->blocks), &room);
	out->blocks = room;
	for (size_t i = 0; array && i < json_array_size(array); i++)
		take_block(r, json_array_get(array, i),
			   &out->blocks[out->block_count++]);
}

/* Do views name blocks that exist, listeners views, and ingresses scopes? */
static bool is_consistent(const struct plan *plan)
{
	for (unsigned i = 0; i < plan->view_count; i++)
		for (unsigned j = 0; j < plan->views[i].block_count; j++)
			if (plan->views[i].blocks[j] >= plan->block_count)
				return false;
	for (unsigned i = 0; i < plan->listener_count; i++)
		if (!plan_view_find(plan, plan->listeners[i].view))
			return false;
	for (unsigned i = 0; i < plan->ingress_count; i++)
		for (unsigned j = 0; j < plan->ingresses[i].scope_count; j++)
			if (plan->ingresses[i].scopes[j] >= plan->scope_count)
				return false;
	return true;
}

int plan_decode(struct plan **ret_plan, const char *text, size_t len)
{
	struct reader r = { 0 };
	struct plan *plan;
	json_t *root = json_loadb(text, len, 0, NULL);

	if (!root)
		return -EPROTO;
	plan = calloc(1, sizeof(*plan));
	if (!plan) {
		json_decref(root);
		return -ENOMEM;
	}
	take_plan(&r, root, plan);
	json_decref(root);
	if (!r.error && !is_consistent(plan))
		r.error = -EPROTO;
	if (r.error) {
		plan_free(plan);
		return r.error;
	}
	*ret_plan = plan;
	return 0;
}
