#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# kill -9 of each process in turn, under load: no query lost among the names XDP holds,
# and none elsewhere that a client's retry after 1 s would not save.
set -eu
. "$(dirname "$0")/node.sh"
. "$(dirname "$0")/corefile.sh"
lab_begin

# Held by XDP: asked over UDP as fast as dnsperf does, 2 s each.
printf 'www.lab.example A\ntwo.lab.example A\nprinter.home.example AAAA\n' >"$LAB_DIR/held"

# new_names N: N names nobody asked before, to go down the lane.
asked=0
new_names() {
	for i in $(seq "$asked" $((asked + $1 - 1))); do
		echo "host-$i.up.example A"
	done >"$LAB_DIR/new"
	asked=$((asked + $1))
}

# kill_under_load WHO PID
kill_under_load() {
	new_names 300
	lab_start client held.log dnsperf -s "$LAB_SERVICE" -d "$LAB_DIR/held" -l 3 -q 20 -Q 5000 -t 1
	held=$LAB_PID
	lab_start client new.log "$LAB_TOP/tests/lab/ask.py" "$LAB_SERVICE" --file "$LAB_DIR/new" \
		--timeout 1 --tries 2
	new=$LAB_PID
	sleep 0.3
	kill -9 "$2"
	wait "$held" || { echo "$1: dnsperf failed"; exit 1; }
	grep -q 'Queries lost: *0 ' "$LAB_DIR/held.log" || {
		echo "$1 killed: names that XDP holds were lost"
		grep 'Queries' "$LAB_DIR/held.log"
		exit 1
	}
	wait "$new" || {
		echo "$1 killed: $(grep -c timeout "$LAB_DIR/new.log") of 300 were not saved by a retry"
		exit 1
	}
	[ "$(grep -c '^0 1 ' "$LAB_DIR/new.log")" = 300 ]
	echo "$1 killed: $(grep -o 'Queries sent: *[0-9]*' "$LAB_DIR/held.log"), none lost; 300 of 300 new names"
}

kill_under_load "DPDK worker" "$(lab_worker_pid dpdk)"
old=$(lab_outcome FROM_LANE)
worker_is_back() {
	[ "$(lab_ctl status --json | jq -r '[.workers[] | select(.state == "running")] | length')" = 2 ]
}
lab_wait 20 worker_is_back
new_names 5
# The lane is used again.
lane_is_back() {
	lab_in client "$LAB_TOP/tests/lab/ask.py" "$LAB_SERVICE" "host-$((3000 + $(date +%N | sed 's/^0*//') % 1500)).up.example" A &&
		[ "$(lab_outcome FROM_LANE)" -gt "$old" ]
}
lab_wait 20 lane_is_back
echo "the lane is used again"

kill_under_load "socket worker" "$(lab_worker_pid socket)"
lab_wait 20 worker_is_back
kill_under_load "lane53d" "$LAB_LANE53D"

# The refilled cache of a killed worker: what XDP held is answered without the upstream.
lab_lane53
echo "restarted lane53d adopted: $(lab_ctl status --json | jq -c '[.workers[].pid]')"
lab_ask client host-1.up.example A --times 4 >/dev/null
kill -9 "$(lab_worker_pid dpdk)"
kill "$LAB_KNOT"
lab_wait 20 worker_is_back
[ "$(lab_ask client host-1.up.example A | cut -d' ' -f1-2)" = "0 1" ]
echo "after kill -9 and without the upstream a cached name is still answered"
