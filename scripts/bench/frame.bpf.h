/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * frame.bpf.h - the least that turns a DNS query's frame round, for the lab's programs.
 */
#ifndef BENCH_FRAME_BPF_H
#define BENCH_FRAME_BPF_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define FLAG_QR 0x8000

struct dns {
	__u16 id, flags;
	__u16 questions, answers, authorities, additional;
};

struct frame4 {
	struct ethhdr eth;
	struct iphdr ip;
	struct udphdr udp;
	struct dns dns;
} __attribute__((packed));

struct frame6 {
	struct ethhdr eth;
	struct ipv6hdr ip;
	struct udphdr udp;
	struct dns dns;
} __attribute__((packed));

static __always_inline void macs_swap(struct ethhdr *eth)
{
	unsigned char mac[ETH_ALEN];

	__builtin_memcpy(mac, eth->h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, eth->h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, mac, ETH_ALEN);
}

/* @header: a struct udphdr, at whatever alignment a frame gives it. */
static __always_inline void ports_swap(void *header)
{
	struct udphdr *udp = header;
	const __u16 port = udp->source;

	udp->source = udp->dest;
	udp->dest = port;
}

/* An IPv4 query for port 53 becomes its own response.  Return: was it one? */
static __always_inline bool turn4(struct frame4 *f)
{
	const __u32 addr = f->ip.saddr;

	if (f->ip.ihl != 5 || f->ip.protocol != IPPROTO_UDP ||
	    f->udp.dest != bpf_htons(53))
		return false;
	macs_swap(&f->eth);
	f->ip.saddr = f->ip.daddr;
	f->ip.daddr = addr;
	ports_swap(&f->udp);
	f->udp.check = 0;
	f->dns.flags |= bpf_htons(FLAG_QR);
	return true;
}

/* The same for IPv6, whose checksum is not optional: QR was clear, so its sum grows. */
static __always_inline bool turn6(struct frame6 *f)
{
	const struct in6_addr addr = f->ip.saddr;
	__u32 sum;

	if (f->ip.nexthdr != IPPROTO_UDP || f->udp.dest != bpf_htons(53))
		return false;
	macs_swap(&f->eth);
	f->ip.saddr = f->ip.daddr;
	f->ip.daddr = addr;
	ports_swap(&f->udp);
	f->dns.flags |= bpf_htons(FLAG_QR);
	sum = (__u32)(__u16)~f->udp.check + bpf_htons(FLAG_QR);
	f->udp.check = ~(__u16)(sum + (sum >> 16));
	return true;
}

static __always_inline bool turn(struct xdp_md *ctx)
{
	struct frame4 *f4 = (void *)(long)ctx->data;
	struct frame6 *f6 = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;

	if ((void *)(f4 + 1) > end)
		return false;
	if (f4->eth.h_proto == bpf_htons(ETH_P_IP))
		return turn4(f4);
	if ((void *)(f6 + 1) > end || f6->eth.h_proto != bpf_htons(ETH_P_IPV6))
		return false;
	return turn6(f6);
}

#endif
