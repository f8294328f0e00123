/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_corefile.c - what Corefiles mean, and what is said about bad ones.
 *
 * Good ones are tests/data/corefile/NAME.Corefile; NAME.want holds their warnings and
 * their config_dump().  `test_corefile --print FILE` prints what is got, to make a new
 * .want from and to read it before believing it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "check.h"
#include "config_dump.h"
#include "corefile/config.h"

#define DATA CHECK_SOURCE_ROOT "/tests/data/corefile/"

static void set_environment(void)
{
	setenv("CF_ZONE", "env.example", 1);
	setenv("CF_PORT", "1053", 1);
	setenv("CF_NESTED", "{$CF_ZONE} {", 1);
	setenv("CF_LATIN1", "M\xfcnchen", 1);
	unsetenv("CF_UNSET");
	unsetenv("DNS_PORT");
}

/* Notes and dump of the Corefile at @path (or of @text), the directory left out. */
static char *describe(const char *path, const char *text)
{
	struct config_options options = { .file = path, .text = text };
	struct config_notes notes = { 0 };
	struct config *config = NULL;
	char *out = NULL;
	size_t len;
	FILE *stream = open_memstream(&out, &len);

	(void)corefile_compile(&config, &options, &notes);
	for (unsigned i = 0; i < notes.count; i++) {
		struct problem *problem = &notes.at[i].problem;
		char line[1024];

		if (!strncmp(problem->file, DATA, strlen(DATA)))
			memmove(problem->file, problem->file + strlen(DATA),
				strlen(problem->file) - strlen(DATA) + 1);
		problem_format(problem, line, sizeof(line));
		fprintf(stream, "%s%s\n", notes.at[i].fatal ? "" : "warning: ", line);
	}
	if (config)
		config_dump(stream, config);
	fclose(stream);
	config_free(config);
	config_notes_deinit(&notes);
	return out;
}

static char *read_file(const char *path)
{
	static char room[65536];
	FILE *file = fopen(path, "r");
	size_t len = file ? fread(room, 1, sizeof(room) - 1, file) : 0;

	if (file)
		fclose(file);
	room[len] = 0;
	return room;
}

static void good_ones_mean_what_they_say(void)
{
	static const char *const names[] = {
		"braceless", "cidr",   "environment", "fanout",     "imports",
		"later",     "lexing", "options",     "same-hosts", "xdp",
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char path[4096], *got;

		snprintf(path, sizeof(path), DATA "%s.Corefile", names[i]);
		got = describe(path, NULL);
		snprintf(path, sizeof(path), DATA "%s.want", names[i]);
		CU_ASSERT_STRING_EQUAL(got, read_file(path));
		if (strcmp(got, read_file(path)))
			printf("%s: got\n%s", names[i], got);
		free(got);
	}
}

