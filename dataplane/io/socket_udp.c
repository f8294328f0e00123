/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * socket_udp.c - datagrams, in and out, in batches.
 *
 * The address that was asked comes with each datagram (IP_PKTINFO) and goes back as the
 * source of its response, so a wildcard listener answers from the right one.
 */
#include "io/socket_parts.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include "io/address.h"

#define CONTROL_BYTES CMSG_SPACE(sizeof(struct in6_pktinfo))

struct control {
	_Alignas(struct cmsghdr) uint8_t bytes[CONTROL_BYTES];
};

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

static void local_read(struct client *client, struct msghdr *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			memcpy(client->local, mapped, sizeof(mapped));
			memcpy(client->local + 12, &info.ipi_spec_dst, 4);
			client->ifindex = (uint32_t)info.ipi_ifindex;
		} else if (c->cmsg_level == IPPROTO_IPV6 &&
			   c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			memcpy(client->local, &info.ipi6_addr, 16);
			client->ifindex = info.ipi6_ifindex;
		}
	}
}

static void client_read(struct client *client, const struct endpoint *endpoint,
			const struct sockaddr_storage *from, struct msghdr *msg)
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)from;
	struct ticket ticket = { .endpoint = endpoint->id };

	address_from_socket(from, client->remote, &client->remote_port);
	memcpy(client->local, endpoint->local.addr, 16);
	client->local_port = endpoint->local.port;
	client->ifindex = 0;
	client->proto = CLIENT_UDP;
	local_read(client, msg);
	if (from->ss_family == AF_INET6)
		ticket.scope = in6->sin6_scope_id;
	ticket_write(client, ticket);
}

unsigned udp_recv(struct socket_port *port, struct endpoint *endpoint,
		  struct query *queries, unsigned max)
{
	struct mmsghdr msgs[PORT_BATCH];
	struct iovec iov[PORT_BATCH];
	struct sockaddr_storage from[PORT_BATCH];
	struct control control[PORT_BATCH];
	struct slot *slots[PORT_BATCH];
	unsigned room = 0, used = 0;
	int n;

	while (room < max && (slots[room] = slot_take(port))) {
		iov[room] = (struct iovec){ slots[room]->message, PORT_MESSAGE_MAX };
		msgs[room].msg_hdr = (struct msghdr){
			.msg_name = &from[room],
			.msg_namelen = sizeof(from[room]),
			.msg_iov = &iov[room],
			.msg_iovlen = 1,
			.msg_control = &control[room],
			.msg_controllen = sizeof(control[room]),
		};
		room++;
	}
	n = recvmmsg(endpoint->source.fd, msgs, room, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++) {
		struct client *client = &queries[used].client;

		client_read(client, endpoint, &from[i], &msgs[i].msg_hdr);
		if (client->remote_port == 0)
			continue; /* nobody can be answered there */
		if (!client_settle(port, client, endpoint))
			continue;
		slot_fill(&queries[used], slots[i], msgs[i].msg_len);
		slots[i] = NULL;
		used++;
	}
	for (unsigned i = 0; i < room; i++)
		if (slots[i])
			port->free_slots[port->free_count++] =
				(unsigned)(slots[i] - port->slots);
	return used;
}

/*
 * The source of the response, and where it leaves: tenants' and link-local ones' where
 * they came in.
 */
static void local_write(struct msghdr *msg, struct control *control,
			const struct client *client)
{
	const uint32_t leave_by = ticket_read(client).leave_by;
	struct cmsghdr *c = (struct cmsghdr *)control->bytes;

	memset(control, 0, sizeof(*control));
	msg->msg_control = control;
	if (address_is_ipv4(client->local)) {
		struct in_pktinfo info = { .ipi_ifindex = (int)leave_by };

		memcpy(&info.ipi_spec_dst, client->local + 12, 4);
		msg->msg_controllen = CMSG_SPACE(sizeof(info));
		c->cmsg_level = IPPROTO_IP;
		c->cmsg_type = IP_PKTINFO;
		c->cmsg_len = CMSG_LEN(sizeof(info));
		memcpy(CMSG_DATA(c), &info, sizeof(info));
	} else {
		struct in6_pktinfo info = { .ipi6_ifindex = leave_by };

		memcpy(&info.ipi6_addr, client->local, 16);
		if (IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr))
			info.ipi6_ifindex = client->ifindex;
		msg->msg_controllen = CMSG_SPACE(sizeof(info));
		c->cmsg_level = IPPROTO_IPV6;
		c->cmsg_type = IPV6_PKTINFO;
		c->cmsg_len = CMSG_LEN(sizeof(info));
		memcpy(CMSG_DATA(c), &info, sizeof(info));
	}
}

/* One response on its way out; all it points at lives in the caller. */
struct outgoing {
	struct sockaddr_storage to;
	struct control control;
	struct iovec iov;
};

static void response_write(struct outgoing *out, struct msghdr *msg,
			   const struct client *client, const uint8_t *bytes,
			   size_t len)
{
	memset(msg, 0, sizeof(*msg));
	out->iov = (struct iovec){ (void *)bytes, len };
	msg->msg_name = &out->to;
	msg->msg_namelen =
		address_to_socket(&out->to, client->remote, client->remote_port);
	if (out->to.ss_family == AF_INET6)
		((struct sockaddr_in6 *)&out->to)->sin6_scope_id =
			ticket_read(client).scope;
	msg->msg_iov = &out->iov;
	msg->msg_iovlen = 1;
	local_write(msg, &out->control, client);
}

/* A response the kernel does not take is lost, as any datagram may be. */
static void flush(struct socket_port *port, uint32_t endpoint_id, struct mmsghdr *msgs,
		  unsigned count)
{
	const struct endpoint *endpoint = endpoint_find(port, endpoint_id);
	unsigned done = 0;

	if (!endpoint || endpoint->source.fd < 0) {
		port->counts.unsent += count;
		return;
	}
	while (done < count) {
		int n = sendmmsg(endpoint->source.fd, msgs + done, count - done,
				 MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) { /* the first of them: go on behind it */
			port->counts.unsent++;
			n = 1;
		}
		done += (unsigned)n;
	}
}

void udp_send(struct socket_port *port, const struct query *queries, unsigned count)
{
	struct mmsghdr msgs[PORT_BATCH];
	struct outgoing out[PORT_BATCH];
	unsigned held = 0;
	uint32_t endpoint = 0;

	for (unsigned i = 0; i < count; i++) {
		const struct query *q = &queries[i];
		uint32_t its = ticket_read(&q->client).endpoint;

		if (held == PORT_BATCH || (held && its != endpoint)) {
			flush(port, endpoint, msgs, held);
			held = 0;
		}
		endpoint = its;
		response_write(&out[held], &msgs[held].msg_hdr, &q->client, q->reply,
			       q->reply_len);
		held++;
	}
	if (held)
		flush(port, endpoint, msgs, held);
}

void udp_send_later(struct socket_port *port, const struct client *client,
		    const uint8_t *bytes, size_t len)
{
	struct mmsghdr msg;
	struct outgoing out;

	response_write(&out, &msg.msg_hdr, client, bytes, len);
	flush(port, ticket_read(client).endpoint, &msg, 1);
}
