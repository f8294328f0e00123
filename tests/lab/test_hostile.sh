#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Hostile packets from a client and from the upstream, over XDP, lane, sockets and TCP: no
# process dies, no response is malformed, nothing grows, and good questions are answered.
set -eu
. "$(dirname "$0")/node.sh"
. "$(dirname "$0")/corefile.sh"
lab_begin

seed=$(date +%s)
archive=${LANE53_PACKETS:-$LAB_TOP/../shared/data/dns-packets.tar.gz}
packets=
if [ -e "$archive" ]; then
	packets="--packets $LAB_DIR/packets"
	mkdir "$LAB_DIR/packets"
	tar -xzf "$archive" -C "$LAB_DIR/packets"
fi
echo "seed $seed; ${packets:-without the archive of packets ($archive is not there)}"

# An upstream that answers with rubbish, in the place of Knot.
kill "$LAB_KNOT" && wait "$LAB_KNOT" 2>/dev/null || true
# shellcheck disable=SC2086	# two words or none
lab_start upstream upstream.log "$LAB_TOP/tests/lab/hostile.py" upstream "$LAB_UPSTREAM" \
	--seed "$seed" $packets

hostile() {
	place=$1
	shift
	# shellcheck disable=SC2086
	printf '%s %s: ' "$place" "$*" &&
		lab_in "$place" "$LAB_TOP/tests/lab/hostile.py" client "$LAB_SERVICE" --seed "$seed" \
			$packets "$@"
}
# memory: resident KiB of the three processes.
memory() {
	for pid in "$LAB_LANE53D" "$(lab_worker_pid dpdk)" "$(lab_worker_pid socket)"; do
		awk '$1 == "VmRSS:" { printf "%s ", $2 }' "/proc/$pid/status"
	done
}
workers() { echo "$LAB_LANE53D $(lab_worker_pid dpdk) $(lab_worker_pid socket)"; }

before=$(workers)
hostile client
hostile plain
hostile client --tcp
warm=$(memory)
hostile client --rounds 2
hostile plain --rounds 2
hostile client --tcp
end=$(memory)
echo "resident KiB of lane53d and workers: $warm, then $end"

[ "$(workers)" = "$before" ] || { echo "a process was restarted: $before, now $(workers)"; exit 1; }
[ "$(lab_outcome FROM_LANE)" -gt 1000 ]
[ "$(lab_outcome PASSED_UNSUPPORTED)" -gt 100 ]
# The same packets once more must not need more: 2 MiB are for late first touches.
echo "$warm $end" | awk '{ exit !($4 < $1 + 2048 && $5 < $2 + 2048 && $6 < $3 + 2048) }'

for place in client plain; do
	[ "$(lab_ask "$place" www.lab.example A | cut -d' ' -f1-2)" = "0 1" ]
	[ "$(lab_ask "$place" big.lab.example A --tcp | cut -d' ' -f1-2)" = "0 60" ]
	[ "$(lab_ask "$place" printer.home.example AAAA | cut -d' ' -f1-2)" = "0 1" ]
done
