#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# test.sh - install, build with gcc and clang, run every test; the last line counts.
#
#   scripts/test.sh [SUITE...]	only these suites, only with gcc: for daily work
#
# Suites are listed in tests/README.md.  Needs root for bpf and lab; as an ordinary user
# those are skipped, and say so.
set -u
cd "$(dirname "$0")/.."

[ "$(id -u)" != 0 ] || scripts/setup.sh || exit 1

jobs=$(nproc)
status=0

# build DIR [meson options]: configure once, build without a warning.
build() {
	dir=$1
	shift
	if [ ! -f "$dir/build.ninja" ]; then
		meson setup "$dir" -Dwerror=true "$@" >"$dir.log" 2>&1 || {
			tail -n 30 "$dir.log"
			return 1
		}
	fi
	ninja -C "$dir" -j "$jobs" >"$dir.log" 2>&1 || {
		grep -E -A 8 'error|warning|FAILED' "$dir.log" | head -n 60
		return 1
	}
	rm -f "$dir.log"
}

# run DIR SUITE...: one suite after the other, so that labs do not overlap.
run() {
	dir=$1
	shift
	for suite; do
		echo "== $dir: $suite"
		rm -f "$dir/meson-logs/log-$suite.json" # of an earlier run
		meson test -C "$dir" --suite "$suite" --num-processes 1 \
			--logbase "log-$suite" 2>&1 | grep -E '^ *[0-9]+/[0-9]+ ' || true
		logs="$logs $dir/meson-logs/log-$suite.json"
	done
}

logs=
if ! build build; then
	echo "test.sh: the build failed" >&2
	echo "0 passed, 1 failed"
	exit 1
fi

if [ $# -gt 0 ]; then
	run build "$@"
else
	run build lint unit bpf e2e lab

	echo "== build-clang: clang, warnings are errors"
	CC=clang build build-clang || status=1

	echo "== build-asan: unit suites under ASan and UBSan, corpora replayed"
	# gcc's sanitizers make it warn where nothing is wrong, as its manual says (of
	# strings that are NULL): the two builds above decide about warnings.
	if build build-asan -Db_sanitize=address,undefined -Db_lundef=false -Dwerror=false; then
		run build-asan unit
	else
		status=1
	fi
fi

# shellcheck disable=SC2086	# the list is meant to be split
python3 scripts/test-summary.py "$status" $logs
