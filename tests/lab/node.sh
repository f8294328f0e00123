# SPDX-License-Identifier: BSD-3-Clause
# node.sh - the lab that quickstart and the lab tests stand in; to be sourced by sh.
#
#   client ──vc── node ──vu── upstream (Knot: up.example, slow.example)
#   plain  ──vp──┘
#
# `node` runs lane53d and owns the service addresses 10.53.0.53 and fd53::53; `client`
# comes in over an interface with XDP, `plain` over one without.  Four network
# namespaces of this process; lab_down removes all of it, also after a failure.
#
# Needs: root, and LAB_BUILD (default: build) with the three programs.  With LAB_WORKERS=N
# the lane is served by N threads.

LAB_ID=l53$$
LAB_BUILD=${LAB_BUILD:-$(cd "$(dirname "$0")/../.." && pwd)/build}
LAB_TOP=$(cd "$LAB_BUILD/.." && pwd)
LAB_DIR=
LAB_PIDS=
LAB_LAST_LINE= # printed when all is torn down
LAB_SERVICE=10.53.0.53
LAB_SERVICE6=fd53::53
LAB_UPSTREAM=10.53.3.2

lab_say() { echo "lab: $*" >&2; }

lab_require_root() {
	[ "$(id -u)" = 0 ] && return
	echo "skipped: needs root (network namespaces, XDP)"
	exit 77
}

# lab_in PLACE COMMAND...: run in one of the namespaces: node client plain upstream.
lab_in() {
	place=$1
	shift
	nsenter --net="/run/netns/$LAB_ID-$place" -- "$@"
}

# lab_start PLACE LOG COMMAND...: run in the background, end with the lab; pid in LAB_PID.
lab_start() {
	place=$1 log=$2
	shift 2
	(exec nsenter --net="/run/netns/$LAB_ID-$place" -- "$@" >"$LAB_DIR/$log" 2>&1) &
	LAB_PID=$!
	LAB_PIDS="$LAB_PIDS $LAB_PID"
}

# lab_wait SECONDS COMMAND...: until it succeeds.
lab_wait() {
	tries=$(($1 * 20))
	shift
	while [ "$tries" -gt 0 ]; do
		"$@" >/dev/null 2>&1 && return 0
		tries=$((tries - 1))
		sleep 0.05
	done
	lab_say "gave up waiting for: $*"
	return 1
}

# lab_link PLACE VETH SUBNET: veth VETH in the node, eth0 in PLACE, .1 and .2 of 10.53.SUBNET.
lab_link() {
	ip link add "$2" netns "$LAB_ID-node" type veth peer name eth0 netns "$LAB_ID-$1"
	ip -n "$LAB_ID-node" addr add "10.53.$3.1/24" dev "$2"
	ip -n "$LAB_ID-node" addr add "fd53:$3::1/64" dev "$2" nodad
	ip -n "$LAB_ID-$1" addr add "10.53.$3.2/24" dev eth0
	ip -n "$LAB_ID-$1" addr add "fd53:$3::2/64" dev eth0 nodad
	ip -n "$LAB_ID-node" link set "$2" up
	ip -n "$LAB_ID-$1" link set eth0 up
	ip -n "$LAB_ID-$1" link set lo up
	ip -n "$LAB_ID-$1" route add default via "10.53.$3.1"
	ip -n "$LAB_ID-$1" -6 route add default via "fd53:$3::1"
}

lab_up() {
	LAB_DIR=$(mktemp -d /tmp/lane53-lab.XXXXXX)
	trap lab_down EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	for place in node client plain upstream; do
		ip netns add "$LAB_ID-$place"
	done
	ip -n "$LAB_ID-node" link set lo up
	ip -n "$LAB_ID-node" addr add "$LAB_SERVICE/32" dev lo
	ip -n "$LAB_ID-node" addr add "$LAB_SERVICE6/128" dev lo nodad
	lab_link client vc 1
	lab_link plain vp 2
	lab_link upstream vu 3
	lab_in node sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
}

