/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_ctl.c - lane53ctl against a daemon that says what the test wants: the request it
 * sends, what it shows, and its exit code.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "check.h"
#include "ctl/ctl.h"

static char socket_path[] = "/tmp/test_ctl.XXXXXX";

/* Answers one connection: keeps the line it got, sends @reply (NULL: hangs up). */
struct daemon {
	int fd;
	const char *reply;
	bool lingers; /* goes some time after its reply */
	atomic_bool gone;
	char got[4096];
};

static void *serve(void *arg)
{
	struct daemon *d = arg;
	int fd = accept(d->fd, NULL, NULL);
	size_t len = 0;

	while (len + 1 < sizeof(d->got) && !memchr(d->got, '\n', len)) {
		ssize_t n = read(fd, d->got + len, sizeof(d->got) - 1 - len);

		if (n <= 0)
			break;
		len += (size_t)n;
	}
	d->got[len ? len - 1 : 0] = 0;
	if (d->reply) /* in two parts, as a stream may */
		if (write(fd, d->reply, 3) == 3)
			(void)!write(fd, d->reply + 3, strlen(d->reply + 3));
	if (d->reply)
		(void)!write(fd, "\n", 1);
	if (d->lingers)
		usleep(50000);
	atomic_store(&d->gone, true);
	close(fd);
	return NULL;
}

static int listen_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(address.sun_path, path);
	unlink(path);
	CU_ASSERT_EQUAL_FATAL(bind(fd, (struct sockaddr *)&address, sizeof(address)),
			      0);
	CU_ASSERT_EQUAL_FATAL(listen(fd, 1), 0);
	return fd;
}

/* Run "lane53ctl -s SOCKET @line", the words of @line parted by '|'. */
static enum ctl_exit run(const char *line, char **ret_out, char **ret_err)
{
	char copy[1024], *save = NULL;
	char *argv[32] = { (char *)"lane53ctl", (char *)"-s", socket_path };
	int argc = 3;
	size_t len;
	FILE *out = open_memstream(ret_out, &len), *err = open_memstream(ret_err, &len);
	enum ctl_exit code;

	snprintf(copy, sizeof(copy), "%s", line);
	for (char *word = strtok_r(copy, "|", &save); word;
	     word = strtok_r(NULL, "|", &save))
		argv[argc++] = word;
	code = ctl_run(argc, argv, out, err);
	fclose(out);
	fclose(err);
	return code;
}

