/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lines_server.c - the side of lines.h that is asked.
 *
 * What a client may make us hold is bounded: a line by LINES_REQUEST_MAX, replies it does
 * not read by BACKLOG_BYTES, beyond which its next line waits.
 */
#include "lines.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "corefile/lexer.h"

#define BACKLOG_BYTES (1u << 20)

struct lines_server {
	uv_pipe_t pipe;
	lines_handler *handler;
	void *context;
	struct connection *first;
};

struct connection {
	uv_pipe_t pipe;
	struct lines_server *server; /* NULL: the server is closed */
	struct connection *next, **link;
	struct lines_request *busy; /* being answered */
	char *in;
	size_t in_pos, in_len, in_room; /* of in: taken, filled, allocated */
	bool taking;                    /* take_lines() is at work */
	bool closing;
};

struct lines_request {
	struct connection *connection; /* NULL: the client has gone */
	json_t *json;
	void (*gone)(void *context); /* NULL: nobody asks */
	void *gone_context;
};

struct outgoing {
	uv_write_t write;
	char *text;
};

static void on_closed(uv_handle_t *handle)
{
	struct connection *c = handle->data;

	free(c->in);
	free(c);
}

static void hang_up(struct connection *c)
{
	struct lines_request *busy = c->busy;

	if (c->closing)
		return;
	c->closing = true;
	if (busy)
		busy->connection = NULL;
	if (c->link) {
		*c->link = c->next;
		if (c->next)
			c->next->link = c->link;
	}
	uv_close((uv_handle_t *)&c->pipe, on_closed);
	if (busy && busy->gone)
		busy->gone(busy->gone_context);
}

static void take_lines(struct connection *c);

static void on_written(uv_write_t *write, int status)
{
	struct outgoing *out = write->data;
	struct connection *c = write->handle->data;

	free(out->text);
	free(out);
	if (status < 0)
		hang_up(c);
	else
		take_lines(c); /* the client reads: there may be room again */
}

static void send_text(struct connection *c, char *text)
{
	struct outgoing *out = calloc(1, sizeof(*out));
	uv_buf_t buf;

	if (!out || !text) {
		free(out);
		free(text);
		hang_up(c);
		return;
	}
	out->text = text;
	out->write.data = out;
	buf = uv_buf_init(text, (unsigned)strlen(text));
	if (uv_write(&out->write, (uv_stream_t *)&c->pipe, &buf, 1, on_written) < 0) {
		free(text);
		free(out);
		hang_up(c);
	}
}

static bool may_take(const struct connection *c)
{
	return !c->closing && !c->busy && c->server &&
	       uv_stream_get_write_queue_size((const uv_stream_t *)&c->pipe) <
		       BACKLOG_BYTES;
}

/* Hand over the line of @len bytes at in_pos. */
static void take_line(struct connection *c, size_t len)
{
	struct lines_request *request = calloc(1, sizeof(*request));

	if (!request) {
		hang_up(c);
		return;
	}
	request->json = json_loadb(c->in + c->in_pos, len, 0, NULL);
	c->in_pos += len;
	request->connection = c;
	c->busy = request;
	if (json_is_object(request->json))
		c->server->handler(c->server->context, request, request->json);
	else
		lines_refuse(request, "expected a JSON object on one line");
}

/*
 * Hand over whole lines, one after the other, until one is not answered at once.  A
 * reply from within a handler comes back here: the loop below goes on, so that a
 * thousand lines in one packet are no thousand calls on the stack.
 */
static void take_lines(struct connection *c)
{
	const char *end = NULL;

	if (c->taking)
		return;
	c->taking = true;
	while (may_take(c)) {
		const char *line = c->in + c->in_pos;

		end = c->in_len > c->in_pos ? memchr(line, '\n', c->in_len - c->in_pos)
					    : NULL;
		if (!end)
			break;
		take_line(c, (size_t)(end - line) + 1);
	}
	c->taking = false;
	if (c->in_pos) {
		c->in_len -= c->in_pos;
		memmove(c->in, c->in + c->in_pos, c->in_len);
		c->in_pos = 0;
	}
	if (!end && may_take(c) && c->in_len >= LINES_REQUEST_MAX)
		hang_up(c); /* a line without end */
}