lab_down() {
	code=$?
	trap - EXIT INT TERM
	set +e # what fails here must not keep the rest
	[ -z "$LAB_DIR" ] || [ ! -e "$LAB_DIR/Corefile" ] || lab_lane53_stop
	for pid in $LAB_PIDS; do
		kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
	done
	for place in node client plain upstream; do
		ip netns del "$LAB_ID-$place" 2>/dev/null
	done
	if [ "$code" != 0 ] && [ "$code" != 77 ] && [ -n "$LAB_DIR" ]; then
		for log in "$LAB_DIR"/*.log; do
			[ -s "$log" ] || continue
			echo "--- $(basename "$log"), last lines"
			tail -n 25 "$log"
		done
	fi
	[ -z "$LAB_DIR" ] || rm -rf "$LAB_DIR"
	[ -z "$LAB_LAST_LINE" ] || echo "$LAB_LAST_LINE"
	exit "$code"
}

# lab_zone ORIGIN NAMES: a zone with host-0 .. host-(NAMES-1), an alias, and big.
lab_zone() {
	echo "\$ORIGIN $1."
	echo "\$TTL 300"
	echo "@ SOA ns hostmaster 1 7200 1800 86400 60"
	echo "@ NS ns"
	echo "ns A $LAB_UPSTREAM"
	echo "alias CNAME host-1"
	echo "nocache 0 A 198.51.100.99"
	awk -v n="$2" 'BEGIN {
		for (i = 0; i < n; i++)
			printf "host-%d A 198.51.%d.%d\n", i, int(i / 250) % 250, i % 250 + 1
		for (i = 1; i <= 60; i++)
			printf "big A 203.0.113.%d\n", i
	}'
}

# lab_upstream: Knot, authoritative for up.example (5,000 names), in `upstream`.
lab_upstream() {
	mkdir -p "$LAB_DIR/knot"
	lab_zone up.example 5000 >"$LAB_DIR/knot/up.example.zone"
	cat >"$LAB_DIR/knot/knot.conf" <<-END
		server:
		    rundir: "$LAB_DIR/knot"
		    listen: [ "$LAB_UPSTREAM@53", "fd53:3::2@53" ]
		log:
		  - target: stderr
		    any: warning
		database:
		    storage: "$LAB_DIR/knot"
		template:
		  - id: default
		    storage: "$LAB_DIR/knot"
		    file: "%s.zone"
		    zonefile-sync: -1
		    journal-content: none
		zone:
		  - domain: up.example
	END
	lab_start upstream knot.log knotd -c "$LAB_DIR/knot/knot.conf"
	LAB_KNOT=$LAB_PID
	lab_wait 10 lab_in node "$LAB_TOP/tests/lab/ask.py" "$LAB_UPSTREAM" up.example SOA
}

# lab_ctl ARGS...: lane53ctl of the lab's instance.
lab_ctl() {
	lab_in node "$LAB_BUILD/control/lane53ctl" -s "$LAB_DIR/run/$LAB_ID/control.sock" "$@"
}

# lab_lane53 [ARGS...]: lane53d in the node with LAB_DIR/Corefile; waits until ready.
lab_lane53() {
	: >"$LAB_DIR/lane53d.log"
	lab_start node lane53d.log "$LAB_BUILD/control/lane53d" -conf "$LAB_DIR/Corefile" \
		-name "$LAB_ID" -run "$LAB_DIR/run" -state "$LAB_DIR/state" \
		-workers "${LAB_WORKERS:-1}" "$@"
	LAB_LANE53D=$LAB_PID
	lab_wait 30 grep -q '^lane53d: ready' "$LAB_DIR/lane53d.log"
}

lab_is_gone() {
	! [ -e "/sys/fs/bpf/lane53/$LAB_ID" ]
}

# Everything of the instance, whatever state it is in: a daemon that answers takes it away
# itself; after a dead one, another adopts what is there to take it away at its end.
lab_lane53_stop() {
	if lab_ctl detach >>"$LAB_DIR/teardown.log" 2>&1; then
		# it replies first
		lab_wait 10 lab_is_gone
		return 0
	fi
	lab_start node teardown.log "$LAB_BUILD/control/lane53d" -teardown -name "$LAB_ID" \
		-conf "$LAB_DIR/Corefile" -run "$LAB_DIR/run" -state "$LAB_DIR/state"
	lab_wait 30 grep -q '^lane53d: ready' "$LAB_DIR/teardown.log" || return 0
	kill -TERM "$LAB_PID" && wait "$LAB_PID" || true
}

# lab_worker_pid dpdk|socket
lab_worker_pid() { cat "$LAB_DIR/run/$LAB_ID/worker-$1.pid"; }

# lab_outcome NAME: its count in the XDP programs.
lab_outcome() { lab_ctl stats --json | jq -r ".outcomes.$1"; }

# lab_ask PLACE NAME TYPE [ask.py options]: responses as bytes.
lab_ask() {
	place=$1 name=$2 type=$3
	shift 3
	lab_in "$place" "$LAB_TOP/tests/lab/ask.py" "${LAB_ADDRESS:-$LAB_SERVICE}" \
		"$name" "$type" "$@"
}
