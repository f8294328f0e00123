#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# scripts/bench: a short run writes a full report, --record and --target work; a peer that
# does not start, answers wrong or dies, a full disk, one core, a killed run and Ctrl-C are
# named, and nothing is left behind.  No figure is judged here.
set -eu
. "$(dirname "$0")/node.sh"
lab_require_root
for tool in kxdpgun dnsperf dnsmasq knotd clang ethtool; do
	command -v "$tool" >/dev/null || { echo "skipped: no $tool (scripts/setup.sh bench)"; exit 77; }
done
python3=/usr/bin/python3
$python3 -c 'import matplotlib' 2>/dev/null || { echo "skipped: no matplotlib"; exit 77; }
bench="$LAB_TOP/scripts/bench"
export LAB_BUILD PYTHONDONTWRITEBYTECODE=1

dir=$(mktemp -d /tmp/lane53-test-bench.XXXXXX)
running=
at_exit() {
	[ -z "$running" ] || kill "$running" 2>/dev/null || true
	mountpoint -q "$dir/small" && umount "$dir/small"
	rm -rf "$dir"
}
trap at_exit EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

fail() {
	echo "$*"
	tail -n 40 "$dir/log"
	exit 1
}

# run ARGS...: a benchmark as short as one can be; its pid in $pid, its end in $rc.
run() {
	$python3 "$bench/main.py" --rounds 1 --seconds 0.3 --names 100 "$@" >"$dir/log" 2>&1 &
	running=$! pid=$! rc=0
	wait "$running" || rc=$?
	running=
}

# nothing_left PID: of the run with this pid.
nothing_left() {
	for found in /run/netns/l53b"$1"-* /tmp/lane53-bench."$1".* /sys/fs/bpf/l53b"$1"-* \
		/sys/fs/bpf/lane53/l53b"$1"*; do
		[ ! -e "$found" ] || fail "left behind: $found"
	done
	! pgrep -f "l53b$1" >"$dir/pids" || fail "left running: $(tr '\n' ' ' <"$dir/pids")"
}

# begun: the run in the background has started its systems.
begun() { grep -q 'is up after' "$dir/log"; }

# ---- peers that are broken in each way ----
mkdir "$dir/bin"
printf '#!/bin/sh\necho "no licence"; exit 3\n' >"$dir/bin/nsd"
printf '#!/bin/sh\nexec timeout 9 %s "$@"\n' "$(command -v dnsmasq)" >"$dir/bin/dnsmasq"
cat >"$dir/bin/coredns" <<END
#!$python3
import re, socket, sys
if "-version" in sys.argv:
    sys.exit(print("Liar-1.0"))
text = open(sys.argv[sys.argv.index("-conf") + 1]).read()
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind((re.search(r"bind (\S+)", text)[1], 53))
while True:
    query, client = server.recvfrom(512)
    last = 99 if b"\3h99" in query else 1
    server.sendto(query[:2] + b"\x84\0\0\1\0\1\0\0\0\0" + query[12:] +
                  b"\xc0\x0c\0\1\0\1\0\0\1\0\0\4" + bytes((10, 0, 0, last)), client)
END
chmod +x "$dir"/bin/*
mkdir "$dir/docs"
printf 'before\n<!-- recorded: written by scripts/bench.sh --record -->\nold\n<!-- recorded: end -->\nafter\n' \
	>"$dir/docs/benchmarks.md"
PATH="$dir/bin:$PATH" run --systems lane53-local,nsd,coredns,dnsmasq --out "$dir/out" --record "$dir/docs"
[ "$rc" = 0 ] || fail "the run with broken peers ended with $rc"
nothing_left "$pid"
grep -q 'TROUBLE: nsd with 100 names did not start: .*no licence' "$dir/log" || fail "nsd is not named"
grep -q 'TROUBLE: coredns gave wrong answers' "$dir/log" || fail "wrong answers are not named"
grep -q 'TROUBLE: dnsmasq died during the run: .*124' "$dir/log" || fail "a death is not named"
grep -q 'no licence' "$dir/out/logs/nsd.log" || fail "the log of nsd was not kept"

# ---- the report of that run ----
for file in results.json results.csv report.md report.html rates-100.png cpu.png latency-half.png; do
	[ -s "$dir/out/$file" ] || fail "no $file"
done
for trouble in 'nsd with 100 names did not start' 'coredns gave wrong answers' 'dnsmasq died'; do
	grep -q "$trouble" "$dir/out/report.md" || fail "not in report.md: $trouble"
	grep -q "$trouble" "$dir/out/report.html" || fail "not in report.html: $trouble"
done
! grep -Eq '(src|href)=.?(http|/)' "$dir/out/report.html" || fail "report.html needs more than itself"
grep -q '^| coredns .* WRONG' "$dir/out/report.md" || fail "the row of coredns hides wrong answers"
$python3 - "$dir/out" <<'END' || fail "rows are not filled"
import csv, json, sys
rows = {r["system"]: r for r in csv.DictReader(open(sys.argv[1] + "/results.csv"))}
mine, run = rows["lane53-local"], json.load(open(sys.argv[1] + "/results.json"))["runs"][0]
assert float(mine["answers_per_s"]) > 0 and float(mine["of_reflector"]) > 0, mine
assert float(mine["p99_us"]) > 0 and mine["cpu_us_above_reflector"] and float(mine["xdp_ns"]) > 0, mine
assert "all right" in mine["notes"] and "100.0 % its way" in mine["notes"], mine
assert float(rows["reflector-gen"]["dnsperf_per_s"]) > 0, rows["reflector-gen"]
assert run["open"]["reflector-gen"]["0.5"][0]["p99"] > 0
assert run["idle"]["lane53-local"] < 1 and run["user_bytes"]["lane53-local"] > 0
assert "forward" in run["configurations"]["coredns"]["Corefile"]
END
$python3 "$bench/record.py" "$dir/docs" --check || fail "what was recorded does not hold"
grep -q '^| hit in `local`, 1,000 names' "$dir/docs/benchmarks.md" || fail "no table was recorded"
[ "$(head -n 1 "$dir/docs/benchmarks.md")$(tail -n 1 "$dir/docs/benchmarks.md")" = beforeafter ] || fail "more than its block was rewritten"
sed -i 's/^| hit in.*/| hit in `local`: 2.00 |/' "$dir/docs/benchmarks.md"
! $python3 "$bench/record.py" "$dir/docs" --check >/dev/null || fail "a figure by hand is not seen"
PYTHONPATH="$bench" $python3 - "$LAB_TOP/docs/benchmarks/results.json" <<'END' >"$dir/log" || fail "--guard"
import json, sys
import report
recorded = json.load(open(sys.argv[1]))
assert report.guard(recorded) == 0
for one in recorded["runs"][0]["gun"]["lane53-local"]:
    one["rate"] *= 0.5
