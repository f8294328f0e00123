/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench_entry.c - nanoseconds per run of lane53_entry beside a bare reflector's.
 *
 *	bench_entry [ROUNDS [PART OF A ROW'S NAME]]
 *
 * Live frames over a native veth pair, every one fresh, names in random order; the peer
 * drops what comes back.  Time is run_time_ns / run_cnt of the kernel itself (its two
 * clock reads included, in every row alike); rounds are interleaved, medians printed.
 */
#include <errno.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "../check.h"
#include "lane53.skel.h"
#include "lane53/abi.h"
#include "lane53/hash.h"
#include "lane53/wire.h"
#include "live.h"
#include "reflector.skel.h"
#include "rig.h"

#define ROUNDS_MAX 51
#define ROUND_NS   500000000ull
#define BATCH      64
#define SLOTS      (1u << 21)

static const uint8_t rr_a[] = {
	0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 192, 0, 2, 1
};
static const uint8_t rr_aaaa[] = {
	0xc0, 0x0c, 0, 28, 0, 1, 0, 0, 1, 44, 0, 16, 0x20, 1,
	0x0d, 0xb8, 0, 0,  0, 0, 0, 0, 0, 0,  0, 0,  0,    1
};

static struct rig rig;

static const struct row {
	const char *name;
	bool reflector;
	char letter; /* names in `local` begin with l, in `cache` with c, others with m */
	uint32_t names;
	bool ipv6, edns;
	uint16_t qtype;
	uint32_t lanes; /* 0: one */
} rows[] = {
	{ "reflector", true, 'l', 1000, false, false, TYPE_A },
	{ "local 1,000", false, 'l', 1000, false, false, TYPE_A },
	{ "local 1,000 AAAA EDNS", false, 'l', 1000, false, true, TYPE_AAAA },
	{ "local 1,000 over IPv6", false, 'l', 1000, true, false, TYPE_A },
	{ "local 1,000 NXDOMAIN", false, 'n', 1000, false, false, TYPE_A },
	{ "local 1,000 NXDOMAIN, 6", false, 'n', 1000, true, true, TYPE_A },
	{ "cache 1,000", false, 'c', 1000, false, false, TYPE_A },
	{ "local 1,000,000", false, 'l', 1000000, false, false, TYPE_A },
	{ "cache 1,000,000", false, 'c', 1000000, false, false, TYPE_A },
	{ "miss, lane closed", false, 'm', 1000000, false, false, TYPE_A },
	{ "miss, three lanes closed", false, 'm', 1000000, false, false, TYPE_A, 3 },
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t random_next(void)
{
	static uint64_t x = 88172645463325252ull;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

static void name_write(uint8_t *label, char letter, uint32_t number)
{
	*label++ = (uint8_t)letter;
	for (int i = 6; i >= 0; i--) {
		label[i] = (uint8_t)('0' + number % 10);
		number /= 10;
	}
}

/* An SOA of the usual size, in a blob. */
static void fill_negative(struct rig_table *table)
{
	static const uint8_t soa[75] = { 0xc0, 0x15, 0, 6, 0, 1, 0, 0, 1, 44, 0, 63 };
	char text[] = "n0000000.bench.example.";
	const struct rig_entry e = { .qname = text,
				     .slot_flags = LANE53_SLOT_AA,
				     .rcode = RCODE_NXDOMAIN,
				     .bytes = soa,
				     .len = sizeof(soa),
				     .nscount = 1 };

	for (uint32_t i = 0; i < 1000; i++) {
		name_write((uint8_t *)text, 'n', i);
		(void)rig_try_put(&rig, table, &e);
	}
}

/* A and AAAA of every 1,000 names, A of the others. */
static void fill(struct rig_table *table, char letter, uint16_t flags)
{
	char text[] = "x0000000.bench.example.";
	struct rig_entry e = { .qname = text, .slot_flags = flags, .ancount = 1 };

	for (uint32_t i = 0; i < 1000000; i++) {
		name_write((uint8_t *)text, letter, i);
		e.qtype = TYPE_A;
		e.bytes = rr_a;
		e.len = sizeof(rr_a);
		e.expires_s = flags & LANE53_SLOT_AGE ? rig_now_s() + 3600 : 0;
		(void)rig_try_put(&rig, table, &e);
		if (i >= 1000)
			continue;
		e.qtype = TYPE_AAAA;
		e.bytes = rr_aaaa;
		e.len = sizeof(rr_aaaa);
		(void)rig_try_put(&rig, table, &e);
	}
}

struct burst {
	struct packet template;
	uint8_t frames[BATCH][256];
	struct iovec iov[BATCH];
	struct mmsghdr msgs[BATCH];
};

static void burst_init(struct burst *b, const struct row *row)
{
	packet_build(&b->template,
		     &(struct packet_spec){ .qname = "x0000000.bench.example.",
					    .qtype = row->qtype,
					    .ipv6 = row->ipv6,
					    .edns = row->edns });
	memset(b->msgs, 0, sizeof(b->msgs));
	for (int i = 0; i < BATCH; i++) {
		memcpy(b->frames[i], b->template.bytes, b->template.len);
		b->iov[i] = (struct iovec){ b->frames[i], b->template.len };
		b->msgs[i].msg_hdr.msg_iov = &b->iov[i];
		b->msgs[i].msg_hdr.msg_iovlen = 1;
	}
}

struct figure {
	double ns_per_run, runs_per_s;
};

static void stats_read(int fd, uint64_t *ret_ns, uint64_t *ret_count)
{
	struct bpf_prog_info info = { 0 };
	uint32_t len = sizeof(info);

	(void)bpf_obj_get_info_by_fd(fd, &info, &len);
	*ret_ns = info.run_time_ns;
	*ret_count = info.run_cnt;
}

static struct figure measure(const struct row *row, int prog_fd)
{
	static struct burst b;
	uint64_t ns[2], count[2], begin, end;
	struct live live;

	if (live_open(&live, &rig, prog_fd, XDP_FLAGS_DRV_MODE, 1 /* XDP_DROP */)) {
		fprintf(stderr, "cannot attach\n");
		exit(1);
	}
	burst_init(&b, row);
	stats_read(prog_fd, &ns[0], &count[0]);
	begin = now_ns();
	do {
		for (int i = 0; i < BATCH; i++)
			name_write(b.frames[i] + b.template.dns_off + 13, row->letter,
				   (uint32_t)(random_next() % row->names));
		(void)sendmmsg(live.sock, b.msgs, BATCH, 0);
		end = now_ns();
	} while (end - begin < ROUND_NS);
	stats_read(prog_fd, &ns[1], &count[1]);
	live_close(&live);
	return (struct figure){
		(double)(ns[1] - ns[0]) / (double)(count[1] - count[0]),
		(double)(count[1] - count[0]) * 1e9 / (double)(end - begin),
	};
}

static int by_value(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double *values, int count)
{
	qsort(values, (size_t)count, sizeof(*values), by_value);
	return values[count / 2];
}

static bool row_is_wanted(const struct row *row, const char *wanted)
{
	return row->reflector || !wanted || strstr(row->name, wanted);
}

static void report(struct figure figures[][ARRAY_LEN(rows)], int rounds,
		   const char *wanted)
{
	double base_rate = 0;

	printf("%-24s %8s %12s %8s\n", "", "ns/run", "runs/s", "ratio");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		double ns[ROUNDS_MAX], rate[ROUNDS_MAX], ratio[ROUNDS_MAX];

		if (!row_is_wanted(&rows[i], wanted))
			continue;
		for (int r = 0; r < rounds; r++) {
			ns[r] = figures[r][i].ns_per_run;
			rate[r] = figures[r][i].runs_per_s;
			ratio[r] = rate[r] / figures[r][0].runs_per_s;
		}
		base_rate = median(rate, rounds);
		printf("%-24s %8.0f %12.0f %8.2f\n", rows[i].name, median(ns, rounds),
		       base_rate, median(ratio, rounds));
	}
}

static int prog_of(const struct row *row, const struct reflector_bpf *reflector)
{
	return bpf_program__fd(row->reflector ? reflector->progs.reflect
					      : rig.skel->progs.lane53_entry);
}

int main(int argc, char **argv)
{
	static struct figure figures[ROUNDS_MAX][ARRAY_LEN(rows)];
	const struct rig_sizes sizes = { SLOTS, SLOTS };
	const char *wanted = argc > 2 ? argv[2] : NULL;
	int rounds = argc > 1 ? atoi(argv[1]) : 7;
	struct reflector_bpf *reflector;
	int r = rig_open(&rig, &sizes);

	if (r)
		return r;
	reflector = reflector_bpf__open_and_load();
	if (!reflector || bpf_enable_stats(BPF_STATS_RUN_TIME) < 0 || rounds < 1 ||
	    rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: bench_entry [1..%d]\n", ROUNDS_MAX);
		return 1;
	}
	rig.settings->heartbeat_ns = 0;
	fill(&rig.local, 'l', LANE53_SLOT_AA);
	fill_negative(&rig.local);
	fill(&rig.cache, 'c', LANE53_SLOT_RA | LANE53_SLOT_AGE | LANE53_SLOT_NEEDS_RD);
	for (int round = 0; round < rounds; round++)
		for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
			if (!row_is_wanted(&rows[i], wanted))
				continue;
			rig.settings->lanes = rows[i].lanes;
			figures[round][i] =
				measure(&rows[i], prog_of(&rows[i], reflector));
		}
	report(figures, rounds, wanted);
	reflector_bpf__destroy(reflector);
	rig_close(&rig);
	return 0;
}
