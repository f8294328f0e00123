/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * exchange.c - one request, one reply, over control.sock.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>
#include "ctl/ctl.h"

static int connect_to(const char *path, unsigned timeout_s)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval timeout = { .tv_sec = timeout_s };
	int fd;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* without a timeout we would only wait longer */
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		int error = -errno;

		close(fd);
		return error;
	}
	return fd;
}

static int send_line(int fd, const json_t *request)
{
	char *text = json_dumps(request, JSON_COMPACT);
	size_t len = text ? strlen(text) : 0, sent = 0;
	int r = 0;

	if (!text)
		return -ENOMEM;
	text[len++] = '\n'; /* in the place of the NUL */
	while (sent < len && r == 0) {
		ssize_t n = send(fd, text + sent, len - sent, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			r = -errno;
		else if (n > 0)
			sent += (size_t)n;
	}
	free(text);
	return r;
}

/* What was received and not yet taken. */
struct reader {
	int fd;
	char *bytes;
	size_t at, len, room;
};

/* Return: 0, -EPIPE at an end, -errno. */
static int receive(struct reader *r)
{
	ssize_t n;

	if (r->at) {
		memmove(r->bytes, r->bytes + r->at, r->len -= r->at);
		r->at = 0;
	}
	if (r->len == r->room) {
		char *grown =
			realloc(r->bytes, r->room = r->room ? 2 * r->room : 65536);

		if (!grown)
			return -ENOMEM;
		r->bytes = grown;
	}
	do
		n = recv(r->fd, r->bytes + r->len, r->room - r->len, 0);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n < 0 ? -errno : -EPIPE;
	r->len += (size_t)n;
	return 0;
}

/* The next line, of any length; @ret_object NULL: it is no JSON object. */
static int next_line(struct reader *r, json_t **ret_object)
{
	size_t seen = 0;

	for (;;) {
		const char *line = r->bytes ? r->bytes + r->at : NULL;
		const size_t left = r->len - r->at;
		const char *end =
			left > seen ? memchr(line + seen, '\n', left - seen) : NULL;
		int error;

		if (end) {
			json_t *json = json_loadb(line, (size_t)(end - line), 0, NULL);

			r->at += (size_t)(end - line) + 1;
			*ret_object = json_is_object(json) ? json : NULL;
			if (!*ret_object)
				json_decref(json);
			return 0;
		}
		seen = left;
		error = receive(r);
		if (error < 0)
			return error;
	}
}

/* Lines up to the reply. */
static int read_reply(struct reader *r, const struct ctl_patience *patience,
		      json_t **ret_reply)
{
	for (;;) {
		json_t *line;
		int error = next_line(r, &line);

		if (error < 0)
			return error;
		if (!line || !patience->each || json_object_get(line, "ok")) {
			*ret_reply = line;
			return 0;
		}
		patience->each(patience->context, line);
		json_decref(line);
	}
}

/* Return: has lane53d gone? */
static bool await_end(int fd)
{
	char rest[256];
	ssize_t n;

	do
		n = recv(fd, rest, sizeof(rest), 0);
	while (n > 0 || (n < 0 && errno == EINTR));
	return n == 0 || errno == ECONNRESET;
}

json_t *ctl_exchange(const char *path, const json_t *request,
		     const struct ctl_patience *patience, char *why, size_t room)
{
	struct reader reader = { .fd = connect_to(path, patience->timeout_s) };
	json_t *reply = NULL;
	int r;

	if (reader.fd < 0) {
		snprintf(why, room, "cannot reach lane53d at %s: %s%s", path,
			 strerror(-reader.fd),
			 reader.fd == -ENOENT || reader.fd == -ECONNREFUSED
				 ? "; is it running? (-s SOCKET or -name INSTANCE says "
				   "where)"
				 : "");
		return NULL;
	}
	r = send_line(reader.fd, request);
	if (r == 0)
		r = read_reply(&reader, patience, &reply);
	if (reply && patience->to_the_end &&
	    json_is_true(json_object_get(reply, "ok")) && !await_end(reader.fd)) {
		json_decref(reply);
		reply = NULL;
		r = -EAGAIN;
	}
	close(reader.fd);
	free(reader.bytes);
	if (r < 0)
		snprintf(why, room, "no reply from lane53d at %s: %s", path,
			 r == -EAGAIN  ? "it took too long"
			 : r == -EPIPE ? "it ended the connection"
				       : strerror(-r));
	else if (!reply)
		snprintf(why, room, "no JSON in the reply from lane53d at %s", path);
	return reply;
}
