#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# sizes.sh - no file past the size at which nobody reads it any more (tests/README.md).
set -eu
cd "${1:-$(dirname "$0")/../..}"
status=0
# limit LINES FILE...
limit() {
	max=$1
	shift
	for file; do
		lines=$(wc -l <"$file")
		[ "$lines" -le "$max" ] || {
			echo "$file: $lines lines, the limit is $max: split it at a noun"
			status=1
		}
	done
}
# shellcheck disable=SC2046	# no file name of ours has a blank
limit 800 $(find dataplane control -name '*.c')
# shellcheck disable=SC2046
limit 400 $(find bpf -name '*.c' -o -name '*.bpf.h' | grep bpf)
exit $status
