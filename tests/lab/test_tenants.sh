#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Tenants told apart by interface, source prefix and (where the kernel has VLAN devices)
# VLAN, with the same addresses and the same names: each gets its own answers, the same
# bytes over XDP, lane, sockets and TCP, and never another's.
set -eu
. "$(dirname "$0")/node.sh"
lab_require_root
lab_up
lab_upstream

SERVICE_B=10.53.0.54 # B's own, beside the shared one
ip -n "$LAB_ID-node" addr add "$SERVICE_B/32" dev lo
# Prefix C shares the client's interface with A; and B's client has A's address.
ip -n "$LAB_ID-client" addr add 10.53.1.70/24 dev eth0
ip -n "$LAB_ID-plain" addr add 10.53.1.2/24 dev eth0
ip -n "$LAB_ID-node" addr add 10.53.1.1/24 dev vp

# Two VLANs on one more veth, with the same addresses: 10 to the client, 20 to `plain`. XDP
# needs the tag in the frame.
vlan=1
ip link add vl netns "$LAB_ID-node" type veth peer name eth5 netns "$LAB_ID-client"
lab_in client ethtool -K eth5 txvlan off rxvlan off >/dev/null
lab_in node ethtool -K vl txvlan off rxvlan off >/dev/null
ip -n "$LAB_ID-node" link set vl up
ip -n "$LAB_ID-client" link set eth5 up
for id in 10:client 20:plain; do
	place=${id#*:} id=${id%:*}
	ip -n "$LAB_ID-node" link add link vl name "vl.$id" type vlan id "$id" 2>/dev/null || {
		echo "this kernel has no VLAN devices: tenants by VLAN are not asked"
		vlan=
		break
	}
	ip -n "$LAB_ID-client" link add link eth5 name "eth5.$id" type vlan id "$id"
	[ "$place" = client ] || ip -n "$LAB_ID-client" link set "eth5.$id" netns "$LAB_ID-$place"
	ip -n "$LAB_ID-node" addr add 10.53.9.1/24 dev "vl.$id"
	ip -n "$LAB_ID-node" link set "vl.$id" up
	ip -n "$LAB_ID-$place" addr add 10.53.9.2/24 dev "eth5.$id"
	ip -n "$LAB_ID-$place" link set "eth5.$id" up
	ip -n "$LAB_ID-$place" rule add from 10.53.9.2 lookup 9
	ip -n "$LAB_ID-$place" route add default via 10.53.9.1 dev "eth5.$id" table 9
done

# block NAME NUMBER BINDS XDP: a server block whose every answer names it.
block() {
	cat <<-END
		.:53 {
		    bind $3
		    $4
		    hosts {
		        192.0.2.$2      who.example
		        2001:db8::$2    who.example
		        192.0.2.1$2     only-$1.example
		        fallthrough
		    }
		    cache 60
		    chaos lane53-$1
		    forward . $LAB_UPSTREAM
		}
	END
}
{
	block default 9 "$LAB_SERVICE $LAB_SERVICE6" ""
	block A 1 "$LAB_SERVICE $LAB_SERVICE6" "xdp vc {
        from 0.0.0.0/0 ::/0
    }"
	block B 2 "$LAB_SERVICE $LAB_SERVICE6 $SERVICE_B" "xdp vp {
        from 0.0.0.0/0 ::/0
    }"
	block C 3 "$LAB_SERVICE" "xdp vc {
        from 10.53.1.64/26
    }"
	block D 4 "$LAB_SERVICE" "xdp vd* {
        from 0.0.0.0/0
    }"
	block E 6 "$LAB_SERVICE" "xdp vb1 {
        from 10.53.6.0/25
    }"
	[ -z "$vlan" ] || block V 5 "$LAB_SERVICE" "xdp vl {
        vlan 10
        from 10.53.9.0/24
    }"
	[ -z "$vlan" ] || block W 7 "$LAB_SERVICE" "xdp vl {
        vlan 20
        from 10.53.9.0/24
    }"
} >"$LAB_DIR/Corefile"
lab_lane53