/* @json, taken over, as a line from malloc(); NULL: out of memory. */
static char *line_of(json_t *json)
{
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL, *line = NULL;

	if (text) {
		size_t len = strlen(text);

		line = realloc(text, len + 2);
		if (line)
			memcpy(line + len, "\n", 2);
		else
			free(text);
	}
	json_decref(json);
	return line;
}

void lines_reply(struct lines_request *request, json_t *reply)
{
	struct connection *c = request->connection;
	char *line = line_of(reply);

	json_decref(request->json);
	free(request);
	if (!c) {
		free(line);
		return;
	}
	c->busy = NULL;
	send_text(c, line);
	take_lines(c);
}

bool lines_more(struct lines_request *request, json_t *line)
{
	struct connection *c = request->connection;

	if (!c || c->closing ||
	    uv_stream_get_write_queue_size((const uv_stream_t *)&c->pipe) >=
		    BACKLOG_BYTES) {
		json_decref(line);
		return false;
	}
	send_text(c, line_of(line));
	return true;
}

void lines_on_gone(struct lines_request *request, void (*gone)(void *context),
		   void *context)
{
	request->gone = gone;
	request->gone_context = context;
}

void lines_refuse(struct lines_request *request, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	lines_reply(request,
		    json_pack("{s:b, s:o}", "ok", 0, "error", lines_text(text)));
}

json_t *lines_text(const char *text)
{
	json_t *string = json_string(text);
	const char *fault;
	char *copy;

	if (string)
		return string;
	copy = strdup(text);
	if (!copy)
		return NULL;
	while ((fault = lexer_fault(copy, strlen(copy))))
		copy[fault - copy] = '?';
	string = json_string(copy);
	free(copy);
	return string;
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
	struct connection *c = handle->data;

	(void)suggested;
	if (c->in_room - c->in_len < 4096) {
		size_t room = c->in_room ? c->in_room * 2 : 8192;
		char *in = room <= 2 * LINES_REQUEST_MAX ? realloc(c->in, room) : NULL;

		if (in) {
			c->in = in;
			c->in_room = room;
		}
	}
	*ret = uv_buf_init(c->in + c->in_len, (unsigned)(c->in_room - c->in_len));
}

static void on_bytes(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
	struct connection *c = stream->data;

	(void)buf;
	if (len < 0) {
		hang_up(c);
		return;
	}
	c->in_len += (size_t)len;
	take_lines(c);
}

static void on_connection(uv_stream_t *stream, int status)
{
	struct lines_server *server = stream->data;
	struct connection *c = status < 0 ? NULL : calloc(1, sizeof(*c));

	if (!c)
		return;
	uv_pipe_init(stream->loop, &c->pipe, 0);
	c->pipe.data = c;
	c->server = server;
	c->next = server->first;
	c->link = &server->first;
	if (c->next)
		c->next->link = &c->next;
	server->first = c;
	if (uv_accept(stream, (uv_stream_t *)&c->pipe) < 0 ||
	    uv_read_start((uv_stream_t *)&c->pipe, on_room, on_bytes) < 0)
		hang_up(c);
}

static void on_server_closed(uv_handle_t *handle)
{
	free(handle->data);
}

int lines_listen(struct lines_server **ret_server, uv_loop_t *loop, const char *path,
		 lines_handler *handler, void *context)
{
	struct lines_server *server = calloc(1, sizeof(*server));
	mode_t mask;
	int r;

	if (!server)
		return -ENOMEM;
	server->handler = handler;
	server->context = context;
	uv_pipe_init(loop, &server->pipe, 0);
	server->pipe.data = server;
	(void)unlink(path); /* whoever listened there is dead: the instance is locked */
	mask = umask(0117);
	r = uv_pipe_bind(&server->pipe, path);
	(void)umask(mask);
	if (r == 0)
		r = uv_listen((uv_stream_t *)&server->pipe, 16, on_connection);
	if (r < 0) {
		uv_close((uv_handle_t *)&server->pipe, on_server_closed);
		return r;
	}
	*ret_server = server;
	return 0;
}

void lines_close(struct lines_server *server)
{
	if (!server)
		return;
	while (server->first) {
		server->first->server = NULL;
		hang_up(server->first);
	}
	uv_close((uv_handle_t *)&server->pipe, on_server_closed);
}
