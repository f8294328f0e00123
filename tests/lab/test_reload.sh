#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Reloads under load lose nothing; a broken Corefile or zone changes nothing and says why;
# one changed record is seen at once; who owns a name decides, whatever was cached.
set -eu
. "$(dirname "$0")/node.sh"
. "$(dirname "$0")/corefile.sh"
lab_begin

printf 'www.lab.example A\ntwo.lab.example A\nhost-1.up.example A\n' >"$LAB_DIR/load"
lab_ask client host-1.up.example A --times 3 >/dev/null
lab_start client load.log dnsperf -s "$LAB_SERVICE" -d "$LAB_DIR/load" -l 4 -q 20 -Q 5000 -t 2
load=$LAB_PID
for i in 11 12 13 14 15; do
	sed -i "s/^www	A	.*/www	A	192.0.2.$i/" "$LAB_DIR/lab.zone"
	lab_ctl reload >/dev/null
	lab_ask client www.lab.example A >"$LAB_DIR/now"
	grep -q "$(printf 'c00002%02x' $i)" "$LAB_DIR/now" || {
		echo "reload $i: the old record is still answered"
		exit 1
	}
done
wait "$load"
grep -q 'Queries lost: *0 ' "$LAB_DIR/load.log" || { grep Queries "$LAB_DIR/load.log"; exit 1; }
echo "5 reloads under load: $(grep -o 'Queries sent: *[0-9]*' "$LAB_DIR/load.log"), none lost"

# A broken Corefile keeps the last good one.
cp "$LAB_DIR/Corefile" "$LAB_DIR/good"
sed -i 's/    cache 60/    cashe 60/' "$LAB_DIR/Corefile"
if lab_ctl reload >"$LAB_DIR/error" 2>&1; then
	echo "a broken Corefile was taken"
	exit 1
fi
grep -q 'Corefile:[0-9]*:.*cashe.*cache' "$LAB_DIR/error" || { cat "$LAB_DIR/error"; exit 1; }
lab_ask client www.lab.example A | grep -q '^0 1'
cp "$LAB_DIR/good" "$LAB_DIR/Corefile"

# A broken zone keeps the last good records.
cp "$LAB_DIR/lab.zone" "$LAB_DIR/zone.good"
echo 'www A 192.0.2.300' >>"$LAB_DIR/lab.zone"
lab_ctl reload >"$LAB_DIR/error" 2>&1 || true
lab_ctl status --json | jq -r '.degraded[]' | grep -q 'lab.zone:[0-9]*' || {
	lab_ctl status
	exit 1
}
lab_ask client www.lab.example A | grep -q 'c000020f'
cp "$LAB_DIR/zone.good" "$LAB_DIR/lab.zone"
lab_ctl reload >/dev/null

# A name cached from the upstream that becomes ours is ours at once, and back.
upstream=$(lab_ask client host-1.up.example A --mask-ttl)
sed -i 's/^\(.*\)192.0.2.10 .*/&\n\1192.0.2.77 host-1.up.example/' "$LAB_DIR/Corefile"
lab_ctl reload >/dev/null
lab_ask client host-1.up.example A | grep -q 'c000024d' || { echo "the cached answer outlived the new record"; exit 1; }
lab_ask plain host-1.up.example A | grep -q 'c000024d'
cp "$LAB_DIR/good" "$LAB_DIR/Corefile"
lab_ctl reload >/dev/null
[ "$(lab_ask client host-1.up.example A --mask-ttl)" = "$upstream" ]

# One record by hand: persistent, before all others, and gone again.
view=$(lab_ctl zones --json | jq -r '.views[0].name')
lab_ctl record set "$view" "www.lab.example. 30 IN A 192.0.2.99"
lab_ask client www.lab.example A | grep -q 'c0000263'
lab_ask plain www.lab.example A | grep -q 'c0000263'
lab_ctl reload >/dev/null
lab_ask client www.lab.example A | grep -q 'c0000263'
lab_ctl record delete "$view" "www.lab.example. A"
lab_ask client www.lab.example A | grep -q 'c000020f'
