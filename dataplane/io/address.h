/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * address.h - addresses as we keep them (16 bytes, IPv4 as ::ffff:a.b.c.d) to and from
 * the kernel's and the reader's form.
 */
#ifndef LANE53_ADDRESS_H
#define LANE53_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* "[ffff:...:255.255.255.255]:65535" and NUL. */
#define ADDRESS_TEXT_ROOM 56

bool address_is_ipv4(const uint8_t addr[16]); /* mapped */
bool address_is_any(const uint8_t addr[16]);  /* ::, or 0.0.0.0 mapped */

/* Fill @ret for @addr and @port (host order).  Return: its length. */
socklen_t address_to_socket(struct sockaddr_storage *ret, const uint8_t addr[16],
			    uint16_t port);

/* AF_INET or AF_INET6; another family gives :: and port 0. */
void address_from_socket(const struct sockaddr_storage *from, uint8_t ret_addr[16],
			 uint16_t *ret_port);

/* "192.0.2.1:53", "[2001:db8::1]:53".  Return: @text. */
const char *address_to_text(char text[ADDRESS_TEXT_ROOM], const uint8_t addr[16],
			    uint16_t port);

#endif
