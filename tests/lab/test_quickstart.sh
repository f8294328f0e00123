#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The first command of README, twice: its last line is the proof.
set -eu
[ "$(id -u)" = 0 ] || {
	echo "skipped: needs root"
	exit 77
}
cd "$(dirname "$0")/../.."
for run in first second; do
	proof=$(scripts/quickstart.sh | tail -n 1)
	echo "$run: $proof"
	echo "$proof" | grep -qE '^proof local=[1-9][0-9]* cache=[1-9][0-9]* lane=[1-9][0-9]* socket=[1-9][0-9]* tcp=[1-9][0-9]* identical=yes$'
done
