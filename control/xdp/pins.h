/* SPDX-License-Identifier: BSD-3-Clause */
/* pins.h - the files under /sys/fs/bpf that keep an instance alive without us. */
#ifndef LANE53_PINS_H
#define LANE53_PINS_H

#include <net/if.h>
#include <stdbool.h>

struct problem;

#define PINS_ROOT  "/sys/fs/bpf"
#define PINS_BYTES 160 /* of a path: root, instance (<= 32), version, map or link */

/* May @instance be part of a path?  Letters, digits, '-' and '_', 1 to 32 of them. */
bool pins_instance_is_valid(const char *instance);

/* Mount bpffs if nobody has.  Return: 0, -ENOTSUP, -EPERM. */
int pins_mount(struct problem *problem);

/* The directory of @instance and ABI @version (PINS_BYTES). */
void pins_dir(const char *instance, unsigned version, char *ret_path);

/* Make it, mode 0700.  Return: 0 or a negative errno. */
int pins_make_dir(const char *dir, struct problem *problem);

/* "DIR/NAME" into @ret_path (PINS_BYTES). */
void pins_path(const char *dir, const char *name, char *ret_path);

/* "DIR/link-IFNAME"; bpffs takes no '.', an interface no ':', so '.' becomes ':'. */
void pins_link_path(const char *dir, const char *ifname, char *ret_path);

/* Is @name the pin of an interface's link?  Then its interface's name. */
bool pins_is_link(const char *name, char ret_ifname[IF_NAMESIZE]);

/* Call @each with every name in @dir; a missing directory has none. */
void pins_each(const char *dir, void (*each)(void *context, const char *name),
	       void *context);

/* Every version's directory of @instance, as a number. */
void pins_each_version(const char *instance,
		       void (*each)(void *context, unsigned version), void *context);

/* Remove @dir with all its pins.  Return: 0 or a negative errno; absent is 0. */
int pins_remove_dir(const char *dir);

/* Remove the directories above the versions' when they are empty. */
void pins_remove_parents(const char *instance);

#endif
