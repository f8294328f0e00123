/* SPDX-License-Identifier: BSD-3-Clause */
/* test_lines.c - JSON lines: both sides on one loop. */
#include "check.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "daemon/lines.h"

static uv_loop_t loop;
static char path[64];
static struct lines_server *server;
static struct lines_request *held;
static unsigned got;
static json_t *last;
static char last_error[128];

static void echo(void *context, struct lines_request *request, json_t *json)
{
	const char *op = json_string_value(json_object_get(json, "op"));

	(void)context;
	if (op && !strcmp(op, "hold"))
		held = request;
	else if (op && !strcmp(op, "refuse"))
		lines_refuse(request, "no %s", "way");
	else
		lines_reply(request, json_pack("{s:b, s:O}", "ok", 1, "you", json));
}

static void on_done(void *context, json_t *reply, const char *error)
{
	(void)context;
	got++;
	json_decref(last);
	last = json_incref(reply);
	snprintf(last_error, sizeof(last_error), "%s", error ? error : "");
}

static void begin(void)
{
	snprintf(path, sizeof(path), "/tmp/lane53-lines-%d.sock", getpid());
	(void)signal(SIGPIPE, SIG_IGN); /* as the daemon does */
	uv_loop_init(&loop);
	CU_ASSERT_EQUAL_FATAL(lines_listen(&server, &loop, path, echo, NULL), 0);
	got = 0;
}

static void end(void)
{
	lines_close(server);
	uv_run(&loop, UV_RUN_DEFAULT);
	CU_ASSERT_EQUAL(uv_loop_close(&loop), 0);
	unlink(path);
	json_decref(last);
	last = NULL;
}

static void ask(const char *op, unsigned timeout_ms)
{
	unsigned before = got;

	lines_ask(&loop, path, json_pack("{s:s}", "op", op), timeout_ms, on_done, NULL);
	while (got == before)
		uv_run(&loop, UV_RUN_ONCE);
}

static void asked_and_answered(void)
{
	struct stat st;

	begin();
	CU_ASSERT_EQUAL(stat(path, &st), 0);
	CU_ASSERT_EQUAL(st.st_mode & 07777, 0660);
	ask("x", 1000);
	CU_ASSERT_TRUE(json_is_true(json_object_get(last, "ok")));
	ask("refuse", 1000);
	CU_ASSERT_FALSE(json_is_true(json_object_get(last, "ok")));
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(last, "error")),
			       "no way");
	end();
}

static void no_server(void)
{
	begin();
	unlink(path);
	ask("x", 1000);
	CU_ASSERT_PTR_NULL(last);
	CU_ASSERT_NOT_EQUAL(last_error[0], 0);
	end();
}

static void client_gives_up_before_the_reply(void)
{
	begin();
	ask("hold", 30);
	CU_ASSERT_PTR_NULL(last);
	CU_ASSERT_STRING_EQUAL(last_error, "no reply in time");
	uv_run(&loop, UV_RUN_NOWAIT);
	lines_reply(held, json_pack("{s:b}", "ok", 1));
	ask("x", 1000);
	CU_ASSERT_PTR_NOT_NULL(last);
	end();
}

static void a_busy_turn_is_not_waiting(void)
{
	begin();
	lines_ask(&loop, path, json_pack("{s:s}", "op", "x"), 20, on_done, NULL);
	usleep(60000); /* the loop is busy elsewhere: its timers are due first then */
	while (!got)
		uv_run(&loop, UV_RUN_ONCE);
	CU_ASSERT_PTR_NOT_NULL(last);
	end();
}

static void late_reply_after_close(void)
{
	begin();
	ask("hold", 30);
	lines_close(server);
	uv_run(&loop, UV_RUN_DEFAULT);
	lines_reply(held, json_pack("{s:b}", "ok", 1));
	CU_ASSERT_EQUAL(uv_loop_close(&loop), 0);
	unlink(path);
}

