/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stats.c - map the file of a worker's counters.
 *
 * A file of another version is never cut short under a reader that maps it (it would
 * die of SIGBUS): the writer renames a new one over it.
 */
#include "stats/stats.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
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
