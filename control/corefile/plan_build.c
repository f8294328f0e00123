/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * plan_build.c - plan_build(): from struct config to struct plan.
 *
 *   units      one for each server block and port: the blocks of the plan
 *   sockets    one for each address, port and tenant, with the units that answer there
 *   views      one for each set of units
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "corefile/build.h"
#include "dns/name.h"
#include "io/address.h"
#include "lane53/abi.h"
#include "lane53/wire.h"

#define TCP_IDLE_MS     10000 /* as CoreDNS */
#define TCP_CONNECTIONS 1000  /* 1,000 of 64 KiB at the worst */

void build_fail(struct build *b, int error)
{
	if (!b->error)
		b->error = error;
}

void *build_take(struct build *b, size_t count, size_t size)
{
	void *p = calloc(count ? count : 1, size);

	if (!p)
		build_fail(b, -ENOMEM);
	return p;
}

char *build_text(struct build *b, const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		build_fail(b, -ENOMEM);
	return copy;
}

void *build_grow(struct build *b, void **at, unsigned *count, size_t size)
{
	char *grown = realloc(*at, (*count + 1u) * size);

	if (!grown) {
		build_fail(b, -ENOMEM);
		return NULL;
	}
	*at = grown;
	memset(grown + *count * size, 0, size);
	return grown + (*count)++ * size;
}

uint32_t build_id(struct build *b, const char *kind, const char *text)
{
	uint32_t id = 0;
	int r = b->in->id(b->in->context, kind, text, &id);

	if (r < 0)
		build_fail(b, r);
	return id;
}

void build_names(struct build *b, struct plan_names *out,
		 const struct plan_names *names)
{
	if (names->count == 0)
		return;
	out->at = build_take(b, names->count, sizeof(*out->at));
	if (!out->at)
		return;
	memcpy(out->at, names->at, names->count * sizeof(*out->at));
	out->count = names->count;
}

/* ---- addresses ---- */

/* "192.0.2.1:53", "[2001:db8::1]:53", ":53" for any. */
static void format_address(char out[ADDRESS_TEXT_ROOM], const uint8_t addr[16],
			   uint16_t port)
{
	if (address_is_any(addr))
		snprintf(out, ADDRESS_TEXT_ROOM, ":%u", port);
	else
		(void)address_to_text(out, addr, port);
}

/*
 * IPv4 before IPv6, then by the bytes: the kernel lists addresses in any order, and
 * names of views and servers must not change with it.
 */
static int compare_locals(const void *a, const void *b)
{
	const struct config_local *left = a, *right = b;
	int v6 = address_is_ipv4(right->addr) - address_is_ipv4(left->addr);

	return v6 ? v6 : memcmp(left->addr, right->addr, 16);
}

/* Does @bind name @addr, which the interface @interface (or none) has? */
static bool bind_names(const struct config_bind *bind, const uint8_t addr[16],
		       const struct plan_inputs *in)
{
	if (bind->is_address)
		return !memcmp(bind->addr, addr, 16);
	for (unsigned i = 0; i < in->local_count; i++)
		if (!strcmp(in->locals[i].interface, bind->text) &&
		    !memcmp(in->locals[i].addr, addr, 16))
			return true;
	return false;
}

/* As CoreDNS: such an address means nothing without its interface. */
static bool is_link_local(const uint8_t addr[16])
{
	return addr[0] == 0xfe && (addr[1] & 0xc0) == 0x80;
}

typedef void address_fn(struct build *b, unsigned unit, const uint8_t addr[16]);

/* The addresses of one bind, but those that an `except` takes out.  Return: how many. */
static unsigned each_of_bind(struct build *b, unsigned unit,
			     const struct config_bind *bind, address_fn *use)
{
	const struct config_block *block = &b->config->blocks[b->units[unit].block];
	unsigned used = 0;

	for (unsigned i = 0; i < (bind->is_address ? 1 : b->in->local_count); i++) {
		const struct config_local *local = &b->in->locals[i];
		const uint8_t *addr = bind->is_address ? bind->addr : local->addr;
		bool excepted = false;

		if (!bind->is_address &&
		    (strcmp(local->interface, bind->text) || is_link_local(addr)))
			continue;
		for (unsigned j = 0; j < block->except_count; j++)
			excepted |= bind_names(&block->excepts[j], addr, b->in);
		if (excepted)
			continue;
		use(b, unit, addr);
		used++;
	}
	return used;
}

static void each_address(struct build *b, unsigned unit, address_fn *use, bool say)
{
	const struct config_block *block = &b->config->blocks[b->units[unit].block];
	static const uint8_t any[16];

	if (block->bind_count == 0)
		use(b, unit, any);
	for (unsigned i = 0; i < block->bind_count; i++) {
		const struct config_bind *bind = &block->binds[i];
		struct problem problem = { 0 };

		if (each_of_bind(b, unit, bind, use) || !say || !b->in->problem)
			continue;
		problem_set(&problem, bind->place.file, bind->place.line,
			    "bind: '%s' gives no address now (expected an interface "
			    "that is there and has one): not served there",
			    bind->text);
		b->in->problem(b->in->context, &problem);
	}
}

