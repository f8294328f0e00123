// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * reflector.bpf.c - the ceiling: what the machine and the generator can do.
 *
 * Turns every UDP frame for port 53 around with QR set; looks nothing up.
 */
#include "frame.bpf.h"

SEC("xdp")
int reflect(struct xdp_md *ctx)
{
	return turn(ctx) ? XDP_TX : XDP_PASS;
}

char _license[] SEC("license") = "Dual BSD/GPL";
