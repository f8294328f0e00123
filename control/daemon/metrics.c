/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * metrics.c - add up per label what XDP and the workers counted, then write family after
 * family: coredns_dns_* first, then the other names CoreDNS has, then lane53_*.
 */
#include "daemon/metrics.h"
#include "daemon/exposition.h"
#include "daemon/metrics_parts.h"
#include "lane53/wire.h"
#include "stats/stats.h"
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#define NS_PER_S 1e9

/* Everything of one label, from all paths. */
struct sums {
	const struct metrics_label *label;
	uint64_t requests[2][2][LANE53_TYPE_CLASSES];
	uint64_t responses[LANE53_DIRECTIVE_COUNT][STATS_RCODES];
	uint64_t duration[STATS_DURATION_BUCKETS], duration_ns;
	uint64_t request_size[2][STATS_SIZE_BUCKETS], request_bytes[2];
	uint64_t response_size[2][STATS_SIZE_BUCKETS], response_bytes[2];
	uint64_t do_requests, truncated_by_xdp, by_xdp;
};

/* One `cache` directive: all labels of its block. */
struct cache_sums {
	const struct metrics_label *label;
	uint64_t requests, drops;
	uint64_t hits[2], entries[2], evictions[2]; /* success, denial */
};

struct page {
	const struct metrics *in;
	struct exposition out;
	struct sums *sums;
	unsigned sum_count;
	struct cache_sums *caches;
	unsigned cache_count;
};

/* ---- adding up ---- */

