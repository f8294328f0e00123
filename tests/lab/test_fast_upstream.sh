#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The fast upstream path: questions to Knot leave and return through the lane, with the
# same answers; and whatever breaks it, sockets take over before a client asks again.
set -eu
. "$(dirname "$0")/node.sh"
lab_require_root
lab_up
# The host need not be a router.
lab_in node sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0
lab_upstream

# corefile UPSTREAM INTERFACE...: nothing is cached, so every query goes upstream.
corefile() {
	upstream=$1
	shift
	cat >"$LAB_DIR/Corefile" <<-END
		.:53 {
		    bind $LAB_SERVICE $LAB_SERVICE6
		    xdp $*
		    forward . $upstream
		}
	END
}

# via WAY: does the DPDK worker reach its upstream so?
via() {
	[ "$(lab_ctl upstreams --json | jq -r '.upstreams[] | select(.io == "dpdk") | .via')" = "$1" ]
}

# Asks, too: probes go beside questions, and each thread on the lane has names of its own.
asked_via() {
	for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
		lab_ask client "host-$i.up.example" A >/dev/null || return 1
	done
	via "$1"
}

questions() {
	for i in $(seq "$1" "$2"); do
		echo "host-$i.up.example A"
	done
	echo "nothing-$1.up.example A"
	echo "big.up.example A --edns 4096"
	echo "big.up.example A"
	echo "alias.up.example AAAA --edns 1232 --do"
}

# under_load WHAT COMMAND...: break something in the midst of 7,520 questions, asked once.
under_load() {
	what=$1
	shift
	questions 1000 2499 >"$LAB_DIR/load"
	: >"$LAB_DIR/load.log"
	lab_start client load.log "$LAB_TOP/tests/lab/ask.py" "$LAB_SERVICE" --file "$LAB_DIR/load" \
		--timeout 1 --times 5
	load=$LAB_PID
	lab_wait 10 test -s "$LAB_DIR/load.log"
	"$@"
	kill -0 "$load" || {
		echo "$what: the load was over before it was broken"
		exit 1
	}
	wait "$load" || {
		echo "$what: $(grep -c timeout "$LAB_DIR/load.log") questions were not answered within 1 s"
		exit 1
	}
	[ "$(grep -c '^0 1 ' "$LAB_DIR/load.log")" = 7505 ] || {
		echo "$what: wrong answers"
		cut -d' ' -f1-2 "$LAB_DIR/load.log" | sort | uniq -c
		exit 1
	}
	echo "$what: 7,520 questions, all answered within 1 s"
}

# more OUTCOME COUNT: it rose by as much since `before` was set.
more() {
	[ $(($(lab_outcome "$1") - before)) -ge "$2" ] || {
		echo "$1: $(lab_outcome "$1"), $before before"
		exit 1
	}
}

corefile "$LAB_UPSTREAM" vc vu
lab_lane53
lab_wait 10 asked_via lane

# ---- the same answers, and the way was really taken, both directions
questions 0 199 >"$LAB_DIR/questions"
before=$(lab_outcome UPSTREAM_ASKED)
answered=$(lab_outcome UPSTREAM_ANSWERED)
for place in client plain; do
	lab_in $place "$LAB_TOP/tests/lab/ask.py" "$LAB_SERVICE" --file "$LAB_DIR/questions" \
		>"$LAB_DIR/$place"
done
cmp "$LAB_DIR/client" "$LAB_DIR/plain"
more UPSTREAM_ASKED 200
before=$answered
more UPSTREAM_ANSWERED 200
echo "204 answers by the lane, the same as by sockets"

# ---- what breaks it
forget_neighbour() {
	ip -n "$LAB_ID-node" neigh del "${1:-$LAB_UPSTREAM}" dev vu
}
before=$(lab_outcome UPSTREAM_NO_NEIGHBOUR)
under_load "neighbour deleted" forget_neighbour
more UPSTREAM_NO_NEIGHBOUR 1
lab_wait 10 asked_via lane

