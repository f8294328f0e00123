/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_packets.c - real and hostile packets through the whole engine, as queries and as
 * upstreams' responses: no crash, no response to a response, no malformed response, no
 * memory growth.
 *
 * The packets (1,740 from other projects' tests) are not ours to ship: the archive is
 * found by LANE53_PACKETS, or beside the source tree; without it this is skipped.
 */
#include <errno.h>
#include <ftw.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "check.h"
#include "dns/message.h"
#include "dns/name.h"
#include "engine_kit.h"
#include "lane53/wire.h"

static struct kit kit;
static struct kit_plan kp;

struct packet {
	size_t len;
	uint8_t *bytes;
};

static struct packet *packets;
static size_t packet_count;

static unsigned checked; /* responses */

static char dir[] = "/tmp/lane53-packets-XXXXXX";

static int keep_file(const char *path, const struct stat *status, int type,
		     struct FTW *walk)
{
	struct packet *p;
	FILE *file;

	(void)walk;
	if (type != FTW_F)
		return 0;
	file = fopen(path, "rb");
	packets = realloc(packets, (packet_count + 1) * sizeof(*packets));
	if (!file || !packets)
		return -1;
	p = &packets[packet_count++];
	p->bytes = malloc((size_t)status->st_size + 1);
	p->len = p->bytes ? fread(p->bytes, 1, (size_t)status->st_size, file) : 0;
	if (p->len > PORT_MESSAGE_MAX)
		p->len = PORT_MESSAGE_MAX;
	fclose(file);
	return 0;
}

static int remove_file(const char *path, const struct stat *status, int type,
		       struct FTW *walk)
{
	(void)status;
	(void)type;
	(void)walk;
	return remove(path);
}

static bool unpack(const char *archive)
{
	int status;
	pid_t pid;

	if (access(archive, R_OK) || !mkdtemp(dir))
		return false;
	pid = fork();
	if (pid == 0) {
		execlp("tar", "tar", "-xzf", archive, "-C", dir, (char *)NULL);
		_exit(127);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0 &&
	       nftw(dir, keep_file, 16, FTW_PHYS) == 0 && packet_count > 0;
}

static void open_world(void)
{
	static const char *const records[] = {
		"1 com. 3600 IN SOA ns.com. a.com. 1 2 3 4 60",
		"1 *.example.com. 60 IN A 192.0.2.1",
		"1 alias.com. 60 IN CNAME www.example.net.",
		NULL,
	};

	kit_plan_init(&kp);
	kit_block(&kp, ".");
	kit_step(&kp, STEP_ZONE, 1, "com")->fallthrough.on = true;
	kit_forward(&kp, POLICY_SEQUENTIAL, 2);
	kit_cache(&kp);
	kit_open(&kit, records, &kp.plan, true);
}

/*
 * Whole by our own reader, but with a type whose RDATA we pass through unread (RFC 3597)
 * and ldns does not.
 */
static bool is_opaque(const uint8_t *message, size_t len)
{
	struct message_reader reader;
	struct message_rr rr;
	enum message_section section;
	enum message_status status;
	bool opaque = false;

	if (message_read_begin(&reader, message, len) < 0)
		return false;
	while ((status = message_read_rr(&reader, &rr, &section)) == MESSAGE_RR)
		opaque |= rr.type > TYPE_TXT && rr.type != TYPE_AAAA &&
			  rr.type != TYPE_OPT;
	return opaque && status == MESSAGE_END && reader.pos == len;
}

/* Is the response, just shown as @text, one that may answer @query? */
static void check_response(const char *text, const uint8_t *query, size_t query_len,
			   size_t index)
{
	size_t len;
	const uint8_t *got;

	if (!strcmp(text, "(none)") || !strcmp(text, "(later)"))
		return;
	checked++;
	got = kit_bytes(&len);
	if ((!strcmp(text, "(malformed)") && !is_opaque(got, len)) || query_len < 12 ||
	    query[2] & 0x80 || memcmp(got, query, 2) || !(got[2] & 0x80) ||
	    (len > 12 && memcmp(got + 12, query + 12, name_size(query + 12) + 4)) ||
	    len > 1232) {
		printf("\n  packet %zu: %s\n", index, text);
		CU_FAIL("not a response to this query");
	}
}

static void close_upstreams(void)
{
	while (kit_open_count(&kit))
		for (unsigned i = 0; i < kit.sent_count; i++)
			if (kit_sent(&kit, (int)i)->open)
				kit_respond(&kit, kit_sent(&kit, (int)i), "NXDOMAIN");
	kit.sent_count = 0;
}

static void as_query(const uint8_t *bytes, size_t len, size_t index)
{
	const char *text = kit_ask_raw(&kit, bytes, len);

	if (len < 12 || bytes[2] & 0x80) {
		if (strcmp(text, "(none)"))
			CU_FAIL("a response to what asks for none");
		return;
	}
	if (!strcmp(text, "(none)"))
		CU_FAIL("no response");
	check_response(text, bytes, len, index);
	close_upstreams();
	check_response(kit_later(&kit), bytes, len, index);
	if (strcmp(kit_later(&kit), "(none)"))
		CU_FAIL("two responses");
}

/* Ask the question of the packet, and give the packet as the response. */
static void as_response(const uint8_t *bytes, size_t len, size_t index)
{
	struct message_reader reader;
	uint8_t query[600], copy[PORT_MESSAGE_MAX];
	size_t end;

	if (message_read_begin(&reader, bytes, len) < 0 || !reader.has_question)
		return;
	end = 12 + name_size(reader.qname) + 4;
	memset(query, 0, 12);
	query[2] = FLAG_RD >> 8;
	query[5] = 1;
	memcpy(query + 12, reader.qname, end - 16);
	query[end - 4] = (uint8_t)(reader.qtype >> 8);
	query[end - 3] = (uint8_t)reader.qtype;
	query[end - 2] = (uint8_t)(reader.qclass >> 8);
	query[end - 1] = (uint8_t)reader.qclass;
	memcpy(copy, bytes, len);
	copy[2] = (uint8_t)((copy[2] | 0x80) & ~0x7a); /* a response, QUERY, not TC */
	check_response(kit_ask_raw(&kit, query, end), query, end, index);
	if (kit_open_count(&kit))
		kit_respond_raw(&kit, kit_sent(&kit, -1), copy, len);
	close_upstreams();
	check_response(kit_later(&kit), query, end, index);
	/* once more, perhaps from the cache */
	check_response(kit_ask_raw(&kit, query, end), query, end, index);
	close_upstreams();
	check_response(kit_later(&kit), query, end, index);
}

static void all_packets(unsigned seed)
{
	static uint8_t copy[PORT_MESSAGE_MAX];

	srand(seed);
	for (size_t i = 0; i < packet_count; i++) {
		size_t len = packets[i].len;

		memcpy(copy, packets[i].bytes, len);
		for (unsigned n = 0; seed && len && n < seed; n++)
			copy[(size_t)rand() % len] ^= (uint8_t)(1 << rand() % 8);
		as_query(copy, len, i);
		if (len > 2)
			copy[2] &= 0x7f;
		as_query(copy, len, i);
		as_response(copy, len, i);
		kit_pass(&kit, 100);
		close_upstreams();
	}
}

static void packets_as_they_are(void)
{
	open_world();
	all_packets(0);
	CU_ASSERT_TRUE(checked > packet_count);
	kit_close(&kit);
}

static void packets_with_flipped_bits(void)
{
	open_world();
	for (unsigned seed = 1; seed <= 6; seed++)
		all_packets(seed);
	kit_close(&kit);
}

static size_t heap_in_use(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

static void memory_does_not_grow(void)
{
	size_t before;

	open_world();
	all_packets(0);
	before = heap_in_use();
	all_packets(0);
	all_packets(0);
	CU_ASSERT_TRUE(heap_in_use() < before + 65536);
	kit_close(&kit);
}

static const struct check_case cases[] = {
	{ "packets as they are", packets_as_they_are },
	{ "packets with flipped bits", packets_with_flipped_bits },
	{ "memory does not grow", memory_does_not_grow },
};

int main(void)
{
	const char *archive = getenv("LANE53_PACKETS");
	int r;

	if (!archive)
		archive = CHECK_SOURCE_ROOT "/../shared/data/dns-packets.tar.gz";
	if (!unpack(archive)) {
		printf("%s: cannot be read\n", archive);
		return check_skip("no packets: set LANE53_PACKETS to the archive");
	}
	(void)nftw(dir, remove_file, 16, FTW_DEPTH | FTW_PHYS);
	printf("%zu packets\n", packet_count);
	r = check_main("packets", cases, ARRAY_LEN(cases));
	for (size_t i = 0; i < packet_count; i++)
		free(packets[i].bytes);
	free(packets);
	return r;
}
