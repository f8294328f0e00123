/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ifaces.c - the interfaces and addresses of this network namespace, kept current.
 *
 * A notification is only a hint that something changed: the socket is drained, both
 * lists are dumped anew, and on_change() runs if they differ.  So a burst costs one
 * dump, and notifications lost to a full socket buffer (ENOBUFS) cost nothing.
 */
#include "ifaces.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>
#include "nl.h"
#include "problem.h"

/* A namespace with a thousand pods sends bursts; 1 MiB holds some two thousand links. */
#define WATCH_BUFFER_BYTES (1 << 20)

struct snapshot {
	struct iface *links;
	unsigned link_count, link_room;
	struct iface_address *addresses;
	unsigned address_count, address_room;
	bool no_memory;
};

struct ifaces {
	struct snapshot now;
	void (*on_change)(void *context);
	void *context;
	struct mnl_socket *socket; /* NULL: no notifications */
	uv_poll_t *poll;           /* freed in its close callback */
};

static void forget_links(void *context)
{
	struct snapshot *s = context;

	s->link_count = 0;
}

static void forget_addresses(void *context)
{
	struct snapshot *s = context;

	s->address_count = 0;
}

static void snapshot_deinit(struct snapshot *s)
{
	free(s->links);
	free(s->addresses);
}

/* Room for one more element of @bytes in *@array; false when out of memory. */
static bool make_room(void **array, unsigned count, unsigned *room, size_t bytes)
{
	unsigned more = *room ? *room * 2 : 16;
	void *grown;

	if (count < *room)
		return true;
	grown = realloc(*array, more * bytes);
	if (!grown)
		return false;
	memset((char *)grown + count * bytes, 0, (more - count) * bytes);
	*array = grown;
	*room = more;
	return true;
}

/* What is of interest of a kind's own; the numbers of these attributes are the kind's. */
static void read_data(const struct nlattr *data, struct iface *link)
{
	const bool is_vlan = !strcmp(link->kind, "vlan");
	const bool is_bridge = !strcmp(link->kind, "bridge");
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, data)
	{
		const unsigned type = mnl_attr_get_type(attr);
		const size_t len = mnl_attr_get_payload_len(attr);

		if (is_vlan && type == IFLA_VLAN_ID && len == sizeof(uint16_t))
			link->vlan = mnl_attr_get_u16(attr);
		if (is_bridge && type == IFLA_BR_VLAN_FILTERING &&
		    len == sizeof(uint8_t))
			link->sorts_vlans = mnl_attr_get_u8(attr);
	}
}

/* The kind stands before its data. */
static void read_info(const struct nlattr *info, struct iface *link)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, info)
	{
		if (mnl_attr_get_type(attr) == IFLA_INFO_KIND)
			snprintf(link->kind, sizeof(link->kind), "%s",
				 mnl_attr_get_str(attr));
		else if (mnl_attr_get_type(attr) == IFLA_INFO_DATA)
			read_data(attr, link);
	}
}

static void read_link_attr(const struct nlattr *attr, struct iface *link)
{
	switch (mnl_attr_get_type(attr)) {
	case IFLA_IFNAME:
		snprintf(link->name, sizeof(link->name), "%s", mnl_attr_get_str(attr));
		break;
	case IFLA_ADDRESS:
		if (mnl_attr_get_payload_len(attr) == sizeof(link->mac))
			memcpy(link->mac, mnl_attr_get_payload(attr),
			       sizeof(link->mac));
		break;
	case IFLA_LINK:
		link->peer = mnl_attr_get_u32(attr);
		break;
	case IFLA_MASTER:
		link->master = mnl_attr_get_u32(attr);
		break;
	case IFLA_LINK_NETNSID:
		link->peer_elsewhere = true;
		break;
	case IFLA_LINKINFO:
		read_info(attr, link);
		break;
	}
}

