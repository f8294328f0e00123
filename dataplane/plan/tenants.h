/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tenants.h - which view answers a query that came by a socket: what XDP asks its maps
 * (bpf/view.bpf.h), asked of a plan.
 *
 *   (interface, source prefix) ─► tenant;  (tenant, address, port) ─► view
 *
 * VLANs are interfaces here, as they are to sockets.  Whoever asks an address from that
 * same address is this machine itself, and comes in by lo.  An index of its own: the plan it
 * was made of may go.
 */
#ifndef LANE53_TENANTS_H
#define LANE53_TENANTS_H

#include <stdbool.h>
#include <stdint.h>

struct plan;
struct tenants;

/*
 * On success *@ret_tenants is the caller's; NULL if @plan has no tenants, and then every
 * listener answers everybody.  Return: 0 or -ENOMEM.
 */
int tenants_make(struct tenants **ret_tenants, const struct plan *plan);
/* NULL is allowed. */
void tenants_free(struct tenants *tenants);

/* Addresses: 16 bytes, IPv4 as ::ffff:a.b.c.d; port in host order. */
struct tenants_query {
	uint32_t ifindex;
	const uint8_t *source, *local;
	uint16_t local_port;
};

enum tenants_result {
	TENANTS_FOUND,
	/* Its interface is not in the plan yet: not to be answered now. */
	TENANTS_UNKNOWN,
	/* It may be of one tenant or of another: not to be answered by either. */
	TENANTS_DOUBTFUL,
};

/*
 * Whose is @query?  *@ret_tenant, and with TENANTS_FOUND *@ret_view: 0 if that tenant is
 * not served at this address and port.  Both are 0 otherwise.
 */
enum tenants_result tenants_find(const struct tenants *tenants,
				 const struct tenants_query *query,
				 uint32_t *ret_tenant, uint32_t *ret_view);

/*
 * The tenant of whoever comes in by @ifindex from no prefix narrower than all of IPv4 or
 * IPv6; for people, who ask by interface.  0 also if nobody knows.
 */
uint32_t tenants_usual(const struct plan *plan, uint32_t ifindex);

#endif
