#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# format.sh - every C file is as .clang-format has it.  Mend with: clang-format -i FILE
set -eu
cd "${1:-$(dirname "$0")/../..}"
command -v clang-format >/dev/null || {
	echo "skipped: clang-format is not installed"
	exit 77
}
bad=$(find include bpf dataplane control tests -name '*.[ch]' -print0 |
	xargs -0 clang-format --dry-run --Werror 2>&1 | grep 'error:' | head -n 20) || true
echo "$bad"
[ -z "$bad" ]
