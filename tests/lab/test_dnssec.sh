#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# A signed zone is served as Knot serves the same file, section by section, with DO and
# without; validators believe it; XDP, lane, sockets and TCP give the same bytes.
set -eu
. "$(dirname "$0")/node.sh"
lab_require_root
for tool in ldns-signzone ldns-keygen delv kdig; do
	command -v $tool >/dev/null || { echo "skipped: needs $tool"; exit 77; }
done
lab_up
zone=signed.example
dir=$LAB_DIR/signed
mkdir "$dir"

cat >"$dir/plain" <<-END
	\$ORIGIN $zone.
	\$TTL 300
	@ 3600 SOA ns host 7 7200 1800 86400 60
	@ NS ns
	@ NS ns.other.example.
	@ MX 10 mail
	ns A 192.0.2.53
	mail A 192.0.2.25
	mail AAAA 2001:db8::25
	www A 192.0.2.1
	www A 192.0.2.2
	www TXT "text"
	alias CNAME www
	chain CNAME alias
	outside CNAME www.other.example.
	toempty CNAME empty
	tonothing CNAME nothing
	towild CNAME x.wild
	tocut CNAME host.sub
	a.deep.empty A 192.0.2.3
	*.wild A 192.0.2.4
	*.wild TXT "wild"
	not.wild A 192.0.2.5
	*.calias CNAME www
	*.cnothing CNAME nothing
	x.*.odd A 192.0.2.6
	sub NS ns.sub
	ns.sub A 192.0.2.54
	ns.sub AAAA 2001:db8::54
	safe NS ns.safe
	safe DS 12345 13 2 0123456789012345678901234567890123456789012345678901234567890123
	ns.safe A 192.0.2.55
	moved DNAME target
	in.target A 192.0.2.7
	*.dwild.target A 192.0.2.8
	zz A 192.0.2.9
END
awk 'BEGIN { for (i = 0; i < 7; i++) { printf "big TXT \"%d", i; for (n = 0; n < 180; n++) printf "x"; print "\"" } }' \
	>>"$dir/plain"
(cd "$dir" && ldns-keygen -a ECDSAP256SHA256 -k $zone >key)
key=$dir/$(cat "$dir/key")
ldns-signzone -e 20370101000000 -f "$dir/$zone.zone" "$dir/plain" "$key"

cat >"$dir/knot.conf" <<-END
	server:
	    rundir: "$dir"
	    listen: "$LAB_UPSTREAM@53"
	log:
	  - target: stderr
	    any: warning
	database:
	    storage: "$dir"
	zone:
	  - domain: $zone
	    storage: "$dir"
	    file: "%s.zone"
	    zonefile-sync: -1
	    journal-content: none
END
lab_start upstream knot.log knotd -c "$dir/knot.conf"
cat >"$LAB_DIR/Corefile" <<-END
	$zone:53 {
	    bind $LAB_SERVICE
	    xdp vc
	    file $dir/$zone.zone
	}
END
lab_lane53
lab_wait 10 lab_in plain "$LAB_TOP/tests/lab/ask.py" "$LAB_UPSTREAM" $zone SOA

names="ns mail www alias chain outside toempty tonothing towild tocut empty deep.empty a.deep.empty b.deep.empty
	x.a.deep.empty wild *.wild x.wild y.x.wild not.wild x.not.wild x.calias x.cnothing *.odd x.*.odd sub ns.sub
	host.sub safe ns.safe a.safe moved in.moved nothing.moved x.dwild.moved target zz zzz 0 nothing a.b.nothing big"
types="A AAAA TXT NS SOA MX CNAME DNAME DS DNSKEY NSEC ANY TYPE65280"
set -f # names have stars
for name in $zone $(printf "%s.$zone " $names); do
	for type in $types; do
		echo "$name $type"
	done
done >"$dir/questions"
set +f
questions=$(wc -l <"$dir/questions")

