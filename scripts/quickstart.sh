#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# quickstart.sh - install, build, and see one client's queries answered on every way.
#
# Builds a lab of network namespaces (tests/lab/node.sh), starts a real upstream (Knot)
# and lane53d, asks, and prints who answered.  The last line is the proof, counted from
# the outcomes that XDP programs and workers count.  Leaves nothing behind.
set -eu
cd "$(dirname "$0")/.."
[ "$(id -u)" = 0 ] || {
	echo "quickstart.sh: needs root: it makes network namespaces and attaches XDP" >&2
	exit 1
}

scripts/setup.sh
[ -f build/build.ninja ] || meson setup build >/dev/null
echo "quickstart: building"
ninja -C build >build/quickstart.log 2>&1 || {
	tail -n 40 build/quickstart.log
	exit 1
}

LAB_BUILD=$PWD/build
# shellcheck source=tests/lab/node.sh
. tests/lab/node.sh
lab_up
lab_upstream

cat >"$LAB_DIR/Corefile" <<END
.:53 {
    bind $LAB_SERVICE $LAB_SERVICE6
    xdp vc
    hosts {
        192.0.2.10   printer.lab.example
        2001:db8::10 printer.lab.example
        fallthrough
    }
    cache 60
    forward . $LAB_UPSTREAM
    prometheus 127.0.0.1:9153
}
END
echo "quickstart: the Corefile"
sed 's/^/    /' "$LAB_DIR/Corefile"
lab_lane53
echo "quickstart: lane53d is up; XDP on vc, the lane, DPDK and socket workers"
lab_ctl status

n=20
cached=host-7.up.example
echo "quickstart: $n x a local record, over the interface with XDP"
lab_ask client printer.lab.example A --times $n >"$LAB_DIR/local"
echo "quickstart: $n x names nobody asked before: down the lane, to the upstream"
for i in $(seq 1 $n); do
	lab_ask client "host-$((100 + i)).up.example" A
done >"$LAB_DIR/lane"
echo "quickstart: $n x one name, after the second of which XDP has it"
lab_ask client $cached A --times 3 >"$LAB_DIR/warm"
lab_ask client $cached A --times $n --mask-ttl >"$LAB_DIR/cache"
echo "quickstart: $n x from a client without XDP, $n x over TCP"
lab_ask plain printer.lab.example A --times $((n / 2)) >"$LAB_DIR/socket"
lab_ask plain $cached A --times $((n / 2)) --mask-ttl >"$LAB_DIR/socket-cached"
lab_ask client printer.lab.example A --tcp --times $((n / 2)) >"$LAB_DIR/tcp"
lab_ask client $cached A --tcp --times $((n / 2)) --mask-ttl >"$LAB_DIR/tcp-cached"

echo "quickstart: what a client sees"
lab_in client kdig "@$LAB_SERVICE" printer.lab.example A +noall +answer +comments | sed 's/^/    /'
echo "quickstart: one question on every path"
lab_ctl query $cached A --path all | sed 's/^/    /'

# Byte for byte, TTLs of cached answers aside: each set has one member.
identical=yes
[ "$(cat "$LAB_DIR/local" "$LAB_DIR/socket" "$LAB_DIR/tcp" | sort -u | wc -l)" = 1 ] || identical=no
[ "$(cat "$LAB_DIR/cache" "$LAB_DIR/socket-cached" "$LAB_DIR/tcp-cached" | sort -u | wc -l)" = 1 ] || identical=no
! cat "$LAB_DIR/local" "$LAB_DIR/lane" "$LAB_DIR/cache" "$LAB_DIR/socket" "$LAB_DIR/tcp" | grep -v '^0 [1-9]' || identical=no

stats=$(lab_ctl stats --json)
count() { echo "$stats" | jq -r "$1"; }
socket='.workers[] | select(.io == "socket") | '
LAB_LAST_LINE="proof local=$(count .outcomes.ANSWERED_LOCAL)"
LAB_LAST_LINE="$LAB_LAST_LINE cache=$(count .outcomes.ANSWERED_CACHE)"
LAB_LAST_LINE="$LAB_LAST_LINE lane=$(count .outcomes.FROM_LANE)"
LAB_LAST_LINE="$LAB_LAST_LINE socket=$(count "$socket.queries_udp")"
LAB_LAST_LINE="$LAB_LAST_LINE tcp=$(count "$socket.queries_tcp") identical=$identical"
[ "$identical" = yes ]
