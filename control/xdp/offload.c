/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * offload.c - could the hardware, or a veth, hide VLAN tags from XDP?
 *
 * A NIC with rx-vlan-offload takes the tag out before XDP runs; a veth with
 * tx-vlan-offload never puts it in.  Either way the frame looks untagged, and a view
 * chosen by VLAN would be chosen wrongly.  The other end of a veth may be in a
 * namespace that we cannot ask; our own end's switches then stand for both, as the
 * command we print is for both.
 */
#include "offload.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "ifaces.h"

/* ETH_FLAG_TXVLAN, ETH_FLAG_RXVLAN of @name; none where there is no ethtool. */
static uint32_t vlan_flags(const char *name)
{
	struct ethtool_value value = { .cmd = ETHTOOL_GFLAGS };
	struct ifreq request = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return 0;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	request.ifr_data = (char *)&value;
	if (ioctl(fd, SIOCETHTOOL, &request) < 0)
		value.data = 0;
	close(fd);
	return value.data & (ETH_FLAG_TXVLAN | ETH_FLAG_RXVLAN);
}

bool offload_hides_vlan(const struct ifaces *ifaces, const struct iface *iface,
			char *note, size_t room)
{
	const struct iface *peer = NULL;

	if (vlan_flags(iface->name)) {
		snprintf(note, room,
			 "VLAN tags are offloaded on %s, so XDP cannot see them: run "
			 "`ethtool -K %s rxvlan off txvlan off`%s",
			 iface->name, iface->name,
			 iface->peer ? ", and the same at its other end" : "");
		return true;
	}
	if (iface->peer && !iface->peer_elsewhere)
		peer = iface_find(ifaces, iface->peer);
	if (peer && vlan_flags(peer->name) & ETH_FLAG_TXVLAN) {
		snprintf(note, room,
			 "VLAN tags are offloaded on %s, the other end of %s, so XDP "
			 "cannot see them: run `ethtool -K %s rxvlan off txvlan off`",
			 peer->name, iface->name, peer->name);
		return true;
	}
	return false;
}