/* In a block of its own when there is no brace. */
static const struct {
	const char *text, *want;
} bad[] = {
	/* shape */
	{ "", "F: found no server block, expected one such as \".:53 { ... }\"" },
	{ ". {", "F:1: found '{' and no end of it, expected a '}'" },
	{ ".\n{\nwhoami\n}", "F:2: found '{' on a line of its own, expected it behind "
			     "the zones of line 1" },
	{ ". {\nlog\n{\n}\n}",
	  "F:3: found '{' on a line of its own, expected it at the end of the line "
	  "before" },
	{ ". {\n{\n}\n}", "F:2: found '{', expected a word in front of it" },
	{ ". {\n}\n}", "F:3: found '}', expected the zones of a server block" },
	{ "whoami\n}", "F:2: found '}', expected no brace that none opened" },
	{ ".:53{\nwhoami\n}",
	  "F:1: found '.:53{', expected a space in front of the '{'" },
	{ "a.example, {\n}", "F:1: found ',', expected another zone behind it" },
	{ ". {\nchaos \"open\n\n}",
	  "F:2: found a word that begins with \", expected another \" at its end" },
	{ ". {\nchaos `open\n}",
	  "F:2: found a word that begins with `, expected another ` at its end" },
	{ ". {\na {\nb {\nc {\nd {\ne {\nf {\ng {\nh {\n",
	  "F:9: found more than 8 braces open" },
	/* what JSON and people can read, and nothing else */
	{ ". {\nxdp eth0\xff\n}",
	  "F:2: found the byte 0xff, expected a text file in UTF-8" },
	{ ". {\n# \xc3\xa4 \xe2\x82\xac \xf0\x9f\x90\x99\n\xed\xa0\x80\n}",
	  "F:3: found the byte 0xed, expected a text file in UTF-8" },
	{ "\xc3", "F:1: found the byte 0xc3, expected a text file in UTF-8" },
	{ ". {\nchaos {$CF_LATIN1}\n}",
	  "F:2: environment variable 'CF_LATIN1' is not in UTF-8" },
	/* keys */
	{ ".:0 {\n}",
	  "F:1: found '.:0', expected a port from 1 to 65535 behind the ':'" },
	{ ".:dns {\n}",
	  "F:1: found '.:dns', expected a port from 1 to 65535 behind the ':'" },
	{ "a.example: {\n}",
	  "F:1: found 'a.example:', expected a port from 1 to 65535 behind the ':'" },
	{ "a..example {\n}",
	  "F:1: found 'a..example', expected ZONE[:PORT] or CIDR[:PORT]" },
	{ "10.0.0.0/33 {\n}",
	  "F:1: found '10.0.0.0/33', expected ZONE[:PORT] or CIDR[:PORT]" },
	{ "tls://. {\n}", "F:1: scheme 'tls://' is not built yet, expected dns://" },
	{ "http://. {\n}", "F:1: found 'http://.', expected dns:// as its scheme" },
	{ "a.example {\n}\nb.example A.example {\n}",
	  "F:3: zone a.example.:53 is served already, by the server block at F:1" },
	{ "10.0.0.0/8 {\n}\n10.in-addr.arpa {\n}",
	  "F:3: zone 10.in-addr.arpa.:53 is served already, by the server block at "
	  "F:1" },
	{ ". {\nbind lo\n}\n. {\nwhoami\n}",
	  "F:4: zone .:53 is served already, by the server block at F:1" },
	{ ". {\nbind lo\n}\n. {\nbind lo 127.0.0.1\n}",
	  "F:4: zone .:53 is served already, by the server block at F:1" },
	/* snippets and imports */
	{ "(a) {\nlog\n}\n(a) {\n}\n. {\n}",
	  "F:4: found a second snippet 'a', expected another name" },
	{ "(a) {\nlog\n", "F:1: snippet 'a' has no end, expected a }" },
	{ "(a) {\nimport a\n}\n. {\nimport a\n}",
	  "F:2: found imports more than 32 deep, expected no file or snippet to import "
	  "itself" },
	{ ". {\nimport\n}",
	  "F:2: import: expected a file, a pattern of files or the name of a snippet "
	  "behind it" },
	{ ". {\nimport a b\n}", "F:2: import: found 'b', expected one name only" },
	{ ". {\nimport /nonexistent/file\n}",
	  "F:2: import: cannot read '/nonexistent/file': No such file or directory" },
	{ ". {\nimport /\n}", "F:2: import: cannot read '/': Is a directory" },
	/* directives */
	{ ". {\nforwrd . 192.0.2.1\n}",
	  "F:2: unknown directive 'forwrd', expected bind, xdp, reload, ready, health, "
	  "prometheus, errors, log, chaos, cache, hosts, file, auto, loop, forward, "
	  "fanout, proxy or whoami; did you mean 'forward'?" },
	{ ". {\nkubernets\n}",
	  "F:2: unknown directive 'kubernets', expected bind, xdp, reload, ready, "
	  "health, prometheus, errors, log, chaos, cache, hosts, file, auto, loop, "
	  "forward, fanout, proxy or whoami; did you mean 'kubernetes'?" },
	{ ". {\nkubernetes cluster.local {\npods insecure\n}\nrewrite stop {\n}\n}",
	  "F:2: directive 'kubernetes' is not built yet: take it out, or wait for a "
	  "release that has it\nF:5: directive 'rewrite' is not built yet: take it "
	  "out, "
	  "or wait for a release that has it" },
	{ ". {\ncache {\nsucess 3\n}\n}",
	  "F:3: cache: unknown option 'sucess', expected success, denial, servfail, "
	  "disable, prefetch, serve_stale, serve_stale_policy or keepttl; did you mean "
	  "'success'?" },
	{ ". {\nwhoami {\nloud\n}\n}",
	  "F:3: whoami: found option 'loud', expected none: it has no options" },
	{ ". {\nwhoami now\n}", "F:2: whoami: found 1 argument, expected none" },
	{ ". {\ncache\ncache 30\n}", "F:3: cache: found a second one, expected one in "
				     "a server block (the first is "
				     "in line 2)" },
	{ ". {\ncache {\nkeepttl {\n}\n}\n}",
	  "F:3: cache: keepttl: found a '{', expected none behind it" },
	/* values */
	{ ". {\nbind 127.0.0.1:53\n}",
	  "F:2: bind: found '127.0.0.1:53', expected an address or the name of an "
	  "interface (without port)" },
	{ ". {\nbind\n}", "F:2: bind: found 0 arguments, expected bind "
			  "ADDRESS|INTERFACE..." },
	{ ". {\ncache 0\n}", "F:2: cache: found a TTL of 0, expected 1 or more" },
	{ ". {\ncache {\nsuccess many\n}\n}",
	  "F:3: cache: success: found 'many', expected a number, 1 or more" },
	{ ". {\ncache {\nservfail 6m\n}\n}",
	  "F:3: cache: servfail: found '6m', expected a time of 300s or less" },
	{ ". {\ncache {\nservfail 6\n}\n}",
	  "F:3: cache: servfail: found '6', expected a time such as 500ms, 30s or "
	  "1h30m" },
	{ ". {\ncache {\ndisable sucess\n}\n}",
	  "F:3: cache: disable: found 'sucess', expected success or denial; did you "
	  "mean 'success'?" },
	{ ". {\ncache {\nprefetch 3 1m 95%\n}\n}",
	  "F:3: cache: prefetch: found '95%', expected 10% to 90%" },
	{ ". {\ncache {\nserve_stale 1h now\n}\n}",
	  "F:3: cache: serve_stale: found 'now', expected immediate or verify" },
	{ ". {\ncache {\nserve_stale 1h immediate 1s 2s 3s\n}\n}",
	  "F:3: cache: serve_stale: found '3s', expected nothing more" },
	{ ". {\nhosts {\n192.0.2.1\n}\n}",
	  "F:3: hosts: found '192.0.2.1' alone, expected ADDRESS NAME..." },
	{ ". {\nhosts {\n192.0.2.1 a..b\n}\n}",
	  "F:3: hosts: found 'a..b', expected a host name" },
	{ ". {\nhosts {\n192.0.2.256 a\n}\n}",
	  "F:3: hosts: unknown option '192.0.2.256', expected ttl, no_reverse, reload, "
	  "fallthrough or fallthrough_unsupported" },
	{ ". {\nhosts {\nttl 0\n}\n}",
	  "F:3: hosts: ttl: found '0', expected a number from 1 to 2147483647" },
	{ ". {\nhosts {\nfallthrough a..b\n}\n}",
	  "F:3: hosts: fallthrough: found 'a..b', expected a domain name or CIDR" },
	{ ". {\nfile\n}",
	  "F:2: file: found 0 arguments, expected file FILE [ZONES...]" },
	{ ". {\nauto\n}",
	  "F:2: auto: found no directory, expected { directory DIR ... }" },
	{ ". {\nauto {\ndirectory /z (\\.\n}\n}",
	  "F:3: auto: directory: found '(\\.' alone, expected REGEXP TEMPLATE" },
	{ ". {\nerrors {\nconsolidate 5m timeout loud\n}\n}",
	  "F:3: errors: consolidate: found 'loud', expected error, warning, info, "
	  "debug or "
	  "show_first" },
	{ ". {\nerrors {\nconsolidate 5m timeout info error\n}\n}",
	  "F:3: errors: consolidate: found 'info' and 'error', expected one LEVEL and "
	  "show_first" },
	{ ". {\nerrors {\nconsolidate 5m timeout show_first show_first\n}\n}",
	  "F:3: errors: consolidate: found 'show_first' and 'show_first', expected one "
	  "LEVEL and show_first" },
	{ ". {\nerrors {\nconsolidate soon timeout\n}\n}",
	  "F:3: errors: consolidate: found 'soon', expected a time such as 500ms, 30s "
	  "or 1h30m" },
	{ ". {\nerrors {\nconsolidate 5m (timeout\n}\n}",
	  "F:3: errors: found '(timeout', expected a regular expression: Unmatched ( "
	  "or "
	  "\\(" },
	{ ". {\nerrors {\nconsolidate 5m `\\d+ timeouts`\n}\n}",
	  "F:3: errors: found '\\d' in '\\d+ timeouts', expected a POSIX extended "
	  "regular "
	  "expression: [0-9] for a digit" },
	{ ". {\nauto {\ndirectory /z (\\. {1}\n}\n}",
	  "F:3: auto: found '(\\.', expected a regular expression: Unmatched ( or "
	  "\\(" },
	{ ". {\nforward .\n}",
	  "F:2: forward: found 1 argument, expected forward FROM TO..." },
	{ ". {\nforward . ns.example\n}",
	  "F:2: forward: found 'ns.example', expected ADDRESS[:PORT], "
	  "tls://ADDRESS[:PORT] or a file like /etc/resolv.conf (No such file or "
	  "directory)" },
	{ ". {\nforward . /dev/null\n}",
	  "F:2: forward: found '/dev/null', expected ADDRESS[:PORT], "
	  "tls://ADDRESS[:PORT] or a file like /etc/resolv.conf (Invalid argument)" },
	{ ". {\nforward . 2001:db8::1:99999\n}",
	  "F:2: forward: found '2001:db8::1:99999', expected ADDRESS[:PORT], "
	  "tls://ADDRESS[:PORT] or a file like /etc/resolv.conf (No such file or "
	  "directory)" },
	{ ". {\nforward . 1.1.1.1 1.1.1.2 1.1.1.3 1.1.1.4 1.1.1.5 1.1.1.6 1.1.1.7 "
	  "1.1.1.8 1.1.1.9 1.1.2.1 1.1.2.2 1.1.2.3 1.1.2.4 1.1.2.5 1.1.2.6 1.1.2.7\n}",
	  "F:2: forward: found 16 upstreams, expected at most 15" },
	{ ". {\nforward . 192.0.2.1 {\nhealth_check 1s domain\n}\n}",
	  "F:3: forward: health_check: found 'domain', expected no_rec or domain "
	  "NAME" },
	{ ". {\nforward . 192.0.2.1 {\npolicy first\n}\n}",
	  "F:3: forward: policy: found 'first', expected random, round_robin or "
	  "sequential" },
	{ ". {\nforward . 192.0.2.1 {\nnext NXDOMIAN\n}\n}",
	  "F:3: forward: next: found 'NXDOMIAN', expected NOERROR, FORMERR, SERVFAIL, "
	  "NXDOMAIN, NOTIMP, REFUSED, YXDOMAIN, YXRRSET, NXRRSET, NOTAUTH or NOTZONE; "
	  "did you mean 'NXDOMAIN'?" },
	{ ". {\nforward . tls://192.0.2.300\n}",
	  "F:2: forward: found 'tls://192.0.2.300', expected tls://ADDRESS[:PORT]\n"
	  "F:2: forward: found only upstreams that are not active yet, expected at "
	  "least one ADDRESS[:PORT]" },
	{ ". {\nfanout a.example\n}",
	  "F:2: fanout: found no upstream, expected fanout [FROM] TO..." },
	{ ". {\nfanout . 192.0.2.1 {\nworker-count 1\n}\n}",
	  "F:3: fanout: worker-count: found '1', expected a number from 2 to 32" },
	{ ". {\nfanout . 192.0.2.1 {\nnetwork tcp-tls\n}\n}",
	  "F:3: fanout: network 'tcp-tls' is not built yet, expected udp or tcp" },
	{ ". {\nfanout . 192.0.2.1 {\nweighted-random-load-factor 1 2\n}\n}",
	  "F:3: fanout: weighted-random-load-factor: found 2 weights, expected 1: one "
	  "for each upstream" },
	{ ". {\nfanout . 192.0.2.1 {\ntls_servername a\n}\n}",
	  "F:3: fanout: unknown option 'tls_servername', expected network, "
	  "worker-count, except, except-file, attempt-count, timeout, race, policy, "
	  "weighted-random-server-count, weighted-random-load-factor, tls or "
	  "tls-server; did you mean 'tls-server'?" },
	{ ". {\nhealth 8080\n}",
	  "F:2: health: found '8080', expected :PORT or ADDRESS:PORT" },
	{ ". {\nhealth {\nlameduck five\n}\n}",
	  "F:3: health: lameduck: found 'five', expected a time such as 500ms, 30s or "
	  "1h30m" },
	{ ". {\nready {\nmonitor always\n}\n}",
	  "F:3: ready: monitor: found 'always', expected until-ready or continuously" },
	{ ". {\nreload 1s\n}",
	  "F:2: reload: found '1s', expected a time of 2s or more" },
	{ ". {\nreload 10s 0\n}",
	  "F:2: reload: found '0', expected a time of 1s or more" },
	{ ". {\nlog {\nclass denials\n}\n}",
	  "F:3: log: class: found 'denials', expected success, denial, error or all; "
	  "did you mean 'denial'?" },
	{ ". {\nxdp\n}", "F:2: xdp: found 0 arguments, expected xdp INTERFACE..." },
	{ ". {\nxdp interface-name-too-long\n}",
	  "F:2: xdp: found 'interface-name-too-long', expected the name of an "
	  "interface "
	  "(at most 15 bytes) or a pattern such as veth*" },
	{ ". {\nxdp eth0 {\nmode nativ\n}\n}",
	  "F:3: xdp: mode: found 'nativ', expected auto, native or generic; did you "
	  "mean 'native'?" },
	{ ". {\nxdp eth0 {\nvlan 4095\n}\n}",
	  "F:3: xdp: vlan: found '4095', expected a number from 1 to 4094" },
	{ ". {\nxdp eth0 {\nfrom here\n}\n}",
	  "F:3: xdp: from: found 'here', expected a prefix such as 10.1.0.0/16" },
	{ ". {\nxdp eth0 {\nevents 5\nevents 5 10\n}\n}",
	  "F:4: xdp: events: found 5 10, expected 5 20000 as before: they are for all "
	  "interfaces" },
	{ ". {\nxdp eth0 {\nevents 0\n}\n}",
	  "F:3: xdp: events: found '0', expected a number, 1 or more" },
	{ ". {\nxdp eth0 {\nvlan 5\n}\nxdp eth0 {\nvlan 6\n}\n}",
	  "F:5: xdp: found a second one with vlan or from, expected one for a server "
	  "block" },
};

