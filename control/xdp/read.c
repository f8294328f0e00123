/* SPDX-License-Identifier: BSD-3-Clause */
/* read.c - what XDP counts (per CPU, summed here) and tells (the ring buffer). */
#include "read.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include "lane53.skel.h"
#include "nl.h"
#include "problem.h"
#include "state.h"

const char *xdp_outcome_name(enum lane53_outcome outcome)
{
	static const char *const names[] = {
#define X(name, text) #name,
		LANE53_OUTCOMES(X)
#undef X
	};

	return outcome < LANE53_OUTCOME_COUNT ? names[outcome] : "?";
}

int xdp_outcomes(const struct xdp *xdp, uint64_t ret[LANE53_OUTCOME_COUNT])
{
	const int fd = bpf_map__fd(xdp->skel->maps.outcomes);
	const int cpus = libbpf_num_possible_cpus();
	uint64_t *per_cpu;
	int r = 0;

	if (cpus < 0)
		return cpus;
	per_cpu = calloc((size_t)cpus, sizeof(*per_cpu));
	if (!per_cpu)
		return -ENOMEM;
	for (__u32 i = 0; i < LANE53_OUTCOME_COUNT && r == 0; i++) {
		r = bpf_map_lookup_elem(fd, &i, per_cpu);
		ret[i] = 0;
		for (int cpu = 0; cpu < cpus && r == 0; cpu++)
			ret[i] += per_cpu[cpu];
	}
	free(per_cpu);
	return r;
}

/* A row is nothing but counters. */
static void add_series(struct lane53_series *sum, const struct lane53_series *row)
{
	uint64_t *to = (uint64_t *)sum;
	const uint64_t *from = (const uint64_t *)row;

	for (size_t i = 0; i < sizeof(*sum) / sizeof(*to); i++)
		to[i] += from[i];
}

int xdp_series(const struct xdp *xdp, unsigned label, struct lane53_series *ret)
{
	const int fd = bpf_map__fd(xdp->skel->maps.series);
	const int cpus = libbpf_num_possible_cpus();
	struct lane53_series *rows;
	const __u32 key = label;
	int r;

	if (label >= LANE53_LABEL_MAX)
		return -EINVAL;
	if (cpus < 0)
		return cpus;
	rows = calloc((size_t)cpus, sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	r = bpf_map_lookup_elem(fd, &key, rows);
	*ret = (struct lane53_series){ 0 };
	for (int cpu = 0; r == 0 && cpu < cpus; cpu++)
		add_series(ret, &rows[cpu]);
	free(rows);
	return r;
}

/* ---- the lane ---- */

struct drops_visit {
	const struct xdp *xdp;
	struct xdp_lane_drops drops;
};

static void forget_drops(void *context)
{
	struct drops_visit *visit = context;

	visit->drops = (struct xdp_lane_drops){ 0 };
}

static bool is_lane(const struct xdp *xdp, unsigned ifindex)
{
	for (unsigned i = 0; i < xdp->lane_count; i++)
		if (ifindex == xdp->lanes[i].ifindex_a ||
		    ifindex == xdp->lanes[i].ifindex_b)
			return true;
	return false;
}

static int add_drops(const struct nlmsghdr *message, void *context)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(message);
	const unsigned ifindex = (unsigned)info->ifi_index;
	struct drops_visit *visit = context;
	const struct nlattr *attr;

	if (!is_lane(visit->xdp, ifindex))
		return MNL_CB_OK;
	mnl_attr_for_each(attr, message, sizeof(*info))
	{
		struct rtnl_link_stats64 stats;

		if (mnl_attr_get_type(attr) != IFLA_STATS64 ||
		    mnl_attr_get_payload_len(attr) < sizeof(stats))
			continue;
		memcpy(&stats, mnl_attr_get_payload(attr), sizeof(stats));
		visit->drops.rx_dropped += stats.rx_dropped;
		visit->drops.tx_dropped += stats.tx_dropped;
	}
	return MNL_CB_OK;
}

int xdp_lane_drops(const struct xdp *xdp, struct xdp_lane_drops *ret)
{
	struct drops_visit visit = { .xdp = xdp };
	int r = nl_dump(RTM_GETLINK, sizeof(struct ifinfomsg), add_drops, forget_drops,
			&visit);

	if (r == 0)
		*ret = visit.drops;
	return r;
}

/* ---- events ---- */

static int take_event(void *context, void *data, size_t bytes)
{
	struct xdp *xdp = context;

	if (bytes >= sizeof(struct lane53_event) && xdp->on_event)
		xdp->on_event(xdp->on_event_context, data);
	return 0;
}

int events_open(struct xdp *xdp, struct problem *problem)
{
	int r;

	xdp->events = ring_buffer__new(bpf_map__fd(xdp->skel->maps.events), take_event,
				       xdp, NULL);
	if (xdp->events)
		return 0;
	r = -errno;
	problem_set(problem, NULL, 0, "cannot read XDP's events: %s", strerror(-r));
	return r;
}

void events_close(struct xdp *xdp)
{
	ring_buffer__free(xdp->events);
	xdp->events = NULL;
}

int xdp_events_fd(const struct xdp *xdp)
{
	return ring_buffer__epoll_fd(xdp->events);
}

unsigned xdp_events_consume(struct xdp *xdp,
			    void (*each)(void *context,
					 const struct lane53_event *event),
			    void *context)
{
	int n;

	xdp->on_event = each;
	xdp->on_event_context = context;
	n = ring_buffer__consume(xdp->events);
	return n > 0 ? (unsigned)n : 0;
}
