#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Not a test: answers/s of distinct misses to Knot, by the fast upstream path and by
# sockets, in interleaved rounds of 3 s; run it by hand on a quiet machine.
#   bench_fast_upstream.sh [ROUNDS]
set -eu
. "$(dirname "$0")/node.sh"
lab_require_root
lab_up
lab_upstream

# XDP on the interface towards the upstream decides the way.
corefile() {
	cat >"$LAB_DIR/Corefile" <<-END
		.:53 {
		    bind $LAB_SERVICE
		    xdp $*
		    forward . $LAB_UPSTREAM
		}
	END
}

asked_via() {
	lab_ask client host-1.up.example A >/dev/null &&
		[ "$(lab_ctl upstreams --json | jq -r '.upstreams[] | select(.io == "dpdk") | .via')" = "$1" ]
}

load() {
	lab_in client dnsperf -s "$LAB_SERVICE" -d "$LAB_DIR/names" -l "$1" -q 100 -c 8 -T 2
}

# round WAY INTERFACE...
round() {
	way=$1
	shift
	corefile "$@"
	[ ! -e "$LAB_DIR/run" ] || lab_ctl reload >/dev/null
	[ -e "$LAB_DIR/run" ] || lab_lane53
	lab_wait 70 asked_via "$way"
	load 1 >/dev/null
	before=$(lab_outcome UPSTREAM_ASKED)
	load 3 >"$LAB_DIR/round"
	awk -v way="$way" -v asked=$(($(lab_outcome UPSTREAM_ASKED) - before)) '
		/Queries completed/ { done = $3 }
		/Queries lost/ { lost = $3 }
		/Queries per second/ { rate = $4 }
		/Average Latency/ { us = $4 * 1e6 }
		END { printf "%-6s %7d/s  %4d us  lost %d  by the lane %5.1f %%\n", way, rate, us, lost, 100 * asked / done }
	' "$LAB_DIR/round"
}

for i in $(seq 0 4999); do
	echo "host-$i.up.example A"
done >"$LAB_DIR/names"
for i in $(seq "${1:-7}"); do
	round lane vc vu
	round socket vc
done