static void bad_ones_are_told_what_is_wrong(void)
{
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		char *got = describe("F", bad[i].text);
		size_t len = strlen(got);

		if (len && got[len - 1] == '\n')
			got[len - 1] = 0;
		CU_ASSERT_STRING_EQUAL(got, bad[i].want);
		if (strcmp(got, bad[i].want))
			printf("%s\n   got: %s\n  want: %s\n", bad[i].text, got,
			       bad[i].want);
		free(got);
	}
}

static void a_missing_file_is_named(void)
{
	char *got = describe("/nonexistent/Corefile", NULL);

	CU_ASSERT_STRING_EQUAL(got, "/nonexistent/Corefile: cannot read it: No such "
				    "file or directory; expected a Corefile\n");
	free(got);
}

/* A file cut anywhere: a message, never a crash. */
static void cut_files_are_survived(void)
{
	const char *text = read_file(DATA "options.Corefile");
	size_t len = strlen(text);

	for (size_t i = 0; i < len; i += 3) {
		char *cut = strndup(text, i);
		char *got = describe("F", cut);

		CU_ASSERT_TRUE(*got != 0);
		free(got);
		free(cut);
	}
}

static const struct {
	const char *name;
	bool good;
	const char *says; /* in its notes */
} examples[] = {
	{ "node-local-dns", true, "" },
	{ "seed000-nsm", true, "" },
	{ "seed001-kubesecondarydns", true, "" },
	{ "stub-domains", true, "upstream 'tls://10.150.0.3' is not active yet" },
	{ "kubeadm", false, "kubeadm.Corefile:8: directive 'kubernetes' is not built" },
	{ "seed002-proposal", false,
	  "seed002-proposal.Corefile:8: directive 'kubernetes' is not built" },
	{ "seed004-ha-primary", false,
	  "seed004-ha-primary.Corefile:6: directive 'nodecache' is not built" },
	{ "seed004-nodecache", false,
	  "seed004-nodecache.Corefile:4: directive 'nodecache' is not built" },
};

