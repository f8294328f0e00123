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

/* A line of any length, without its end.  Return: 0, -EPIPE at an end without one. */
static int recv_line(int fd, char **ret_line)
{
	char *line = NULL;
	size_t len = 0, room = 0;

	for (;;) {
		ssize_t n;

		if (len == room) {
			char *grown = realloc(line, room = room ? 2 * room : 65536);

			if (!grown) {
				free(line);
				return -ENOMEM;
			}
			line = grown;
		}
		n = recv(fd, line + len, room - len, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			int error = n < 0 ? -errno : -EPIPE;

			free(line);
			return error;
		}
		len += (size_t)n;
		if (line[len - 1] == '\n') {
			line[len - 1] = 0;
			*ret_line = line;
			return 0;
		}
	}
}

json_t *ctl_exchange(const char *path, const json_t *request, unsigned timeout_s,
		     char *why, size_t room)
{
	json_t *reply = NULL;
	char *line = NULL;
	int r, fd = connect_to(path, timeout_s);

	if (fd < 0) {
		snprintf(why, room, "cannot reach lane53d at %s: %s%s", path,
			 strerror(-fd),
			 fd == -ENOENT || fd == -ECONNREFUSED
				 ? "; is it running? (-s SOCKET or -name INSTANCE says "
				   "where)"
				 : "");
		return NULL;
	}
	r = send_line(fd, request);
	if (r == 0)
		r = recv_line(fd, &line);
	close(fd);
	if (r < 0) {
		snprintf(why, room, "no reply from lane53d at %s: %s", path,
			 r == -EAGAIN  ? "it took too long"
			 : r == -EPIPE ? "it ended the connection"
				       : strerror(-r));
		return NULL;
	}
	reply = json_loads(line, 0, NULL);
	free(line);
	if (!json_is_object(reply)) {
		json_decref(reply);
		snprintf(why, room, "no JSON in the reply from lane53d at %s", path);
		return NULL;
	}
	return reply;
}
