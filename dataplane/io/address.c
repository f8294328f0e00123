/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * address.c - addresses to and from the kernel's and the reader's form.
 */
#include "io/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

bool address_is_ipv4(const uint8_t addr[16])
{
	return !memcmp(addr, mapped, sizeof(mapped));
}

bool address_is_any(const uint8_t addr[16])
{
	static const uint8_t zero[16];

	return !memcmp(addr, zero, 16) ||
	       (address_is_ipv4(addr) && !memcmp(addr + 12, zero, 4));
}

socklen_t address_to_socket(struct sockaddr_storage *ret, const uint8_t addr[16],
			    uint16_t port)
{
	struct sockaddr_in *in = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;

	memset(ret, 0, sizeof(*ret));
	if (address_is_ipv4(addr)) {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		memcpy(&in->sin_addr, addr + 12, 4);
		return sizeof(*in);
	}
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	memcpy(&in6->sin6_addr, addr, 16);
	return sizeof(*in6);
}

void address_from_socket(const struct sockaddr_storage *from, uint8_t ret_addr[16],
			 uint16_t *ret_port)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)from;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)from;

	memset(ret_addr, 0, 16);
	*ret_port = 0;
	if (from->ss_family == AF_INET) {
		memcpy(ret_addr, mapped, sizeof(mapped));
		memcpy(ret_addr + 12, &in->sin_addr, 4);
		*ret_port = ntohs(in->sin_port);
	} else if (from->ss_family == AF_INET6) {
		memcpy(ret_addr, &in6->sin6_addr, 16);
		*ret_port = ntohs(in6->sin6_port);
	}
}

const char *address_to_text(char text[ADDRESS_TEXT_ROOM], const uint8_t addr[16],
			    uint16_t port)
{
	char host[INET6_ADDRSTRLEN] = "?";
	bool ipv4 = address_is_ipv4(addr);

	(void)inet_ntop(ipv4 ? AF_INET : AF_INET6, ipv4 ? addr + 12 : addr, host,
			sizeof(host)); /* cannot fail: family and room are right */
	snprintf(text, ADDRESS_TEXT_ROOM, ipv4 ? "%s:%u" : "[%s]:%u", host, port);
	return text;
}
