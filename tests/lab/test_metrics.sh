#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# /metrics tells one system: what XDP, the lane, sockets and TCP answered adds up in the
# same series, under the directive that had the answer; and nothing is counted twice.
set -eu
. "$(dirname "$0")/node.sh"
. "$(dirname "$0")/corefile.sh"
lab_begin

scrape() { lab_in node curl -sf http://127.0.0.1:9153/metrics >"$LAB_DIR/$1"; }

# sum FILE FAMILY [LABEL...]: of all samples with these labels, each as name="value".
sum() {
	awk -v family="$2" -v labels="$(shift 2; echo "$*")" '
		BEGIN { n = split(labels, wanted, " ") }
		index($0, family "{") == 1 || index($0, family " ") == 1 {
			for (i = 1; i <= n; i++)
				if (!index($0, wanted[i]))
					next
			total += $NF
		}
		END { printf "%d\n", total }' "$LAB_DIR/$1"
}

# rose WANT FAMILY [LABEL...]: by so much, from `before` to `after`.
rose() {
	want=$1
	shift
	got=$(($(sum after "$@") - $(sum before "$@")))
	[ "$got" = "$want" ] && return
	echo "$*: rose by $got, not $want"
	exit 1
}

# ask PLACE TIMES NAME TYPE [ask.py options]
ask() {
	place=$1 times=$2 question="$3 $4"
	shift 4
	for i in $(seq "$times"); do echo "$question"; done >"$LAB_DIR/questions"
	lab_in "$place" "$LAB_TOP/tests/lab/ask.py" "$LAB_SERVICE" --file "$LAB_DIR/questions" \
		"$@" >"$LAB_DIR/answers"
	[ "$(wc -l <"$LAB_DIR/answers")" = "$times" ]
}

# The worker's counters may follow its answer.
settled() {
	scrape after
	[ $(($(sum after coredns_dns_responses_total) - $(sum before coredns_dns_responses_total))) = "$1" ]
}

scrape before
ask client 5 www.lab.example A
ask plain 3 www.lab.example A
ask plain 2 www.lab.example A --tcp
ask client 4 nothing.www.lab.example A
ask client 3 printer.home.example AAAA
ask plain 2 printer.home.example AAAA
ask client 6 host-7.up.example A
ask plain 2 host-7.up.example A
ask client 4 absent.up.example A
lab_ask client www.lab.example A --edns 1232 --do >/dev/null
lab_wait 5 settled 32

file='zone="lab.example." plugin="file"'
root='zone="."'
requests=coredns_dns_requests_total
responses=coredns_dns_responses_total
rose 13 $requests 'zone="lab.example."' 'proto="udp"' 'type="A"'
rose 2 $requests 'zone="lab.example."' 'proto="tcp"' 'type="A"'
rose 5 $requests $root 'type="AAAA"'
rose 11 $responses $file 'rcode="NOERROR"'
rose 4 $responses $file 'rcode="NXDOMAIN"'
rose 5 $responses $root 'plugin="hosts"'
# Each worker asks the upstream once, and whoever comes after finds it in a cache.
rose 2 $responses $root 'plugin="forward"' 'rcode="NOERROR"'
rose 1 $responses $root 'plugin="forward"' 'rcode="NXDOMAIN"'
rose 6 $responses $root 'plugin="cache"' 'rcode="NOERROR"'
rose 3 $responses $root 'plugin="cache"' 'rcode="NXDOMAIN"'
rose 1 coredns_dns_do_requests_total 'zone="lab.example."'
rose 12 coredns_cache_requests_total 'zones="."'
rose 6 coredns_cache_hits_total 'zones="."' 'type="success"'
rose 3 coredns_cache_hits_total 'zones="."' 'type="denial"'
rose 3 coredns_cache_misses_total 'zones="."'

# XDP had its part in that.
[ "$(sum after lane53_xdp_answers_total)" = "$(($(lab_outcome ANSWERED_LOCAL) + \
	$(lab_outcome ANSWERED_CACHE) + $(lab_outcome ANSWERED_TRUNCATED)))" ]
[ "$(lab_outcome ANSWERED_LOCAL)" -ge 9 ]
[ "$(lab_outcome ANSWERED_CACHE)" -gt 0 ]

# Each request has one response, one duration and two sizes.
for family in $responses coredns_dns_request_duration_seconds_count \
	coredns_dns_request_size_bytes_count coredns_dns_response_size_bytes_count; do
	rose 32 $family
done

# How full `cache` is comes from its writer.
slots_are_told() {
	scrape after
	[ "$(sum after lane53_table_slots 'table="cache"' 'state="used"')" -gt 0 ]
}
lab_wait 5 slots_are_told
echo "$(sum after lane53_xdp_answers_total) of $(sum after $responses) answers were XDP's"
