/* SPDX-License-Identifier: BSD-3-Clause */
/* offload.h - could the hardware, or a veth, hide VLAN tags from XDP? */
#ifndef LANE53_OFFLOAD_H
#define LANE53_OFFLOAD_H

#include <stdbool.h>
#include <stddef.h>

struct iface;
struct ifaces;

/*
 * True if a tag may travel beside a frame of @iface instead of inside it; @note then
 * gets the command that ends it.
 */
bool offload_hides_vlan(const struct ifaces *ifaces, const struct iface *iface,
			char *note, size_t room);

#endif
