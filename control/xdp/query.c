/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * query.c - ask as a client would: a frame through the program, or down the lane.
 *
 *   xdp_query():       frame ──► BPF_PROG_RUN of lane53_entry ──► verdict, response
 *   xdp_lane_probe():  frame in the lane's tag, PROBE set ──► worker ──► lane53a, where
 *                      lane53_return leaves it to our packet socket
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "lane53.skel.h"
#include "lane53/wire.h"
#include "packet.h"
#include "problem.h"
#include "state.h"

/* BPF_PROG_RUN takes a page less head room and struct skb_shared_info. */
#define FRAME_ROOM 3520

static enum xdp_way way_of(uint32_t verdict, const struct xdp_reply *reply)
{
	if (verdict == XDP_REDIRECT)
		return XDP_WAY_LANE;
	if (verdict != XDP_TX || reply->len < DNS_HEADER_BYTES)
		return XDP_WAY_STACK;
	/* by construction: local answers have AA=1, answers from upstreams AA=0 */
	return reply->message[2] & (FLAG_AA >> 8) ? XDP_WAY_LOCAL : XDP_WAY_CACHE;
}

static const struct link *link_for(const struct xdp *xdp, unsigned ifindex,
				   struct problem *problem)
{
	for (unsigned i = 0; i < xdp->link_count; i++)
		if (!ifindex || xdp->links[i].ifindex == ifindex)
			return &xdp->links[i];
	if (ifindex)
		problem_set(problem, NULL, 0, "XDP is not attached to interface %u",
			    ifindex);
	else
		problem_set(problem, NULL, 0, "XDP is not attached to any interface");
	return NULL;
}

int xdp_query(const struct xdp *xdp, const struct xdp_question *question,
	      struct xdp_reply *ret_reply, struct problem *problem)
{
	const struct link *link = link_for(xdp, question->ifindex, problem);
	uint8_t in[FRAME_ROOM], out[4096];
	struct xdp_md context = { 0 };
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = in, .data_out = out,
		    .data_size_out = sizeof(out), .ctx_in = &context,
		    .ctx_size_in = sizeof(context), .repeat = 1);
	const struct iface *iface;
	struct packet packet;
	int r;

	iface = link ? iface_find(xdp->ifaces, link->ifindex) : NULL;
	if (!iface)
		return -ENODEV;
	r = packet_build(&packet, question, iface->mac, in, sizeof(in));
	if (r < 0) {
		problem_set(problem, NULL, 0, "question of %zu bytes: too long",
			    question->len);
		return r;
	}
	run.data_size_in = (unsigned)packet.len;
	context.data_end = (unsigned)packet.len;
	context.ingress_ifindex = iface->ifindex;
	r = bpf_prog_test_run_opts(bpf_program__fd(xdp->skel->progs.lane53_entry),
				   &run);
	if (r < 0) {
		problem_set(problem, NULL, 0, "cannot run the XDP program: %s",
			    strerror(-r));
		return r;
	}
	*ret_reply = (struct xdp_reply){ .rtt_us = (run.duration + 999) / 1000 };
	if (run.retval == XDP_TX)
		packet_read_reply(&packet, out, run.data_size_out, ret_reply);
	ret_reply->way = way_of(run.retval, ret_reply);
	return 0;
}

/* ---- the lane ---- */

static int read_mac(int fd, const char *name, uint8_t ret[6])
{
	struct ifreq request = { 0 };

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (ioctl(fd, SIOCGIFHWADDR, &request) < 0)
		return -errno;
	memcpy(ret, request.ifr_hwaddr.sa_data, 6);
	return 0;
}

struct probe {
	int fd; /* packet socket on lane53a */
	uint8_t mac_a[6], mac_b[6];
	char name_a[IF_NAMESIZE], name_b[IF_NAMESIZE];
};

/* The socket is open on success only. */
static int probe_open(struct probe *probe, const char *instance, unsigned idx,
		      struct problem *problem)
{
	struct sockaddr_ll here = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(LANE53_ETHERTYPE),
	};
	int r = 0;

	xdp_lane_names(instance, idx, probe->name_a, probe->name_b);
	here.sll_ifindex = (int)if_nametoindex(probe->name_a);
	if (!here.sll_ifindex) {
		problem_set(problem, NULL, 0, "there is no lane (%s)", probe->name_a);
		return -ENODEV;
	}
	probe->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (probe->fd < 0) {
		r = -errno;
		problem_set(problem, NULL, 0,
			    "cannot open a packet socket: %s (needs CAP_NET_RAW)",
			    strerror(-r));
		return r;
	}
	if (bind(probe->fd, (struct sockaddr *)&here, sizeof(here)) < 0)
		r = -errno;
	if (r == 0)
		r = read_mac(probe->fd, probe->name_a, probe->mac_a);
	if (r == 0)
		r = read_mac(probe->fd, probe->name_b, probe->mac_b);
	if (r < 0) {
		problem_set(problem, NULL, 0, "cannot use the lane %s: %s",
			    probe->name_a, strerror(-r));
		close(probe->fd);
	}
	return r;
}