/* Raw bytes: two requests in one write, one cut in two, one that is no JSON. */
static void raw(const char *const parts[], unsigned count, const char *expected)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	char reply[1024] = "";
	size_t len;

	begin();
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	CU_ASSERT_EQUAL_FATAL(connect(fd, (void *)&addr, sizeof(addr)), 0);
	for (unsigned i = 0; i < count; i++) {
		CU_ASSERT_EQUAL(write(fd, parts[i], strlen(parts[i])),
				(ssize_t)strlen(parts[i]));
		for (int turn = 0; turn < 5; turn++)
			uv_run(&loop, UV_RUN_NOWAIT);
	}
	len = (size_t)recv(fd, reply, sizeof(reply) - 1, MSG_DONTWAIT);
	reply[len < sizeof(reply) ? len : 0] = 0;
	CU_ASSERT_STRING_EQUAL(reply, expected);
	close(fd);
	end();
}

static void lines_and_pieces(void)
{
	static const char *const two[] = { "{\"a\":1}\n{\"a\":2}\n" };
	static const char *const cut[] = { "{\"a", "\":1}", "\n" };
	static const char *const bad[] = { "[1]\n{\"a\":1}\n" };

	raw(two, 1,
	    "{\"ok\":true,\"you\":{\"a\":1}}\n{\"ok\":true,\"you\":{\"a\":2}}\n");
	raw(cut, 3, "{\"ok\":true,\"you\":{\"a\":1}}\n");
	raw(bad, 1,
	    "{\"ok\":false,\"error\":\"expected a JSON object on one line\"}\n"
	    "{\"ok\":true,\"you\":{\"a\":1}}\n");
}

static unsigned gone;

static void note_gone(void *context)
{
	CU_ASSERT_PTR_EQUAL(context, held);
	gone++;
}

/* A client connected to the server of begin(). */
static int dial(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	CU_ASSERT_EQUAL_FATAL(connect(fd, (void *)&addr, sizeof(addr)), 0);
	return fd;
}

/* What the server has replied so far is thrown away.  Return: how many lines. */
static size_t count_lines(int fd)
{
	char reply[65536];
	size_t count = 0;
	ssize_t len;

	while ((len = recv(fd, reply, sizeof(reply), MSG_DONTWAIT)) > 0)
		for (ssize_t i = 0; i < len; i++)
			count += reply[i] == '\n';
	return count;
}

/* Lines before the reply; a client that goes in their midst; one that does not read. */
static void a_reply_of_many_lines(void)
{
	char reply[256] = "";
	bool taken = true;
	unsigned sent = 0;
	int fd;

	begin();
	fd = dial();
	CU_ASSERT_EQUAL(write(fd, "{\"op\":\"hold\"}\n", 14), 14);
	for (int turn = 0; turn < 5; turn++)
		uv_run(&loop, UV_RUN_NOWAIT);
	gone = 0;
	lines_on_gone(held, note_gone, held);
	CU_ASSERT_TRUE(lines_more(held, json_pack("{s:i}", "n", 1)));
	CU_ASSERT_TRUE(lines_more(held, json_pack("{s:i}", "n", 2)));
	lines_reply(held, json_pack("{s:b}", "ok", 1));
	for (int turn = 0; turn < 5; turn++)
		uv_run(&loop, UV_RUN_NOWAIT);
	CU_ASSERT_EQUAL(recv(fd, reply, sizeof(reply) - 1, MSG_DONTWAIT), 28);
	CU_ASSERT_STRING_EQUAL(reply, "{\"n\":1}\n{\"n\":2}\n{\"ok\":true}\n");
	CU_ASSERT_EQUAL(gone, 0);

	CU_ASSERT_EQUAL(write(fd, "{\"op\":\"hold\"}\n", 14), 14);
	for (int turn = 0; turn < 5; turn++)
		uv_run(&loop, UV_RUN_NOWAIT);
	lines_on_gone(held, note_gone, held);
	while (taken && sent++ < 1000000)
		taken = lines_more(held, json_pack("{s:s}", "text",
						   "what nobody reads is not kept "
						   "without end"));
	CU_ASSERT_FALSE(taken);
	close(fd);
	for (int turn = 0; turn < 1000 && !gone; turn++)
		uv_run(&loop, UV_RUN_NOWAIT);
	CU_ASSERT_EQUAL(gone, 1);
	CU_ASSERT_FALSE(lines_more(held, json_pack("{s:i}", "n", 3)));
	lines_reply(held, json_pack("{s:b}", "ok", 1));
	end();
}