/* Corefiles that users have, where they are at hand. */
static void users_files_load(void)
{
	const char *dir = "/work/shared/examples";

	if (access(dir, R_OK) < 0) {
		printf("(%s is not here) ", dir);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
		char path[256], *got;

		snprintf(path, sizeof(path), "%s/%s.Corefile", dir, examples[i].name);
		got = describe(path, NULL);
		CU_ASSERT_PTR_NOT_NULL(strstr(got, examples[i].says));
		CU_ASSERT_EQUAL(strstr(got, "block at") != NULL, examples[i].good);
		free(got);
	}
}

static uint64_t digest(const char *text)
{
	struct config_options options = { .file = "F", .text = text };
	struct config_notes notes = { 0 };
	struct config *config;
	uint64_t value;

	CU_ASSERT_EQUAL_FATAL(corefile_compile(&config, &options, &notes), 0);
	value = config->digest;
	config_free(config);
	config_notes_deinit(&notes);
	return value;
}

/* `reload` looks at the digest: layout is nothing, words and what they name are. */
static void digests_follow_what_matters(void)
{
	char path[] = "/tmp/test_corefile.XXXXXX", text[128];
	int fd = mkstemp(path);
	uint64_t before;

	CU_ASSERT_EQUAL(digest(". {\nwhoami\n}"),
			digest("# said\n.   {\n\n\twhoami # so\n}\n"));
	CU_ASSERT_NOT_EQUAL(digest(". {\nwhoami\n}"), digest(". {\nlog\n}"));
	CU_ASSERT_NOT_EQUAL(digest(". {\nchaos a b\n}"), digest(". {\nchaos ab\n}"));
	setenv("CF_WHO", "one", 1);
	before = digest(". {\nchaos {$CF_WHO}\n}");
	setenv("CF_WHO", "two", 1);
	CU_ASSERT_NOT_EQUAL(before, digest(". {\nchaos {$CF_WHO}\n}"));

	CU_ASSERT_EQUAL(write(fd, "nameserver 192.0.2.1\n", 21), 21);
	snprintf(text, sizeof(text), ". {\nforward . %s\n}", path);
	before = digest(text);
	CU_ASSERT_EQUAL(digest(text), before);
	CU_ASSERT_EQUAL(write(fd, "nameserver 192.0.2.2\n", 21), 21);
	CU_ASSERT_NOT_EQUAL(digest(text), before);
	close(fd);
	unlink(path);
}

