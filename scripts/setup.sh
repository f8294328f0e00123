#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# setup.sh - install everything lane53 needs on a Debian 12 machine, by package name.
#
#   setup.sh		to build, run and test
#   setup.sh bench	the systems that scripts/bench.sh compares as well
#
# Run as root.  Does nothing when all is there; README, quickstart, tests and CI call it.
set -eu

build='gcc clang llvm meson ninja-build pkg-config python3 bpftool'
libraries='dpdk-dev libdpdk-dev libbpf-dev libxdp-dev libldns-dev liblmdb-dev libuv1-dev
	libmicrohttpd-dev libjansson-dev libnl-3-dev libnl-route-3-dev libmnl-dev
	libhiredis-dev libcunit1-dev libelf-dev zlib1g-dev linux-libc-dev'
tests='clang-format libclang-rt-14-dev iproute2 ethtool procps util-linux curl jq
	knot knot-dnsutils bind9-dnsutils ldnsutils dnsperf xdp-tools'
peers=
[ "${1:-}" != bench ] || peers='unbound nsd dnsdist dnsmasq-base python3-matplotlib'

missing=
for package in $build $libraries $tests $peers; do
	state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
	[ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ]; then
	echo "setup.sh: needs root to install:$missing" >&2
	exit 1
fi

echo "setup.sh: installing$missing"
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# A package's service must not start on this machine: Knot is for the tests only.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod 755 "$policy"
	trap 'rm -f "$log" "$policy"' EXIT
fi

export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086	# the list is meant to be split
if ! { apt-get update && apt-get install -y --no-install-recommends $missing; } >"$log" 2>&1; then
	tail -n 20 "$log" >&2
	echo "setup.sh: apt-get failed; the packages needed are:$missing" >&2
	exit 1
fi
