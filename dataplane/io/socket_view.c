/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * socket_view.c - whose is a query that came by a socket, and so which view answers it.
 *
 * One socket serves every tenant that listens at its address; who asks is told by the
 * interface and the source (plan/tenants.h).  Where that tells nobody for certain, nobody
 * is answered for: REFUSED (view 0) where it is certain that no more can be known, and no
 * response where the daemon may only not have told us of the interface yet.
 */
#include "io/socket_parts.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include "io/address.h"
#include "plan/tenants.h"

bool client_settle(struct socket_port *port, struct client *client,
		   const struct endpoint *endpoint)
{
	const struct tenants_query query = {
		.ifindex = client->ifindex,
		.source = client->remote,
		.local = client->local,
		.local_port = client->local_port,
	};
	struct ticket ticket = ticket_read(client);
	enum tenants_result result;
	uint32_t tenant;

	client->view = endpoint->view;
	if (!port->tenants && !port->tenants_lost)
		return true;
	result = port->tenants
			 ? tenants_find(port->tenants, &query, &tenant, &client->view)
			 : TENANTS_UNKNOWN;
	if (result == TENANTS_UNKNOWN) {
		port->counts.unknown++;
		return false;
	}
	/* two tenants' clients may have one address: not by route, but back there */
	ticket.leave_by = tenant ? client->ifindex : 0;
	ticket_write(client, ticket);
	return true;
}

void tenants_apply(struct socket_port *port, const struct plan *plan)
{
	struct tenants *fresh;

	port->tenants_lost = tenants_make(&fresh, plan) < 0;
	tenants_free(port->tenants);
	port->tenants = fresh;
}

/*
 * The kernel keeps it with the connection, and tells a stream on request in the form of
 * control messages (Linux: ip(7) IP_PKTOPTIONS; RFC 2292 7).
 */
uint32_t conn_ifindex(int fd, bool ipv6)
{
	_Alignas(struct cmsghdr) uint8_t bytes[256];
	struct msghdr msg = { .msg_control = bytes };
	socklen_t len = sizeof(bytes);
	const int off = 0;
	int r = ipv6 ? getsockopt(fd, IPPROTO_IPV6, IPV6_2292PKTOPTIONS, bytes, &len)
		     : getsockopt(fd, IPPROTO_IP, IP_PKTOPTIONS, bytes, &len);

	/* inherited and done with: it would cost a copy of each segment's head */
	if (ipv6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &off, sizeof(off));
	if (r < 0)
		return 0;
	msg.msg_controllen = len;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			return (uint32_t)info.ipi_ifindex;
		}
		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			return info.ipi6_ifindex;
		}
	}
	return 0;
}