static const struct {
	const char *line, *request, *reply;
	enum ctl_exit code;
	const char *out, *err;
} talks[] = {
	{ "query|a.example|AAAA|--path|xdp|--iface=eth0|--view|default",
	  "{\"op\":\"query\",\"name\":\"a.example\",\"type\":\"AAAA\",\"path\":\"xdp\","
	  "\"iface\":\"eth0\",\"view\":\"default\"}",
	  "{\"ok\":true,\"path\":\"xdp-local\",\"rcode\":\"NOERROR\",\"flags\":[\"qr\","
	  "\"aa\"],\"answers\":[\"a.example. 5 IN AAAA 2001:db8::1\"],\"authority\":[],"
	  "\"rtt_us\":12,\"bytes\":55}",
	  CTL_YES,
	  ";; NOERROR by xdp-local in 12 us, flags qr,aa, 55 bytes\n"
	  "a.example. 5 IN AAAA 2001:db8::1\n",
	  "" },
	{ "query|a.example|--path=all",
	  "{\"op\":\"query\",\"name\":\"a.example\",\"type\":\"A\",\"path\":\"all\"}",
	  "{\"ok\":true,\"agree\":false,\"results\":[{\"asked\":\"socket\",\"path\":"
	  "\"socket\",\"rcode\":\"NXDOMAIN\",\"flags\":[\"qr\"],\"answers\":[],"
	  "\"authority\":[\"example. 5 IN SOA a. b. 1 2 3 4 "
	  "5\"],\"rtt_us\":1,\"bytes\":"
	  "2},{\"asked\":\"xdp\",\"outcome\":\"TO_LANE\"}]}",
	  CTL_NO,
	  "== socket\n;; NXDOMAIN by socket in 1 us, flags qr, 2 bytes\n;; authority\n"
	  "example. 5 IN SOA a. b. 1 2 3 4 5\n\n== xdp\n;; no answer: TO_LANE\n\n"
	  "agree: no\n",
	  "" },
	{ "--json|query|a.example|--path|all",
	  "{\"op\":\"query\",\"name\":\"a.example\",\"type\":\"A\",\"path\":\"all\"}",
	  "{\"ok\":true,\"results\":[],\"agree\":false}", CTL_NO,
	  "{\"ok\":true,\"results\":[],\"agree\":false}\n", "" },
	{ "reload", "{\"op\":\"reload\"}",
	  "{\"ok\":false,\"error\":\"Corefile:3: unknown directive 'x'\"}", CTL_NO, "",
	  "lane53ctl: Corefile:3: unknown directive 'x'\n" },
	{ "reload|-json", "{\"op\":\"reload\"}", "{\"ok\":false,\"error\":\"no\"}",
	  CTL_NO, "{\"ok\":false,\"error\":\"no\"}\n", "" },
	{ "reload", "{\"op\":\"reload\"}",
	  "{\"ok\":true,\"changed\":true,\"generation\":7,\"warnings\":[\"W\"]}",
	  CTL_YES, "changed, generation 7\nwarning: W\n", "" },
	{ "record|set|default|a.example.|30|IN|TXT|two words|one",
	  "{\"op\":\"record\",\"records\":[\"a.example. 30 IN TXT \\\"two words\\\" "
	  "one\"],"
	  "\"action\":\"set\",\"view\":\"default\"}",
	  "{\"ok\":true,\"changed\":1,\"published\":2,\"took_us\":900}", CTL_YES,
	  "1 RRsets changed, 2 answers published, in 900 us\n", "" },
	{ "record|delete|default|a.example. A|b.example.",
	  "{\"op\":\"record\",\"records\":[\"a.example. A\",\"b.example.\"],\"action\":"
	  "\"delete\",\"view\":\"default\"}",
	  "{\"ok\":true}", CTL_YES, "- RRsets changed, - answers published, in - us\n",
	  "" },
	{ "cache|list|example|--limit|5",
	  "{\"op\":\"cache\",\"action\":\"list\",\"name\":\"example\",\"limit\":5}",
	  "{\"ok\":true,\"entries\":[{\"name\":\"a-longer.example.\",\"type\":\"A\","
	  "\"ttl_s\":7,\"rcode\":\"NOERROR\",\"io\":\"dpdk\",\"published\":true,"
	  "\"view\":\"default\"}]}",
	  CTL_YES,
	  "NAME               TYPE  TTL  RCODE    WORKER  XDP  VIEW\n"
	  "a-longer.example.  A     7    NOERROR  dpdk    yes  default\n",
	  "" },
	{ "cache|flush", "{\"op\":\"cache\",\"action\":\"flush\"}",
	  "{\"ok\":true,\"flushed\":12}", CTL_YES, "12 forgotten\n", "" },
	{ "events|--count|1|--every|5", "{\"op\":\"events\",\"every\":5,\"count\":1}",
	  "{\"watching\":{\"every\":5,\"limit\":100}}\n{\"lost\":3}\n{\"event\":{"
	  "\"time\":"
	  "\"T\",\"client\":\"192.0.2.1:99\",\"name\":\"a.example.\",\"type\":\"A\","
	  "\"rcode\":\"NOERROR\",\"flags\":[\"qr\",\"aa\"],\"outcome\":"
	  "\"ANSWERED_LOCAL\",\"response_bytes\":43,\"duration_ns\":412,\"interface\":"
	  "\"eth0\"}}\n{\"ok\":true,\"shown\":1,\"lost\":3}",
	  CTL_YES,
	  ";; 1 of 5 answers of XDP, at most 100 a second and CPU; Ctrl-C ends it\n"
	  ";; 3 more, not shown\n"
	  "T 192.0.2.1:99 a.example. A NOERROR qr,aa ANSWERED_LOCAL 43 bytes in 412 ns "
	  "on eth0\n"
	  ";; 1 shown, 3 not\n",
	  "" },
	{ "events|--json", "{\"op\":\"events\"}",
	  "{\"lost\":3}\n{\"ok\":true,\"shown\":0,\"lost\":3}", CTL_YES,
	  "{\"lost\":3}\n{\"ok\":true,\"shown\":0,\"lost\":3}\n", "" },
	{ "xdp|off", "{\"op\":\"xdp\",\"switch\":\"off\"}",
	  "{\"ok\":true,\"enabled\":false,\"changed\":true}", CTL_YES, "XDP is off\n",
	  "" },
	{ "xdp|on", "{\"op\":\"xdp\",\"switch\":\"on\"}",
	  "{\"ok\":true,\"enabled\":true,\"changed\":false}", CTL_YES,
	  "XDP is on, as it was\n", "" },
	{ "xdp|on", "{\"op\":\"xdp\",\"switch\":\"on\"}",
	  "{\"ok\":false,\"error\":\"there is no XDP here to switch\"}", CTL_NO, "",
	  "lane53ctl: there is no XDP here to switch\n" },
	{ "status", "{\"op\":\"status\"}",
	  "{\"ok\":true,\"version\":\"0.1\",\"instance\":\"default\",\"pid\":1,"
	  "\"uptime_s\":"
	  "2,\"corefile\":\"C\",\"generation\":3,\"xdp\":false,\"reload\":{\"ok\":"
	  "false,"
	  "\"error\":\"E\"},\"workers\":[{\"io\":\"socket\",\"pid\":9,\"state\":"
	  "\"running\","
	  "\"threads\":1,\"generation\":3,\"restarts\":0}],\"interfaces\":[],"
	  "\"degraded\":[\"no "
	  "xdp\"]}",
	  CTL_YES,
	  "lane53d 0.1, instance default, pid 1, up 2 s\nCorefile C, generation 3, xdp "
	  "no\n"
	  "last reload failed: E\n\n"
	  "WORKER  PID  STATE    THREADS  GENERATION  RESTARTS\n"
	  "socket  9    running  1        3           0\n\ndegraded: no xdp\n",
	  "" },
	{ "zones", "{\"op\":\"zones\"}",
	  "{\"ok\":true,\"views\":[{\"name\":\"default\",\"listeners\":[\":53\",\"[::1]"
	  ":54\""
	  "],\"zones\":[{\"zone\":\".\",\"server\":\"dns://"
	  ":53\",\"sources\":[{\"kind\":"
	  "\"hosts\",\"path\":\"/"
	  "h\",\"records\":3,\"state\":\"ok\"}]},{\"zone\":\"a.\","
	  "\"server\":\"dns://:53\",\"sources\":[]}]}]}",
	  CTL_YES,
	  "view default at :53,[::1]:54\n"
	  "ZONE  SERVER     FROM   PATH  RECORDS  STATE\n"
	  ".     dns://:53  hosts  /h    3        ok\n"
	  "a.    dns://:53  -      -     -        -\n",
	  "" },
	{ "stats", "{\"op\":\"stats\"}",
	  "{\"ok\":true,\"outcomes\":{\"TO_LANE\":5,\"FROM_LANE\":4},\"workers\":[{"
	  "\"io\":"
	  "\"socket\",\"queries\":9}]}",
	  CTL_YES,
	  "outcomes\nTO_LANE    5\nFROM_LANE  4\n\nworker socket\nqueries  9\n", "" },
	{ "trace|a.example", "{\"op\":\"trace\",\"name\":\"a.example\",\"type\":\"A\"}",
	  "{\"ok\":true,\"view\":\"default\",\"server\":null,\"zone\":null,\"steps\":[]"
	  ","
	  "\"result\":\"refused\",\"xdp\":{\"local\":false,\"cache\":true},\"cache\":[]"
	  "}",
	  CTL_YES,
	  "view    default\nserver  -\nzone    -\nresult  refused\n"
	  "xdp     local no, cache yes\n",
	  "" },
};

