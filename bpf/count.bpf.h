/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * count.bpf.h - what is counted and told: outcomes, series, events.
 *
 * All per CPU; a CPU's XDP programs do not interrupt each other, so plain additions do.
 */
#ifndef LANE53_COUNT_BPF_H
#define LANE53_COUNT_BPF_H

#include "frame.bpf.h"
#include "maps.bpf.h"
#include "view.bpf.h"

/* One answer, as told to `series` and `events`. */
struct told {
	__u16 outcome;
	__u16 slot_flags;
	__u8 label;
	__u8 directive;
	__u16 response_len;
	__u16 response_flags;
	__u16 nodata; /* NOERROR, no answer, an SOA (RFC 2308 2.2) */
};

static __always_inline void count_outcome(__u32 outcome)
{
	__u64 *count = bpf_map_lookup_elem(&outcomes, &outcome);

	if (count)
		(*count)++;
}

enum type_class {
	TYPE_CLASS_OTHER,
#define X(name, value) TYPE_CLASS_##name,
	LANE53_TYPES(X)
#undef X
};

/* lane53_type_class() as a table: no branches for the verifier to follow. */
#define TYPE_CLASS_MAX 255 /* ANY, the highest type with a class of its own */
static const __u8 type_classes[TYPE_CLASS_MAX + 1] = {
#define X(name, value) [value] = TYPE_CLASS_##name,
	LANE53_TYPES(X)
#undef X
};

static __always_inline __u32 type_class(__u32 qtype)
{
	return qtype <= TYPE_CLASS_MAX ? type_classes[qtype] : TYPE_CLASS_OTHER;
}

static __always_inline __u32 result_of(const struct told *told)
{
	if (LANE53_SLOT_RCODE(told->slot_flags) == RCODE_NXDOMAIN)
		return LANE53_RESULT_NXDOMAIN;
	return told->nodata ? LANE53_RESULT_NODATA : LANE53_RESULT_NOERROR;
}

static __always_inline void
count_series(const struct frame *f, const struct question *q, const struct told *told)
{
	__u32 label = told->label;
	struct lane53_series *row = bpf_map_lookup_elem(&series, &label);

	if (!row)
		return;
	row->requests[f->ipv6 & 1][type_class(q->qtype) % LANE53_TYPE_CLASSES]++;
	row->responses[told->directive % LANE53_DIRECTIVE_MAX][result_of(told)]++;
	row->do_count += q->edns.flags & QUESTION_EDNS_DO;
	row->request_bytes += f->dns_len;
	row->response_bytes += told->response_len;
	row->truncated += told->outcome == LANE53_ANSWERED_TRUNCATED;
	row->request_bucket[lane53_size_bucket(f->dns_len)]++;
	row->response_bucket[lane53_size_bucket(told->response_len)]++;
}

/* At the entry; event_send() asks how long ago it was. */
static __always_inline void event_clock(const struct lane53_settings *set)
{
	struct scratch *s;

	if (!set->event_timed)
		return;
	s = scratch_get();
	if (s)
		s->event_start_ns = bpf_ktime_get_ns();
}

/* May one more event go out this second? */
static __always_inline bool event_is_due(struct scratch *s, __u64 now_ns, __u32 limit)
{
	const __u64 second = now_ns / 1000000000u;

	if (s->event_second != second) {
		s->event_second = second;
		s->event_count = 0;
	}
	if (s->event_count >= limit)
		return false;
	s->event_count++;
	return true;
}

static __always_inline bool event_is_sampled(struct scratch *s, __u32 every)
{
	if (!every || ++s->sampled < every)
		return false;
	s->sampled = 0;
	return true;
}

static __always_inline void event_fill(struct lane53_event *event,
				       const struct frame *f, const struct view *view,
				       const struct question *q,
				       const struct told *told)
{
	event->view = view->view;
	event->ifindex = f->in.ifindex;
	event->label = told->label;
	event->id_be = q->id_be;
	addr_copy(event->remote, f->from);
	addr_copy(event->local, f->to.addr);
	event->remote_port_be = f->from_port_be;
	event->local_port_be = f->to.port_be;
	event->qtype = q->qtype;
	event->qclass = q->qclass;
	event->request_bytes = (__u16)f->dns_len;
	event->response_bytes = told->response_len;
	event->edns_bytes = q->edns.udp_payload_size;
	event->response_flags = told->response_flags;
	event->outcome = (__u8)told->outcome;
	event->proto = IPPROTO_UDP;
	event->edns_do = q->edns.flags & QUESTION_EDNS_DO;
	event->qname_len = (__u8)q->qname_len;
	event->opcode = OPCODE_QUERY;
	event->nodata = (__u8)told->nodata;
	__builtin_memset(event->pad, 0, sizeof(event->pad));
}

/* What the entry and event_tell() left for it. */
static __always_inline void event_why(struct lane53_event *event)
{
	const struct lane53_settings *set = settings_get();
	const struct scratch *s = scratch_get();

	event->duration_ns =
		set && s && set->event_timed ? event->time_ns - s->event_start_ns : 0;
	event->why = s ? s->event_why : 0;
}

static __noinline void event_send(struct xdp_md *ctx, const struct frame *f,
				  const struct view *view, const struct question *q,
				  const struct told *told)
{
	struct lane53_event *event =
		bpf_ringbuf_reserve(&events, sizeof(struct lane53_event), 0);
	__u32 len = q->qname_len;

	if (!event) {
		count_outcome(LANE53_EVENT_LOST);
		return;
	}
	event->time_ns = bpf_ktime_get_ns();
	event_fill(event, f, view, q, told);
	event_why(event);
	if (!is_length(&len, NAME_MAX_BYTES) ||
	    bpf_xdp_load_bytes(ctx, FRAME_OFF(f->dns_off) + QNAME_OFF, event->qname,
			       len)) {
		bpf_ringbuf_discard(event, 0);
		count_outcome(LANE53_EVENT_LOST);
		return;
	}
	bpf_ringbuf_submit(event, 0);
}

/*
 * Off, as it is by default, this costs two comparisons.  Samples get half of the limit:
 * who watches must not take `log` its lines.
 */
static __always_inline void
event_tell(struct xdp_md *ctx, const struct lane53_settings *set, const struct frame *f,
	   const struct view *view, const struct question *q, const struct told *told)
{
	const bool logged = told->slot_flags & LANE53_SLOT_LOG;
	const __u32 limit = logged ? set->event_limit : (set->event_limit + 1) / 2;
	struct scratch *s;

	if (!logged && !set->event_sample)
		return;
	s = scratch_get();
	if (!s)
		return;
	s->event_why = logged ? LANE53_EVENT_LOGGED : 0;
	if (event_is_sampled(s, set->event_sample))
		s->event_why |= LANE53_EVENT_SAMPLED;
	if (!s->event_why)
		return;
	if (event_is_due(s, bpf_ktime_get_coarse_ns(), limit))
		event_send(ctx, f, view, q, told);
	else
		count_outcome(LANE53_EVENT_LOST);
}

#endif
