#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# floors.sh - includes go down: include < bpf, dataplane < control < tests, scripts;
# inside dataplane worker > respond > io > cache > store, plan > dns, stats.
# Prints each include that goes up, and fails if there is one.
set -eu
cd "${1:-$(dirname "$0")/../..}"

bad=$(mktemp)
trap 'rm -f "$bad"' EXIT

# check DIR PATTERN: no file under DIR may include what matches PATTERN.
check() {
	grep -rnE --include='*.[ch]' "^[[:space:]]*#[[:space:]]*include[[:space:]]+$2" "$1" |
		sed "s|^|goes up: |" >>"$bad" || true
}

control='"(corefile|source|xdp|daemon|ctl)/|"problem\.h"|"control/'
check include '("|<)' # first everything, then take back what is allowed
grep -vE '<linux/types\.h>|"lane53/' "$bad" >"$bad.1" || true
mv "$bad.1" "$bad"

check bpf "\"(dns|plan|store|cache|io|respond|worker)/|$control"
check dataplane "$control|\".*\.bpf\.h\"|\".*\.skel\.h\"|<bpf/libbpf"
# port_dpdk.c loads nothing itself: it silences the libbpf that libxdp loads with
grep -v 'port_dpdk\.c:.*<bpf/libbpf\.h>' "$bad" >"$bad.1" || true
mv "$bad.1" "$bad"
check dataplane/dns '"(plan|store|stats|cache|io|respond|worker)/'
check dataplane/stats '"(dns|plan|store|cache|io|respond|worker)/'
check dataplane/plan '"(store|cache|io|respond|worker)/'
check dataplane/store '"(plan|cache|io|respond|worker)/'
check dataplane/cache '"(io|respond|worker)/'
check dataplane/io '"(respond|worker)/'
check dataplane/respond '"worker/'
check control '"(check\.h|tests/)'

cat "$bad"
[ ! -s "$bad" ]