assert report.guard(recorded) == 1
END
grep -q 'guard: lane53-local, 1,000 names: .* was' "$dir/log" || fail "--guard does not say what is worse"
echo "report, record and three broken peers: as they should be"

# ---- killed: the next run says what was left, and removes it ----
$python3 "$bench/main.py" --systems lane53-local --out "$dir/out" >"$dir/log" 2>&1 &
running=$! killed=$!
lab_wait 30 begun || fail "did not begin"
kill -KILL "$killed"
wait "$killed" 2>/dev/null || true
running=
[ -e "/run/netns/l53b$killed-gen" ] || fail "the killed run had nothing to leave"
core=$(python3 -c 'import os; print(min(os.sched_getaffinity(0)))')
printf 'h1.bench.example A\nnone.bench.example A\n' >"$dir/queries"
run --systems reflector --cores "$core" --queries "$dir/queries" --out "$dir/out"
[ "$rc" = 0 ] || fail "a run on one core ended with $rc"
grep -q "TROUBLE: a killed run had left .* namespaces: .*l53b$killed-" "$dir/log" || fail "what was left is not named"
grep -q 'TROUBLE: one core only' "$dir/log" || fail "one core is not named"
nothing_left "$killed"
nothing_left "$pid"
echo "a killed run, one core, a query file of one's own: named, nothing left"

# ---- Ctrl-C, while it starts and while it measures ----
for when in 'lane53-cache' 'is up after' 'kxdpgun, uniform'; do
	$python3 "$bench/main.py" --systems lane53-cache,unbound --out "$dir/out" >"$dir/log" 2>&1 &
	running=$! pid=$! rc=0
	case $when in
	lane53-cache) lab_wait 30 test -e "/run/netns/l53b$pid-lane53-cache" ;;
	*) lab_wait 30 grep -q "$when" "$dir/log" ;;
	esac || fail "did not come to: $when"
	kill -INT "$pid"
	wait "$pid" || rc=$?
	running=
	[ "$rc" = 130 ] || fail "Ctrl-C at '$when' ended it with $rc"
	nothing_left "$pid"
done
echo "Ctrl-C: nothing left"

# ---- no room, no such thing ----
mkdir "$dir/small"
mount -t tmpfs -o size=64k none "$dir/small"
run --out "$dir/small/out"
[ "$rc" = 1 ] && grep -q 'No space left.*megabyte' "$dir/log" || fail "a full disk is not named"
run --systems lane54
[ "$rc" = 1 ] && grep -q 'no such system: lane54' "$dir/log" || fail "an unknown system is taken"
run --cores 0,99
[ "$rc" = 1 ] && grep -q 'cores' "$dir/log" || fail "a core that is not there is taken"
run --queries "$dir/none"
[ "$rc" = 1 ] && grep -q "cannot read $dir/none" "$dir/log" || fail "a query file that is not there"

# ---- --target: a server that is not ours ----
cat >"$dir/target.sh" <<'END'
ip link set lo up
dnsmasq -k --conf-file=/dev/null --no-resolv --no-hosts --log-facility=- --user=root --pid-file= \
	--listen-address=127.0.0.1 --bind-interfaces --host-record=h1.bench.example,10.0.0.1 \
	--local=/bench.example/ &
server=$!
sleep 0.5
rc=0
"$@" --target 127.0.0.1 || rc=$?
kill $server
exit $rc
END
PATH="${PATH#"$dir/bin:"}" unshare -n sh "$dir/target.sh" $python3 "$bench/main.py" --rounds 2 --seconds 0.3 \
	--queries "$dir/queries" --out "$dir/target" >"$dir/log" 2>&1 || fail "--target failed"
for file in target.md target.csv target.json; do [ -s "$dir/target/$file" ] || fail "no $file"; done
$python3 - "$dir/target" <<'END' || fail "--target: rows are not filled"
import json, sys
rows = json.load(open(sys.argv[1] + "/target.json"))["rows"]
assert len(rows) == 5 and all(r["answered_per_s"] > 0 for r in rows), rows
assert all(r["p99_us"] >= r["p50_us"] > 0 for r in rows[2:]), rows
END
echo "--target: closed and open loop of a foreign server"