static void resolv_conf_is_read(void)
{
	char path[] = "/tmp/test_corefile.XXXXXX", text[128], *got;
	int fd = mkstemp(path);
	static const char lines[] = "# nameserver 192.0.2.9\nsearch a.example\n"
				    "nameserver 192.0.2.1\r\n"
				    "nameserver\t2001:db8::1\nnameserver fe80::1%eth0\n"
				    "nameserver\noptions ndots:5\n";

	CU_ASSERT_EQUAL(write(fd, lines, strlen(lines)), (ssize_t)strlen(lines));
	close(fd);
	snprintf(text, sizeof(text), ". {\nforward . %s\n}", path);
	got = describe("F", text);
	CU_ASSERT_PTR_NOT_NULL(strstr(got, "to=192.0.2.1#53/udp,2001:db8::1#53/udp "));
	CU_ASSERT_PTR_NOT_NULL(strstr(got, "warning: F:2: "));
	CU_ASSERT_PTR_NOT_NULL(
		strstr(got, "nameserver 'fe80::1%eth0' is left out: addresses with a "
			    "zone are not built yet"));
	free(got);
	unlink(path);
}

static const struct check_case cases[] = {
	{ "good ones mean what they say", good_ones_mean_what_they_say },
	{ "bad ones are told what is wrong", bad_ones_are_told_what_is_wrong },
	{ "a missing file is named", a_missing_file_is_named },
	{ "cut files are survived", cut_files_are_survived },
	{ "users' files load, or say why not", users_files_load },
	{ "digests follow what matters", digests_follow_what_matters },
	{ "files like resolv.conf are read", resolv_conf_is_read },
};

int main(int argc, char **argv)
{
	set_environment();
	if (argc == 3 && !strcmp(argv[1], "--print")) {
		char *got = describe(argv[2], NULL);

		fputs(got, stdout);
		free(got);
		return 0;
	}
	return check_main("corefile", cases, ARRAY_LEN(cases));
}
