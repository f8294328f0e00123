/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * live.h - the rig's programs attached to its veth pair, and a raw socket at the peer.
 */
#ifndef LANE53_TESTS_LIVE_H
#define LANE53_TESTS_LIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rig;

struct live {
	struct rig *rig;
	uint32_t mode; /* XDP_FLAGS_* */
	int sock;      /* AF_PACKET at RIG_PEER */
	int peer_prog; /* what the peer has to run for native XDP_TX to be delivered */
};

/*
 * Bring the pair up, attach @prog_fd to RIG_IFACE in @mode (XDP_FLAGS_DRV_MODE or
 * XDP_FLAGS_SKB_MODE), and a program that returns @peer_action to the peer.
 * Return: 0 or a negative errno.
 */
int live_open(struct live *live, struct rig *rig, int prog_fd, uint32_t mode,
	      int peer_action);
void live_close(struct live *live);

/*
 * Send @frame and wait up to 200 ms for one that comes back.
 * Return: its length, 0 if none came.
 */
size_t live_ask(struct live *live, const uint8_t *frame, size_t len, uint8_t *ret,
		size_t room);

#endif