/* ---- units ---- */

static void make_units(struct build *b)
{
	for (unsigned i = 0; i < b->config->block_count; i++) {
		const struct config_block *block = &b->config->blocks[i];

		for (unsigned k = 0; k < block->key_count; k++) {
			bool known = false;
			struct unit *unit;

			for (unsigned l = 0; l < k; l++)
				known |= block->keys[l].port == block->keys[k].port;
			if (known)
				continue;
			unit = GROW(b, b->units, b->unit_count);
			if (unit)
				*unit = (struct unit){ i, block->keys[k].port };
		}
	}
}

/* ---- sockets ---- */

static void add_socket(struct build *b, unsigned unit, const uint8_t addr[16])
{
	const struct config_block *block = &b->config->blocks[b->units[unit].block];
	uint32_t tenant = block->scope < 0 ? 0 : b->origins.tenants[block->scope];
	struct plan_address local = { .port = b->units[unit].port };
	struct socket_at *at = NULL;
	unsigned *added;

	if (!address_is_any(addr))
		memcpy(local.addr, addr, 16);
	for (unsigned i = 0; i < b->socket_count && !at; i++)
		if (b->sockets[i].tenant == tenant &&
		    b->sockets[i].local.port == local.port &&
		    !memcmp(b->sockets[i].local.addr, local.addr, 16))
			at = &b->sockets[i];
	if (!at) {
		at = GROW(b, b->sockets, b->socket_count);
		if (!at)
			return;
		at->local = local;
		at->tenant = tenant;
		if (block->scope >= 0)
			at->scope = b->config->xdp[block->scope].tenant;
	}
	/* units come in ascending order; twice the same when binds overlap */
	if (at->unit_count && at->units[at->unit_count - 1] == unit)
		return;
	added = GROW(b, at->units, at->unit_count);
	if (added)
		*added = unit;
}

/* ---- views and listeners ---- */

static bool is_same_set(const struct socket_at *a, const struct socket_at *b)
{
	return a->unit_count == b->unit_count &&
	       !memcmp(a->units, b->units, a->unit_count * sizeof(*a->units));
}

/* Socket @i's view is that of the first socket with the same units. */
static unsigned first_alike(const struct build *b, unsigned i)
{
	unsigned j = 0;

	while (!is_same_set(&b->sockets[j], &b->sockets[i]))
		j++;
	return j;
}

/*
 * The name is also the identity: records set by hand and cached answers are filed under
 * it, so it must not depend on which other views there are.
 */
static void name_view(const struct build *b, unsigned socket, char *out, size_t room)
{
	const struct socket_at *at = &b->sockets[socket];
	char address[ADDRESS_TEXT_ROOM];

	format_address(address, at->local.addr, at->local.port);
	snprintf(out, room, "%s%s%s", address, at->scope ? "@" : "",
		 at->scope ? at->scope : "");
}

static uint16_t draw_label(struct build *b, const char *text)
{
	uint32_t id = build_id(b, "label", text);

	return id < LANE53_LABEL_MAX ? (uint16_t)id : 0;
}

static void make_view(struct build *b, unsigned socket)
{
	const struct socket_at *at = &b->sockets[socket];
	struct plan *plan = b->plan;
	struct plan_view *view = GROW(b, plan->views, plan->view_count);
	char name[512], manual[600], address[ADDRESS_TEXT_ROOM], dropped[128];

	if (!view)
		return;
	name_view(b, socket, name, sizeof(name));
	snprintf(manual, sizeof(manual), "manual %s", name);
	/* of the address, whoever the tenant: there are few labels */
	format_address(address, at->local.addr, at->local.port);
	snprintf(dropped, sizeof(dropped), "dns://%s dropped", address);
	view->name = build_text(b, name);
	view->id = build_id(b, "view", name);
	view->manual = build_id(b, "source", manual);
	view->label = draw_label(b, dropped);
	view->blocks = build_take(b, at->unit_count, sizeof(*view->blocks));
	if (!view->blocks)
		return;
	memcpy(view->blocks, at->units, at->unit_count * sizeof(*view->blocks));
	view->block_count = at->unit_count;
}

static void make_views(struct build *b)
{
	struct plan *plan = b->plan;
	unsigned *view_of = build_take(b, b->socket_count, sizeof(*view_of));
	unsigned count = 0;

	for (unsigned i = 0; view_of && i < b->socket_count; i++) {
		unsigned alike = first_alike(b, i);

		view_of[i] = alike == i ? count++ : view_of[alike];
	}
	for (unsigned i = 0; view_of && i < b->socket_count; i++)
		if (first_alike(b, i) == i)
			make_view(b, i);
	for (unsigned i = 0; !b->error && i < b->socket_count; i++) {
		struct plan_listener *listener =
			GROW(b, plan->listeners, plan->listener_count);

		if (!listener)
			break;
		listener->local = b->sockets[i].local;
		listener->tenant = b->sockets[i].tenant;
		listener->view = plan->views[view_of[i]].id;
	}
	free(view_of);
}