static void detach_waits_for_the_end(void)
{
	struct daemon d = { .fd = listen_at(socket_path),
			    .reply = "{\"ok\":true}",
			    .lingers = true };
	pthread_t thread;
	char *out, *err;

	pthread_create(&thread, NULL, serve, &d);
	CU_ASSERT_EQUAL(run("detach", &out, &err), CTL_YES);
	CU_ASSERT_TRUE(atomic_load(&d.gone));
	CU_ASSERT_STRING_EQUAL(out, "detached\n");
	pthread_join(thread, NULL);
	close(d.fd);
	free(out);
	free(err);
}

static void talks_go_as_written(void)
{
	for (size_t i = 0; i < ARRAY_LEN(talks); i++) {
		struct daemon d = { .fd = listen_at(socket_path),
				    .reply = talks[i].reply };
		pthread_t thread;
		char *out, *err;
		enum ctl_exit code;

		pthread_create(&thread, NULL, serve, &d);
		code = run(talks[i].line, &out, &err);
		pthread_join(thread, NULL);
		close(d.fd);
		CU_ASSERT_EQUAL(code, talks[i].code);
		CU_ASSERT_STRING_EQUAL(d.got, talks[i].request);
		CU_ASSERT_STRING_EQUAL(out, talks[i].out);
		CU_ASSERT_STRING_EQUAL(err, talks[i].err);
		if (strcmp(d.got, talks[i].request) || strcmp(out, talks[i].out) ||
		    strcmp(err, talks[i].err))
			printf("%s: sent\n%s\nshowed\n%s%s", talks[i].line, d.got, out,
			       err);
		free(out);
		free(err);
	}
}

