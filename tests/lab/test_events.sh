#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# lane53ctl events: sampled answers of XDP while somebody watches, and not a moment
# longer; samples are no lines of `log`, and those are no samples; what is lost is told.
set -eu
. "$(dirname "$0")/node.sh"
. "$(dirname "$0")/corefile.sh"
lab_require_root
lab_up
lab_upstream
lab_local_zone

# corefile [OPTION]: lab.example is silent, home.example is logged.
corefile() {
	cat >"$LAB_DIR/Corefile" <<-END
		lab.example:53 {
		    bind $LAB_SERVICE
		    xdp vc {
		        ${1:-mode auto}
		    }
		    file $LAB_DIR/lab.zone
		}
		.:53 {
		    bind $LAB_SERVICE
		    log
		    hosts {
		        192.0.2.10 printer.home.example
		    }
		}
	END
}

# setting OFFSET BYTES: of the pinned settings, little-endian.
setting() {
	bpftool -j map lookup pinned "/sys/fs/bpf/lane53/$LAB_ID"/v*/settings key 0 0 0 0 |
		jq -r '(.value // .[0].value)[]' | python3 -c "
import sys
print(int.from_bytes(bytes(int(x, 16) for x in sys.stdin.read().split()[$1:$1 + $2]), 'little'))"
}
sampling_is() { [ "$(setting 8 4)" = "$1" ]; }
timing_is() { [ "$(setting 1 1)" = "$1" ]; }

# watch FILE [OPTIONS]: in the background, and on when this returns.
watch() {
	file=$1
	shift
	lab_start node "$file" "$LAB_BUILD/control/lane53ctl" -s "$LAB_DIR/run/$LAB_ID/control.sock" events "$@"
	WATCH=$LAB_PID
	lab_wait 10 grep -q 'watching\|answers of XDP' "$LAB_DIR/$file"
}
events() { grep -c '"event"' "$LAB_DIR/$1" || true; }
logged() { grep -c "$1" "$LAB_DIR/lane53d.log" || true; }
fail() { echo "$*"; exit 1; }

corefile
lab_lane53
sampling_is 0
timing_is 1 # a block logs
lab_ask client www.lab.example A --times 3 >/dev/null

# Every answer, until five were shown; it says what it ought to.
watch five --count 5 --json
sampling_is 1
lab_ask client www.lab.example A --times 5 >/dev/null
wait "$WATCH"
[ "$(events five)" = 5 ] || fail "five: $(events five) events"
tail -n 1 "$LAB_DIR/five" | jq -e '.ok and .shown == 5 and .lost == 0' >/dev/null
grep -m 1 '"event"' "$LAB_DIR/five" | jq -e '.event |
	.name == "www.lab.example." and .type == "A" and .class == "IN" and .rcode == "NOERROR" and
	.outcome == "ANSWERED_LOCAL" and .interface == "vc" and .flags == ["qr", "aa", "rd"] and
	(.client | startswith("10.53.1.2:")) and .server == "10.53.0.53:53" and .id == 21331 and
	.duration_ns > 0 and .request_bytes == 33 and .response_bytes == 49 and .do == false' >/dev/null ||
	fail "not as asked: $(grep -m 1 '"event"' "$LAB_DIR/five")"
lab_wait 5 sampling_is 0
[ "$(logged www.lab.example)" = 0 ] || fail "samples are in the log"
echo "five answers watched, none of them in the log"

# A watcher that is killed: sampling ends all the same; two watch, the eager one goes.
watch eager --json
eager=$WATCH
watch lazy --every 4 --json
lazy=$WATCH
sampling_is 1
lab_ask client www.lab.example A --times 8 >/dev/null
all_came() { [ "$(events eager)" = 8 ] && [ "$(events lazy)" = 2 ]; }
lab_wait 5 all_came
kill -9 "$eager"
lab_wait 5 sampling_is 4
kill -9 "$lazy"
lab_wait 5 sampling_is 0
echo "watchers were killed, sampling ended"

# What is logged is no sample; and has its duration.
watch none --every 1000000 --json
lab_ask client printer.home.example A --times 10 >/dev/null
ten() { [ "$(logged '"A IN printer.home.example. udp .* NOERROR qr,aa,rd .* 0\.0000[0-9]*s$')" = 10 ]; }
lab_wait 5 ten || { grep printer "$LAB_DIR/lane53d.log" | tail -n 2; exit 1; }
[ "$(events none)" = 0 ] || fail "logged answers were shown as samples"
kill "$WATCH"
lab_wait 5 sampling_is 0
echo "ten answers logged with their durations, none of them a sample: $(grep -o '0\.0000[0-9]*s$' "$LAB_DIR/lane53d.log" | tail -n 1)"

# The Corefile samples all the time; the last ones are there for who comes later.
corefile "events 2 100"
lab_ctl reload >/dev/null
sampling_is 2
[ "$(setting 12 4)" = 100 ]
lab_ask client www.lab.example A --times 6 >/dev/null
recent() { [ "$(lab_ctl events --count 3 --json | grep -c '"event"')" = 3 ]; }
lab_wait 5 recent # nothing is asked meanwhile
watch joins --json
sampling_is 2
kill "$WATCH"
kill "$LAB_LANE53D"
wait "$LAB_LANE53D" || true
sampling_is 0 # nobody would take them
timing_is 0
lab_lane53
sampling_is 2
echo "the Corefile samples"

# Over the limit: lost, and told.
corefile "events 1 2"
lab_ctl reload >/dev/null
before=$(lab_outcome EVENT_LOST)
watch over --json
lab_ask client www.lab.example A --times 100 >/dev/null
[ "$(lab_outcome EVENT_LOST)" -gt "$before" ]
lab_wait 5 grep -q '"lost":[1-9]' "$LAB_DIR/over"
kill "$WATCH"
echo "over the limit: $(($(lab_outcome EVENT_LOST) - before)) of 100 lost, and told"

# Off again: no sampling, and without `log` no clock either.
corefile
sed -i '/^    log$/d' "$LAB_DIR/Corefile"
lab_ctl reload >/dev/null
sampling_is 0
timing_is 0
