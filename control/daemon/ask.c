/* SPDX-License-Identifier: BSD-3-Clause */
/* ask.c - see ask.h. */
#include "ask.h"

#include <endian.h>
#include <errno.h>
#include <ldns/ldns.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "dns/name.h"
#include "io/address.h"
#include "lane53/wire.h"
#include "plan/plan.h"

size_t ask_build(uint8_t out[512], const uint8_t *qname, uint16_t qtype)
{
	size_t name_len = name_size(qname), len = sizeof(struct dns_header);
	struct dns_header header = { .flags_be = htobe16(FLAG_RD),
				     .qdcount_be = htobe16(1),
				     .arcount_be = htobe16(1) };
	static const uint8_t opt[OPT_BYTES] = { 0, 0, TYPE_OPT, LANE53_UDP_PAYLOAD >> 8,
						LANE53_UDP_PAYLOAD & 0xff };

	(void)!getrandom(&header.id_be, sizeof(header.id_be), 0);
	memcpy(out, &header, sizeof(header));
	memcpy(out + len, qname, name_len);
	len += name_len;
	memcpy(out + len, (uint8_t[]){ (uint8_t)(qtype >> 8), (uint8_t)qtype, 0, 1 },
	       4);
	len += 4;
	memcpy(out + len, opt, sizeof(opt));
	return len + sizeof(opt);
}

/* ---- sending ---- */

struct asking {
	union {
		uv_handle_t any;
		uv_udp_t udp;
		uv_tcp_t tcp;
	} socket;
	uv_timer_t timer;
	uv_connect_t connect;
	uv_write_t write;
	uv_udp_send_t send;
	uint8_t query[2 + 512]; /* with TCP's length in front */
	size_t len;
	uint8_t *in;
	size_t in_len;
	uint64_t began_ns;
	ask_done *done;
	void *context;
	unsigned open;
	bool finished;
	int error; /* of the first step; told from the timer */
};

#define IN_ROOM (2 + 65535)

static void on_closed(uv_handle_t *handle)
{
	struct asking *a = handle->data;

	if (--a->open > 0)
		return;
	free(a->in);
	free(a);
}

static void finish(struct asking *a, const uint8_t *message, size_t len,
		   const char *error)
{
	uint64_t took_ns = uv_hrtime() - a->began_ns;

	if (a->finished)
		return;
	a->finished = true;
	a->done(a->context, message, len, (uint32_t)(took_ns / 1000), error);
	uv_close(&a->socket.any, on_closed);
	uv_close((uv_handle_t *)&a->timer, on_closed);
}

static void on_timeout(uv_timer_t *timer)
{
	struct asking *a = timer->data;

	finish(a, NULL, 0, a->error ? uv_strerror(a->error) : "no response in time");
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
	struct asking *a = handle->data;

	(void)suggested;
	*ret = uv_buf_init((char *)a->in + a->in_len, (unsigned)(IN_ROOM - a->in_len));
}

static bool is_ours(const struct asking *a, const uint8_t *message, size_t len)
{
	return len >= DNS_HEADER_BYTES && !memcmp(message, a->query + 2, 2) &&
	       message[2] & (FLAG_QR >> 8);
}

static void on_datagram(uv_udp_t *udp, ssize_t len, const uv_buf_t *buf,
			const struct sockaddr *from, unsigned flags)
{
	struct asking *a = udp->data;

	(void)buf;
	(void)flags;
	if (len < 0)
		finish(a, NULL, 0, uv_strerror((int)len));
	else if (from && is_ours(a, a->in, (size_t)len))
		finish(a, a->in, (size_t)len, NULL);
}

static void on_stream(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
	struct asking *a = stream->data;
	size_t want;

	(void)buf;
	if (len < 0) {
		finish(a, NULL, 0, "the connection was closed");
		return;
	}
	a->in_len += (size_t)len;
	want = a->in_len >= 2 ? (size_t)(a->in[0] << 8 | a->in[1]) : IN_ROOM;
	if (a->in_len >= 2 + want && is_ours(a, a->in + 2, want))
		finish(a, a->in + 2, want, NULL);
}

static void on_sent(uv_udp_send_t *send, int status)
{
	if (status < 0 && status != UV_ECANCELED)
		finish(send->data, NULL, 0, uv_strerror(status));
}

static void on_written(uv_write_t *write, int status)
{
	if (status < 0 && status != UV_ECANCELED)
		finish(write->data, NULL, 0, uv_strerror(status));
}

