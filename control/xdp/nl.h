/* SPDX-License-Identifier: BSD-3-Clause */
/* nl.h - one rtnetlink request at a time, over libmnl. */
#ifndef LANE53_NL_H
#define LANE53_NL_H

#include <libmnl/libmnl.h>
#include <stddef.h>

/* Room for any request of ours. */
#define NL_REQUEST_BYTES 1024

/*
 * Send @request (its sequence number is drawn here) and wait for the kernel's ACK.
 * Return: 0 or the kernel's negative errno.
 */
int nl_request(struct nlmsghdr *request);

/*
 * Ask for a dump of @type (RTM_GETLINK, RTM_GETADDR) with a zeroed body of @body_bytes,
 * and hand each message to @each.  Begun again when the kernel says it was torn:
 * @restart then empties what @each has gathered.
 * Return: 0 or a negative errno.
 */
int nl_dump(unsigned type, size_t body_bytes, mnl_cb_t each,
	    void (*restart)(void *context), void *context);

#endif
