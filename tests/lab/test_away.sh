#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# A second daemon of the same name takes nothing away; a stopped one leaves XDP and workers
# answering; a started one adopts them; detach leaves no trace.
set -eu
. "$(dirname "$0")/node.sh"
. "$(dirname "$0")/corefile.sh"
lab_begin

# The same -name in another network namespace, even with -teardown: the pins are the
# machine's, so it is told, and serves its own clients by sockets.
printf '.:53 {\n    xdp eth0\n    whoami\n}\n' >"$LAB_DIR/other"
lab_start plain other.log "$LAB_BUILD/control/lane53d" -conf "$LAB_DIR/other" -teardown \
	-name "$LAB_ID" -run "$LAB_DIR/other-run" -state "$LAB_DIR/other-state"
other=$LAB_PID
lab_wait 20 grep -q '^lane53d: ready' "$LAB_DIR/other.log"
grep -q 'another lane53d.*another -name' "$LAB_DIR/other.log"
kill -TERM "$other"
wait "$other"
before=$(lab_outcome ANSWERED_LOCAL)
lab_ask client www.lab.example A | grep -q '^0 1'
[ "$(lab_outcome ANSWERED_LOCAL)" = $((before + 1)) ]
echo "a second lane53d of the same name took nothing away"

lab_ask client host-9.up.example A --times 3 >/dev/null
pids="$(lab_worker_pid dpdk) $(lab_worker_pid socket)"
kill -TERM "$LAB_LANE53D"
wait "$LAB_LANE53D"

# Nobody is at the wheel.
for name in www.lab.example host-9.up.example host-10.up.example; do
	lab_ask client $name A | grep -q '^0 1'
	lab_ask plain $name A | grep -q '^0 1'
	lab_ask client $name A --tcp | grep -q '^0 1'
done
echo "without lane53d: XDP, lane, sockets and TCP answer"

# While it is away a record changes; the next start adopts the workers and sees it.
sed -i 's/^www	A	.*/www	A	192.0.2.42/' "$LAB_DIR/lab.zone"
lab_lane53
[ "$(lab_worker_pid dpdk) $(lab_worker_pid socket)" = "$pids" ] || {
	echo "the workers were not adopted: had $pids"
	exit 1
}
lab_ask client www.lab.example A | grep -q 'c000022a'
lab_ask plain www.lab.example A | grep -q 'c000022a'
before=$(lab_outcome ANSWERED_LOCAL)
lab_ask client two.lab.example A >/dev/null
[ "$(lab_outcome ANSWERED_LOCAL)" = $((before + 1)) ]

lab_ctl detach
lab_wait 10 sh -c "! kill -0 $LAB_LANE53D 2>/dev/null"
for pid in $pids; do
	lab_wait 10 sh -c "! kill -0 $pid 2>/dev/null"
done
[ ! -e "/sys/fs/bpf/lane53/$LAB_ID" ] || { find "/sys/fs/bpf/lane53/$LAB_ID"; exit 1; }
[ ! -e "$LAB_DIR/run/$LAB_ID" ] || { find "$LAB_DIR/run"; exit 1; }
! ip -n "$LAB_ID-node" -o link | grep -E 'l(ane)?53[ab]' || exit 1
! ip -n "$LAB_ID-node" -d link show vc | grep -q xdp || exit 1
echo "detach left no trace"
