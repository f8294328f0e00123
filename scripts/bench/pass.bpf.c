// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * pass.bpf.c - on a client's end of a veth: a native XDP_TX arrives only at an end that
 * runs XDP itself.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int pass(struct xdp_md *ctx)
{
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual BSD/GPL";
