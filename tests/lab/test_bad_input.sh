#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# What is wrong is said in one line that tells what to do, and what can be served is.
set -eu
. "$(dirname "$0")/node.sh"
. "$(dirname "$0")/corefile.sh"
lab_require_root
lab_up
lab_upstream

lane53d="$LAB_BUILD/control/lane53d"
# says PATTERN COMMAND...: fails, and says so in a line that matches.
says() {
	pattern=$1
	shift
	if lab_in node "$@" >"$LAB_DIR/said" 2>&1; then
		echo "succeeded: $*"
		exit 1
	fi
	grep -qE "$pattern" "$LAB_DIR/said" || {
		echo "expected a line like: $pattern"
		cat "$LAB_DIR/said"
		exit 1
	}
	echo "said: $(grep -E "$pattern" "$LAB_DIR/said" | head -n 1)"
}
broken() { printf '%b' "$1" >"$LAB_DIR/Bad"; }

broken '. {\n    fowrard . 10.0.0.1\n}\n'
says 'Bad:2:.*fowrard.*forward' "$lane53d" -check -conf "$LAB_DIR/Bad"
broken '. {\n    cache 30 {\n        sucess 100\n    }\n}\n'
says 'Bad:3:.*sucess.*success' "$lane53d" -check -conf "$LAB_DIR/Bad"
broken '. {\n    forward . not-an-address\n}\n'
says 'Bad:2:.*not-an-address' "$lane53d" -check -conf "$LAB_DIR/Bad"
broken '. {\n    whoami\n'
says 'Bad:[0-9]+:' "$lane53d" -check -conf "$LAB_DIR/Bad"
says 'Absent' "$lane53d" -check -conf "$LAB_DIR/Absent"

# A disk without room for the records: what cannot be written, and what to do.
{ printf '@ 60 SOA ns h 1 2 3 4 5\n@ 60 NS ns\nns 60 A 192.0.2.1\n'
seq -f 'host-%.0f 60 TXT a-disk-of-one-megabyte-is-too-small-for-this' 20000; } >"$LAB_DIR/large"
broken '.:5399 {\n    bind 127.0.0.1\n    file '"$LAB_DIR/large"' large.example\n}\n'
says 'Bad: cannot be put into force: the zone store cannot be written.*-state' \
	timeout 20 unshare -m sh -c 'mkdir "$0/full" && mount -t tmpfs -o size=1m tmpfs "$0/full" &&
		exec "$1" -no-xdp -name full -state "$0/full" -run "$0/run" -conf "$0/Bad"' "$LAB_DIR" "$lane53d"

# An interface that is not there, a port that is taken, a hosts file with a bad line:
# lane53d starts, serves the rest, and status says what is missing.
lab_corefile
printf '192.0.2.1 good.home.example\n192.0.2.999 bad.home.example\n' >"$LAB_DIR/hosts"
sed -i "s|hosts {|hosts $LAB_DIR/hosts {|; s/xdp vc/xdp vc nosuch0/" "$LAB_DIR/Corefile"
lab_start node holder.log python3 -c "
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(('$LAB_SERVICE', 53)); time.sleep(60)"
sleep 0.5
lab_lane53
lab_ctl status --json | jq -r '.degraded[]' >"$LAB_DIR/degraded"
cat "$LAB_DIR/degraded"
grep -q 'nosuch0' "$LAB_DIR/degraded"
grep -q "$LAB_SERVICE:53" "$LAB_DIR/degraded"
grep -qE 'hosts:2:.*192\.0\.2\.999' "$LAB_DIR/lane53d.log"
lab_ask client www.lab.example A | grep -q '^0 1'
lab_ask client good.home.example A | grep -q '^0 1'

# A state directory that is no store: set aside, and served all the same.
lab_ctl detach
lab_wait 10 sh -c "! kill -0 $LAB_LANE53D 2>/dev/null"
echo garbage >"$LAB_DIR/state/$LAB_ID/store/data.mdb"
lab_lane53
lab_ask client www.lab.example A | grep -q '^0 1'
lab_ctl status --json | jq -r '.degraded[]' | grep -q 'store'
