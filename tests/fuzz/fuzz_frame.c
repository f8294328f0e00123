/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_frame.c - any bytes as a frame on the lane: what is accepted lies inside, and its
 * response reads back as a frame with the two ends exchanged.
 */
#include "fuzz.h"

#include <string.h>
#include "io/frame.h"
#include "io/port.h"

static void check_inside(const struct frame *f, size_t size)
{
	FUZZ_CHECK(f->dns_off <= FRAME_PREFIX_MAX);
	FUZZ_CHECK(f->dns_off <= CLIENT_TICKET_BYTES - 1);
	FUZZ_CHECK(f->l3_off < f->l4_off && f->l4_off < f->dns_off);
	FUZZ_CHECK((size_t)f->dns_off + f->dns_len <= size);
}

static void check_reply(const struct frame *query, const uint8_t *bytes, size_t len)
{
	struct frame reply;

	FUZZ_CHECK(frame_read(&reply, bytes, len) == FRAME_OK);
	FUZZ_CHECK(!memcmp(reply.remote, query->local, 16));
	FUZZ_CHECK(!memcmp(reply.local, query->remote, 16));
	FUZZ_CHECK(reply.remote_port == query->local_port);
	FUZZ_CHECK(reply.local_port == query->remote_port);
	FUZZ_CHECK(reply.view == query->view && reply.ifindex == query->ifindex);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t bytes[4096];
	struct frame f;

	if (size > sizeof(bytes) || frame_read(&f, data, size) != FRAME_OK)
		return 0;
	check_inside(&f, size);
	/* a response as long as the query: the tag's length still holds */
	memcpy(bytes, data, size);
	frame_reply(bytes, f.dns_off, f.dns_len);
	check_reply(&f, bytes, size);
	return 0;
}
