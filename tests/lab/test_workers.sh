#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Several threads on the lane: each name has one of them, whatever CPU its client is on;
# they are told, flushed, counted and replaced as one.  That they give the same bytes and
# survive the same deaths: test_paths, test_survival and test_fast_upstream with LAB_WORKERS.
set -eu
. "$(dirname "$0")/node.sh"
lab_require_root
lab_up

# An upstream that takes its time and keeps count: one name a line.
cat >"$LAB_DIR/slow.py" <<'END'
import select, socket, sys, time
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind((sys.argv[1], 5353))
due = []
log = open(sys.argv[2], "w", buffering=1)
while True:
    wait = max(0, due[0][0] - time.monotonic()) if due else None
    if select.select([sock], [], [], wait)[0]:
        query, client = sock.recvfrom(512)
        end = query.index(b"\0", 12) + 5
        log.write(query[13:13 + query[12]].decode() + "\n")
        reply = query[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + query[12:end] + \
            b"\xc0\x0c\0\1\0\1\0\0\1\x2c\0\4\xcb\0\x71\7"
        due.append((time.monotonic() + 0.4, reply, client))
    while due and due[0][0] <= time.monotonic():
        _, reply, client = due.pop(0)
        sock.sendto(reply, client)
END

# Ask for NAME-0 .. NAME-(COUNT-1) at once, from CPU; print how many were answered rightly.
cat >"$LAB_DIR/burst.py" <<'END'
import os, socket, sys
server, cpu, name, count = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
os.sched_setaffinity(0, {cpu})
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.settimeout(3)
sock.connect((server, 53))
open(sys.argv[5], "w").close() # ready
while not os.path.exists(sys.argv[6]):
    pass
for i in range(count):
    label = f"{name}-{i}".encode()
    sock.send(i.to_bytes(2, "big") + b"\1\0\0\1\0\0\0\0\0\0" + bytes([len(label)]) + label +
              b"\4slow\7example\0\0\1\0\1")
seen = set()
try:
    while len(seen) < count:
        reply = sock.recv(512)
        if reply[3] & 15 == 0 and reply.endswith(b"\xcb\0\x71\7"):
            seen.add(reply[:2])
except TimeoutError:
    pass
print(len(seen))
END
lab_start upstream slow.log python3 "$LAB_DIR/slow.py" "$LAB_UPSTREAM" "$LAB_DIR/asked"
lab_upstream

# corefile DIRECTIVE: of the block that asks the slow upstream.
corefile() {
	cat >"$LAB_DIR/Corefile" <<-END
		slow.example:53 {
		    bind $LAB_SERVICE
		    xdp vc
		    forward . $LAB_UPSTREAM:5353
		    $1
		}
		.:53 {
		    bind $LAB_SERVICE
		    cache 60
		    forward . $LAB_UPSTREAM
		}
	END
}

dpdk() { lab_ctl stats --json | jq -r ".workers[] | select(.io == \"dpdk\") | .$1"; }
threads() { lab_ctl status --json | jq -r '.workers[] | select(.io == "dpdk") | .threads'; }
has_threads() { [ "$(threads)" = "$1" ]; }
lanes() { ip -n "$LAB_ID-node" -o link | grep -cE '^[0-9]+: l53a[0-9a-f-]+' || true; }

expect() {
	[ "$2" = "$3" ] || {
		echo "$1: $2, not $3"
		exit 1
	}
}

corefile ""
LAB_WORKERS=2
lab_lane53
expect threads "$(threads)" 2
expect lanes "$(lanes)" 2

# ---- one query upstream, from whichever CPUs it is asked
last=$(($(nproc) - 1))
lab_start client one.log python3 "$LAB_DIR/burst.py" "$LAB_SERVICE" 0 same 100 \
	"$LAB_DIR/one.ready" "$LAB_DIR/go"
one=$LAB_PID
lab_start client two.log python3 "$LAB_DIR/burst.py" "$LAB_SERVICE" "$last" same 100 \
	"$LAB_DIR/two.ready" "$LAB_DIR/go"
two=$LAB_PID
lab_wait 10 test -e "$LAB_DIR/one.ready" -a -e "$LAB_DIR/two.ready"
received=$(dpdk queries)
: >"$LAB_DIR/go"
wait "$one" "$two"
expect "client on CPU 0" "$(cat "$LAB_DIR/one.log")" 100
expect "client on CPU $last" "$(cat "$LAB_DIR/two.log")" 100
expect "names asked upstream" "$(sort -u "$LAB_DIR/asked" | wc -l)" 100
expect "queries upstream" "$(grep -c same "$LAB_DIR/asked")" 100
expect coalesced "$(dpdk coalesced)" 100
expect "counted for both" "$(($(dpdk queries) - received))" 200
for lane in $(ip -n "$LAB_ID-node" -o link | grep -oE '^[0-9]+: l53a[0-9a-f-]+' | cut -d' ' -f2); do
	[ "$(ip -n "$LAB_ID-node" -s -j link show "$lane" | jq '.[0].stats64.rx.packets')" -gt 20 ]
done
echo "100 names from two CPUs at once: 200 answers, 100 queries upstream, by both lanes"

# ---- one cache, as far as anybody can tell
corefile "cache 60"
lab_ctl reload >/dev/null
for i in $(seq 20); do
	echo "kept-$i.slow.example A --times 2"
done >"$LAB_DIR/kept"
lab_in client "$LAB_TOP/tests/lab/ask.py" "$LAB_SERVICE" --file "$LAB_DIR/kept" >"$LAB_DIR/first"
expect "entries" "$(lab_ctl cache list --name slow.example --json |
	jq '[.entries[] | select(.io == "dpdk")] | length')" 20
