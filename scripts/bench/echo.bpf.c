// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * echo.bpf.c - the ceiling of the way over a lane: turn the frame round, push what
 * lane53 pushes, let testpmd send it back as it came, strip, deliver.
 *
 * LANE_IFINDEX is given when it is compiled.
 */
#include "frame.bpf.h"

#define LANE_PUSH      48 /* lane53/abi.h: LANE53_LANE_PUSH */
#define LANE_ETHERTYPE 0x88B5

struct lane_header {
	struct ethhdr eth;
	__u32 client_ifindex;
	__u8 rest[LANE_PUSH - sizeof(struct ethhdr) - 4];
} __attribute__((packed));

SEC("xdp")
int echo_entry(struct xdp_md *ctx)
{
	struct lane_header *h;

	if (!turn(ctx) || bpf_xdp_adjust_head(ctx, -LANE_PUSH))
		return XDP_PASS;
	h = (void *)(long)ctx->data;
	if ((void *)(h + 1) > (void *)(long)ctx->data_end)
		return XDP_DROP;
	__builtin_memset(h, 0, sizeof(*h));
	h->eth.h_proto = bpf_htons(LANE_ETHERTYPE);
	h->client_ifindex = ctx->ingress_ifindex;
	return (int)bpf_redirect(LANE_IFINDEX, 0);
}

SEC("xdp")
int echo_return(struct xdp_md *ctx)
{
	struct lane_header *h = (void *)(long)ctx->data;
	__u32 client;

	if ((void *)(h + 1) > (void *)(long)ctx->data_end ||
	    h->eth.h_proto != bpf_htons(LANE_ETHERTYPE))
		return XDP_PASS;
	client = h->client_ifindex;
	if (bpf_xdp_adjust_head(ctx, LANE_PUSH))
		return XDP_DROP;
	return (int)bpf_redirect(client, 0);
}

char _license[] SEC("license") = "Dual BSD/GPL";
