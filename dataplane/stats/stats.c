/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stats.c - map the file of a worker's counters, or the sum of its threads' files.
 *
 * A file of another version is never cut short under a reader that maps it (it would
 * die of SIGBUS): the writer renames a new one over it.
 */
#include "stats/stats.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int file_map(struct worker_stats **ret_stats, int fd, int write)
{
	int prot = write ? PROT_READ | PROT_WRITE : PROT_READ;
	struct worker_stats *stats;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size != sizeof(*stats))
		return -EPROTO;
	stats = mmap(NULL, sizeof(*stats), prot, MAP_SHARED, fd, 0);
	if (stats == MAP_FAILED)
		return -errno;
	if (stats->magic != STATS_MAGIC) {
		munmap(stats, sizeof(*stats));
		return -EPROTO;
	}
	*ret_stats = stats;
	return 0;
}

/* A file of zeros but for the magic, under its final name only when it is whole. */
static int file_create(const char *path)
{
	const uint64_t magic = STATS_MAGIC;
	char fresh[4096];
	int fd, r = 0;

	if (snprintf(fresh, sizeof(fresh), "%s.new", path) >= (int)sizeof(fresh))
		return -ENAMETOOLONG;
	fd = open(fresh, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, sizeof(struct worker_stats)) < 0 ||
	    pwrite(fd, &magic, sizeof(magic), 0) != sizeof(magic) ||
	    rename(fresh, path) < 0)
		r = -errno;
	if (r < 0)
		(void)unlink(fresh); /* best effort: the failure is reported anyway */
	close(fd);
	return r;
}

int stats_map(struct worker_stats **ret_stats, const char *path, int write)
{
	struct worker_stats *stats = NULL;
	int fd, r;

	_Static_assert(offsetof(struct worker_stats, magic) == 0, "magic comes first");
	for (int tries = 0;; tries++) {
		fd = open(path, (write ? O_RDWR : O_RDONLY) | O_CLOEXEC);
		r = fd < 0 ? -errno : file_map(&stats, fd, write);
		if (fd >= 0)
			close(fd);
		if (r == 0)
			break;
		if (!write || tries > 0 || (r != -ENOENT && r != -EPROTO))
			return r;
		r = file_create(path);
		if (r < 0)
			return r;
	}
	if (write) {
		stats->pid = (uint32_t)getpid();
		stats->starts++;
	}
	*ret_stats = stats;
	return 0;
}

void stats_unmap(struct worker_stats *stats)
{
	if (stats)
		munmap(stats, sizeof(*stats));
}

void stats_clear_gauges(struct worker_stats *stats)
{
	stats->waiting = 0;
	stats->cache_entries_success = stats->cache_entries_denial = 0;
	stats->cache_bytes = 0;
	stats->table_slots = stats->table_small = stats->table_large = 0;
	for (unsigned i = 0; i < LANE53_LABEL_MAX; i++)
		for (unsigned kind = 0; kind < 2; kind++)
			stats->label[i].cache_entries[kind] = 0;
	for (unsigned i = 0; i < STATS_UPSTREAMS; i++)
		stats->upstream[i].down = 0;
}

/* ---- threads ---- */

void stats_path(char *out, size_t room, const char *path, unsigned idx)
{
	if (idx)
		snprintf(out, room, "%s-%u", path, idx);
	else
		snprintf(out, room, "%s", path);
}

static void add_all(stats_counter *to, const stats_counter *from, size_t count)
{
	for (size_t i = 0; i < count; i++)
		stats_add(&to[i], from[i]);
}

/* The row of @id, or an unused one; NULL: all are others'. */
static struct stats_upstream *row_of(struct worker_stats *sum, uint64_t id)
{
	for (unsigned i = 0; i < STATS_UPSTREAMS; i++)
		if (sum->upstream[i].id == id || !sum->upstream[i].id)
			return &sum->upstream[i];
	return NULL;
}

static void add_upstream(struct worker_stats *sum, const struct stats_upstream *from)
{
	struct stats_upstream *to = from->id ? row_of(sum, from->id) : NULL;
	uint64_t down;

	if (!to)
		return;
	if (!to->id)
		memcpy(to->name, from->name, sizeof(to->name));
	to->id = from->id;
	down = to->down | from->down;
	add_all(&to->asked, &from->asked,
		(sizeof(*to) - offsetof(struct stats_upstream, asked)) /
			sizeof(to->asked));
	to->down = down;
}

static void add_thread(struct worker_stats *sum, const struct worker_stats *from)
{
	const size_t bytes = offsetof(struct worker_stats, upstream) -
			     offsetof(struct worker_stats, queries);

	_Static_assert(offsetof(struct worker_stats, upstream) +
				       sizeof(sum->upstream) ==
			       sizeof(*sum),
		       "counters, then upstreams, and nothing else");
	add_all(&sum->queries, &from->queries, bytes / sizeof(sum->queries));
	for (unsigned i = 0; i < STATS_UPSTREAMS; i++)
		add_upstream(sum, &from->upstream[i]);
}

int stats_map_sum(struct worker_stats **ret_stats, const char *path)
{
	struct worker_stats *sum, *one;
	char name[4096];
	int r = stats_map(&one, path, 0);

	if (r < 0)
		return r;
	sum = mmap(NULL, sizeof(*sum), PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (sum == MAP_FAILED) {
		stats_unmap(one);
		return -ENOMEM;
	}
	sum->magic = one->magic;
	sum->pid = one->pid;
	sum->starts = one->starts;
	for (unsigned i = 1; r == 0; i++) {
		add_thread(sum, one);
		stats_unmap(one);
		stats_path(name, sizeof(name), path, i);
		r = stats_map(&one, name, 0);
	}
	*ret_stats = sum;
	return 0;
}
