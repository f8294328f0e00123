#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The fast path is only right if nobody can tell which path answered: the same questions
# over XDP and the lane, over sockets, and over TCP, byte for byte but for TTLs; cold,
# and again when the caches are warm.
set -eu
. "$(dirname "$0")/node.sh"
. "$(dirname "$0")/corefile.sh"
lab_begin

seed=${LAB_SEED:-$$}
echo "seed $seed (LAB_SEED repeats it)"
python3 - "$seed" >"$LAB_DIR/questions" <<'END'
import random, sys
rng = random.Random(int(sys.argv[1]))
names = ("www two alias chain wild x.wild A.b.WILD deep.empty empty _dns._udp text mail big "
         "host.old old sub a.sub nothing nothing.www").split()
names = [n + ".lab.example" for n in names] + ["lab.example", "printer.home.example",
    "PrInTeR.hOmE.ExAmPlE", "www.LAB.example", "away.lab.example"]
names += [f"host-{i}.up.example" for i in range(12)] + ["alias.up.example", "big.up.example",
    "nothing.up.example", "up.example", "HOST-5.up.Example", "outside.invalid"]
types = "A A A AAAA AAAA TXT MX SOA NS CNAME SRV HTTPS PTR ANY 65280".split()
for name in names:
    print(name, "A")
for _ in range(160):
    size = rng.choice(["", "", " --edns 1232", " --edns 512", " --edns 4096 --do", " --edns 100"])
    print(rng.choice(names), rng.choice(types) + size + rng.choice(["", "", "", " --cd"]))
END
questions=$(wc -l <"$LAB_DIR/questions")

compare() {
	diff "$LAB_DIR/$1" "$LAB_DIR/$2" >"$LAB_DIR/diff" && return
	echo "$1 and $2 differ in $(grep -c '^<' "$LAB_DIR/diff") of $questions answers:"
	paste -d'\n' "$LAB_DIR/questions" "$LAB_DIR/$1" "$LAB_DIR/$2" |
		awk 'NR % 3 == 1 { q = $0 } NR % 3 == 2 { a = $0 } NR % 3 == 0 && a != $0 { print q; print "  " a; print "  " $0 }' |
		head -n 15
	exit 1
}

ask_all() {
	lab_in "$1" "$LAB_TOP/tests/lab/ask.py" "$LAB_SERVICE" --file "$LAB_DIR/questions" \
		--mask-ttl --timeout 3 $3 >"$LAB_DIR/$2"
}

# Knot's A and our PTR etc. are static, so is the order of their records.
for pass in cold warm hot; do
	ask_all client "xdp-$pass" ""
	ask_all plain "socket-$pass" ""
	compare "xdp-$pass" "socket-$pass"
done
compare xdp-cold xdp-hot

# Over TCP what was cut is whole; everything else is the same but for TC.
ask_all plain tcp --tcp
ask_all client tcp-client --tcp
compare tcp tcp-client
paste -d' ' "$LAB_DIR/xdp-hot" "$LAB_DIR/tcp" | awk '
	{ tc = index("2367abefABEF", substr($3, 6, 1)) > 0 }	# TC is bit 1 of that digit
	!tc && $3 != $6 { bad++; print }
	tc { cut++ }
	END { print cut + 0 " answers were cut over UDP"; exit bad > 0 || cut == 0 }'

# The ways really were taken.
for outcome in ANSWERED_LOCAL ANSWERED_CACHE ANSWERED_TRUNCATED FROM_LANE; do
	count=$(lab_outcome $outcome)
	echo "$outcome $count"
	[ "$count" -gt 0 ]
done

# And IPv6, with its full checksums.
LAB_ADDRESS=$LAB_SERVICE6
before=$(lab_outcome ANSWERED_LOCAL)
lab_ask client www.lab.example A >"$LAB_DIR/v6"
lab_ask plain www.lab.example A >"$LAB_DIR/v6-plain"
cmp "$LAB_DIR/v6" "$LAB_DIR/v6-plain"
[ "$(lab_outcome ANSWERED_LOCAL)" -gt "$before" ]