# Knot adds addresses that nobody asked for to positive answers; ours are minimal.  It
# shows the NSEC that was asked for, of a wildcard, not once more as its proof.
sections() {
	lab_in plain "$LAB_TOP/tests/lab/sections.py" "$1" 53 "$dir/questions" $2 |
		awk '$4 == "aa" { sub(/\| [^|]*$/, "|") } !/^x\.c[a-z]*\.[^ ]* NSEC/' >"$3"
	[ "$(wc -l <"$3")" -gt $((questions - 9)) ]
}
for options in "" +dnssec; do
	sections "$LAB_UPSTREAM" "$options" "$dir/knot"
	sections "$LAB_SERVICE" "$options" "$dir/ours"
	diff "$dir/knot" "$dir/ours" >"$dir/diff" || {
		echo "$(grep -c '^<' "$dir/diff") of $questions answers ${options:-without DO} are not Knot's"
		head -c 3000 "$dir/diff"
		exit 1
	}
done
echo "$questions answers with DO and $questions without are as Knot gives them"

# Without DO there is nothing of DNSSEC but what was asked for.
sections "$LAB_SERVICE" "" "$dir/ours"
! awk '$2 !~ /^(DNSKEY|NSEC|DS)$/' "$dir/ours" | grep -E ' in (rrsig|nsec|dnskey|ds) '

# Every way gives the same bytes, and a query with DO is never answered from `local`.
ask_all() {
	sed "s/TYPE65280/65280/; s/\$/ --edns ${4:-1232} $3/" "$dir/questions" >"$dir/asked"
	lab_in "$1" "$LAB_TOP/tests/lab/ask.py" "$LAB_SERVICE" --file "$dir/asked" --timeout 3 ${5-} >"$dir/$2"
}
for do in "" --do; do
	before=$(lab_outcome ANSWERED_LOCAL)
	ask_all client xdp "$do"
	local=$(($(lab_outcome ANSWERED_LOCAL) - before))
	ask_all plain socket "$do"
	ask_all client tcp "$do" 1232 --tcp
	ask_all plain tcp-plain "$do" 1232 --tcp
	cmp "$dir/xdp" "$dir/socket"
	cmp "$dir/tcp" "$dir/tcp-plain"
	# what was not cut (TC is bit 1 of that digit) is the same over TCP
	paste -d' ' "$dir/xdp" "$dir/tcp" | awk '
		index("2367abefABEF", substr($3, 6, 1)) { cut++; next }
		$3 != $6 { bad++; print }
		END { print cut + 0, "cut over UDP"; exit bad > 0 || cut == 0 }'
	echo "with '$do': $local of $questions from XDP's table"
	if [ "$do" ]; then [ "$local" = 0 ]; else [ "$local" -gt 30 ]; fi
done

# A validator believes each answer, denials too.
awk '$3 == "IN" && $4 == "DNSKEY" || $3 == "DNSKEY"' "$key.key" |
	sed -E 's/^([^ \t]+)[ \t].*DNSKEY[ \t]+([0-9]+) ([0-9]+) ([0-9]+) ([^;]*).*/trust-anchors { \1 static-key \2 \3 \4 "\5"; };/' >"$dir/anchor"
believed=0
set -f
for question in "www A" "www AAAA" "chain A" "x.wild A" "y.x.wild TXT" "x.wild MX" "x.calias A" "towild A" "empty A" "x.*.odd A" \
	"y.odd A" "nothing A" "a.b.nothing A" "tonothing A" "toempty A" "in.moved A" "nothing.moved A" "x.dwild.moved A" "sub DS" "safe DS" \
	"zzz A" "0 A" "big TXT" "alias CNAME" "x.cnothing A" "www NSEC"; do
	set -- $question
	lab_in plain delv "@$LAB_SERVICE" -a "$dir/anchor" "+root=$zone" "$1.$zone" "$2" >"$dir/delv" 2>&1 || true
	if ! grep -qE '^; (fully validated|negative response, fully validated)' "$dir/delv"; then
		echo "$question is not believed:"
		cat "$dir/delv"
		exit 1
	fi
	believed=$((believed + 1))
done
echo "$believed answers are believed by delv"