detach() {
	corefile "$LAB_UPSTREAM" vc
	lab_ctl reload >/dev/null
}
before=$(lab_outcome UPSTREAM_NO_WAY)
under_load "interface detached" detach
more UPSTREAM_NO_WAY 1
via socket
corefile "$LAB_UPSTREAM" vc vu
lab_ctl reload >/dev/null
lab_wait 10 asked_via lane

# Questions of the lane, and only those, vanish on the client's wire.
lanes=$(ip -n "$LAB_ID-node" -o link | grep -oE '^[0-9]+: l53a[0-9a-f-]+' | cut -d' ' -f2)
mislead() {
	ip -n "$LAB_ID-node" neigh add "$LAB_UPSTREAM" lladdr 02:00:00:00:00:99 dev vc
	ip -n "$LAB_ID-node" route add "$LAB_UPSTREAM" dev vc table 99
	for lane in $lanes; do
		ip -n "$LAB_ID-node" rule add iif "$lane" lookup 99
	done
}
under_load "frames vanish" mislead
via socket
for lane in $lanes; do
	ip -n "$LAB_ID-node" rule del iif "$lane" lookup 99
done
lab_wait 20 asked_via lane

kill -9 "$LAB_KNOT"
wait "$LAB_KNOT" || true
lab_ask client host-7.up.example A --timeout 6 >"$LAB_DIR/dead" || true
! grep -q '^0' "$LAB_DIR/dead"
lab_upstream
lab_ask client host-7.up.example A --timeout 1 --tries 2 | grep -q '^0 1 '
lab_wait 20 asked_via lane
echo "upstream killed and started again: by the lane again"

kill -9 "$(lab_worker_pid dpdk)"
questions 2500 2549 >"$LAB_DIR/questions"
lab_in client "$LAB_TOP/tests/lab/ask.py" "$LAB_SERVICE" --file "$LAB_DIR/questions" \
	--timeout 1 --tries 2 >/dev/null
lab_wait 20 asked_via lane
echo "worker killed: nothing lost, and by the lane again"

# ---- more queries than can be answered: each that is taken is still asked by the lane.
# The upstream is the benchmark's, in XDP, which loses nothing.
worker_count() {
	lab_ctl stats --json | jq ".workers[] | select(.io == \"dpdk\") | .$1"
}
if command -v kxdpgun >/dev/null; then
	clang -O2 -g -target bpf "-I/usr/include/$(uname -m)-linux-gnu" \
		-c "$LAB_TOP/scripts/bench/upstream.bpf.c" -o "$LAB_DIR/upstream.o"
	lab_in upstream ip link set dev eth0 xdpgeneric obj "$LAB_DIR/upstream.o" sec xdp
	awk 'BEGIN { for (i = 0; i < 200000; i++) print "n" i ".flood.example. A" }' >"$LAB_DIR/names"
	before=$(lab_outcome UPSTREAM_ASKED)
	queries=$(worker_count queries)
	full=$(worker_count lane_xsk_dropped)
	lab_in client kxdpgun -t 1 -Q 1000000 -i "$LAB_DIR/names" -I eth0 -b 16 "$LAB_SERVICE" \
		>"$LAB_DIR/kxdpgun.log" 2>&1
	lab_ask client host-8.up.example A --tries 3 >/dev/null # behind all of the flood
	queries=$(($(worker_count queries) - queries))
	more UPSTREAM_ASKED $((queries * 99 / 100))
	[ "$queries" -ge 1000 ]
	[ "$(worker_count lane_xsk_dropped)" -gt "$full" ] || echo "there was room for the whole flood"
	lab_in upstream ip link set dev eth0 xdpgeneric off
	lab_wait 10 asked_via lane
	echo "flood: $queries questions taken, all asked by the lane"
else
	echo "flood: not tried, there is no kxdpgun"
fi

# ---- IPv6
corefile fd53:3::2 vc vu
lab_ctl reload >/dev/null
lab_wait 10 asked_via lane
before=$(lab_outcome UPSTREAM_NO_NEIGHBOUR)
under_load "IPv6, neighbour deleted" forget_neighbour fd53:3::2
more UPSTREAM_NO_NEIGHBOUR 1
lab_wait 10 asked_via lane