/* Ethernet and tag of the lane, in front of a client's frame. */
static void write_lane_header(uint8_t *bytes, const struct probe *probe,
			      const struct packet *packet,
			      const struct xdp_question *question)
{
	const uint32_t ifindex_be = htonl(question->ifindex);
	const uint32_t view_be = htonl(question->view);
	const uint16_t type_be = htons(LANE53_ETHERTYPE);
	struct lane53_tag tag = {
		.magic_be = htons(LANE53_TAG_MAGIC),
		.version = LANE53_ABI_VERSION,
		.flags = LANE53_TAG_PROBE | (packet->ipv6 ? LANE53_TAG_IPV6 : 0),
		.l3_off_be = htons((uint16_t)packet->l3_off),
		.l4_off_be = htons((uint16_t)packet->l4_off),
		.dns_off_be = htons((uint16_t)packet->dns_off),
		.dns_len_be = htons((uint16_t)question->len),
	};

	memcpy(tag.ifindex_be, &ifindex_be, 4);
	memcpy(tag.view_be, &view_be, 4);
	memcpy(bytes, probe->mac_b, 6);
	memcpy(bytes + 6, probe->mac_a, 6);
	memcpy(bytes + 12, &type_be, 2);
	memcpy(bytes + 14, &tag, sizeof(tag));
}

static uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* Is @bytes the response to our question? Fills @reply if so. */
static bool take_reply(const uint8_t *bytes, size_t len, const struct packet *packet,
		       const struct xdp_question *question, struct xdp_reply *reply)
{
	struct lane53_tag tag;

	if (len < LANE53_LANE_PUSH)
		return false;
	memcpy(&tag, bytes + 14, sizeof(tag));
	if (tag.magic_be != htons(LANE53_TAG_MAGIC) || !(tag.flags & LANE53_TAG_PROBE))
		return false;
	packet_read_reply(packet, bytes + LANE53_LANE_PUSH, len - LANE53_LANE_PUSH,
			  reply);
	return reply->len >= DNS_HEADER_BYTES && reply->message[2] & (FLAG_QR >> 8) &&
	       !memcmp(reply->message, question->message, 2); /* the ID */
}

static void await_reply(const struct probe *probe, const struct packet *packet,
			const struct xdp_question *question, unsigned timeout_ms,
			struct xdp_reply *reply)
{
	const uint64_t start_us = now_us();
	const uint64_t end_us = start_us + timeout_ms * 1000ull;
	uint8_t bytes[FRAME_ROOM];

	for (uint64_t now = start_us; now < end_us; now = now_us()) {
		struct pollfd wait = { .fd = probe->fd, .events = POLLIN };
		struct sockaddr_ll from = { 0 };
		socklen_t from_len = sizeof(from);
		ssize_t n;

		if (poll(&wait, 1, (int)((end_us - now + 999) / 1000)) <= 0)
			continue;
		n = recvfrom(probe->fd, bytes, sizeof(bytes), MSG_DONTWAIT,
			     (struct sockaddr *)&from, &from_len);
		if (n < 0 || from.sll_pkttype == PACKET_OUTGOING ||
		    !take_reply(bytes, (size_t)n, packet, question, reply))
			continue;
		reply->way = XDP_WAY_LANE;
		reply->rtt_us = (uint32_t)(now_us() - start_us);
		return;
	}
	reply->len = 0;
}

int xdp_lane_probe(const char *instance, const struct xdp_question *question,
		   unsigned timeout_ms, struct xdp_reply *ret_reply,
		   struct problem *problem)
{
	/* the client's own frame: any MAC will do, nobody switches it */
	static const uint8_t mac[6] = { 0x02, 0x4c, 0x35, 0, 0, 2 };
	struct xdp_reply reply = { .way = XDP_WAY_NONE };
	uint8_t bytes[FRAME_ROOM];
	struct packet packet;
	struct probe probe;
	size_t len;
	int r;

	r = packet_build(&packet, question, mac, bytes + LANE53_LANE_PUSH,
			 LANE53_LANE_MTU + ETH_HLEN - LANE53_LANE_PUSH);
	if (r < 0) {
		problem_set(problem, NULL, 0, "question of %zu bytes: too long",
			    question->len);
		return r;
	}
	r = probe_open(&probe, instance, question->lane, problem);
	if (r < 0)
		return r;
	write_lane_header(bytes, &probe, &packet, question);
	len = LANE53_LANE_PUSH + packet.len;
	if (send(probe.fd, bytes, len, 0) == (ssize_t)len) {
		await_reply(&probe, &packet, question, timeout_ms, &reply);
		*ret_reply = reply;
	} else {
		r = -errno;
		problem_set(problem, NULL, 0, "cannot send on the lane %s: %s",
			    probe.name_a, strerror(-r));
	}
	close(probe.fd);
	return r;
}
