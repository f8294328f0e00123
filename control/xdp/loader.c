/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * loader.c - load the programs with the maps that are pinned, and pin the rest.
 *
 *   pinned and of our layout ──► reused, contents and all
 *   else                     ──► made anew, in the size asked for, and pinned
 *
 * `settings` holds the secret under which the tables were hashed, so without a settings
 * map to adopt no table is adopted either; and a table is adopted with all its arrays or
 * not at all.  It is pinned first and unpinned last: a crash in between cannot leave
 * tables with another table's secret.
 */
#include "state.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>
#include "lane53.skel.h"
#include "lane53/wire.h"
#include "loader.h"
#include "problem.h"

enum group { ALONE, LOCAL, CACHE, GROUP_COUNT };

/* A 1,000-name zone with AAAA and HTTPS NODATA fills a fifth of it; it grows. */
#define LOCAL_SLOTS 16384u
/* CoreDNS's cache holds 9,984 positive and as many negative answers: load 0.6. */
#define CACHE_SLOTS 32768u

/* Per slot: every second answer is not one RR; one in 32 passes 216 bytes.  A guess
 * from Kubernetes zones (A inline, NODATA with SOA small); usage is in `lane53ctl stats`. */
#define SLOTS_PER_SMALL 2
#define SLOTS_PER_LARGE 32

/* Every map that is pinned; `settings` first.  `divisor`: slots per element, 0 = fixed. */
static const struct pinned_map {
	const char *name;
	enum group group;
	unsigned divisor;
} pinned_maps[] = {
	{ "settings", ALONE, 0 },
	{ "interfaces", ALONE, 0 },
	{ "sources", ALONE, 0 },
	{ "services", ALONE, 0 },
	{ "lane", ALONE, 0 },
	{ "asked", ALONE, 0 },
	{ "outcomes", ALONE, 0 },
	{ "series", ALONE, 0 },
	{ "events", ALONE, 0 },
	{ "local", LOCAL, 1 },
	{ "local_small", LOCAL, SLOTS_PER_SMALL },
	{ "local_large", LOCAL, SLOTS_PER_LARGE },
	{ "cache", CACHE, 1 },
	{ "cache_small", CACHE, SLOTS_PER_SMALL },
	{ "cache_large", CACHE, SLOTS_PER_LARGE },
	{ "cache_names", CACHE, 1 },
};
#define MAP_COUNT (sizeof(pinned_maps) / sizeof(pinned_maps[0]))

#define FOR_EACH_MAP(m) \
	for (const struct pinned_map *m = pinned_maps; m < pinned_maps + MAP_COUNT; m++)

/* The first thing libbpf complained about, without its name in front: for the problem. */
static char first_complaint[200];

static int note_complaint(enum libbpf_print_level level, const char *format,
			  va_list args)
{
	static const char prefix[] = "libbpf: ";
	char line[sizeof(first_complaint)];
	const char *text = line;

	if (level != LIBBPF_WARN || first_complaint[0])
		return 0;
	vsnprintf(line, sizeof(line), format, args);
	line[strcspn(line, "\n")] = '\0';
	if (!strncmp(line, prefix, strlen(prefix)))
		text += strlen(prefix);
	snprintf(first_complaint, sizeof(first_complaint), "%s", text);
	return 0;
}

void loader_quiet_libbpf(void)
{
	libbpf_set_print(note_complaint);
}

/* Does the pinned map behind @fd have the layout of @map? */
static bool fits(const struct pinned_map *pinned, const struct bpf_map *map, int fd)
{
	struct bpf_map_info info = { 0 };
	__u32 len = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &len) < 0)
		return false;
	if (info.type != bpf_map__type(map) ||
	    info.key_size != bpf_map__key_size(map) ||
	    info.value_size != bpf_map__value_size(map))
		return false;
	if (pinned->divisor == 1 && info.max_entries < LANE53_SLOTS_MIN)
		return false;
	return pinned->divisor || info.max_entries == bpf_map__max_entries(map);
}

/* The fds of what is pinned and fits, -1 for the rest. */
static void find_pinned(const char *dir, const struct lane53_bpf *skel,
			int fds[MAP_COUNT])
{
	bool whole[GROUP_COUNT] = { true, true, true };

	for (size_t i = 0; i < MAP_COUNT; i++) {
		const struct bpf_map *map =
			bpf_object__find_map_by_name(skel->obj, pinned_maps[i].name);
		char path[PINS_BYTES];

		pins_path(dir, pinned_maps[i].name, path);
		fds[i] = bpf_obj_get(path);
		if (fds[i] >= 0 && !fits(&pinned_maps[i], map, fds[i])) {
			close(fds[i]);
			fds[i] = -1;
		}
		if (fds[i] < 0 && pinned_maps[i].group != ALONE)
			whole[pinned_maps[i].group] = false;
	}
	for (size_t i = 0; i < MAP_COUNT; i++) {
		enum group group = pinned_maps[i].group;

		/* without the old secret (fds[0]) an old table means nothing */
		if (fds[i] < 0 || group == ALONE || (whole[group] && fds[0] >= 0))
			continue;
		close(fds[i]);
		fds[i] = -1;
	}
}

