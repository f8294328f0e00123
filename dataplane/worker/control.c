/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * control.c - the control socket's lines: read, hand to their operation, answer.
 */
#include "worker/control.h"

#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "worker/ops.h"
#include "worker/worker.h"

/* The longest request: an operation and a name in presentation form. */
#define LINE_MAX_BYTES 4096

struct control {
	uv_pipe_t server;
	struct worker *worker;
	struct peer *peers;
};

struct peer {
	uv_pipe_t pipe;
	struct control *control;
	struct peer *prev, *next;
	size_t len;
	char line[LINE_MAX_BYTES];
};

struct reply {
	uv_write_t write;
	char *text;
};

/* ---- peers ---- */

static void peer_free(uv_handle_t *handle)
{
	free(handle->data);
}

static void peer_close(struct peer *peer)
{
	if (uv_is_closing((uv_handle_t *)&peer->pipe))
		return;
	if (peer->prev)
		peer->prev->next = peer->next;
	else
		peer->control->peers = peer->next;
	if (peer->next)
		peer->next->prev = peer->prev;
	uv_close((uv_handle_t *)&peer->pipe, peer_free);
}

static void on_written(uv_write_t *write, int status)
{
	struct reply *reply = (struct reply *)write;

	if (status < 0 && status != UV_ECANCELED)
		peer_close(write->handle->data);
	free(reply->text);
	free(reply);
}

/* Takes @object. */
static void peer_reply(struct peer *peer, json_t *object)
{
	char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
	struct reply *reply = malloc(sizeof(*reply));
	size_t len = text ? strlen(text) : 0;
	char *line = realloc(text, len + 2);
	uv_buf_t buf;

	json_decref(object);
	if (!reply || !line || len == 0) {
		free(line ? line : text);
		free(reply);
		peer_close(peer); /* out of memory: no answer is an answer, too */
		return;
	}
	line[len] = '\n';
	reply->text = line;
	buf = uv_buf_init(line, (unsigned)len + 1);
	if (uv_write(&reply->write, (uv_stream_t *)&peer->pipe, &buf, 1, on_written)) {
		free(line);
		free(reply);
		peer_close(peer);
	}
}

static void line_handle(struct peer *peer, const char *line, size_t len)
{
	json_error_t error;
	json_t *request = json_loadb(line, len, 0, &error);

	if (json_is_object(request))
		peer_reply(peer, ops_run(peer->control->worker, request));
	else
		peer_reply(peer, json_pack("{s:b, s:s}", "ok", 0, "error",
					   "a request is one JSON object per line"));
	json_decref(request);
}

static void lines_handle(struct peer *peer)
{
	size_t at = 0;
	char *end;

	while (!uv_is_closing((uv_handle_t *)&peer->pipe) &&
	       (end = memchr(peer->line + at, '\n', peer->len - at))) {
		size_t len = (size_t)(end - peer->line) - at;

		if (len)
			line_handle(peer, peer->line + at, len);
		at += len + 1;
	}
	peer->len -= at;
	memmove(peer->line, peer->line + at, peer->len);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct peer *peer = handle->data;

	(void)suggested;
	*buf = uv_buf_init(peer->line + peer->len,
			   (unsigned)(sizeof(peer->line) - peer->len));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct peer *peer = stream->data;

	(void)buf;
	if (n < 0) { /* end of file, an error, or a line that is too long (ENOBUFS) */
		peer_close(peer);
		return;
	}
	peer->len += (size_t)n;
	lines_handle(peer);
}

static void on_connection(uv_stream_t *server, int status)
{
	struct control *control = server->data;
	struct peer *peer = status == 0 ? calloc(1, sizeof(*peer)) : NULL;

	if (!peer)
		return;
	uv_pipe_init(server->loop, &peer->pipe, 0);
	peer->pipe.data = peer;
	peer->control = control;
	peer->next = control->peers;
	if (peer->next)
		peer->next->prev = peer;
	control->peers = peer;
	if (uv_accept(server, (uv_stream_t *)&peer->pipe) < 0 ||
	    uv_read_start((uv_stream_t *)&peer->pipe, on_alloc, on_read) < 0)
		peer_close(peer);
}

/* ---- listen ---- */

/*
 * Bound here and not by uv_pipe_bind(): libuv would unlink the path when it closes, and
 * by then it may be a successor's.
 */
static int listen_at(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), r;

	if (fd < 0)
		return -errno;
	if (strlen(path) >= sizeof(at.sun_path)) {
		close(fd);
		return -ENAMETOOLONG;
	}
	strcpy(at.sun_path, path);
	(void)unlink(path); /* of a worker that was killed */
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || chmod(path, 0600) < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	return fd;
}

static void control_free(uv_handle_t *handle)
{
	free(handle->data);
}

int control_open(struct control **ret_control, struct worker *worker, uv_loop_t *loop)
{
	struct control *control = calloc(1, sizeof(*control));
	char path[4096];
	int fd, r;

	if (!control)
		return -ENOMEM;
	snprintf(path, sizeof(path), "%s/worker-%s.sock",
		 worker_options(worker)->run_dir, worker_io(worker));
	fd = listen_at(path);
	if (fd < 0) {
		free(control);
		return fd;
	}
	control->worker = worker;
	uv_pipe_init(loop, &control->server, 0);
	control->server.data = control;
	r = uv_pipe_open(&control->server, fd);
	if (r == 0)
		r = uv_listen((uv_stream_t *)&control->server, 16, on_connection);
	if (r < 0) {
		uv_close((uv_handle_t *)&control->server, control_free);
		return r;
	}
	*ret_control = control;
	return 0;
}

void control_close(struct control *control)
{
	if (!control)
		return;
	while (control->peers)
		peer_close(control->peers);
	uv_close((uv_handle_t *)&control->server, control_free);
}
