// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * lane53.bpf.c - the two XDP programs.
 *
 *   lane53_entry   on clients' interfaces: answer, or the lane, or the stack
 *   lane53_return  on lane53a: the worker's responses to their clients, and its
 *                  questions to upstreams
 *
 * A query is never dropped.  Every visit ends in one outcome, counted once.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "answer.bpf.h"
#include "blob.bpf.h"
#include "count.bpf.h"
#include "lane.bpf.h"
#include "upstream.bpf.h"

/* One frame's visit to lane53_entry. */
struct visit {
	struct frame frame;
	struct view view;
	struct question question;
	struct lane_way way; /* if it goes down a lane */
};

/* No outcome yet: the next step decides. */
#define GO_ON LANE53_OUTCOME_COUNT

static __always_inline enum lane53_outcome arrive(struct xdp_md *ctx, struct visit *v,
						  const struct lane53_settings *set)
{
	switch (frame_read(ctx, &v->frame)) {
	case FRAME_NOT_UDP:
		return LANE53_PASSED_NOT_DNS;
	case FRAME_UNSUPPORTED:
		return LANE53_PASSED_UNSUPPORTED;
	case FRAME_OK:
		break;
	}
	if (upstream_is_asked(ctx, &v->frame, set)) {
		v->view = (struct view){ 0 };
		return frame_trim(ctx, &v->frame) ? LANE53_UPSTREAM_ANSWERED
						  : LANE53_PASSED_UNSUPPORTED;
	}
	switch (view_find(ctx, &v->frame, &v->view, set)) {
	case VIEW_NOT_OURS:
		return LANE53_PASSED_NOT_OURS;
	case VIEW_BAD_SOURCE:
		return LANE53_PASSED_UNSUPPORTED;
	case VIEW_OK:
		break;
	}
	return frame_trim(ctx, &v->frame) ? GO_ON : LANE53_PASSED_UNSUPPORTED;
}

/* What XDP may answer; the rest of what is a query is the worker's. */
static __always_inline bool is_plain(const struct question *q, __u32 message_len)
{
	return q->qclass == CLASS_IN && q->end == message_len &&
	       (!q->edns.present || !q->edns.version) &&
	       !(q->edns.flags & (QUESTION_EDNS_HAS_ECS | QUESTION_EDNS_HAS_NSID));
}

/* GO_ON with a plain question; TO_LANE for other queries. */
static __always_inline enum lane53_outcome ask(const struct cursor *message,
					       struct visit *v)
{
	const enum question_status status = question_read(message, &v->question);

	if (status == QUESTION_SHORT || status == QUESTION_RESPONSE)
		return LANE53_PASSED_UNSUPPORTED;
	if (status != QUESTION_OK || !is_plain(&v->question, v->frame.dns_len))
		return LANE53_TO_LANE;
	return GO_ON;
}

/* Place the answer that was found.  ANSWERED_*, or TO_LANE with the query as it was. */
static __always_inline enum lane53_outcome place(struct xdp_md *ctx, struct visit *v,
						 const struct found *found,
						 struct reply *reply)
{
	const enum lane53_outcome answered =
		found->cached ? LANE53_ANSWERED_CACHE : LANE53_ANSWERED_LOCAL;

	reply->bits = slot_bits(found->copy.flags);
	reply->answer_sum = found->copy.csum;
	reply->answer_aged = found->age_s != 0;
	if (!(found->copy.flags & (LANE53_SLOT_SMALL | LANE53_SLOT_LARGE)))
		return inline_place(ctx, &v->frame, &v->question, found, reply)
			       ? answered
			       : LANE53_TO_LANE;
	switch (blob_place(ctx, &v->frame, &v->question, found, reply)) {
	case BLOB_PLACED:
		return answered;
	case BLOB_TRUNCATED:
		return LANE53_ANSWERED_TRUNCATED;
	case BLOB_LANE:
		break;
	}
	return LANE53_TO_LANE;
}

