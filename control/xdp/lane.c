/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lane.c - the private veth pair between the XDP programs and the DPDK worker, and one
 * more for each further thread of it.
 *
 *   client's interface ──► lane53a ══ veth ══ lane53b ──► AF_XDP ──► worker
 *                     └──► lane53a-1 ═ veth ═ lane53b-1 ──► AF_XDP ──► its next thread
 *
 * Nothing but tagged frames may travel on it, so the ends take no ARP, no multicast and
 * no IPv6: a kernel that speaks there by itself would only fill the worker's ring.
 * The alias "lane53 INSTANCE" tells a reader of `ip link` whose it is.
 */
#include "lane.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "ifaces.h"
#include "lane53/abi.h"
#include "nl.h"
#include "problem.h"
#include "xdp.h"

/* FNV-1a: only has to tell a handful of instance names apart. */
static uint32_t hash_text(const char *text)
{
	uint32_t hash = 2166136261u;

	for (; *text; text++)
		hash = (hash ^ (uint8_t)*text) * 16777619u;
	return hash;
}

/* Of lane number @idx; the first one's is @stem, @end, @mark. */
static void end_name(char *out, const char *stem, char end, const char *mark,
		     unsigned idx)
{
	char first[12]; /* "l53a", seven digits: with "-15" an interface's name */

	snprintf(first, sizeof(first), "%s%c%s", stem, end, mark);
	if (idx)
		snprintf(out, IF_NAMESIZE, LANE53_LANE_FORMAT, first, idx % 100);
	else
		snprintf(out, IF_NAMESIZE, "%s", first);
}

void xdp_lane_names(const char *instance, unsigned idx, char ret_a[IF_NAMESIZE],
		    char ret_b[IF_NAMESIZE])
{
	const bool is_default = !strcmp(instance, "default");
	const char *stem = is_default ? "lane53" : "l53";
	char mark[8] = "";

	if (!is_default)
		snprintf(mark, sizeof(mark), "%07x", hash_text(instance) >> 4);
	end_name(ret_a, stem, 'a', mark, idx);
	end_name(ret_b, stem, 'b', mark, idx);
}

bool lane_has_end(const char *instance, const char *name)
{
	char a[IF_NAMESIZE], b[IF_NAMESIZE];

	for (unsigned i = 0; i < LANE53_LANES_MAX; i++) {
		xdp_lane_names(instance, i, a, b);
		if (!strcmp(name, a) || !strcmp(name, b))
			return true;
	}
	return false;
}

/* What a new end is made with. */
static void put_end(struct nlmsghdr *request, const char *name)
{
	mnl_attr_put_strz(request, IFLA_IFNAME, name);
	mnl_attr_put_u32(request, IFLA_MTU, LANE53_LANE_MTU);
}

static int make_pair(const struct lane *lane)
{
	uint8_t buffer[NL_REQUEST_BYTES] __attribute__((aligned(8)));
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct nlattr *info, *data, *peer;

	request->nlmsg_type = RTM_NEWLINK;
	request->nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL;
	mnl_nlmsg_put_extra_header(request, sizeof(struct ifinfomsg));
	put_end(request, lane->name_a);
	info = mnl_attr_nest_start(request, IFLA_LINKINFO);
	mnl_attr_put_strz(request, IFLA_INFO_KIND, "veth");
	data = mnl_attr_nest_start(request, IFLA_INFO_DATA);
	peer = mnl_attr_nest_start(request, VETH_INFO_PEER);
	mnl_nlmsg_put_extra_header(request, sizeof(struct ifinfomsg));
	put_end(request, lane->name_b);
	mnl_attr_nest_end(request, peer);
	mnl_attr_nest_end(request, data);
	mnl_attr_nest_end(request, info);
	return nl_request(request);
}

/*
 * Set alias, MTU and flags of one end, and bring it up.  Not its name: Linux 6.1 takes
 * even the same one for a rename, and refuses that with EBUSY while the end is up.
 */
static int set_end(unsigned ifindex, const char *alias)
{
	uint8_t buffer[NL_REQUEST_BYTES] __attribute__((aligned(8)));
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct ifinfomsg *info;

	request->nlmsg_type = RTM_NEWLINK;
	info = mnl_nlmsg_put_extra_header(request, sizeof(*info));
	info->ifi_index = (int)ifindex;
	info->ifi_change = IFF_UP | IFF_NOARP | IFF_MULTICAST;
	info->ifi_flags = IFF_UP | IFF_NOARP;
	mnl_attr_put_u32(request, IFLA_MTU, LANE53_LANE_MTU);
	mnl_attr_put_strz(request, IFLA_IFALIAS, alias);
	return nl_request(request);
}

/* Set @key of @name's @family ("ipv4", "ipv6") to 1. */
static void switch_on(const char *name, const char *family, const char *key)
{
	char path[96];
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/net/%s/conf/%s/%s", family, name, key);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return; /* not in this kernel, or /proc is read-only: see the callers */
	(void)!write(fd, "1", 1);
	close(fd);
}

