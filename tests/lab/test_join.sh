#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# An interface where libxdp's dispatcher already holds a program: lane53 joins it, answers,
# comes back after kill -9, and leaves it as it was.  Kernels under lockdown refuse the
# dispatcher (BPF_PROG_TYPE_EXT); Debian 12's own 6.1 takes it.
set -eu
. "$(dirname "$0")/node.sh"
. "$(dirname "$0")/corefile.sh"
lab_require_root
lab_up
cat >"$LAB_DIR/pass.bpf.c" <<'END'
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
SEC("xdp") int stranger(struct xdp_md *ctx)
{
	return XDP_PASS;
}
char _license[] SEC("license") = "GPL";
END
clang -O2 -g -target bpf -I/usr/include/x86_64-linux-gnu -c "$LAB_DIR/pass.bpf.c" -o "$LAB_DIR/pass.o"
lab_in node xdp-loader load -m skb vc "$LAB_DIR/pass.o" >"$LAB_DIR/load.log" 2>&1 || true
lab_in node xdp-loader status vc >"$LAB_DIR/status"
grep -q dispatcher "$LAB_DIR/status" || {
	echo "skipped: this kernel does not load libxdp's dispatcher"
	exit 77
}
lab_upstream
lab_corefile
lab_lane53
for program in stranger lane53_entry; do
	lab_in node xdp-loader status vc | grep -q "=>.*$program"
done
lab_ask client www.lab.example A | grep -q '^0 1'
lab_ask client host-3.up.example A --times 4 >/dev/null
[ "$(lab_outcome ANSWERED_LOCAL)" = 1 ]
[ "$(lab_outcome ANSWERED_CACHE)" -gt 0 ]
[ "$(lab_outcome FROM_LANE)" -gt 0 ]

kill -9 "$LAB_LANE53D"
lab_ask client www.lab.example A | grep -q '^0 1'
lab_lane53
[ "$(lab_outcome ANSWERED_LOCAL)" = 2 ]
lab_ctl detach
lab_wait 10 lab_is_gone
lab_in node xdp-loader status vc >"$LAB_DIR/status"
grep -q '=>.*stranger' "$LAB_DIR/status"
! grep lane53 "$LAB_DIR/status" || exit 1
