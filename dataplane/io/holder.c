/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * holder.c - who holds the address that we could not bind.
 *
 * /proc/net says which socket, /proc/PID/fd whose it is.  An ordinary user sees only its
 * own processes there; then nobody is named.
 */
#include "io/socket_parts.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "io/address.h"

#define TCP_STATE_LISTEN 0x0a

/* The address as /proc/net prints it: 32-bit words in host order, as hexadecimals. */
static bool hex_is_address(const char *hex, const uint8_t addr[16])
{
	bool ipv4 = strlen(hex) == 8;
	const uint8_t *at = ipv4 ? addr + 12 : addr;
	bool is_any = strspn(hex, "0") == strlen(hex);

	if (is_any || address_is_any(addr))
		return true; /* a wildcard on either side collides */
	if (ipv4 != address_is_ipv4(addr))
		return false;
	for (; *hex; hex += 8, at += 4) {
		char word[9] = "";
		uint32_t value;

		memcpy(word, hex, 8);
		value = (uint32_t)strtoul(word, NULL, 16);
		if (memcmp(&value, at, 4))
			return false;
	}
	return true;
}

/* Inode of the socket at @local in table @path, 0 = none. */
static unsigned long inode_in(const char *path, const struct plan_address *local,
			      bool tcp)
{
	FILE *table = fopen(path, "re");
	unsigned long inode, found = 0;
	char line[512], hex[33];
	unsigned port, state;

	if (!table)
		return 0;
	while (!found && fgets(line, sizeof(line), table)) {
		if (sscanf(line,
			   " %*u: %32[0-9A-Fa-f]:%x %*s %x %*s %*s %*s %*u %*u %lu",
			   hex, &port, &state, &inode) != 4)
			continue; /* the head line */
		if (port == local->port && (!tcp || state == TCP_STATE_LISTEN) &&
		    hex_is_address(hex, local->addr))
			found = inode;
	}
	fclose(table);
	return found;
}

static bool process_has(const char *pid, const char *link)
{
	char path[300], to[64];
	struct dirent *entry;
	bool found = false;
	ssize_t len;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	dir = opendir(path);
	while (dir && !found && (entry = readdir(dir))) {
		len = readlinkat(dirfd(dir), entry->d_name, to, sizeof(to) - 1);
		if (len <= 0)
			continue;
		to[len] = '\0';
		found = !strcmp(to, link);
	}
	if (dir)
		closedir(dir);
	return found;
}

static void name_process(char *text, size_t room, const char *pid)
{
	char path[300], name[64] = "?";
	FILE *comm;

	snprintf(path, sizeof(path), "/proc/%s/comm", pid);
	comm = fopen(path, "re");
	if (comm && fgets(name, sizeof(name), comm))
		name[strcspn(name, "\n")] = '\0';
	if (comm)
		fclose(comm);
	snprintf(text, room, " (held by %s, pid %.10s)", name, pid);
}

void holder_name(char *text, size_t room, const struct plan_address *local, bool tcp)
{
	unsigned long inode =
		inode_in(tcp ? "/proc/net/tcp" : "/proc/net/udp", local, tcp);
	struct dirent *entry;
	char link[64];
	DIR *proc;

	text[0] = '\0';
	if (!inode)
		inode = inode_in(tcp ? "/proc/net/tcp6" : "/proc/net/udp6", local, tcp);
	if (!inode)
		return;
	snprintf(link, sizeof(link), "socket:[%lu]", inode);
	proc = opendir("/proc");
	while (proc && (entry = readdir(proc))) {
		if (!isdigit((unsigned char)entry->d_name[0]) ||
		    !process_has(entry->d_name, link))
			continue;
		name_process(text, room, entry->d_name);
		break;
	}
	if (proc)
		closedir(proc);
}