static int on_link(const struct nlmsghdr *message, void *context)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(message);
	struct snapshot *s = context;
	const struct nlattr *attr;
	struct iface *link;

	if (message->nlmsg_type != RTM_NEWLINK)
		return MNL_CB_OK;
	if (!make_room((void **)&s->links, s->link_count, &s->link_room,
		       sizeof(*s->links))) {
		s->no_memory = true;
		return MNL_CB_STOP;
	}
	link = &s->links[s->link_count++];
	memset(link, 0, sizeof(*link));
	link->ifindex = (unsigned)info->ifi_index;
	link->up = info->ifi_flags & IFF_UP;
	link->loopback = info->ifi_type == ARPHRD_LOOPBACK;
	mnl_attr_for_each(attr, message, sizeof(*info)) read_link_attr(attr, link);
	if (strcmp(link->kind, "veth")) { /* others: IFLA_LINK is the lower device */
		link->lower = link->peer_elsewhere ? 0 : link->peer;
		link->peer = 0;
		link->peer_elsewhere = false;
	}
	return MNL_CB_OK;
}

static void set_address(struct iface_address *address, int family, const void *bytes)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (family == AF_INET6) {
		memcpy(address->addr, bytes, 16);
		return;
	}
	memcpy(address->addr, mapped, sizeof(mapped));
	memcpy(address->addr + 12, bytes, 4);
}

static int on_address(const struct nlmsghdr *message, void *context)
{
	const struct ifaddrmsg *info = mnl_nlmsg_get_payload(message);
	const size_t bytes = info->ifa_family == AF_INET ? 4 : 16;
	const void *local = NULL, *other = NULL;
	uint32_t flags = info->ifa_flags;
	struct snapshot *s = context;
	const struct nlattr *attr;
	struct iface_address *address;

	if (message->nlmsg_type != RTM_NEWADDR ||
	    (info->ifa_family != AF_INET && info->ifa_family != AF_INET6))
		return MNL_CB_OK;
	mnl_attr_for_each(attr, message, sizeof(*info))
	{
		unsigned type = mnl_attr_get_type(attr);

		if (type == IFA_FLAGS)
			flags = mnl_attr_get_u32(attr);
		else if (mnl_attr_get_payload_len(attr) != bytes)
			continue;
		else if (type == IFA_LOCAL)
			local = mnl_attr_get_payload(attr);
		else if (type == IFA_ADDRESS)
			other = mnl_attr_get_payload(attr);
	}
	if (!local)
		local = other; /* without a point-to-point peer they are the same */
	if (!local || flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED))
		return MNL_CB_OK;
	if (!make_room((void **)&s->addresses, s->address_count, &s->address_room,
		       sizeof(*s->addresses))) {
		s->no_memory = true;
		return MNL_CB_STOP;
	}
	address = &s->addresses[s->address_count++];
	memset(address, 0, sizeof(*address));
	set_address(address, info->ifa_family, local);
	address->prefix_len = info->ifa_prefixlen;
	address->ifindex = info->ifa_index;
	return MNL_CB_OK;
}

static int compare_links(const void *a, const void *b)
{
	const struct iface *x = a, *y = b;

	return (x->ifindex > y->ifindex) - (x->ifindex < y->ifindex);
}

static int compare_addresses(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct iface_address));
}

static int snapshot_read(struct snapshot *s)
{
	int r = nl_dump(RTM_GETLINK, sizeof(struct ifinfomsg), on_link, forget_links,
			s);

	if (r == 0 && !s->no_memory)
		r = nl_dump(RTM_GETADDR, sizeof(struct ifaddrmsg), on_address,
			    forget_addresses, s);
	if (r == 0 && s->no_memory)
		r = -ENOMEM;
	if (r < 0)
		return r;
	if (s->link_count)
		qsort(s->links, s->link_count, sizeof(*s->links), compare_links);
	if (s->address_count)
		qsort(s->addresses, s->address_count, sizeof(*s->addresses),
		      compare_addresses);
	return 0;
}

static bool snapshot_equal(const struct snapshot *a, const struct snapshot *b)
{
	return a->link_count == b->link_count && a->address_count == b->address_count &&
	       (!a->link_count ||
		!memcmp(a->links, b->links, a->link_count * sizeof(*a->links))) &&
	       (!a->address_count || !memcmp(a->addresses, b->addresses,
					     a->address_count * sizeof(*a->addresses)));
}