static uint32_t elements(const struct pinned_map *pinned,
			 const struct table_sizes *sizes)
{
	uint32_t slots =
		pinned->group == LOCAL ? sizes->local_slots : sizes->cache_slots;
	uint32_t asked = pinned->group != LOCAL               ? 0
			 : pinned->divisor == SLOTS_PER_SMALL ? sizes->local_small
			 : pinned->divisor == SLOTS_PER_LARGE ? sizes->local_large
							      : 0;
	uint32_t count = asked ? asked : slots / pinned->divisor;

	return count < 16 ? 16 : count;
}

/* Reuse @fd for @map, or set the size of a new one. */
static int prepare_map(const struct pinned_map *pinned, struct bpf_map *map, int fd,
		       const struct table_sizes *sizes)
{
	if (fd >= 0)
		return bpf_map__reuse_fd(map, fd);
	if (!pinned->divisor)
		return 0;
	return bpf_map__set_max_entries(map, elements(pinned, sizes));
}

static int read_secret(int settings_fd, uint32_t secret[LANE53_SECRET_WORDS])
{
	struct lane53_settings settings;
	__u32 zero = 0;
	size_t have = 0;

	if (settings_fd >= 0) {
		int r = bpf_map_lookup_elem(settings_fd, &zero, &settings);

		if (r < 0)
			return r;
		memcpy(secret, settings.secret, sizeof(settings.secret));
		return 0;
	}
	while (have < sizeof(settings.secret)) {
		ssize_t n = getrandom((uint8_t *)secret + have,
				      sizeof(settings.secret) - have, 0);

		if (n < 0 && errno != EINTR)
			return -errno;
		have += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static void set_knobs(struct lane53_bpf *skel,
		      const uint32_t secret[LANE53_SECRET_WORDS])
{
	skel->rodata->local_slots = bpf_map__max_entries(skel->maps.local);
	skel->rodata->cache_slots = bpf_map__max_entries(skel->maps.cache);
	for (unsigned i = 0; i < LANE53_SECRET_WORDS; i++)
		((uint32_t *)skel->rodata->lane53_secret)[i] = secret[i];
}

static int load_problem(int r, struct problem *problem)
{
	if (r == -EPERM || r == -EACCES)
		problem_set(problem, NULL, 0,
			    "not allowed to load XDP programs: needs CAP_BPF, "
			    "CAP_PERFMON and CAP_NET_ADMIN (or root; before Linux 5.11 "
			    "also `ulimit -l unlimited`), or use -no-xdp (%s)",
			    first_complaint);
	else if (r == -ENOMEM)
		problem_set(problem, NULL, 0,
			    "no memory for the XDP tables: raise the memory limit of "
			    "this service, or use -no-xdp");
	else
		problem_set(problem, NULL, 0,
			    "the kernel refused the XDP programs (%s): needs Linux 6.1 "
			    "or newer with CONFIG_BPF_SYSCALL, or use -no-xdp (%s)",
			    strerror(-r), first_complaint);
	return r == -EACCES ? -EPERM : r;
}

static int load(struct lane53_bpf *skel, struct problem *problem)
{
	int r;

	first_complaint[0] = '\0';
	r = lane53_bpf__load(skel);
	return r < 0 ? load_problem(r, problem) : 0;
}

/* A new settings map: enabled, the usual limit, the secret the programs hash with. */
static int init_settings(const struct lane53_bpf *skel,
			 const uint32_t secret[LANE53_SECRET_WORDS])
{
	struct lane53_settings settings = {
		.enabled = LANE53_XDP_ON,
		.udp_limit = LANE53_UDP_PAYLOAD,
		.event_limit = LANE53_EVENT_LIMIT,
	};
	__u32 zero = 0;

	memcpy(settings.secret, secret, sizeof(settings.secret));
	return bpf_map_update_elem(bpf_map__fd(skel->maps.settings), &zero, &settings,
				   0);
}

static int pin_map(const char *dir, const struct bpf_map *map, struct problem *problem)
{
	char path[PINS_BYTES];
	int r;

	pins_path(dir, bpf_map__name(map), path);
	(void)unlink(path); /* one that did not fit, if any */
	r = bpf_obj_pin(bpf_map__fd(map), path);
	if (r < 0)
		problem_set(problem, NULL, 0, "cannot pin %s: %s", path, strerror(-r));
	return r;
}

static int pin_new(const char *dir, const struct lane53_bpf *skel,
		   const int fds[MAP_COUNT], struct problem *problem)
{
	int r = 0;

	/* new tables' old pins go before a new secret comes */
	for (size_t i = 0; i < MAP_COUNT; i++) {
		char path[PINS_BYTES];

		pins_path(dir, pinned_maps[i].name, path);
		if (fds[i] < 0)
			(void)unlink(path);
	}
	for (size_t i = 0; i < MAP_COUNT && r == 0; i++)
		if (fds[i] < 0)
			r = pin_map(dir,
				    bpf_object__find_map_by_name(skel->obj,
								 pinned_maps[i].name),
				    problem);
	return r;
}

static int open_skeleton(struct lane53_bpf **ret_skel, struct problem *problem)
{
	struct lane53_bpf *skel = lane53_bpf__open();
	int r = -errno;

	if (!skel) {
		problem_set(problem, NULL, 0, "cannot open the XDP programs: %s",
			    strerror(-r));
		return r;
	}
	*ret_skel = skel;
	return 0;
}

int loader_open(const char *dir, const struct table_sizes *wanted,
		struct lane53_bpf **ret_skel, bool *ret_adopted,
		struct problem *problem)
{
	struct table_sizes sizes = {
		.local_slots = wanted->local_slots ? wanted->local_slots : LOCAL_SLOTS,
		.cache_slots = wanted->cache_slots ? wanted->cache_slots : CACHE_SLOTS,
	};
	uint32_t secret[LANE53_SECRET_WORDS];
	struct lane53_bpf *skel;
	int fds[MAP_COUNT];
	int r = open_skeleton(&skel, problem);

	if (r < 0)
		return r;
	find_pinned(dir, skel, fds);
	r = read_secret(fds[0], secret);
	for (size_t i = 0; i < MAP_COUNT && r == 0; i++)
		r = prepare_map(
			&pinned_maps[i],
			bpf_object__find_map_by_name(skel->obj, pinned_maps[i].name),
			fds[i], &sizes);
	if (r < 0)
		problem_set(problem, NULL, 0, "cannot prepare the maps: %s",
			    strerror(-r));
	if (r == 0) {
		set_knobs(skel, secret);
		r = load(skel, problem);
	}
	if (r == 0 && fds[0] < 0)
		r = init_settings(skel, secret);
	if (r == 0)
		r = pin_new(dir, skel, fds, problem);
	*ret_adopted = true;
	for (size_t i = 0; i < MAP_COUNT; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
		else if (pinned_maps[i].group == LOCAL)
			*ret_adopted = false;
	}
	if (r < 0) {
		lane53_bpf__destroy(skel);
		return r;
	}
	*ret_skel = skel;
	return 0;
}

int loader_prepare_beside(const struct lane53_bpf *base, const struct table_room *local,
			  struct lane53_bpf **ret_skel, struct problem *problem)
{
	const struct table_sizes sizes = {
		.local_slots = local ? local->slots : 0,
		.local_small = local ? local->small : 0,
		.local_large = local ? local->large : 0,
	};
	uint32_t secret[LANE53_SECRET_WORDS];
	struct lane53_bpf *skel;
	int r = open_skeleton(&skel, problem);

	if (r < 0)
		return r;
	FOR_EACH_MAP(m)
	{
		const struct bpf_map *old =
			bpf_object__find_map_by_name(base->obj, m->name);
		bool is_new = local && m->group == LOCAL;

		if (r == 0)
			r = prepare_map(
				m, bpf_object__find_map_by_name(skel->obj, m->name),
				is_new ? -1 : bpf_map__fd(old), &sizes);
	}
	if (r == 0)
		r = read_secret(bpf_map__fd(base->maps.settings), secret);
	if (r < 0) {
		problem_set(problem, NULL, 0, "cannot reuse the maps: %s",
			    strerror(-r));
		lane53_bpf__destroy(skel);
		return r;
	}
	set_knobs(skel, secret);
	*ret_skel = skel;
	return 0;
}

int loader_load_beside(const struct lane53_bpf *base, const struct table_room *local,
		       struct lane53_bpf **ret_skel, struct problem *problem)
{
	struct lane53_bpf *skel;
	int r = loader_prepare_beside(base, local, &skel, problem);

	if (r < 0)
		return r;
	r = load(skel, problem);
	if (r < 0)
		lane53_bpf__destroy(skel);
	else
		*ret_skel = skel;
	return r;
}

int loader_repin_local(const char *dir, const struct lane53_bpf *skel,
		       struct problem *problem)
{
	int fds[MAP_COUNT];

	for (size_t i = 0; i < MAP_COUNT; i++)
		fds[i] = pinned_maps[i].group == LOCAL ? -1 : 0;
	return pin_new(dir, skel, fds, problem);
}
