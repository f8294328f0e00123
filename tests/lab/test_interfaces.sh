#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Interfaces by glob, now and later; native mode where the peer can take it; two server
# blocks on two addresses never mix; an offloaded VLAN tag never gets another view's answer.
set -eu
. "$(dirname "$0")/node.sh"
lab_require_root
lab_up
lab_upstream
ip -n "$LAB_ID-node" addr add 10.53.0.54/32 dev lo
cat >"$LAB_DIR/Corefile" <<END
.:53 {
    bind $LAB_SERVICE
    xdp v[cx]*
    hosts {
        192.0.2.1 name.example
    }
}
.:53 {
    bind 10.53.0.54
    hosts {
        192.0.2.2 name.example
    }
}
END
lab_lane53

# The same question to two addresses, both from XDP.
before=$(lab_outcome ANSWERED_LOCAL)
lab_ask client name.example A | grep -q 'c0000201$'
LAB_ADDRESS=10.53.0.54 lab_ask client name.example A | grep -q 'c0000202$'
[ "$(lab_outcome ANSWERED_LOCAL)" = $((before + 2)) ]

# An interface that appears is attached, a leaving one forgotten.
ip link add vx9 netns "$LAB_ID-node" type veth peer name eth9 netns "$LAB_ID-client"
ip -n "$LAB_ID-node" link set vx9 up
attached() { lab_ctl interfaces --json | jq -e ".interfaces[] | select(.name == \"$1\" and .state == \"attached\")"; }
lab_wait 5 attached vx9
ip -n "$LAB_ID-node" link del vx9
gone() { ! lab_ctl interfaces --json | grep -q vx9; }
lab_wait 5 gone
! ls "/sys/fs/bpf/lane53/$LAB_ID/v2" | grep vx9 || exit 1
echo "vx9 came and went"

# Two tenants that wait for the same interface: one warning each, however often we look.
cp "$LAB_DIR/Corefile" "$LAB_DIR/good"
for part in 10.53.9.0/25 10.53.9.128/25; do
	printf 'x.example:53 {\n    bind %s\n    xdp late0 {\n        from %s\n    }\n    whoami\n}\n' \
		"$LAB_SERVICE" "$part" >>"$LAB_DIR/Corefile"
done
lab_ctl reload >/dev/null
for i in 1 2 3; do
	ip link add "vx$i" netns "$LAB_ID-node" type veth peer name "eth1$i" netns "$LAB_ID-client"
	lab_wait 5 attached "vx$i"
	ip -n "$LAB_ID-node" link del "vx$i"
done
waits=$(grep -c 'xdp late0: there is no such interface' "$LAB_DIR/lane53d.log")
[ "$waits" = 2 ] || { echo "late0 was missed $waits times in the log, expected 2"; exit 1; }
[ "$(lab_ctl status --json | jq '[.degraded[] | select(contains("late0"))] | length')" = 2 ]
cp "$LAB_DIR/good" "$LAB_DIR/Corefile"
lab_ctl reload >/dev/null
echo "two blocks wait for an interface: told twice"

# Bound to an interface: its new address is served at once; links that come and go
# without an address, as those of pods do, are no reason to read everything again.
cp "$LAB_DIR/Corefile" "$LAB_DIR/good"
printf '.:53 {\n    bind lo\n    xdp v[cx]*\n    hosts {\n        192.0.2.3 name.example\n    }\n}\n' >"$LAB_DIR/Corefile"
lab_ctl reload >/dev/null
reloads() { grep -c 'Reloading$' "$LAB_DIR/lane53d.log"; }
before=$(reloads)
for i in 1 2 3; do
	ip link add "vx$i" netns "$LAB_ID-node" type veth peer name "eth1$i" netns "$LAB_ID-client"
	lab_wait 5 attached "vx$i"
	ip -n "$LAB_ID-node" link del "vx$i"
done
[ "$(reloads)" = "$before" ] || { echo "$(($(reloads) - before)) reloads for links without address"; exit 1; }
ip -n "$LAB_ID-node" addr add 10.53.0.55/32 dev lo
third() { LAB_ADDRESS=10.53.0.55 lab_ask plain name.example A | grep -q 'c0000203$'; }
lab_wait 5 third
[ "$(reloads)" = $((before + 1)) ]
cp "$LAB_DIR/good" "$LAB_DIR/Corefile"
lab_ctl reload >/dev/null
echo "an address that appears is served; a link that does costs no reload"

# A view by VLAN on a veth that offloads tags: XDP would not see them, so it is refused.
# That such a tag never gets another view's answer: tests/bpf/test_xdp.c, with real frames.
sed -i 's/    xdp v\[cx\]\*/    xdp v[cx]* {\n        vlan 7\n    }/' "$LAB_DIR/Corefile"
lab_ctl reload >"$LAB_DIR/reload" 2>&1 || true
{ lab_ctl status --json; lab_ctl interfaces --json; cat "$LAB_DIR/reload" "$LAB_DIR/lane53d.log"; } |
	grep -q 'ethtool -K' || {
	lab_ctl status
	echo "a VLAN view on an offloading veth was not refused"
	exit 1
}
echo "a VLAN view on an offloading veth is refused with the ethtool line"
