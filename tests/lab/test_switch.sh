#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The kill switch: off, and sockets give the same bytes; on, and XDP answers again; no
# query is lost while it is turned; it outlives the daemon and works without one.
set -eu
. "$(dirname "$0")/node.sh"
. "$(dirname "$0")/corefile.sh"
lab_begin

cat >"$LAB_DIR/questions" <<END
www.lab.example A
two.lab.example A
chain.lab.example A
nothing.lab.example A
big.lab.example A
printer.home.example AAAA
host-1.up.example A
alias.up.example A
nothing.up.example A --edns 1232
up.example SOA
END

answers() {
	lab_in client "$LAB_TOP/tests/lab/ask.py" "$LAB_SERVICE" --file "$LAB_DIR/questions" \
		--mask-ttl --timeout 3 >"$LAB_DIR/$1"
}

# by_xdp: how many answers did XDP give so far?
by_xdp() {
	lab_ctl stats --json | jq '.outcomes | .ANSWERED_LOCAL + .ANSWERED_CACHE + .ANSWERED_TRUNCATED + .TO_LANE'
}

is_degraded() {
	lab_ctl status --json | jq -e '[.degraded[] | select(test("lane53ctl xdp on"))] | length == 1' >/dev/null
}

expect_off() {
	before=$(by_xdp)
	passed=$(lab_outcome PASSED_DISABLED)
	answers "$1"
	cmp "$LAB_DIR/on" "$LAB_DIR/$1"
	[ "$(by_xdp)" = "$before" ] || { echo "$1: XDP answers, though it is off"; exit 1; }
	[ "$(lab_outcome PASSED_DISABLED)" -ge $((passed + 10)) ]
	echo "$1: same bytes, all left to the stack"
}

expect_on() {
	before=$(by_xdp)
	answers "$1"
	cmp "$LAB_DIR/on" "$LAB_DIR/$1"
	[ "$(by_xdp)" -ge $((before + 10)) ] || { echo "$1: XDP does not answer, though it is on"; exit 1; }
	! is_degraded
	echo "$1: same bytes, XDP answers"
}

answers cold
answers on
expect_on again
[ "$(lab_ctl xdp off)" = "XDP is off" ]
[ "$(lab_ctl xdp off)" = "XDP is off, as it was" ]
is_degraded
expect_off off
lab_ctl query www.lab.example --path xdp --json | grep -q PASSED_DISABLED

# A reload leaves it, and so does a restart of the daemon.
lab_ctl reload >/dev/null
is_degraded
kill "$LAB_LANE53D"
wait "$LAB_LANE53D" || true
lab_lane53
is_degraded
expect_off restarted
[ "$(lab_ctl xdp on)" = "XDP is on" ]
expect_on on-again

# Turned again and again in the midst of names that are held, cached, and new.
{
	sed 's/ --.*//' "$LAB_DIR/questions"
	for i in $(seq 100 1500); do
		echo "host-$i.up.example A"
	done
} >"$LAB_DIR/load"
before=$(by_xdp)
passed=$(lab_outcome PASSED_DISABLED)
lab_start client load.log dnsperf -s "$LAB_SERVICE" -d "$LAB_DIR/load" -l 4 -q 50 -Q 3000 -t 3
load=$LAB_PID
turns=0
while kill -0 "$load" 2>/dev/null; do
	lab_ctl xdp off >/dev/null
	sleep 0.05
	lab_ctl xdp on >/dev/null
	sleep 0.05
	turns=$((turns + 2))
done
wait "$load"
grep -q 'Queries lost: *0 ' "$LAB_DIR/load.log" || {
	echo "turning the switch lost queries"
	grep Queries "$LAB_DIR/load.log"
	exit 1
}
[ "$(by_xdp)" -gt $((before + 100)) ]
[ "$(lab_outcome PASSED_DISABLED)" -gt $((passed + 100)) ]
echo "turned $turns times: $(grep -o 'Queries sent: *[0-9]*' "$LAB_DIR/load.log"), none lost"

# A daemon that is stuck is not waited for.
kill -STOP "$LAB_LANE53D"
[ "$(lab_ctl xdp off)" = "XDP is off; lane53d does not answer, the pinned setting was written" ]
answers stuck
cmp "$LAB_DIR/on" "$LAB_DIR/stuck"
[ "$(lab_ctl xdp on)" = "XDP is on; lane53d does not answer, the pinned setting was written" ]
kill -CONT "$LAB_LANE53D"
expect_on unstuck

# Without the daemon the pinned setting is written; the next one finds it.
kill -9 "$LAB_LANE53D"
wait "$LAB_LANE53D" || true
[ "$(lab_ctl xdp off)" = "XDP is off; lane53d does not answer, the pinned setting was written" ]
answers alone
cmp "$LAB_DIR/on" "$LAB_DIR/alone"
lab_lane53
is_degraded
expect_off without
[ "$(lab_ctl xdp on)" = "XDP is on" ]
expect_on end
