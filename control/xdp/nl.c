/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nl.c - one rtnetlink request at a time, over libmnl.
 *
 * Each request opens its own socket: they are rare (start, a changed interface), and
 * so no reply can be taken for that of another request.
 */
#include "nl.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdint.h>
#include <string.h>

/* A dump that changes under the reader is begun again; more often than this and the
 * namespace is busier than we can follow: take the next notification. */
#define DUMP_TRIES 5

static const unsigned sequence = 53; /* one request per socket: any number does */

static int connect_kernel(struct mnl_socket **ret_socket)
{
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	int r;

	if (!socket)
		return -errno;
	if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0) {
		r = -errno;
		mnl_socket_close(socket);
		return r;
	}
	*ret_socket = socket;
	return 0;
}

/* Read replies until the ACK or the end of the dump. */
static int read_replies(struct mnl_socket *socket, mnl_cb_t each, void *context)
{
	static const size_t room = 32768; /* MNL_SOCKET_DUMP_SIZE */
	uint8_t buffer[32768];
	unsigned port = mnl_socket_get_portid(socket);

	for (;;) {
		ssize_t n = mnl_socket_recvfrom(socket, buffer, room);
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		r = mnl_cb_run(buffer, (size_t)n, sequence, port, each, context);
		if (r < 0)
			return -errno;
		if (r == MNL_CB_STOP)
			return 0;
	}
}

int nl_request(struct nlmsghdr *request)
{
	struct mnl_socket *socket;
	int r = connect_kernel(&socket);

	if (r < 0)
		return r;
	request->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	request->nlmsg_seq = sequence;
	if (mnl_socket_sendto(socket, request, request->nlmsg_len) < 0)
		r = -errno;
	else
		r = read_replies(socket, NULL, NULL);
	mnl_socket_close(socket);
	return r;
}

static int dump_once(unsigned type, size_t body_bytes, mnl_cb_t each, void *context)
{
	uint8_t buffer[NL_REQUEST_BYTES] __attribute__((aligned(8)));
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct mnl_socket *socket;
	int r = connect_kernel(&socket);

	if (r < 0)
		return r;
	request->nlmsg_type = (uint16_t)type;
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	request->nlmsg_seq = sequence;
	mnl_nlmsg_put_extra_header(request, body_bytes);
	if (mnl_socket_sendto(socket, request, request->nlmsg_len) < 0)
		r = -errno;
	else
		r = read_replies(socket, each, context);
	mnl_socket_close(socket);
	return r;
}

int nl_dump(unsigned type, size_t body_bytes, mnl_cb_t each,
	    void (*restart)(void *context), void *context)
{
	int r = -EINTR;

	for (unsigned i = 0; i < DUMP_TRIES && r == -EINTR; i++) {
		restart(context);
		r = dump_once(type, body_bytes, each, context);
	}
	return r;
}