static uint64_t load(const stats_counter *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

static void add_all(uint64_t *to, const stats_counter *from, size_t count)
{
	for (size_t i = 0; i < count; i++)
		to[i] += load(&from[i]);
}

static void sums_add_worker(struct sums *s, const struct stats_label *from)
{
	for (unsigned tcp = 0; tcp < 2; tcp++) {
		for (unsigned v6 = 0; v6 < 2; v6++)
			add_all(s->requests[tcp][v6], from->requests[tcp][v6],
				LANE53_TYPE_CLASSES);
		add_all(s->request_size[tcp], from->request_size[tcp],
			STATS_SIZE_BUCKETS);
		add_all(s->response_size[tcp], from->response_size[tcp],
			STATS_SIZE_BUCKETS);
	}
	add_all(s->request_bytes, from->request_size_sum, 2);
	add_all(s->response_bytes, from->response_size_sum, 2);
	for (unsigned by = 0; by < LANE53_DIRECTIVE_COUNT; by++)
		add_all(s->responses[by], from->responses[by], STATS_RCODES);
	add_all(s->duration, from->duration, STATS_DURATION_BUCKETS);
	s->duration_ns += load(&from->duration_sum_ns);
	s->do_requests += load(&from->do_requests);
}

static const unsigned result_rcodes[LANE53_RESULT_COUNT] = {
	[LANE53_RESULT_NOERROR] = RCODE_NOERROR,
	[LANE53_RESULT_NXDOMAIN] = RCODE_NXDOMAIN,
	[LANE53_RESULT_NODATA] = RCODE_NOERROR,
};

/* XDP takes well below a millisecond, so its durations are in the first bucket; its size
 * buckets are the first of stats_size_bucket()'s. */
static void sums_add_series(struct sums *s, const struct lane53_series *row)
{
	for (unsigned by = 0; by < LANE53_DIRECTIVE_COUNT; by++)
		for (unsigned result = 0; result < LANE53_RESULT_COUNT; result++) {
			s->responses[by][result_rcodes[result]] +=
				row->responses[by][result];
			s->by_xdp += row->responses[by][result];
		}
	for (unsigned v6 = 0; v6 < 2; v6++)
		for (unsigned type = 0; type < LANE53_TYPE_CLASSES; type++)
			s->requests[0][v6][type] += row->requests[v6][type];
	for (unsigned i = 0; i < LANE53_SIZE_BUCKETS; i++) {
		s->request_size[0][i] += row->request_bucket[i];
		s->response_size[0][i] += row->response_bucket[i];
		s->duration[0] += row->request_bucket[i];
	}
	s->do_requests += row->do_count;
	s->request_bytes[0] += row->request_bytes;
	s->response_bytes[0] += row->response_bytes;
	s->truncated_by_xdp += row->truncated;
}

static void sums_fill(struct sums *s, const struct metrics *in,
		      const struct metrics_label *label)
{
	for (unsigned i = 0; i < in->worker_count; i++)
		if (in->workers[i].stats)
			sums_add_worker(s, &in->workers[i].stats->label[label->number]);
	if (label->series)
		sums_add_series(s, label->series);
}

static const struct metrics_label no_block = { .server = "",
					       .zone = "dropped",
					       .view = "" };
static const struct metrics_label many_zones = {
	.server = "", .zone = "other", .view = "", .cache_zones = "other"
};

static bool is_same_label(const struct metrics_label *a, const struct metrics_label *b)
{
	return !strcmp(a->server, b->server) && !strcmp(a->zone, b->zone) &&
	       !strcmp(a->view, b->view);
}

/* The sums that are told under @shown, made if there are none. */
static struct sums *sums_of(struct page *page, const struct metrics_label *shown)
{
	for (unsigned i = 0; i < page->sum_count; i++)
		if (is_same_label(page->sums[i].label, shown))
			return &page->sums[i];
	page->sums[page->sum_count].label = shown;
	return &page->sums[page->sum_count++];
}

/* A worker's caches, and XDP's: its answers from there are requests that hit. */
static void cache_fill(struct cache_sums *c, const struct metrics *in,
		       const struct metrics_label *label)
{
	const __u64 *xdp =
		label->series ? label->series->responses[LANE53_BY_CACHE] : NULL;

	for (unsigned i = 0; i < in->worker_count; i++) {
		const struct worker_stats *stats = in->workers[i].stats;
		const struct stats_label *from =
			stats ? &stats->label[label->number] : NULL;

		if (!from)
			continue;
		c->hits[0] += load(&from->cache_hits_success);
		c->hits[1] += load(&from->cache_hits_denial);
		c->requests += load(&from->cache_requests);
		c->drops += load(&from->cache_drops);
		add_all(c->entries, from->cache_entries, 2);
		add_all(c->evictions, from->cache_evictions, 2);
	}
	for (unsigned result = 0; xdp && result < LANE53_RESULT_COUNT; result++) {
		c->hits[result != LANE53_RESULT_NOERROR] += xdp[result];
		c->requests += xdp[result];
	}
}

static struct cache_sums *cache_of(struct page *page, const struct metrics_label *shown)
{
	for (unsigned i = 0; i < page->cache_count; i++) {
		const struct metrics_label *label = page->caches[i].label;

		if (!strcmp(label->server, shown->server) &&
		    !strcmp(label->cache_zones, shown->cache_zones) &&
		    !strcmp(label->view, shown->view))
			return &page->caches[i];
	}
	page->caches[page->cache_count].label = shown;
	return &page->caches[page->cache_count++];
}

static void page_add(struct page *page, const struct metrics_label *label)
{
	const struct metrics_label *shown = label->number ? label : &many_zones;

	sums_fill(sums_of(page, shown), page->in, label);
	if (shown->cache_zones)
		cache_fill(cache_of(page, shown), page->in, label);
}

static int page_fill(struct page *page)
{
	const struct metrics *in = page->in;
	bool has_zero = false;

	page->sums = calloc((size_t)in->label_count + 1, sizeof(*page->sums));
	page->caches = calloc((size_t)in->label_count + 1, sizeof(*page->caches));
	if (!page->sums || !page->caches)
		return -ENOMEM;
	for (unsigned i = 0; i < in->label_count; i++) {
		if (in->labels[i].number >= LANE53_LABEL_MAX)
			continue;
		if (in->labels[i].number == 0 && has_zero)
			continue; /* one row, however many zones share it */
		has_zero |= in->labels[i].number == 0;
		page_add(page, &in->labels[i]);
	}
	if (!has_zero)
		sums_fill(sums_of(page, &no_block), in, &no_block);
	return 0;
}

/* ---- the families of coredns_dns ---- */

static const char *const protos[] = { "udp", "tcp" };
static const char *const families[] = { "1", "2" }; /* CoreDNS's for IPv4 and IPv6 */
static const char *const types[LANE53_TYPE_CLASSES] = { "other",
#define X(name, value) #name,
							LANE53_TYPES(X)
#undef X
};
static const char *const directives[] = {
#define X(name, text) text,
	LANE53_DIRECTIVES(X)
#undef X
};

/* The three labels that all have, and room for more. */
struct labels {
	struct exposition_label at[EXPOSITION_LABELS_MAX];
};

static struct labels labels_of(const struct metrics_label *label)
{
	return (struct labels){ { { "server", label->server },
				  { "zone", label->zone },
				  { "view", label->view } } };
}

static uint64_t total(const uint64_t *counts, size_t count)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += counts[i];
	return sum;
}