expect "rows of the slow upstream" "$(lab_ctl upstreams --json |
	jq '[.upstreams[] | select(.io == "dpdk" and (.address | endswith(":5353")))] | length')" 1
for name in kept-1 kept-2 kept-3; do
	for path in xdp lane; do
		lab_ctl query "$name.slow.example" --path $path >"$LAB_DIR/query.log"
		grep -q "203\.0\.113\.7" "$LAB_DIR/query.log" || {
			echo "query --path $path $name"
			exit 1
		}
	done
done
expect "probes asked nothing" "$(grep -c kept "$LAB_DIR/asked")" 20
lab_ctl cache flush slow.example >/dev/null
expect "entries after the flush" "$(lab_ctl cache list --name slow.example --json |
	jq '.entries | length')" 0
lab_in client "$LAB_TOP/tests/lab/ask.py" "$LAB_SERVICE" --file "$LAB_DIR/kept" >"$LAB_DIR/again"
expect "asked anew" "$(grep -c kept "$LAB_DIR/asked")" 40
echo "20 answers kept, listed, found by probes, flushed, asked anew"

# ---- another number of threads, under load
asked=0
restart_with() {
	for i in $(seq "$asked" $((asked + 299))); do
		echo "host-$i.up.example A"
	done >"$LAB_DIR/new"
	asked=$((asked + 300))
	lab_start client new.log "$LAB_TOP/tests/lab/ask.py" "$LAB_SERVICE" --file "$LAB_DIR/new" \
		--timeout 1 --tries 2 --times 5
	new=$LAB_PID
	kill "$LAB_LANE53D"
	wait "$LAB_LANE53D" || true
	LAB_WORKERS=$1
	lab_lane53
	lab_wait 10 has_threads "$1"
	wait "$new" || {
		echo "$1 threads: $(grep -c timeout "$LAB_DIR/new.log") questions were lost"
		exit 1
	}
	expect "answers" "$(grep -c '^0 1 ' "$LAB_DIR/new.log")" 1500
	lab_wait 5 lanes_are "$1"
	before=$(dpdk queries)
	seq 4000 4049 | sed "s/.*/host-&$1.up.example A/" >"$LAB_DIR/new"
	lab_in client "$LAB_TOP/tests/lab/ask.py" "$LAB_SERVICE" --file "$LAB_DIR/new" >/dev/null
	expect "by the lanes" "$(($(dpdk queries) - before))" 50
	echo "restarted with $1 threads: 1,500 questions, none lost; the lanes are used"
}
lanes_are() { [ "$(lanes)" = "$1" ]; }
received=$(dpdk queries)
restart_with 3
restart_with 1
[ "$(dpdk queries)" -gt "$received" ] # a counter never falls

lab_ctl detach >/dev/null
lab_wait 10 lab_is_gone
lab_wait 10 lanes_are 0