static void on_connected(uv_connect_t *connect, int status)
{
	struct asking *a = connect->data;
	uv_buf_t buf = uv_buf_init((char *)a->query, (unsigned)a->len + 2);

	if (a->finished)
		return;
	if (status == 0)
		status = uv_read_start(connect->handle, on_room, on_stream);
	if (status == 0)
		status = uv_write(&a->write, connect->handle, &buf, 1, on_written);
	if (status < 0)
		finish(a, NULL, 0, uv_strerror(status));
}

static void to_sockaddr(struct sockaddr_storage *out, const struct plan_address *server)
{
	static const uint8_t loopback[16] = { [10] = 0xff, 0xff, 127, 0, 0, 1 };
	const uint8_t *addr = address_is_any(server->addr) ? loopback : server->addr;

	(void)address_to_socket(out, addr, server->port);
}

static int begin(struct asking *a, const struct ask *ask,
		 const struct sockaddr_storage *to)
{
	uv_buf_t buf = uv_buf_init((char *)a->query + 2, (unsigned)a->len);
	int r;

	if (ask->tcp)
		return uv_tcp_connect(&a->connect, &a->socket.tcp, (const void *)to,
				      on_connected);
	r = uv_udp_connect(&a->socket.udp, (const void *)to);
	if (r == 0)
		r = uv_udp_recv_start(&a->socket.udp, on_room, on_datagram);
	if (r == 0)
		r = uv_udp_send(&a->send, &a->socket.udp, &buf, 1, NULL, on_sent);
	return r;
}

void ask_send(const struct ask *ask, ask_done *done, void *context)
{
	struct asking *a = calloc(1, sizeof(*a));
	struct sockaddr_storage to;

	if (a)
		a->in = malloc(IN_ROOM);
	if (!a || !a->in || ask->len > 512)
		abort(); /* a client of our own: nothing to go on with */
	a->query[0] = (uint8_t)(ask->len >> 8);
	a->query[1] = (uint8_t)ask->len;
	memcpy(a->query + 2, ask->query, ask->len);
	a->len = ask->len;
	a->done = done;
	a->context = context;
	a->began_ns = uv_hrtime();
	if (ask->tcp)
		uv_tcp_init(ask->loop, &a->socket.tcp);
	else
		uv_udp_init(ask->loop, &a->socket.udp);
	uv_timer_init(ask->loop, &a->timer);
	a->socket.any.data = a->timer.data = a;
	a->connect.data = a->write.data = a->send.data = a;
	a->open = 2;
	to_sockaddr(&to, ask->server);
	a->error = begin(a, ask, &to);
	uv_timer_start(&a->timer, on_timeout, a->error ? 0 : ask->timeout_ms, 0);
}

/* ---- showing ---- */

static json_t *rr_list(const ldns_rr_list *rrs)
{
	json_t *list = json_array();

	for (size_t i = 0; rrs && i < ldns_rr_list_rr_count(rrs); i++) {
		char *text = ldns_rr2str(ldns_rr_list_rr(rrs, i));

		if (!text)
			continue;
		text[strcspn(text, "\n")] = 0;
		for (char *p = text; *p; p++)
			if (*p == '\t')
				*p = ' ';
		json_array_append_new(list, json_string(text));
		free(text);
	}
	return list;
}

json_t *ask_flags(uint16_t flags)
{
	static const struct {
		uint16_t bit;
		const char *name;
	} names[] = { { FLAG_QR, "qr" }, { FLAG_AA, "aa" }, { FLAG_TC, "tc" },
		      { FLAG_RD, "rd" }, { FLAG_RA, "ra" }, { FLAG_AD, "ad" },
		      { FLAG_CD, "cd" } };
	json_t *list = json_array();

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (flags & names[i].bit)
			json_array_append_new(list, json_string(names[i].name));
	return list;
}

int ask_describe(json_t *object, const uint8_t *message, size_t len)
{
	ldns_pkt *packet;
	char *rcode;

	if (len < DNS_HEADER_BYTES ||
	    ldns_wire2pkt(&packet, message, len) != LDNS_STATUS_OK)
		return -EBADMSG;
	rcode = ldns_pkt_rcode2str(ldns_pkt_get_rcode(packet));
	json_object_set_new(object, "rcode", json_string(rcode ? rcode : "?"));
	json_object_set_new(object, "flags",
			    ask_flags((uint16_t)(message[2] << 8 | message[3])));
	json_object_set_new(object, "answers", rr_list(ldns_pkt_answer(packet)));
	json_object_set_new(object, "authority", rr_list(ldns_pkt_authority(packet)));
	json_object_set_new(object, "bytes", json_integer((json_int_t)len));
	free(rcode);
	ldns_pkt_free(packet);
	return 0;
}
