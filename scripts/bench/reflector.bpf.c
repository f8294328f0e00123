// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * reflector.bpf.c - the ceiling: what the machine and the generator can do.
 *
 * Turns every IPv4 UDP frame for port 53 around with QR set; looks nothing up.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct frame {
	struct ethhdr eth;
	struct iphdr ip;
	struct udphdr udp;
	__u16 id, flags;
	__u16 counts[4];
} __attribute__((packed));

SEC("xdp")
int reflect(struct xdp_md *ctx)
{
	struct frame *f = (void *)(long)ctx->data;
	unsigned char mac[ETH_ALEN];
	__u32 addr;
	__u16 port;

	if ((void *)(f + 1) > (void *)(long)ctx->data_end)
		return XDP_PASS;
	if (f->eth.h_proto != bpf_htons(ETH_P_IP) || f->ip.ihl != 5 ||
	    f->ip.protocol != IPPROTO_UDP || f->udp.dest != bpf_htons(53))
		return XDP_PASS;

	__builtin_memcpy(mac, f->eth.h_dest, ETH_ALEN);
	__builtin_memcpy(f->eth.h_dest, f->eth.h_source, ETH_ALEN);
	__builtin_memcpy(f->eth.h_source, mac, ETH_ALEN);
	addr = f->ip.saddr;
	f->ip.saddr = f->ip.daddr;
	f->ip.daddr = addr;
	port = f->udp.source;
	f->udp.source = f->udp.dest;
	f->udp.dest = port;
	f->udp.check = 0;
	f->flags |= bpf_htons(0x8000);
	return XDP_TX;
}

char _license[] SEC("license") = "Dual BSD/GPL";