static void put_requests_of(struct page *page, const struct sums *s)
{
	for (unsigned i = 0; i < 2 * 2 * LANE53_TYPE_CLASSES; i++) {
		const unsigned type = i % LANE53_TYPE_CLASSES;
		const unsigned v6 = i / LANE53_TYPE_CLASSES % 2;
		const unsigned tcp = i / LANE53_TYPE_CLASSES / 2;
		struct labels labels = labels_of(s->label);

		if (!s->requests[tcp][v6][type] || !types[type])
			continue;
		labels.at[3] = (struct exposition_label){ "proto", protos[tcp] };
		labels.at[4] = (struct exposition_label){ "family", families[v6] };
		labels.at[5] = (struct exposition_label){ "type", types[type] };
		exposition_count(&page->out, labels.at, s->requests[tcp][v6][type]);
	}
}

static void put_requests(struct page *page)
{
	exposition_family(&page->out, "coredns_dns_requests_total", EXPOSITION_COUNTER,
			  "DNS requests by zone, protocol and family.");
	for (unsigned i = 0; i < page->sum_count; i++)
		put_requests_of(page, &page->sums[i]);
	exposition_family(&page->out, "coredns_dns_do_requests_total",
			  EXPOSITION_COUNTER, "DNS requests with the DO bit.");
	for (unsigned i = 0; i < page->sum_count; i++)
		if (page->sums[i].do_requests)
			exposition_count(&page->out, labels_of(page->sums[i].label).at,
					 page->sums[i].do_requests);
}

static void put_responses_of(struct page *page, const struct sums *s, unsigned by)
{
	for (unsigned rcode = 0; rcode < STATS_RCODES; rcode++) {
		struct labels labels = labels_of(s->label);
		char room[8];

		if (!s->responses[by][rcode])
			continue;
		labels.at[3] = (struct exposition_label){ "rcode",
							  metrics_rcode(room, rcode) };
		labels.at[4] = (struct exposition_label){ "plugin", directives[by] };
		exposition_count(&page->out, labels.at, s->responses[by][rcode]);
	}
}

static void put_responses(struct page *page)
{
	exposition_family(&page->out, "coredns_dns_responses_total", EXPOSITION_COUNTER,
			  "DNS responses by rcode and by the directive that answered.");
	for (unsigned i = 0; i < page->sum_count; i++)
		for (unsigned by = 0; by < LANE53_DIRECTIVE_COUNT; by++)
			put_responses_of(page, &page->sums[i], by);
}

static const double size_bounds[] = STATS_SIZE_BOUNDS;
_Static_assert(ARRAY_LEN(size_bounds) + 1 == STATS_SIZE_BUCKETS, "buckets");

static void put_durations(struct page *page)
{
	exposition_family(&page->out, "coredns_dns_request_duration_seconds",
			  EXPOSITION_HISTOGRAM, "Time a request took.");
	for (unsigned i = 0; i < page->sum_count; i++) {
		const struct sums *s = &page->sums[i];
		struct exposition_histogram histogram = {
			.bounds = metrics_time_bounds,
			.bounds_count = STATS_DURATION_BUCKETS - 1,
			.counts = s->duration,
			.sum = (double)s->duration_ns / NS_PER_S,
		};

		if (total(s->duration, STATS_DURATION_BUCKETS))
			exposition_histogram(&page->out, labels_of(s->label).at,
					     &histogram);
	}
}

static void put_sizes(struct page *page, const char *name, const char *help,
		      bool of_responses)
{
	exposition_family(&page->out, name, EXPOSITION_HISTOGRAM, help);
	for (unsigned i = 0; i < page->sum_count * 2; i++) {
		const struct sums *s = &page->sums[i / 2];
		const unsigned tcp = i % 2;
		const uint64_t bytes =
			of_responses ? s->response_bytes[tcp] : s->request_bytes[tcp];
		struct labels labels = labels_of(s->label);
		struct exposition_histogram histogram = {
			.bounds = size_bounds,
			.bounds_count = ARRAY_LEN(size_bounds),
			.counts = of_responses ? s->response_size[tcp]
					       : s->request_size[tcp],
			.sum = (double)bytes,
		};

		if (!total(histogram.counts, STATS_SIZE_BUCKETS))
			continue;
		labels.at[3] = (struct exposition_label){ "proto", protos[tcp] };
		exposition_histogram(&page->out, labels.at, &histogram);
	}
}

/* ---- caches ---- */