/* Each line is answered from within the one before: that must not nest. */
static void thousands_of_lines_behind_a_slow_one(void)
{
	static char many[100000];
	const size_t lines = sizeof(many) / 2;
	size_t sent = 0, answered = 0;
	int fd;

	begin();
	fd = dial();
	held = NULL;
	CU_ASSERT_EQUAL(write(fd, "{\"op\":\"hold\"}\n", 14 + 1), 15);
	memset(many, '0', sizeof(many));
	for (size_t i = 1; i < sizeof(many); i += 2)
		many[i] = '\n';
	for (int turn = 0; turn < 200; turn++) {
		ssize_t n = write(fd, many + sent, sizeof(many) - sent);

		sent += n > 0 ? (size_t)n : 0;
		uv_run(&loop, UV_RUN_NOWAIT);
	}
	CU_ASSERT_EQUAL(sent, sizeof(many));
	CU_ASSERT_PTR_NOT_NULL_FATAL(held);
	lines_reply(held, json_pack("{s:b}", "ok", 1));
	for (int turn = 0; turn < 20000 && answered < lines + 1; turn++) {
		uv_run(&loop, UV_RUN_NOWAIT);
		answered += count_lines(fd);
	}
	CU_ASSERT_EQUAL(answered, lines + 1);
	close(fd);
	end();
}

/* Who asks and asks and reads no reply is not stored for without end. */
static void a_client_that_does_not_read(void)
{
	static char big[40000];
	size_t sent = 0;
	unsigned asked = 0;
	int fd;

	begin();
	fd = dial();
	memset(big, ' ', sizeof(big));
	memcpy(big, "{\"a\":\"", 6);
	memset(big + 6, 'x', sizeof(big) - 9);
	memcpy(big + sizeof(big) - 3, "\"}\n", 3);
	for (int turn = 0; turn < 2000; turn++) {
		ssize_t n = send(fd, big + sent, sizeof(big) - sent, MSG_NOSIGNAL);

		sent += n > 0 ? (size_t)n : 0;
		if (sent == sizeof(big)) {
			sent = 0;
			asked++;
		}
		uv_run(&loop, UV_RUN_NOWAIT);
		if (n < 0 && errno == EPIPE)
			break;
	}
	/* 1 MiB of replies, as much again of questions, what two sockets hold: no more */
	CU_ASSERT_TRUE(asked * sizeof(big) < 6u << 20);
	close(fd);
	end();
}

static void texts_that_are_no_utf8(void)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "plain", "plain" },
		{ "caf\xc3\xa9", "caf\xc3\xa9" },
		{ "caf\xc3", "caf?" },
		{ "\xff\xe2\x82", "???" },
		{ "", "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		json_t *text = lines_text(cases[i].text);

		CU_ASSERT_STRING_EQUAL(json_string_value(text), cases[i].want);
		json_decref(text);
	}
}

static const struct check_case tests[] = {
	{ "asked and answered", asked_and_answered },
	{ "no server", no_server },
	{ "client gives up before the reply", client_gives_up_before_the_reply },
	{ "a busy turn of the loop is not waiting", a_busy_turn_is_not_waiting },
	{ "reply after the server was closed", late_reply_after_close },
	{ "lines in pieces", lines_and_pieces },
	{ "a reply of many lines", a_reply_of_many_lines },
	{ "thousands of lines behind a slow one",
	  thousands_of_lines_behind_a_slow_one },
	{ "a client that does not read", a_client_that_does_not_read },
	{ "texts that are no UTF-8", texts_that_are_no_utf8 },
};

CHECK_MAIN("lines", tests)
