/* SPDX-License-Identifier: BSD-3-Clause */
/* live.c - see live.h. */
#include "live.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "../check.h"
#include "rig.h"

/* r0 = action; exit */
static int peer_prog_load(int action)
{
	struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = action },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return bpf_prog_load(BPF_PROG_TYPE_XDP, "peer", "GPL", insns, ARRAY_LEN(insns),
			     NULL);
}

static int socket_open(int ifindex)
{
	struct sockaddr_ll addr = { .sll_family = AF_PACKET,
				    .sll_protocol = htons(ETH_P_ALL),
				    .sll_ifindex = ifindex };
	int sock = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
	int one = 1;

	if (sock < 0)
		return -errno;
	(void)setsockopt(sock, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one));
	(void)setsockopt(sock, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one));
	if (bind(sock, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		close(sock);
		return -errno;
	}
	return sock;
}

int live_open(struct live *live, struct rig *rig, int prog_fd, uint32_t mode,
	      int peer_action)
{
	int r;

	*live = (struct live){ .rig = rig, .mode = mode, .sock = -1, .peer_prog = -1 };
	/* no IPv6 of our own: nothing but our frames on the pair */
	if (system("echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6") ||
	    system("ip link set " RIG_IFACE " up && ip link set " RIG_PEER " up"))
		return -EIO;
	live->peer_prog = peer_prog_load(peer_action);
	if (live->peer_prog < 0)
		return live->peer_prog;
	r = bpf_xdp_attach(rig->peer_ifindex, live->peer_prog, mode, NULL);
	if (!r)
		r = bpf_xdp_attach(rig->ifindex, prog_fd, mode, NULL);
	if (r)
		return r;
	live->sock = socket_open(rig->peer_ifindex);
	return live->sock < 0 ? live->sock : 0;
}

void live_close(struct live *live)
{
	(void)bpf_xdp_detach(live->rig->ifindex, live->mode, NULL);
	(void)bpf_xdp_detach(live->rig->peer_ifindex, live->mode, NULL);
	if (live->sock >= 0)
		close(live->sock);
	if (live->peer_prog >= 0)
		close(live->peer_prog);
}

size_t live_ask(struct live *live, const uint8_t *frame, size_t len, uint8_t *ret,
		size_t room)
{
	struct pollfd p = { .fd = live->sock, .events = POLLIN };
	ssize_t got;

	if (send(live->sock, frame, len, 0) != (ssize_t)len)
		return 0;
	if (poll(&p, 1, 200) != 1)
		return 0;
	got = recv(live->sock, ret, room, 0);
	return got < 0 ? 0 : (size_t)got;
}
