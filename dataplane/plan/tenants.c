/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tenants.c - see tenants.h.  Listeners sorted by address, port and tenant, interfaces by
 * number; scopes keep their few sources in the plan's order, the longest first.
 */
#include "plan/tenants.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "plan/plan.h"

#define LOOPBACK 1  /* lo's ifindex, in every network namespace */
#define PORT_DNS 53 /* the only one that is answered whatever the destination */

struct tenants {
	struct plan part; /* scopes and ingresses, its own; nothing else */
	struct plan_listener *listeners;
	unsigned listener_count;
};

static int compare_listeners(const void *a, const void *b)
{
	const struct plan_listener *x = a, *y = b;
	int r = memcmp(x->local.addr, y->local.addr, 16);

	if (r == 0)
		r = (x->local.port > y->local.port) - (x->local.port < y->local.port);
	return r ? r : (x->tenant > y->tenant) - (x->tenant < y->tenant);
}

static int compare_ingresses(const void *a, const void *b)
{
	const struct plan_ingress *x = a, *y = b;

	return (x->ifindex > y->ifindex) - (x->ifindex < y->ifindex);
}

static bool has_tenants(const struct plan *plan)
{
	for (unsigned i = 0; i < plan->listener_count; i++)
		if (plan->listeners[i].tenant)
			return true;
	return plan->ingress_count > 0;
}

/* Room for @count elements of @bytes, none included; a copy of @from's. */
static void *copy(const void *from, unsigned count, size_t bytes)
{
	void *to = calloc(count + 1u, bytes);

	if (to && count)
		memcpy(to, from, count * bytes);
	return to;
}

/* The arrays first, then what hangs on each: a copy cut short can be freed. */
static int copy_ingresses(struct plan *to, const struct plan *plan)
{
	to->scopes = calloc(plan->scope_count + 1u, sizeof(*to->scopes));
	to->ingresses = calloc(plan->ingress_count + 1u, sizeof(*to->ingresses));
	if (!to->scopes || !to->ingresses)
		return -ENOMEM;
	for (; to->scope_count < plan->scope_count; to->scope_count++) {
		struct plan_scope *scope = &to->scopes[to->scope_count];

		*scope = plan->scopes[to->scope_count];
		scope->sources = copy(scope->sources, scope->source_count,
				      sizeof(*scope->sources));
		if (!scope->sources)
			return -ENOMEM;
	}
	for (; to->ingress_count < plan->ingress_count; to->ingress_count++) {
		struct plan_ingress *ingress = &to->ingresses[to->ingress_count];

		*ingress = plan->ingresses[to->ingress_count];
		ingress->scopes = copy(ingress->scopes, ingress->scope_count,
				       sizeof(*ingress->scopes));
		if (!ingress->scopes)
			return -ENOMEM;
	}
	return 0;
}

int tenants_make(struct tenants **ret_tenants, const struct plan *plan)
{
	struct tenants *tenants;

	*ret_tenants = NULL;
	if (!has_tenants(plan))
		return 0;
	tenants = calloc(1, sizeof(*tenants));
	if (!tenants)
		return -ENOMEM;
	tenants->listeners =
		copy(plan->listeners, plan->listener_count, sizeof(*plan->listeners));
	if (!tenants->listeners || copy_ingresses(&tenants->part, plan) < 0) {
		tenants_free(tenants);
		return -ENOMEM;
	}
	tenants->listener_count = plan->listener_count;
	qsort(tenants->listeners, tenants->listener_count, sizeof(*tenants->listeners),
	      compare_listeners);
	qsort(tenants->part.ingresses, tenants->part.ingress_count,
	      sizeof(*tenants->part.ingresses), compare_ingresses);
	*ret_tenants = tenants;
	return 0;
}

void tenants_free(struct tenants *tenants)
{
	if (!tenants)
		return;
	plan_take_ingresses(&tenants->part, &(struct plan){ 0 });
	free(tenants->listeners);
	free(tenants);
}

