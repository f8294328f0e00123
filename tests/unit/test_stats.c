/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_stats.c - a worker's counters outlive the worker.
 */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "stats/stats.h"

static char dir[] = "/tmp/lane53-stats-XXXXXX";
static char path[64];

static void absent_file_is_not_made_for_a_reader(void)
{
	struct worker_stats *stats = NULL;

	CU_ASSERT_EQUAL(stats_map(&stats, path, 0), -ENOENT);
	CU_ASSERT_PTR_NULL(stats);
	CU_ASSERT_NOT_EQUAL(access(path, F_OK), 0);
}

static void counters_survive_the_writer(void)
{
	struct worker_stats *writer, *reader;

	CU_ASSERT_EQUAL_FATAL(stats_map(&writer, path, 1), 0);
	CU_ASSERT_EQUAL(writer->starts, 1);
	stats_add(&writer->queries, 5);
	stats_add(&writer->label[3].requests[1][0][2], 7);
	CU_ASSERT_EQUAL_FATAL(stats_map(&reader, path, 0), 0);
	CU_ASSERT_EQUAL(reader->queries, 5);
	stats_unmap(writer);

	CU_ASSERT_EQUAL_FATAL(stats_map(&writer, path, 1), 0);
	CU_ASSERT_EQUAL(writer->starts, 2);
	CU_ASSERT_EQUAL(writer->pid, (uint32_t)getpid());
	stats_add(&writer->queries, 1);
	CU_ASSERT_EQUAL(reader->queries, 6);
	CU_ASSERT_EQUAL(reader->label[3].requests[1][0][2], 7);
	stats_unmap(writer);
	stats_unmap(reader);
}

static void spoil(off_t at, const char *bytes, size_t len, off_t size)
{
	int fd = open(path, O_RDWR);

	CU_ASSERT_TRUE_FATAL(fd >= 0);
	CU_ASSERT_EQUAL(pwrite(fd, bytes, len, at), (ssize_t)len);
	if (size >= 0)
		CU_ASSERT_EQUAL(ftruncate(fd, size), 0);
	close(fd);
}

static void another_version_starts_anew(void)
{
	struct worker_stats *writer, *before;

	CU_ASSERT_EQUAL_FATAL(stats_map(&before, path, 1), 0);
	CU_ASSERT_TRUE(before->queries > 0);
	spoil(0, "\xff", 1, -1); /* the version is the lowest byte */
	CU_ASSERT_EQUAL(stats_map(&writer, path, 0), -EPROTO);
	CU_ASSERT_EQUAL_FATAL(stats_map(&writer, path, 1), 0);
	CU_ASSERT_EQUAL(writer->queries, 0);
	CU_ASSERT_EQUAL(writer->starts, 1);
	/* whoever still maps the old file reads on */
	CU_ASSERT_TRUE(before->queries > 0);
	stats_unmap(before);
	stats_unmap(writer);
}

static void a_cut_file_starts_anew(void)
{
	struct worker_stats *writer;

	spoil(0, "", 0, 100);
	CU_ASSERT_EQUAL(stats_map(&writer, path, 0), -EPROTO);
	CU_ASSERT_EQUAL_FATAL(stats_map(&writer, path, 1), 0);
	CU_ASSERT_EQUAL(writer->starts, 1);
	stats_unmap(writer);
}

/* ---- threads ---- */

static void fill_thread(unsigned idx, uint64_t queries, const char *upstream,
			uint64_t id, bool down)
{
	struct worker_stats *stats;
	char name[80];

	stats_path(name, sizeof(name), path, idx);
	CU_ASSERT_EQUAL_FATAL(stats_map(&stats, name, 1), 0);
	stats->queries = queries;
	stats->label[LANE53_LABEL_MAX - 1].cache_requests = queries;
	stats->loop_probes = 1;
	stats->waiting = 2;
	stats->upstream[0].id = id;
	strcpy(stats->upstream[0].name, upstream);
	stats->upstream[0].asked = queries;
	stats->upstream[0].answered[15] = 1;
	stats->upstream[0].down = down;
	stats_unmap(stats);
}

static void threads_are_summed(void)
{
	struct worker_stats *sum = NULL, *one;
	char name[80];

	unlink(path);
	CU_ASSERT_EQUAL(stats_map_sum(&sum, path), -ENOENT);
	fill_thread(0, 10, "192.0.2.1:53", 7, false);
	CU_ASSERT_EQUAL_FATAL(stats_map_sum(&sum, path), 0);
	CU_ASSERT_EQUAL(sum->queries, 10);
	stats_unmap(sum);
	fill_thread(1, 20, "192.0.2.2:53", 8, true);
	fill_thread(2, 30, "192.0.2.1:53", 7, true);
	CU_ASSERT_EQUAL_FATAL(stats_map_sum(&sum, path), 0);
	CU_ASSERT_EQUAL(sum->queries, 60);
	CU_ASSERT_EQUAL(sum->label[LANE53_LABEL_MAX - 1].cache_requests, 60);
	CU_ASSERT_EQUAL(sum->loop_probes, 3);
	CU_ASSERT_EQUAL(sum->waiting, 6);
	CU_ASSERT_EQUAL(sum->starts, 1);
	CU_ASSERT_EQUAL(sum->upstream[0].id, 7);
	CU_ASSERT_STRING_EQUAL(sum->upstream[0].name, "192.0.2.1:53");
	CU_ASSERT_EQUAL(sum->upstream[0].asked, 40);
	CU_ASSERT_EQUAL(sum->upstream[0].answered[15], 2);
	CU_ASSERT_EQUAL(sum->upstream[0].down, 1);
	CU_ASSERT_EQUAL(sum->upstream[1].id, 8);
	CU_ASSERT_EQUAL(sum->upstream[1].down, 1);
	CU_ASSERT_EQUAL(sum->upstream[2].id, 0);
	stats_unmap(sum);

	stats_path(name, sizeof(name), path, 2);
	CU_ASSERT_EQUAL_FATAL(stats_map(&one, name, 1), 0);
	stats_clear_gauges(one);
	stats_unmap(one);
	CU_ASSERT_EQUAL_FATAL(stats_map_sum(&sum, path), 0);
	CU_ASSERT_EQUAL(sum->queries, 60); /* a counter never falls */
	CU_ASSERT_EQUAL(sum->waiting, 4);
	CU_ASSERT_EQUAL(sum->upstream[0].down, 0);
	stats_unmap(sum);
	for (unsigned i = 1; i < 3; i++) {
		stats_path(name, sizeof(name), path, i);
		unlink(name);
	}
}

static const struct check_case cases[] = {
	{ "absent file is not made for a reader",
	  absent_file_is_not_made_for_a_reader },
	{ "counters survive the writer", counters_survive_the_writer },
	{ "another version starts anew", another_version_starts_anew },
	{ "a cut file starts anew", a_cut_file_starts_anew },
	{ "threads are summed", threads_are_summed },
};

int main(void)
{
	int r;

	if (!mkdtemp(dir))
		return 1;
	snprintf(path, sizeof(path), "%s/stats-socket", dir);
	r = check_main("stats", cases, ARRAY_LEN(cases));
	unlink(path);
	rmdir(dir);
	return r;
}
