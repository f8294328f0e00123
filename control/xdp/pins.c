/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pins.c - the files under /sys/fs/bpf that keep an instance alive without us.
 *
 *   /sys/fs/bpf/lane53/INSTANCE/v2/   0700
 *       local cache settings ...      the maps by their name
 *       link-lane                     the link of lane53_return on the lane
 *       link-eth0 ...                 one link per interface
 *
 * Who can open a pin can write the map, so nobody but the owner may (decision 14).
 */
#include "pins.h"

#include <dirent.h>
#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include "problem.h"

#define LINK_PREFIX "link-"

bool pins_instance_is_valid(const char *instance)
{
	size_t len = strlen(instance);

	return len >= 1 && len <= 32 &&
	       strspn(instance, "abcdefghijklmnopqrstuvwxyz"
				"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == len;
}

static bool is_mounted(void)
{
	struct statfs fs;

	return statfs(PINS_ROOT, &fs) == 0 &&
	       (unsigned)fs.f_type == (unsigned)BPF_FS_MAGIC;
}

int pins_mount(struct problem *problem)
{
	int r;

	if (is_mounted())
		return 0;
	if (mount("bpf", PINS_ROOT, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		  "mode=0700") == 0)
		return 0;
	r = errno;
	if (r == EPERM || r == EACCES) {
		problem_set(problem, NULL, 0,
			    "no bpffs at " PINS_ROOT " and no right to mount it "
			    "(CAP_SYS_ADMIN): run `mount -t bpf bpf " PINS_ROOT
			    "` as root, or use -no-xdp");
		return -EPERM;
	}
	problem_set(problem, NULL, 0,
		    "cannot mount bpffs at " PINS_ROOT ": %s: is the kernel built with "
		    "CONFIG_BPF_SYSCALL and /sys mounted?  -no-xdp does without",
		    strerror(r));
	return -ENOTSUP;
}

void pins_dir(const char *instance, unsigned version, char *ret_path)
{
	snprintf(ret_path, PINS_BYTES, PINS_ROOT "/lane53/%s/v%u", instance, version);
}

int pins_make_dir(const char *dir, struct problem *problem)
{
	char part[PINS_BYTES];

	snprintf(part, sizeof(part), "%s", dir);
	for (char *slash = part + strlen(PINS_ROOT) + 1; slash; *slash++ = '/') {
		slash = strchr(slash, '/');
		if (slash)
			*slash = '\0';
		if (mkdir(part, 0700) < 0 && errno != EEXIST) {
			int r = -errno;

			problem_set(problem, NULL, 0,
				    "cannot make %s: %s: XDP needs root, or CAP_BPF, "
				    "CAP_PERFMON, CAP_NET_ADMIN and a bpffs of this "
				    "user's; or use -no-xdp",
				    part, strerror(-r));
			r = r == -EACCES ? -EPERM : r;
			return r;
		}
		if (!slash)
			break;
	}
	return 0;
}

void pins_path(const char *dir, const char *name, char *ret_path)
{
	snprintf(ret_path, PINS_BYTES, "%s/%s", dir, name);
}

void pins_link_path(const char *dir, const char *ifname, char *ret_path)
{
	snprintf(ret_path, PINS_BYTES, "%s/" LINK_PREFIX "%s", dir, ifname);
	for (char *c = ret_path + strlen(dir); *c; c++)
		if (*c == '.')
			*c = ':';
}

bool pins_is_link(const char *name, char ret_ifname[IF_NAMESIZE])
{
	if (strncmp(name, LINK_PREFIX, strlen(LINK_PREFIX)))
		return false;
	snprintf(ret_ifname, IF_NAMESIZE, "%.15s", name + strlen(LINK_PREFIX));
	for (char *c = ret_ifname; *c; c++)
		if (*c == ':')
			*c = '.';
	return true;
}

void pins_each(const char *dir, void (*each)(void *context, const char *name),
	       void *context)
{
	DIR *d = opendir(dir);
	struct dirent *entry;

	if (!d)
		return;
	while ((entry = readdir(d)))
		if (entry->d_name[0] != '.')
			each(context, entry->d_name);
	closedir(d);
}

struct version_visit {
	void (*each)(void *context, unsigned version);
	void *context;
};

static void visit_version(void *context, const char *name)
{
	struct version_visit *visit = context;
	unsigned version;
	char more;

	if (sscanf(name, "v%u%c", &version, &more) == 1)
		visit->each(visit->context, version);
}

void pins_each_version(const char *instance,
		       void (*each)(void *context, unsigned version), void *context)
{
	struct version_visit visit = { each, context };
	char dir[PINS_BYTES];

	snprintf(dir, sizeof(dir), PINS_ROOT "/lane53/%s", instance);
	pins_each(dir, visit_version, &visit);
}

struct removal {
	const char *dir;
	int r;
};

static void remove_pin(void *context, const char *name)
{
	struct removal *removal = context;
	char path[PINS_BYTES];

	pins_path(removal->dir, name, path);
	if (unlink(path) < 0 && errno != ENOENT)
		removal->r = -errno;
}

int pins_remove_dir(const char *dir)
{
	struct removal removal = { dir, 0 };

	pins_each(dir, remove_pin, &removal);
	if (rmdir(dir) < 0 && errno != ENOENT && removal.r == 0)
		removal.r = -errno;
	return removal.r;
}

void pins_remove_parents(const char *instance)
{
	char dir[PINS_BYTES];

	snprintf(dir, sizeof(dir), PINS_ROOT "/lane53/%s", instance);
	(void)rmdir(dir);                 /* not empty: another version is there */
	(void)rmdir(PINS_ROOT "/lane53"); /* likewise: another instance */
}