# Local records, another tenant's, what nobody has, an upstream's, and CHAOS, which only
# the worker answers.
cat >"$LAB_DIR/questions" <<-END
	who.example A
	who.example AAAA
	who.example MX
	only-A.example A
	only-B.example A
	only-C.example A
	only-default.example A
	host-7.up.example A
	host-7.up.example A --edns 1232
	nothing.up.example A
	version.bind TXT --class 3
END

# ask TENANT WAY PLACE [ask.py options]: into TENANT-WAY
ask() {
	out=$1-$2 place=$3
	shift 3
	lab_in "$place" "$LAB_TOP/tests/lab/ask.py" "${LAB_ADDRESS:-$LAB_SERVICE}" \
		--file "$LAB_DIR/questions" --mask-ttl --timeout 4 "$@" >"$LAB_DIR/$out" || {
		echo "$out: not all were answered"
		cat "$LAB_DIR/$out"
		exit 1
	}
}

# same TENANT FIRST OTHER: the same bytes by both ways.
same() {
	cmp -s "$LAB_DIR/$1-$2" "$LAB_DIR/$1-$3" && return
	echo "tenant $1: $2 and $3 differ"
	diff "$LAB_DIR/$1-$2" "$LAB_DIR/$1-$3" || exit 1
}

# own TENANT NUMBER WAY: its own records, version and no other's.
own() {
	got=$LAB_DIR/$1-$3
	version=$(printf 'lane53-%s' "$1" | od -An -tx1 | tr -d ' \n')
	sed -n 1p "$got" | grep -q "c000020$2\$" &&
		[ "$(grep -c "c000020[1-9]\$" "$got")" = 1 ] &&
		sed -n 11p "$got" | grep -q "$version" &&
		[ "$(sed -n '4,7p' "$got" | grep -c '^0 1 ')" = "$4" ] && return
	echo "tenant $1 by $3: not its own answers"
	cat "$got"
	exit 1
}

# all_ways TENANT NUMBER OWN PLACE [ask.py options]: XDP and lane, sockets, TCP.
all_ways() {
	tenant=$1 number=$2 has=$3
	shift 3
	ask "$tenant" udp "$@"
	ask "$tenant" stack "$@" --options
	own "$tenant" "$number" udp "$has"
	same "$tenant" udp stack
	[ "${no_tcp:-}" ] || ask "$tenant" tcp "$@" --tcp
	[ "${no_tcp:-}" ] || same "$tenant" udp tcp
}

socket_queries() { lab_ctl stats --json | jq '[.workers[] | select(.io == "socket")][0].queries_udp'; }
everybody() {
	all_ways default 9 1 upstream
	all_ways A 1 1 client
	all_ways B 2 1 plain
	all_ways C 3 1 client --from 10.53.1.70
	# B's client with A's address: UDP goes back where it came from
	no_tcp=yes
	all_ways B 2 1 plain --from 10.53.1.2
	[ -z "$vlan" ] || all_ways W 7 0 plain --from 10.53.9.2
	no_tcp=
	[ -z "$vlan" ] || all_ways V 5 0 client --from 10.53.9.2
}

sockets=$(socket_queries)
everybody
[ "$(lab_outcome ANSWERED_LOCAL)" -ge $((12 + 4 * ${vlan:-0})) ] # A, AAAA and its own
[ "$(lab_outcome FROM_LANE)" -gt 8 ]
[ "$(socket_queries)" -ge $((sockets + 55)) ]
echo "A, B, C${vlan:+, V, W} and default: own answers, the same bytes by XDP, lane, sockets and TCP"

# Where a tenant has no listener it is refused, whoever else listens there.
[ "$(lab_in client "$LAB_TOP/tests/lab/ask.py" "$SERVICE_B" who.example A | cut -c1-3)" = "5 0" ]
[ "$(lab_in client "$LAB_TOP/tests/lab/ask.py" "$SERVICE_B" who.example A --tcp | cut -c1-3)" = "5 0" ]

