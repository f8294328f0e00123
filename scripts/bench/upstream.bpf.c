// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * upstream.bpf.c - an upstream that costs next to nothing: it says A 192.0.2.1 to
 * every question, so what a row measures is who asks it.
 *
 * IPv4 only.  The OPT of a query is dropped with whatever stands behind the question.
 */
#include "frame.bpf.h"

#define LABELS_MAX 16
#define NAME_MAX   255

struct answer {
	__u16 owner, type, class;
	__u16 ttl_high, ttl_low, len;
	__u8 address[4];
} __attribute__((packed));

/* Bytes of the question at @p, or 0. */
static __always_inline __u32 question_len(const __u8 *p, const __u8 *end)
{
	__u32 len = 0;

	for (int i = 0; i < LABELS_MAX; i++) {
		const __u8 *label = p + (len & NAME_MAX);

		if (label + 1 > end || *label > 63)
			return 0;
		if (!*label)
			return len + 1 + 4;
		len += 1 + *label;
		if (len > NAME_MAX)
			return 0;
	}
	return 0;
}

static __always_inline void ip_sum_write(void *header)
{
	const __u16 *w = header;
	struct iphdr *ip = header;
	__u32 sum = 0;

	ip->check = 0;
#pragma unroll
	for (int i = 0; i < 10; i++)
		sum += w[i];
	sum = (sum & 0xffff) + (sum >> 16);
	ip->check = ~(__u16)(sum + (sum >> 16));
}

SEC("xdp")
int answer(struct xdp_md *ctx)
{
	struct frame4 *f = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct answer *a;
	__u64 have = ctx->data_end - ctx->data;
	__u32 len, total;
	int want;

	__asm__ volatile("" : "+r"(have)); /* clang: no subtraction later on */
	if ((void *)(f + 1) > end || f->eth.h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	len = question_len((const __u8 *)(f + 1), end);
	if (!len || !turn4(f))
		return XDP_PASS;
	len &= 0x1ff;
	total = sizeof(struct udphdr) + sizeof(struct dns) + len + sizeof(*a);
	want = (int)(sizeof(struct ethhdr) + sizeof(struct iphdr) + total);
	if (bpf_xdp_adjust_tail(ctx, want - (int)have))
		return XDP_DROP;

	f = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	a = (void *)(f + 1) + len;
	if ((void *)(f + 1) > end || (void *)(a + 1) > end)
		return XDP_DROP;
	*a = (struct answer){
		.owner = bpf_htons(0xc00c),
		.type = bpf_htons(1),
		.class = bpf_htons(1),
		.ttl_low = bpf_htons(3600),
		.len = bpf_htons(4),
		.address = { 192, 0, 2, 1 },
	};
	f->dns.flags |= bpf_htons(0x0080); /* RA */
	f->dns.answers = bpf_htons(1);
	f->dns.additional = 0;
	f->udp.len = bpf_htons(total);
	f->ip.tot_len = bpf_htons(sizeof(struct iphdr) + total);
	ip_sum_write(&f->ip);
	return XDP_TX;
}

char _license[] SEC("license") = "Dual BSD/GPL";