static void misuse_is_told_without_a_daemon(void)
{
	static const struct {
		const char *line, *err;
	} uses[] = {
		{ "", "usage: lane53ctl [-s SOCKET" },
		{ "stat", "lane53ctl: no command 'stat'" },
		{ "query", "usage: lane53ctl query NAME [TYPE]" },
		{ "cache|flush|--view|caf\xe9", "lane53ctl: caf\xe9: expected UTF-8" },
		{ "query|a|A|IN", "usage: lane53ctl query NAME [TYPE]" },
		{ "query|a|--path|fast",
		  "lane53ctl: query: --path: expected auto, xdp" },
		{ "query|a|--limit|3", "lane53ctl: query takes no option --limit" },
		{ "query|a|--pth|xdp", "lane53ctl: --pth: no such option" },
		{ "query|a|--path", "lane53ctl: --path: expected a value" },
		{ "cache|drop", "lane53ctl: cache: expected cache list" },
		{ "cache|list|--limit|0",
		  "lane53ctl: cache: --limit: expected a number" },
		{ "events|--every|0",
		  "lane53ctl: events: --every: expected a number, 1 or more" },
		{ "events|--count|x",
		  "lane53ctl: events: --count: expected a number, 1 or more" },
		{ "record|put|v|a A 1", "lane53ctl: record: expected record set VIEW" },
		{ "xdp|maybe", "lane53ctl: xdp: expected xdp on or xdp off" },
		/* the instance is the socket's directory */
		{ "xdp|off|-s|/nonexistent/no-such/control.sock",
		  "lane53ctl: cannot reach lane53d at "
		  "/nonexistent/no-such/control.sock: No such file or directory; is it "
		  "running? (-s SOCKET or -name INSTANCE says where); and without it: "
		  "/sys/fs/bpf/lane53/no-such/v2/settings: " },
		{ "record|set|v", "usage: lane53ctl record set|delete VIEW RR..." },
		{ "status|-s|/nonexistent/s",
		  "lane53ctl: cannot reach lane53d at /nonexistent/s: No such file or "
		  "directory; is it running?" },
	};

	for (size_t i = 0; i < ARRAY_LEN(uses); i++) {
		char *out, *err;

		CU_ASSERT_EQUAL(run(uses[i].line, &out, &err), CTL_USAGE);
		CU_ASSERT_EQUAL(strncmp(err, uses[i].err, strlen(uses[i].err)), 0);
		if (strncmp(err, uses[i].err, strlen(uses[i].err)))
			printf("%s: %s", uses[i].line, err);
		CU_ASSERT_STRING_EQUAL(out, "");
		free(out);
		free(err);
	}
}

static void a_daemon_that_hangs_up_or_babbles(void)
{
	static const char *const replies[] = { NULL, "no JSON", "[1]" };
	static const char *const errors[] = { "it ended the connection", "no JSON",
					      "no JSON" };

	for (size_t i = 0; i < ARRAY_LEN(replies); i++) {
		struct daemon d = { .fd = listen_at(socket_path), .reply = replies[i] };
		pthread_t thread;
		char *out, *err;

		pthread_create(&thread, NULL, serve, &d);
		CU_ASSERT_EQUAL(run("status", &out, &err), CTL_USAGE);
		pthread_join(thread, NULL);
		close(d.fd);
		CU_ASSERT_PTR_NOT_NULL(strstr(err, errors[i]));
		free(out);
		free(err);
	}
}

static void help_names_every_command(void)
{
	char *out, *err;

	CU_ASSERT_EQUAL(run("--help", &out, &err), CTL_YES);
	for (unsigned i = 0; i < ctl_command_count; i++) {
		char head[64];

		snprintf(head, sizeof(head), "\n  %s", ctl_commands[i].name);
		CU_ASSERT_PTR_NOT_NULL(strstr(out, head));
	}
	free(out);
	free(err);
}

/* The manual page has an item for each command. */
static void manual_names_every_command(void)
{
	static char page[1 << 16];
	FILE *file = fopen(CHECK_SOURCE_ROOT "/docs/man/lane53ctl.1", "r");
	size_t len;

	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	len = fread(page, 1, sizeof(page) - 1, file);
	fclose(file);
	page[len] = 0;
	for (unsigned i = 0; i < ctl_command_count; i++) {
		char item[64];

		snprintf(item, sizeof(item), "\n.It Cm %s", ctl_commands[i].name);
		CU_ASSERT_PTR_NOT_NULL(strstr(page, item));
	}
}

static const struct check_case cases[] = {
	{ "talks go as written", talks_go_as_written },
	{ "detach waits for the end", detach_waits_for_the_end },
	{ "misuse is told without a daemon", misuse_is_told_without_a_daemon },
	{ "a daemon that hangs up or babbles", a_daemon_that_hangs_up_or_babbles },
	{ "help names every command", help_names_every_command },
	{ "the manual names every command", manual_names_every_command },
};

int main(void)
{
	int fd = mkstemp(socket_path), failed;

	close(fd);
	failed = check_main("ctl", cases, ARRAY_LEN(cases));
	unlink(socket_path);
	return failed;
}