/* No IPv6 at all: no router solicitations, no MLD reports.  Else it is only noise. */
static void silence_ipv6(const char *name)
{
	switch_on(name, "ipv6", "disable_ipv6");
}

/*
 * bpf_fib_lookup() looks up routes only for what comes in by an interface that forwards;
 * that is our own end, the host's setting stays.  Else upstreams are asked by sockets.
 */
static void let_forward(const char *name)
{
	switch_on(name, "ipv4", "forwarding");
	switch_on(name, "ipv6", "forwarding");
}

static int delete_link(unsigned ifindex)
{
	uint8_t buffer[NL_REQUEST_BYTES] __attribute__((aligned(8)));
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct ifinfomsg *info;

	request->nlmsg_type = RTM_DELLINK;
	info = mnl_nlmsg_put_extra_header(request, sizeof(*info));
	info->ifi_index = (int)ifindex;
	return nl_request(request);
}

/* 1 = a veth pair of these two names is there, 0 = neither, -EBUSY. */
static int find_pair(struct lane *lane, const struct ifaces *ifaces,
		     struct problem *problem)
{
	const struct iface *a = iface_by_name(ifaces, lane->name_a);
	const struct iface *b = iface_by_name(ifaces, lane->name_b);
	const struct iface *odd = a ? a : b;

	if (!odd)
		return 0;
	if (!a || !b || strcmp(a->kind, "veth") || strcmp(b->kind, "veth") ||
	    a->peer_elsewhere || a->peer != b->ifindex) {
		problem_set(problem, NULL, 0,
			    "interface %s is there but is not half of a veth pair "
			    "%s/%s: remove it (`ip link del %s`) or choose another "
			    "-name",
			    odd->name, lane->name_a, lane->name_b, odd->name);
		return -EBUSY;
	}
	lane->ifindex_a = a->ifindex;
	lane->ifindex_b = b->ifindex;
	memcpy(lane->mac_a, a->mac, sizeof(lane->mac_a));
	memcpy(lane->mac_b, b->mac, sizeof(lane->mac_b));
	return 1;
}

static int lane_problem(int r, const struct lane *lane, struct problem *problem)
{
	if (r == -EPERM)
		problem_set(problem, NULL, 0,
			    "cannot make the lane %s/%s: needs CAP_NET_ADMIN",
			    lane->name_a, lane->name_b);
	else if (r == -EOPNOTSUPP)
		problem_set(problem, NULL, 0,
			    "cannot make the lane %s/%s: this kernel has no veth "
			    "(`modprobe veth`)",
			    lane->name_a, lane->name_b);
	else
		problem_set(problem, NULL, 0, "cannot make the lane %s/%s: %s",
			    lane->name_a, lane->name_b, strerror(-r));
	return r;
}

int lane_open(struct lane *ret_lane, const char *instance, unsigned idx,
	      struct problem *problem)
{
	struct lane lane = { 0 };
	struct ifaces *ifaces;
	char alias[64];
	int r;

	xdp_lane_names(instance, idx, lane.name_a, lane.name_b);
	snprintf(alias, sizeof(alias), "lane53 %s", instance);
	r = ifaces_open(&ifaces, NULL, NULL, NULL, problem);
	if (r < 0)
		return r;
	r = find_pair(&lane, ifaces, problem);
	if (r < 0)
		goto out;
	if (r == 0) {
		r = make_pair(&lane);
		if (r == 0)
			r = ifaces_refresh(ifaces);
		if (r < 0) {
			lane_problem(r, &lane, problem);
			goto out;
		}
		r = find_pair(&lane, ifaces, problem);
		if (r <= 0) {
			r = r < 0 ? r : -ENODEV;
			goto out;
		}
	}
	silence_ipv6(lane.name_a);
	silence_ipv6(lane.name_b);
	let_forward(lane.name_a);
	r = set_end(lane.ifindex_a, alias);
	if (r == 0)
		r = set_end(lane.ifindex_b, alias);
	if (r < 0)
		lane_problem(r, &lane, problem);
	else
		*ret_lane = lane;
out:
	ifaces_close(ifaces);
	return r;
}

int lanes_remove(const char *instance, unsigned first, struct problem *problem)
{
	struct ifaces *ifaces;
	int r, result;

	result = ifaces_open(&ifaces, NULL, NULL, NULL, problem);
	if (result < 0)
		return result;
	for (unsigned i = first; i < LANE53_LANES_MAX; i++) {
		struct lane lane = { 0 };

		xdp_lane_names(instance, i, lane.name_a, lane.name_b);
		if (find_pair(&lane, ifaces, NULL) <= 0)
			continue;
		r = delete_link(lane.ifindex_a);
		if (r < 0 && result == 0) {
			result = r;
			problem_set(problem, NULL, 0, "cannot remove the lane %s: %s",
				    lane.name_a, strerror(-r));
		}
	}
	ifaces_close(ifaces);
	return result;
}