# TCP with overlapping addresses: its way back follows the routes, so by B's own service.
ip -n "$LAB_ID-node" rule add from "$SERVICE_B" lookup 53
ip -n "$LAB_ID-node" route add 10.53.1.0/24 dev vp table 53
(
	LAB_ADDRESS=$SERVICE_B
	ask B overlap-udp plain --from 10.53.1.2
	ask B overlap-tcp plain --from 10.53.1.2 --tcp
)
own B 2 overlap-udp 1
same B overlap-udp overlap-tcp
same B udp overlap-udp
echo "two clients of one address, UDP and TCP: each its own tenant's answers"

# Or by a VRF.
if [ "$vlan" ] && ip -n "$LAB_ID-node" link add vrf9 type vrf table 99 2>/dev/null; then
	lab_in node sysctl -qw net.ipv4.tcp_l3mdev_accept=1 net.ipv4.udp_l3mdev_accept=1
	ip -n "$LAB_ID-node" link set vl.20 master vrf9
	ip -n "$LAB_ID-node" link set vrf9 up
	ask W vrf-tcp plain --from 10.53.9.2 --tcp --tries 4
	same W udp vrf-tcp
	ask W vrf-stack plain --from 10.53.9.2 --options
	same W udp vrf-stack
	ask V vrf-tcp client --from 10.53.9.2 --tcp
	same V udp vrf-tcp
	echo "two VLANs of one client address, one of them in a VRF: the same over TCP"
fi

# IPv6, and the node itself, which is no tenant.
for place in client plain upstream node; do
	for how in "" --tcp; do
		lab_in "$place" "$LAB_TOP/tests/lab/ask.py" "$LAB_SERVICE6" who.example A $how |
			tail -c 3
	done
done | tr '\n' ' ' >"$LAB_DIR/v6"
[ "$(cat "$LAB_DIR/v6")" = "01 01 02 02 09 09 09 09 " ] || { cat "$LAB_DIR/v6"; exit 1; }
[ "$(lab_ask node who.example A | tail -c 3)" = 09 ]
echo "IPv6, and the node itself: right"

# The lane's worker away: what XDP does not hold falls back to sockets.
frozen=$(lab_worker_pid dpdk)
kill -STOP "$frozen"
sleep 0.5 # its heartbeat is good for 0.3 s
for round in A:client B:plain; do
	ask "${round%:*}" fallback "${round#*:}"
	same "${round%:*}" udp fallback
done
[ -z "$vlan" ] || ask V fallback client --from 10.53.9.2
[ -z "$vlan" ] || same V udp fallback
kill -CONT "$frozen"
echo "with the lane's worker frozen: the same"

# An interface that comes is its tenant's from the first answer on, and nobody else's
# ever; twice, as the number of one that is gone must not be taken for known.
for pod in vd1 vd2; do
	ip link add "$pod" netns "$LAB_ID-node" type veth peer name eth9 netns "$LAB_ID-plain"
	ip -n "$LAB_ID-node" addr add 10.53.4.1/24 dev "$pod"
	ip -n "$LAB_ID-plain" addr add 10.53.4.2/24 dev eth9
	ip -n "$LAB_ID-node" link set "$pod" up
	ip -n "$LAB_ID-plain" link set eth9 up
	ip -n "$LAB_ID-plain" route add "$LAB_SERVICE" via 10.53.4.1
	for how in --options --tcp "" --tcp; do
		# shellcheck disable=SC2086
		got=$(lab_ask plain who.example A --timeout 0.5 --tries 8 $how)
		[ "$(printf %s "$got" | tail -c 2)" = 04 ] || {
			echo "$pod $how: $got"
			exit 1
		}
	done
	ip -n "$LAB_ID-node" link del "$pod"
done
echo "interfaces that come and go: their tenant's"