static struct labels cache_labels(const struct cache_sums *c, const char *type)
{
	struct labels labels = { { { "server", c->label->server },
				   { "zones", c->label->cache_zones },
				   { "view", c->label->view } } };

	if (type)
		labels.at[3] = (struct exposition_label){ "type", type };
	return labels;
}

/* A family by block and type; zeros only of @all. */
static void put_cache_types(struct page *page, size_t offset, bool all)
{
	static const char *const types_of_cache[] = { "success", "denial" };

	for (unsigned i = 0; i < page->cache_count * 2; i++) {
		const struct cache_sums *c = &page->caches[i / 2];
		uint64_t counts[2];

		memcpy(counts, (const char *)c + offset, sizeof(counts));
		if (all || counts[i % 2])
			exposition_count(&page->out,
					 cache_labels(c, types_of_cache[i % 2]).at,
					 counts[i % 2]);
	}
}

static uint64_t cache_misses(const struct cache_sums *c)
{
	const uint64_t hits = c->hits[0] + c->hits[1];

	return c->requests > hits ? c->requests - hits : 0; /* counted while we read */
}

static void put_cache(struct page *page)
{
	struct exposition *out = &page->out;

	exposition_family(out, "coredns_cache_entries", EXPOSITION_GAUGE,
			  "Answers in the workers' caches.");
	put_cache_types(page, offsetof(struct cache_sums, entries), true);
	exposition_family(out, "coredns_cache_requests_total", EXPOSITION_COUNTER,
			  "Requests that looked into a cache, XDP's included.");
	for (unsigned i = 0; i < page->cache_count; i++)
		if (page->caches[i].requests)
			exposition_count(out, cache_labels(&page->caches[i], NULL).at,
					 page->caches[i].requests);
	exposition_family(out, "coredns_cache_hits_total", EXPOSITION_COUNTER,
			  "Answers from a cache, XDP's included.");
	put_cache_types(page, offsetof(struct cache_sums, hits), false);
	exposition_family(out, "coredns_cache_misses_total", EXPOSITION_COUNTER,
			  "Requests less hits (deprecated by CoreDNS).");
	for (unsigned i = 0; i < page->cache_count; i++)
		if (cache_misses(&page->caches[i]))
			exposition_count(out, cache_labels(&page->caches[i], NULL).at,
					 cache_misses(&page->caches[i]));
	exposition_family(out, "coredns_cache_evictions_total", EXPOSITION_COUNTER,
			  "Answers evicted from a worker's cache for want of room.");
	put_cache_types(page, offsetof(struct cache_sums, evictions), false);
	exposition_family(out, "coredns_cache_drops_total", EXPOSITION_COUNTER,
			  "Responses not cached: to another question than asked.");
	for (unsigned i = 0; i < page->cache_count; i++)
		if (page->caches[i].drops)
			exposition_count(out, cache_labels(&page->caches[i], NULL).at,
					 page->caches[i].drops);
}

int metrics_format(char **ret_text, size_t *ret_len, const struct metrics *metrics)
{
	struct page page = { .in = metrics };
	int r;

	r = page_fill(&page);
	if (r < 0)
		goto out;
	metrics_put_process(&page.out, metrics);
	put_requests(&page);
	put_durations(&page);
	put_sizes(&page, "coredns_dns_request_size_bytes", "Size of requests.", false);
	put_responses(&page);
	put_sizes(&page, "coredns_dns_response_size_bytes", "Size of responses.", true);
	put_cache(&page);
	r = metrics_put_upstreams(&page.out, metrics);
	exposition_family(&page.out, "lane53_xdp_answers_total", EXPOSITION_COUNTER,
			  "Requests answered in XDP.");
	for (unsigned i = 0; i < page.sum_count; i++)
		if (page.sums[i].by_xdp)
			exposition_count(&page.out, labels_of(page.sums[i].label).at,
					 page.sums[i].by_xdp);
	exposition_family(&page.out, "lane53_xdp_truncated_total", EXPOSITION_COUNTER,
			  "Of these, answered with TC=1.");
	for (unsigned i = 0; i < page.sum_count; i++)
		if (page.sums[i].truncated_by_xdp)
			exposition_count(&page.out, labels_of(page.sums[i].label).at,
					 page.sums[i].truncated_by_xdp);
	metrics_put_own(&page.out, metrics);
	if (page.out.failed)
		r = -ENOMEM;
out:
	free(page.sums);
	free(page.caches);
	if (r < 0) {
		free(page.out.text);
		return r;
	}
	*ret_text = page.out.text;
	*ret_len = page.out.len;
	return 0;
}