/* ---- blocks ---- */

static void name_server(struct build *b, unsigned unit, const uint8_t addr[16])
{
	struct plan_block *out = &b->plan->blocks[unit];
	char address[ADDRESS_TEXT_ROOM], text[96];

	if (out->server) /* of several addresses the first is the label */
		return;
	format_address(address, addr, b->units[unit].port);
	snprintf(text, sizeof(text), "dns://%s", address);
	out->server = build_text(b, text);
}

static void make_zones(struct build *b, unsigned unit, struct plan_block *out,
		       const struct config_block *block)
{
	for (unsigned i = 0; i < block->key_count; i++) {
		const struct config_key *key = &block->keys[i];

		if (key->port != b->units[unit].port)
			continue;
		for (unsigned j = 0; j < key->zones.count && !b->error; j++) {
			struct plan_zone *zone = GROW(b, out->zones, out->zone_count);
			char text[NAME_TEXT_ROOM], label[NAME_TEXT_ROOM + 128];

			if (!zone)
				return;
			zone->name = key->zones.at[j];
			(void)name_to_text(text, zone->name.wire);
			snprintf(label, sizeof(label), "%s %s", out->server, text);
			zone->label = draw_label(b, label);
		}
	}
}

static void make_block(struct build *b, unsigned unit)
{
	const struct config_block *block = &b->config->blocks[b->units[unit].block];
	struct plan_block *out = &b->plan->blocks[unit];
	char fallback[32];

	b->origins.block_of[unit] = b->units[unit].block;
	each_address(b, unit, name_server, true);
	snprintf(fallback, sizeof(fallback), "dns://:%u", b->units[unit].port);
	if (!out->server)
		out->server = build_text(b, fallback);
	if (b->error)
		return;
	make_zones(b, unit, out, block);
	out->cache = block->cache;
	out->cache.zones = out->cache.disable_success_zones =
		out->cache.disable_denial_zones = (struct plan_names){ 0 };
	build_names(b, &out->cache.zones, &block->cache.zones);
	build_names(b, &out->cache.disable_success_zones,
		    &block->cache.disable_success_zones);
	build_names(b, &out->cache.disable_denial_zones,
		    &block->cache.disable_denial_zones);
	for (unsigned i = 0; i < block->log_count; i++)
		out->log |= block->logs[i].classes;
	out->errors = block->errors;
	if (!b->error)
		build_steps(b, out, block);
}

static void make_plan(struct build *b)
{
	struct plan *plan = b->plan;

	for (unsigned i = 0; i < b->config->xdp_count && !b->error; i++)
		if (b->config->xdp[i].tenant)
			b->origins.tenants[i] =
				build_id(b, "tenant", b->config->xdp[i].tenant);
	make_units(b);
	if (b->error)
		return;
	plan->blocks = build_take(b, b->unit_count, sizeof(*plan->blocks));
	b->origins.block_of =
		build_take(b, b->unit_count, sizeof(*b->origins.block_of));
	if (b->error)
		return;
	plan->block_count = b->unit_count;
	for (unsigned i = 0; i < b->unit_count && !b->error; i++) {
		make_block(b, i);
		each_address(b, i, add_socket, false);
	}
	if (!b->error && b->socket_count == 0)
		build_fail(b, -EADDRNOTAVAIL);
	if (!b->error)
		make_views(b);
}

int plan_build(struct plan **ret_plan, struct plan_origins *ret_origins,
	       const struct config *config, const struct plan_inputs *inputs)
{
	struct plan_inputs in = *inputs;
	struct build b = { .config = config, .in = &in };
	struct config_local *locals = build_take(&b, in.local_count, sizeof(*locals));

	if (locals && in.local_count) {
		memcpy(locals, inputs->locals, in.local_count * sizeof(*locals));
		qsort(locals, in.local_count, sizeof(*locals), compare_locals);
	}
	in.locals = locals;
	b.plan = build_take(&b, 1, sizeof(*b.plan));
	b.origins.tenants =
		build_take(&b, config->xdp_count, sizeof(*b.origins.tenants));
	if (!b.error) {
		b.plan->generation = inputs->generation;
		b.plan->publish = inputs->publish;
		b.plan->udp_payload = LANE53_UDP_PAYLOAD;
		b.plan->tcp_idle_ms = TCP_IDLE_MS;
		b.plan->tcp_connections = TCP_CONNECTIONS;
		make_plan(&b);
	}
	for (unsigned i = 0; i < b.socket_count; i++)
		free(b.sockets[i].units);
	free(b.sockets);
	free(b.units);
	free(locals);
	if (b.error) {
		plan_free(b.plan);
		plan_origins_deinit(&b.origins);
		return b.error;
	}
	*ret_plan = b.plan;
	*ret_origins = b.origins;
	return 0;
}

void plan_origins_deinit(struct plan_origins *origins)
{
	free(origins->block_of);
	free(origins->tenants);
	*origins = (struct plan_origins){ 0 };
}