# A bridge, one port E's: who could be E or nobody is refused, who cannot be E is answered;
# with the rule for all of it E is E.
ip -n "$LAB_ID-node" link add br6 type bridge
for port in vb1:plain vb2:upstream; do
	place=${port#*:} port=${port%:*}
	ip link add "$port" netns "$LAB_ID-node" type veth peer name eth6 netns "$LAB_ID-$place"
	ip -n "$LAB_ID-node" link set "$port" master br6 up
	ip -n "$LAB_ID-$place" link set eth6 up
	ip -n "$LAB_ID-$place" route del "$LAB_SERVICE" 2>/dev/null || true
done
ip -n "$LAB_ID-node" addr add 10.53.6.1/24 dev br6
ip -n "$LAB_ID-node" link set br6 up
ip -n "$LAB_ID-plain" addr add 10.53.6.2/24 dev eth6
ip -n "$LAB_ID-upstream" addr add 10.53.6.3/24 dev eth6
ip -n "$LAB_ID-upstream" addr add 10.53.6.200/24 dev eth6
for place in plain upstream; do
	ip -n "$LAB_ID-$place" route add "$LAB_SERVICE" via 10.53.6.1
done
# over_bridge PLACE SOURCE: rcode, and last byte of the answer, over UDP and TCP
over_bridge() {
	for how in --options --tcp; do
		lab_ask "$1" who.example A --from "$2" --timeout 0.5 --tries 8 $how
	done | sed 's/^\([0-9]*\) .*\(..\)$/\1 \2/' | tr '\n' ' '
}
[ "$(over_bridge plain 10.53.6.2)" = "5 01 5 01 " ]
[ "$(over_bridge upstream 10.53.6.3)" = "5 01 5 01 " ]
[ "$(over_bridge upstream 10.53.6.200)" = "0 09 0 09 " ]
sed -i 's/xdp vb1 {/xdp vb1 vb2 br6 {/' "$LAB_DIR/Corefile"
lab_ctl reload >/dev/null
[ "$(over_bridge plain 10.53.6.2)" = "0 06 0 06 " ]
[ "$(over_bridge upstream 10.53.6.3)" = "0 06 0 06 " ]
[ "$(over_bridge upstream 10.53.6.200)" = "0 09 0 09 " ]
for place in plain upstream; do
	ip -n "$LAB_ID-$place" route del "$LAB_SERVICE"
done
echo "a bridge: refused in doubt, answered where all of it is one tenant's"

# lane53ctl as a tenant: XDP and lane answer it; sockets cannot, and it says why.
lab_ctl query who.example --iface vc --path all --json >"$LAB_DIR/ctl" || true
[ "$(jq -r '[.results[] | select(.path) | .path] | join(" ")' "$LAB_DIR/ctl")" = "xdp-local lane" ]
[ "$(jq -r '[.results[].answers // [] | .[] | split("\\s+"; "")[-1]] | unique | join(" ")' "$LAB_DIR/ctl")" = 192.0.2.1 ]
[ "$(jq '[.results[].error // "" | select(contains("tenant"))] | length' "$LAB_DIR/ctl")" = 2 ]
lab_ctl trace who.example --iface vp --json | jq -e '.view | endswith("@vp;from=::/0,0.0.0.0/0")' >/dev/null
lab_ctl trace who.example --iface vu --json | jq -e '.view | contains("@") | not' >/dev/null

# Without XDP the same, by sockets alone.
lab_ctl detach >/dev/null
lab_wait 10 lab_is_gone
wait "$LAB_LANE53D" || true
lab_lane53 -no-xdp
for round in default:upstream A:client B:plain; do
	ask "${round%:*}" noxdp "${round#*:}"
	same "${round%:*}" udp noxdp
	ask "${round%:*}" noxdp-tcp "${round#*:}" --tcp
	same "${round%:*}" udp noxdp-tcp
done
ask C noxdp client --from 10.53.1.70
same C udp noxdp
[ -z "$vlan" ] || ask W noxdp plain --from 10.53.9.2
[ -z "$vlan" ] || same W udp noxdp
echo "without XDP: the same"