/* ---- looking up ---- */

static bool is_within(const uint8_t addr[16], const struct plan_source *source)
{
	const unsigned whole = source->bits / 8u, rest = source->bits % 8u;

	if (memcmp(addr, source->addr, whole))
		return false;
	return !rest || !((addr[whole] ^ source->addr[whole]) >> (8 - rest));
}

static uint32_t tenant_in(const struct plan_scope *scope, const uint8_t addr[16])
{
	for (unsigned i = 0; i < scope->source_count; i++)
		if (is_within(addr, &scope->sources[i]))
			return scope->sources[i].tenant;
	return scope->tenant;
}

static uint32_t view_at(const struct tenants *tenants, const uint8_t addr[16],
			uint16_t port, uint32_t tenant)
{
	struct plan_listener key = { .local.port = port, .tenant = tenant };
	const struct plan_listener *found;

	memcpy(key.local.addr, addr, 16);
	found = bsearch(&key, tenants->listeners, tenants->listener_count, sizeof(key),
			compare_listeners);
	return found ? found->view : 0;
}

/* Own address, else any; else what the scope answers for whoever was asked. */
static uint32_t view_of(const struct tenants *tenants, const struct plan_scope *scope,
			const struct tenants_query *query, uint32_t tenant)
{
	static const uint8_t any[16], any_ipv4[16] = { [10] = 0xff, [11] = 0xff };
	uint32_t view = view_at(tenants, query->local, query->local_port, tenant);

	if (!view && !memcmp(query->local, any_ipv4, 12))
		view = view_at(tenants, any_ipv4, query->local_port, tenant);
	if (!view)
		view = view_at(tenants, any, query->local_port, tenant);
	if (!view && query->local_port == PORT_DNS)
		view = scope->view;
	return view;
}

enum tenants_result tenants_find(const struct tenants *tenants,
				 const struct tenants_query *query,
				 uint32_t *ret_tenant, uint32_t *ret_view)
{
	struct plan_ingress key = { .ifindex = query->ifindex };
	const struct plan *part = &tenants->part;
	const struct plan_ingress *ingress;

	*ret_tenant = *ret_view = 0;
	/* this machine asking itself, though the kernel names who has the address */
	if (!memcmp(query->source, query->local, 16))
		key.ifindex = LOOPBACK;
	ingress = bsearch(&key, part->ingresses, part->ingress_count, sizeof(key),
			  compare_ingresses);
	if (!ingress || !ingress->scope_count)
		return TENANTS_UNKNOWN;
	for (unsigned i = 0; i < ingress->scope_count; i++) {
		const struct plan_scope *scope = &part->scopes[ingress->scopes[i]];
		uint32_t tenant = tenant_in(scope, query->source);
		uint32_t view = view_of(tenants, scope, query, tenant);

		if (i && (tenant != *ret_tenant || view != *ret_view)) {
			*ret_tenant = *ret_view = 0;
			return TENANTS_DOUBTFUL;
		}
		*ret_tenant = tenant;
		*ret_view = view;
	}
	return TENANTS_FOUND;
}

uint32_t tenants_usual(const struct plan *plan, uint32_t ifindex)
{
	static const uint8_t any_ipv4[16] = { [10] = 0xff, [11] = 0xff };

	for (unsigned i = 0; i < plan->ingress_count; i++) {
		const struct plan_ingress *ingress = &plan->ingresses[i];
		const struct plan_scope *scope;
		const struct plan_source *widest;

		if (ingress->ifindex != ifindex || ingress->scope_count != 1)
			continue;
		scope = &plan->scopes[ingress->scopes[0]];
		for (unsigned s = scope->source_count; s-- > 0;) {
			widest = &scope->sources[s];
			if (widest->bits == 0 ||
			    (widest->bits == 96 && !memcmp(widest->addr, any_ipv4, 12)))
				return widest->tenant;
		}
		return scope->tenant;
	}
	return 0;
}
