/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * reply.c - the end of every query: the message, the counters, the log event.
 */
#include <arpa/inet.h>
#include <string.h>
#include "lane53/abi.h"
#include "lane53/wire.h"
#include "respond/state.h"
#include "stats/stats.h"

static bool is_ipv4(const uint8_t addr[16])
{
	static const uint8_t prefix[12] = { [10] = 0xff, [11] = 0xff };

	return !memcmp(addr, prefix, sizeof(prefix));
}

static struct stats_label *label_of(struct engine *engine, const struct origin *origin)
{
	return &engine->config.stats->label[origin->label % LANE53_LABEL_MAX];
}

void reply_count_query(struct engine *engine, const struct origin *origin)
{
	const struct asked *asked = origin->asked;
	struct stats_label *label;

	if (!engine->config.stats)
		return;
	label = label_of(engine, origin);
	stats_add(&label->requests[asked->tcp][!is_ipv4(origin->client->remote)]
				  [lane53_type_class(asked->qtype)],
		  1);
	stats_add(&label->request_size[asked->tcp]
				      [stats_size_bucket(asked->request_bytes)],
		  1);
	stats_add(&label->request_size_sum[asked->tcp], asked->request_bytes);
	if (asked->dnssec_ok)
		stats_add(&label->do_requests, 1);
}

static void count_duration(struct stats_label *label, uint64_t ns)
{
	unsigned i = 0;

	while (i < STATS_DURATION_BUCKETS - 1 && ns > (250000ull << i))
		i++;
	stats_add(&label->duration[i], 1);
	stats_add(&label->duration_sum_ns, ns);
}

static uint64_t time_taken(const struct engine *engine, const struct origin *origin)
{
	return (engine->config.clock_ns ? engine->config.clock_ns() : engine->now_ns) -
	       origin->start_ns;
}

static void count_response(struct engine *engine, const struct origin *origin,
			   const struct answer *answer, unsigned rcode, size_t len)
{
	const bool tcp = origin->asked->tcp;
	const unsigned by = answer ? answer->directive : LANE53_BY_NONE;
	struct worker_stats *stats = engine->config.stats;
	struct stats_label *label;

	if (!stats)
		return;
	label = label_of(engine, origin);
	stats_add(&stats->responses, 1);
	if (rcode == RCODE_FORMERR)
		stats_add(&stats->formerr, 1);
	if (rcode == RCODE_REFUSED)
		stats_add(&stats->refused, 1);
	if (rcode == RCODE_SERVFAIL)
		stats_add(&stats->servfail, 1);
	stats_add(&label->responses[by % LANE53_DIRECTIVE_MAX][rcode & FLAG_RCODE], 1);
	stats_add(&label->response_size[tcp][stats_size_bucket((uint32_t)len)], 1);
	stats_add(&label->response_size_sum[tcp], len);
	count_duration(label, time_taken(engine, origin));
}

/* The class of `log` that a response is in (CoreDNS's response.Classify). */
static unsigned log_class(unsigned rcode, const struct answer *answer)
{
	if (rcode == RCODE_NXDOMAIN)
		return PLAN_LOG_DENIAL;
	if (rcode != RCODE_NOERROR)
		return PLAN_LOG_ERROR;
	if (!answer || answer->ancount || !answer->nscount)
		return PLAN_LOG_SUCCESS;
	/* a referral is no denial */
	return answer->local && !(answer->flags & FLAG_AA) ? PLAN_LOG_SUCCESS
							   : PLAN_LOG_DENIAL;
}

static void put_event(struct engine *engine, const struct origin *origin,
		      unsigned class, const uint8_t *message, size_t len)
{
	const struct asked *asked = origin->asked;
	const struct client *client = origin->client;
	struct lane53_report report = { 0 };

	report.event = (struct lane53_event){
		.duration_ns = time_taken(engine, origin),
		.view = client->view,
		.ifindex = client->ifindex,
		.label = origin->zone->label,
		.id_be = asked->id_be,
		.remote_port_be = htons(client->remote_port),
		.local_port_be = htons(client->local_port),
		.qtype = asked->qtype,
		.qclass = asked->qclass,
		.request_bytes = asked->request_bytes,
		.response_bytes = (uint16_t)len,
		.edns_bytes = asked->edns_bytes,
		.response_flags = (uint16_t)(message[2] << 8 | message[3]),
		.outcome = LANE53_FROM_LANE,
		.proto = (uint8_t)client->proto,
		.edns_do = asked->dnssec_ok,
		.qname_len = asked->qname_len,
		.opcode = FLAGS_OPCODE(asked->flags),
		.nodata = class == PLAN_LOG_DENIAL &&
			  (message[3] & FLAG_RCODE) == RCODE_NOERROR,
	};

	memcpy(report.event.remote, client->remote, sizeof(report.event.remote));
	memcpy(report.event.local, client->local, sizeof(report.event.local));
	memcpy(report.event.qname, asked->qname, asked->qname_len);
	if (origin->failure)
		report.failure = *origin->failure;
	engine->config.on_event(engine->config.context, &report);
}

static void account(struct engine *engine, const struct origin *origin,
		    const struct answer *answer, const uint8_t *message, size_t len)
{
	unsigned rcode = message[3] & FLAG_RCODE;
	unsigned class = log_class(rcode, answer);

	count_response(engine, origin, answer, rcode, len);
	if (!engine->config.on_event || !origin->block || !origin->zone)
		return;
	/* `errors` hears of failures, whether or not `log` does */
	if (origin->block->log & class || (origin->block->errors && origin->failure))
		put_event(engine, origin, class, message, len);
}

enum verdict reply(struct engine *engine, const struct origin *origin,
		   struct query *query, unsigned bits, const struct answer *answer)
{
	const struct asked *asked = origin->asked;
	size_t limit =
		render_limit(asked, engine->use ? engine->use->plan->udp_payload : 0);
	size_t whole = DNS_HEADER_BYTES + asked->qname_len + 4u +
		       (answer ? answer->len : 0) + OPT_BYTES;
	size_t len;

	if (query && (whole <= query->reply_room || limit <= query->reply_room)) {
		query->reply_len =
			render_response(query->reply, limit, asked, bits, answer);
		account(engine, origin, answer, query->reply, query->reply_len);
		return VERDICT_SEND;
	}
	/* A large response over TCP does not fit every port's room. */
	len = render_response(engine->message, limit, asked, bits, answer);
	account(engine, origin, answer, engine->message, len);
	origin->port->ops->send_later(origin->port, origin->client, engine->message,
				      len);
	return VERDICT_LATER;
}
