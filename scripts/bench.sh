#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# bench.sh - measure lane53 and what its users would otherwise run; see --help and
# docs/benchmarks.md.  Needs root; leaves nothing behind, also after Ctrl-C.
set -eu
cd "$(dirname "$0")/.."
case " $* " in *" --help "* | *" -h "*) exec /usr/bin/python3 scripts/bench/main.py --help ;; esac
if [ "$(id -u)" = 0 ]; then
	scripts/setup.sh bench
	[ -f build/build.ninja ] || meson setup build >/dev/null
	ninja -C build >build/bench-build.log 2>&1 || {
		tail -n 30 build/bench-build.log
		exit 1
	}
fi
PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 scripts/bench/main.py "$@"
