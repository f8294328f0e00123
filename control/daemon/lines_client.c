/* SPDX-License-Identifier: BSD-3-Clause */
/* lines_client.c - the side of lines.h that asks: one connection per question. */
#include "lines.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct call {
	uv_pipe_t pipe;
	uv_timer_t timer;
	uv_connect_t connect;
	uv_write_t write;
	char *text;
	char *in;
	size_t in_len, in_room;
	lines_done *done;
	void *context;
	unsigned open; /* handles not closed yet */
	bool late, finished;
};

#define GRACE_MS 20

static void on_closed(uv_handle_t *handle)
{
	struct call *call = handle->data;

	if (--call->open > 0)
		return;
	free(call->text);
	free(call->in);
	free(call);
}

static void finish(struct call *call, json_t *reply, const char *error)
{
	if (call->finished)
		return;
	call->finished = true;
	call->done(call->context, reply, error);
	uv_close((uv_handle_t *)&call->pipe, on_closed);
	uv_close((uv_handle_t *)&call->timer, on_closed);
}

static void on_timeout(uv_timer_t *timer)
{
	struct call *call = timer->data;

	/*
	 * uv runs timers before it looks at sockets: after a busy turn of the loop the
	 * reply may be waiting there.  Let it look once more.
	 */
	if (!call->late) {
		call->late = true;
		uv_timer_start(&call->timer, on_timeout, GRACE_MS, 0);
		return;
	}
	finish(call, NULL, "no reply in time");
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
	struct call *call = handle->data;

	(void)suggested;
	if (call->in_room - call->in_len < 4096) {
		size_t room = call->in_room ? call->in_room * 2 : 8192;
		char *in = realloc(call->in, room);

		if (in) {
			call->in = in;
			call->in_room = room;
		}
	}
	*ret = uv_buf_init(call->in + call->in_len,
			   (unsigned)(call->in_room - call->in_len));
}

static void on_bytes(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
	struct call *call = stream->data;
	json_t *reply;
	char *end;

	(void)buf;
	if (len < 0) {
		finish(call, NULL, "the connection ended without a reply");
		return;
	}
	call->in_len += (size_t)len;
	end = memchr(call->in, '\n', call->in_len);
	if (!end)
		return;
	reply = json_loadb(call->in, (size_t)(end - call->in), 0, NULL);
	finish(call, reply, reply ? NULL : "the reply is not JSON");
	json_decref(reply);
}

static void on_written(uv_write_t *write, int status)
{
	if (status < 0 && status != UV_ECANCELED)
		finish(write->data, NULL, uv_strerror(status));
}

static void on_connected(uv_connect_t *connect, int status)
{
	struct call *call = connect->data;
	uv_buf_t buf;

	if (call->finished)
		return;
	if (status < 0) {
		finish(call, NULL, uv_strerror(status));
		return;
	}
	buf = uv_buf_init(call->text, (unsigned)strlen(call->text));
	call->write.data = call;
	status =
		uv_write(&call->write, (uv_stream_t *)&call->pipe, &buf, 1, on_written);
	if (status == 0)
		status = uv_read_start((uv_stream_t *)&call->pipe, on_room, on_bytes);
	if (status < 0)
		finish(call, NULL, uv_strerror(status));
}

void lines_ask(uv_loop_t *loop, const char *path, json_t *request, unsigned timeout_ms,
	       lines_done *done, void *context)
{
	struct call *call = calloc(1, sizeof(*call));
	char *text = json_dumps(request, JSON_COMPACT);
	size_t len = text ? strlen(text) : 0;
	char *line = text ? realloc(text, len + 2) : NULL;

	json_decref(request);
	if (!call || !line)
		abort(); /* a few hundred bytes: nothing can go on without them */
	memcpy(line + len, "\n", 2);
	call->text = line;
	call->done = done;
	call->context = context;
	uv_pipe_init(loop, &call->pipe, 0);
	uv_timer_init(loop, &call->timer);
	call->pipe.data = call->timer.data = call->connect.data = call;
	call->open = 2;
	uv_timer_start(&call->timer, on_timeout, timeout_ms, 0);
	uv_pipe_connect(&call->connect, &call->pipe, path, on_connected);
}