/* Return: 1 = changed, 0 = the same, negative errno. */
static int refresh(struct ifaces *ifaces)
{
	struct snapshot fresh = { 0 };
	int r = snapshot_read(&fresh);

	if (r < 0 || snapshot_equal(&fresh, &ifaces->now)) {
		snapshot_deinit(&fresh);
		return r;
	}
	snapshot_deinit(&ifaces->now);
	ifaces->now = fresh;
	return 1;
}

int ifaces_refresh(struct ifaces *ifaces)
{
	int r = refresh(ifaces);

	return r < 0 ? r : 0;
}

static void drain(int fd)
{
	uint8_t buffer[8192]; /* cut messages are fine: nobody reads them */

	while (recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT) >= 0 || errno == EINTR ||
	       errno == ENOBUFS)
		;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct ifaces *ifaces = poll->data;

	(void)status; /* an error is cleared by draining */
	(void)events;
	drain(mnl_socket_get_fd(ifaces->socket));
	if (refresh(ifaces) > 0 && ifaces->on_change)
		ifaces->on_change(ifaces->context);
}

static int watch(struct ifaces *ifaces, uv_loop_t *loop)
{
	int room = WATCH_BUFFER_BYTES;
	int r;

	ifaces->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!ifaces->socket)
		return -errno;
	if (mnl_socket_bind(ifaces->socket,
			    RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR,
			    MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	/* a smaller buffer only means ENOBUFS sooner, which is handled */
	(void)setsockopt(mnl_socket_get_fd(ifaces->socket), SOL_SOCKET, SO_RCVBUF,
			 &room, sizeof(room));
	ifaces->poll = calloc(1, sizeof(*ifaces->poll));
	if (!ifaces->poll)
		return -ENOMEM;
	r = uv_poll_init(loop, ifaces->poll, mnl_socket_get_fd(ifaces->socket));
	if (r < 0) {
		free(ifaces->poll);
		ifaces->poll = NULL;
		return r;
	}
	ifaces->poll->data = ifaces;
	return uv_poll_start(ifaces->poll, UV_READABLE, on_readable);
}

int ifaces_open(struct ifaces **ret_ifaces, struct uv_loop_s *loop,
		void (*on_change)(void *context), void *context,
		struct problem *problem)
{
	struct ifaces *ifaces = calloc(1, sizeof(*ifaces));
	int r;

	if (!ifaces)
		return -ENOMEM;
	ifaces->on_change = on_change;
	ifaces->context = context;
	r = loop ? watch(ifaces, loop) : 0;
	if (r == 0)
		r = snapshot_read(&ifaces->now);
	if (r < 0) {
		problem_set(problem, NULL, 0,
			    "cannot read the network interfaces (rtnetlink): %s",
			    strerror(-r));
		ifaces_close(ifaces);
		return r;
	}
	*ret_ifaces = ifaces;
	return 0;
}

static void on_closed(uv_handle_t *handle)
{
	free(handle);
}

void ifaces_close(struct ifaces *ifaces)
{
	if (!ifaces)
		return;
	if (ifaces->poll)
		uv_close((uv_handle_t *)ifaces->poll, on_closed);
	if (ifaces->socket)
		mnl_socket_close(ifaces->socket);
	snapshot_deinit(&ifaces->now);
	free(ifaces);
}

const struct iface *ifaces_list(const struct ifaces *ifaces, unsigned *ret_count)
{
	*ret_count = ifaces->now.link_count;
	return ifaces->now.links;
}

const struct iface *iface_find(const struct ifaces *ifaces, unsigned ifindex)
{
	for (unsigned i = 0; i < ifaces->now.link_count; i++)
		if (ifaces->now.links[i].ifindex == ifindex)
			return &ifaces->now.links[i];
	return NULL;
}

const struct iface *iface_by_name(const struct ifaces *ifaces, const char *name)
{
	for (unsigned i = 0; i < ifaces->now.link_count; i++)
		if (!strcmp(ifaces->now.links[i].name, name))
			return &ifaces->now.links[i];
	return NULL;
}

const struct iface_address *ifaces_addresses(const struct ifaces *ifaces,
					     unsigned *ret_count)
{
	*ret_count = ifaces->now.address_count;
	return ifaces->now.addresses;
}
