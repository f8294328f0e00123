/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rrtext.h - RRsets from presentation form, for records set by hand.
 */
#ifndef LANE53_RRTEXT_H
#define LANE53_RRTEXT_H

#include <stddef.h>
#include <stdint.h>
#include "store/store.h"

struct problem;

/* RRs of one owner and type. */
struct rrtext_set {
	uint8_t owner[255]; /* lower case */
	struct rrset set;   /* rdata is this struct's own */
};

struct rrtext {
	struct rrtext_set *at;
	size_t count;
};

/*
 * Add the RR in @text ("a.example. 30 IN A 192.0.2.1"; TTL and class are optional) to
 * the set it belongs to; the last TTL of a set counts.
 * Return: 0, -EINVAL (@problem), -ENOMEM.
 */
int rrtext_add(struct rrtext *rrs, const char *text, struct problem *problem);
void rrtext_deinit(struct rrtext *rrs);

/*
 * What is to be deleted: an RR, "NAME TYPE", or "NAME" (*ret_type 0).  @ret_rr: an RR,
 * already added to @rrs.  Return: likewise.
 */
int rrtext_target(struct rrtext *rrs, const char *text, uint8_t ret_owner[255],
		  uint16_t *ret_type, struct problem *problem);

#endif
