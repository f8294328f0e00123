/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pins.h - the pinned BPF maps that the DPDK worker shares with XDP: `cache` to publish
 * into, `settings` for the secret and the heartbeat, `asked` for the fast upstream path.
 */
#ifndef LANE53_PINS_H
#define LANE53_PINS_H

#include <stddef.h>
#include "cache/table.h"

struct lane53_asked;
struct lane53_settings;

struct pins {
	struct table_arrays cache; /* mapped; secret points into settings */
	struct lane53_settings *settings;
	struct lane53_asked *asked; /* LANE53_ASKED_COUNT */
};

/*
 * Map what is pinned under @dir.  On success @ret is released with pins_close(); on
 * failure it is untouched and @why (@room bytes) names the pin.
 * Return: 0 or a negative errno.
 */
int pins_open(struct pins *ret, const char *dir, char *why, size_t room);
void pins_close(struct pins *pins);

#endif