static __always_inline enum lane53_outcome answer(struct xdp_md *ctx,
						  const struct cursor *message,
						  struct visit *v,
						  const struct lane53_settings *set)
{
	struct reply reply = { .limit = set->udp_limit };
	struct found found;
	struct told told;

	if (!lookup(message, &v->question, v->view.view, &found))
		return LANE53_TO_LANE;
	told.outcome = place(ctx, v, &found, &reply);
	if (told.outcome == LANE53_TO_LANE ||
	    !answer_finish(ctx, &v->frame, &v->question, &reply))
		return LANE53_TO_LANE;
	told.slot_flags = found.copy.flags;
	told.label = found.copy.label;
	told.directive = found.copy.directive;
	told.response_len = reply.len;
	told.response_flags = reply.flags;
	told.nodata = !(reply.flags & FLAG_RCODE) && !reply.ancount && reply.nscount;
	count_series(&v->frame, &v->question, &told);
	event_tell(ctx, set, &v->frame, &v->view, &v->question, &told);
	return told.outcome;
}

/*
 * verifier: it looks at 70,000 instructions (of 1,000,000).  As a global function, verified
 * once for any frame, what follows arrive() would be a part of that, but take 6 ns more
 * of every answer's 105.  Loading is rare.
 */
static __always_inline enum lane53_outcome visit(struct xdp_md *ctx, struct visit *v)
{
	const struct lane53_settings *set = settings_get();
	enum lane53_outcome why;
	struct cursor message;

	if (!set || set->enabled != LANE53_XDP_ON)
		return LANE53_PASSED_DISABLED;
	event_clock(set);
	why = arrive(ctx, v, set);
	if (why == GO_ON) {
		message = frame_message(ctx, &v->frame);
		why = ask(&message, v);
		if (why == GO_ON)
			why = answer(ctx, &message, v, set);
	}
	if (why == LANE53_TO_LANE || why == LANE53_UPSTREAM_ANSWERED) {
		v->way.why = why;
		v->way.idx = lane_choose(ctx, set, &v->frame, &v->question, why);
		why = lane_push(ctx, set, &v->frame, &v->view, &v->way);
	}
	return why;
}

/* The only place that turns an outcome of the entry into an XDP action. */
static __always_inline int entry_action(enum lane53_outcome why, __u32 idx)
{
	switch (why) {
	case LANE53_ANSWERED_LOCAL:
	case LANE53_ANSWERED_CACHE:
	case LANE53_ANSWERED_TRUNCATED:
		return XDP_TX;
	case LANE53_TO_LANE:
	case LANE53_UPSTREAM_ANSWERED:
		return lane_redirect(idx);
	default:
		return XDP_PASS;
	}
}

static __always_inline int return_action(enum lane53_outcome why, __u32 ifindex)
{
	switch (why) {
	case LANE53_FROM_LANE:
	case LANE53_UPSTREAM_ASKED:
		return (int)bpf_redirect(ifindex, 0);
	case LANE53_UPSTREAM_NO_NEIGHBOUR:
	case LANE53_UPSTREAM_NO_WAY:
		return XDP_TX;
	case LANE53_LANE_BAD_TAG:
	case LANE53_LANE_NO_INTERFACE:
		return XDP_DROP;
	default:
		return XDP_PASS;
	}
}

SEC("xdp")
int lane53_entry(struct xdp_md *ctx)
{
	struct visit v;
	const enum lane53_outcome why = visit(ctx, &v);

	count_outcome(why);
	return entry_action(why, v.way.idx);
}

SEC("xdp")
int lane53_return(struct xdp_md *ctx)
{
	__u32 ifindex = 0;
	const enum lane53_outcome why = lane_pop(ctx, &ifindex);

	count_outcome(why);
	return return_action(why, ifindex);
}

char _license[] SEC("license") = "Dual BSD/GPL";
