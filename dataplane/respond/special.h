/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * special.h - answers that come from no record: CHAOS, whoami, loop's probe.
 */
#ifndef LANE53_SPECIAL_H
#define LANE53_SPECIAL_H

#include <stdbool.h>
#include <stdint.h>

struct answer;
struct client;
struct plan_block;
struct plan_step;

/* The step of @kind (enum plan_step_kind) in @block that takes @qname; NULL = none. */
const struct plan_step *special_step(const struct plan_block *block, int kind,
				     const uint8_t *qname);

/*
 * version.bind, version.server, authors.bind, hostname.bind and id.server, TXT in class
 * CH.  @qname in lower case; @hostname for the last two.
 * Return: is @ret the answer?
 */
bool special_chaos(const struct plan_step *step, const uint8_t *qname, uint16_t qtype,
		   const char *hostname, struct answer *ret);

/*
 * The client's address (A or AAAA) and UDP or TCP port (SRV) in the Additional section,
 * as CoreDNS's whoami.  Return: is @ret the answer? (No, if the name is too long.)
 */
bool special_whoami(const struct client *client, const uint8_t *qname,
		    struct answer *ret);

/* Is it the probe of the daemon's loop detection? */
bool special_is_probe(const struct plan_step *step, const uint8_t *qname,
		      uint16_t qtype);

#endif
