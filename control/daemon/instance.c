/* SPDX-License-Identifier: BSD-3-Clause */
/* instance.c - see instance.h. */
#include "instance.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/daemon.h"
#include "daemon/log.h"
#include "stats/stats.h"
#include "store/store.h"

void instance_write_pid(const char *path)
{
	FILE *f = fopen(path, "we");

	if (!f || fprintf(f, "%d\n", getpid()) < 0)
		log_error("%s: cannot write the process ID: %s", path, strerror(errno));
	if (f)
		fclose(f);
}

int instance_lock(const struct options *options)
{
	char path[PATH_MAX + 16], pid[16] = "";
	struct stat held, named;
	int fd;

	snprintf(path, sizeof(path), "%s/lane53d.pid", options->run);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0) {
		log_error("%s: %s", path, strerror(errno));
		return -1;
	}
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		if (read(fd, pid, sizeof(pid) - 1) > 0)
			pid[strcspn(pid, "\n")] = 0;
		log_error("%s: instance '%s' runs already (pid %s); stop it, or use "
			  "-name for another one",
			  path, options->name, pid);
		close(fd);
		return -1;
	}
	if (fstat(fd, &held) || stat(path, &named) || held.st_ino != named.st_ino ||
	    held.st_dev != named.st_dev) {
		close(fd); /* the one before removed it while we opened it */
		return instance_lock(options);
	}
	(void)!ftruncate(fd, 0);
	dprintf(fd, "%d\n", getpid());
	return fd;
}

/* Move what cannot be used out of the way; it stays for whoever wants to look. */
static int set_aside(struct daemon *d, const char *why)
{
	char aside[PATH_MAX + 32];
	struct stat st;
	unsigned n = 0;

	do
		snprintf(aside, sizeof(aside), "%s/store.bad-%u", d->options->state,
			 ++n);
	while (lstat(aside, &st) == 0);
	if (rename(d->options->store, aside)) {
		log_error("%s: %s, and it cannot be moved away: %s; use -state DIR",
			  d->options->store, why, strerror(errno));
		return -errno;
	}
	d->store_renewed = true;
	degraded_set(&d->degraded, "store",
		     "%s: the zone store %s; it was set aside as %s, and begun anew: "
		     "records set by hand are in there",
		     d->options->store, why, aside);
	return 0;
}

int instance_open_store(struct daemon *d)
{
	const char *dir = d->options->store;
	int r = store_open(&d->store, dir, STORE_READ_WRITE, 0);

	if (r == STORE_OTHER_VERSION)
		r = set_aside(d, "is of another version");
	else if (r == -EIO || r == -EINVAL)
		r = set_aside(d, "is corrupt");
	else if (r < 0)
		log_error("%s: cannot open the zone store: %s; use -state DIR", dir,
			  strerror(-r));
	if (r < 0 || d->store)
		return r;
	r = store_open(&d->store, dir, STORE_READ_WRITE, 0);
	if (r)
		log_error("%s: cannot make a zone store: %s; use -state DIR", dir,
			  strerror(r < 0 ? -r : EIO));
	return r ? -EIO : 0;
}

static int remove_one(const char *path, const struct stat *s, int type, struct FTW *ftw)
{
	(void)s;
	(void)type;
	(void)ftw;
	(void)remove(path); /* what stays shows as a directory that is not empty */
	return 0;
}

void instance_remove_run_dir(const struct daemon *d)
{
	static const char *const names[] = { "control.sock",     "events.sock",
					     "worker-dpdk.sock", "worker-socket.sock",
					     "worker-dpdk.pid",  "worker-socket.pid",
					     "worker-dpdk.why",  "worker-socket.why",
					     "stats-dpdk",       "stats-socket",
					     "lane53d.pid" };
	char path[PATH_MAX + 32], thread[PATH_MAX + 64];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", d->options->run, names[i]);
		(void)unlink(path);
	}
	snprintf(path, sizeof(path), "%s/stats-dpdk", d->options->run);
	for (unsigned i = 1; i < LANE53_LANES_MAX; i++) { /* of further threads */
		stats_path(thread, sizeof(thread), path, i);
		(void)unlink(thread);
	}
	snprintf(path, sizeof(path), "%s/dpdk", d->options->run); /* EAL's own */
	(void)nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	(void)rmdir(d->options->run);
}
