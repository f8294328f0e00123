#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# test_embedded.sh - lane53d -no-xdp, as an ordinary user has it: real processes on
# loopback and high ports.  Usage: test_embedded.sh LANE53D LANE53CTL
set -eu
lane53d=$1 ctl=$2
command -v dig >/dev/null || { echo "skipped: needs dig"; exit 77; }

dir=$(mktemp -d /tmp/lane53-e2e.XXXXXX)
port=$((20000 + $$ % 20000)) pid= passed=0
cleanup() {
	[ -z "$pid" ] || kill -9 "$pid" 2>/dev/null || true
	for io in socket dpdk; do
		[ ! -f "$dir/run/default/worker-$io.pid" ] ||
			kill -9 "$(cat "$dir/run/default/worker-$io.pid")" 2>/dev/null || true
	done
	rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

die() {
	echo "not ok: $*"
	sed 's/^/  log: /' "$dir/log"
	exit 1
}
# is WHAT GOT EXPECTED
is() {
	[ "$2" = "$3" ] || die "$1: got '$2', expected '$3'"
	passed=$((passed + 1))
	echo "ok $passed - $1"
}
# soon WHAT EXPECTED COMMAND...: within 3 s
soon() {
	what=$1 expected=$2 tries=60
	shift 2
	while [ "$tries" -gt 0 ] && ! { got=$("$@" 2>&1) && [ "$got" = "$expected" ]; }; do
		tries=$((tries - 1))
		sleep 0.05
	done
	is "$what" "$got" "$expected"
}
ask() { dig +short +tries=1 +time=3 -p "$port" @127.0.0.1 "$@"; }
control() { "$ctl" -s "$dir/run/default/control.sock" "$@"; }
http() { curl -s -m 3 "http://127.0.0.1:$((port + $1))/$2"; }
logged() { grep -c -- "$1" "$dir/log" || true; }
worker() { cat "$dir/run/default/worker-socket.pid"; }
start() {
	"$lane53d" -no-xdp -conf "$dir/Corefile" -dns.port "$port" -state "$dir/state" \
		-run "$dir/run" >>"$dir/log" 2>&1 &
	pid=$!
	soon "ready${1:+ $1}" "${2:-1}" logged "^lane53d: ready"
}
stop() {
	kill -TERM "$pid"
	kill -TERM "$pid" # as timeout(1) does; once is enough
	code=0
	wait "$pid" || code=$?
	pid=
	is "SIGTERM ends it well" "$code" 0
}

cat >"$dir/hosts" <<-END
	192.0.2.1 one.test
	2001:db8::1 one.test
END
cat >"$dir/db.example.org" <<-END
	\$ORIGIN example.org.
	\$TTL 300
	@ SOA ns hostmaster 1 3600 600 86400 60
	@ NS ns
	ns A 192.0.2.53
	www A 192.0.2.80
	alias CNAME www
END
cat >"$dir/Corefile" <<-END
	. {
	    log
	    errors
	    health 127.0.0.1:$((port + 1)) {
	        lameduck 100ms
	    }
	    ready 127.0.0.1:$((port + 2))
	    prometheus 127.0.0.1:$((port + 3))
	    reload 2s 1s
	    hosts $dir/hosts {
	        fallthrough
	        reload 200ms
	    }
	    cache
	    forward . 127.0.0.1:$((port + 4))
	}
	example.org {
	    file $dir/db.example.org {
	        reload 200ms
	    }
	}
	sum.test {
	    errors {
	        consolidate 300ms "refused$" warning
	    }
	    forward . 127.0.0.1:$((port + 4))
	}
	auto.test {
	    auto {
	        directory $dir/zones
	        reload 200ms
	    }
	}
END
mkdir "$dir/zones"
: >"$dir/log"

start
is "hosts" "$(ask one.test)" 192.0.2.1
is "hosts, IPv6" "$(ask one.test AAAA)" 2001:db8::1
is "reverse" "$(ask -x 192.0.2.1)" one.test.
is "zone file, alias, TCP" "$(ask alias.example.org +tcp | tr '\n' ' ')" \
	"www.example.org. 192.0.2.80 "
is "health" "$(http 1 health)" OK
is "ready" "$(http 2 ready)" OK
polled() { http 3 metrics | awk '/^coredns_health_request_duration_seconds_count/ { print ($2 > 1) }'; }
soon "it asks itself" 1 polled
is "a log line" "$(logged 'INFO.*"AAAA IN one.test. udp .*NOERROR qr,aa,rd')" 1
is "and what it took" "$(logged 'AAAA IN one.test.* 0\.[0-9]*s$')" 1
is "metrics" "$(http 3 metrics | grep -c 'coredns_dns_requests_total{.*proto="tcp"')" 1

commits() { http 3 metrics | sed -n 's/^lane53_store_commit //p'; }
before=$(commits)
control record set default "new.test. 30 A 192.0.2.9" >/dev/null
is "a commit is counted" "$(commits)" $((before + 1))
is "a record set by hand" "$(ask new.test)" 192.0.2.9
control record set default "new.test. 30 A 192.0.2.7" "new.test. 30 A 192.0.2.8" \
	"new.test. 30 A 192.0.2.9" >/dev/null
control record delete default "new.test. A 192.0.2.7" "new.test. A 192.0.2.9" >/dev/null
is "two of three records of a name deleted at once" "$(ask new.test)" 192.0.2.8
control record delete default new.test. >/dev/null
dig -p "$port" @127.0.0.1 +tries=1 +time=7 new.test >"$dir/gone"
is "a record deleted, no upstream" "$(grep -c 'status: SERVFAIL' "$dir/gone")" 1
soon "a failure is logged with its cause" 1 \
	logged "^\[ERROR\] plugin/errors: 2 new.test. A: .*read udp 127.0.0.1:$((port + 4)): connection refused\$"
dig -p "$port" @127.0.0.1 +tries=1 +time=7 www.sum.test >"$dir/summed"
soon "errors alike are summed up" 1 \
	logged "^\[WARNING\] plugin/errors: 1 errors like 'refused\$' occurred in last 300ms\$"
is "and not told one by one" "$(logged 'www.sum.test. A:')" 0
control record set default "kept.test. 30 A 192.0.2.10" >/dev/null

echo "192.0.2.2 two.test" >>"$dir/hosts"
soon "a changed hosts file" 192.0.2.2 ask two.test
mv "$dir/hosts" "$dir/hosts.away"
degraded() { control --json status | grep -c "$1" || true; }
soon "a vanished hosts file is degraded" 1 degraded 'hosts: cannot be read.*last good'
control reload >/dev/null
is "and its names stay, over a reload too" "$(ask two.test)" 192.0.2.2
is "its records are still counted" \
	"$(http 3 metrics | grep -c "coredns_hosts_entries{hostsfile=\"$dir/hosts\"} [1-9]")" 1
mv "$dir/hosts.away" "$dir/hosts"
soon "it is back" 0 degraded "cannot be read"
is "and when it was read is told" \
	"$(http 3 metrics | grep -c '^coredns_hosts_reload_timestamp_seconds [1-9]')" 1
sed -i 's/SOA ns hostmaster 1/SOA ns hostmaster 2/; s/\.80/.81/' "$dir/db.example.org"
soon "a changed zone file" 192.0.2.81 ask www.example.org
echo "rubbish A 1.2" >>"$dir/db.example.org"
soon "a broken zone file is degraded" 1 \
	sh -c "'$ctl' -s '$dir/run/default/control.sock' --json status |
		grep -c 'db.example.org:8'"
is "and the last good records stay" "$(ask www.example.org)" 192.0.2.81

sed "s/www/name/; s/example.org/sub.auto.test/; /rubbish/d" "$dir/db.example.org" \
	>"$dir/zones/db.sub.auto.test"
soon "a zone file appears in a directory" 192.0.2.81 ask name.sub.auto.test
sed -i 's/hostmaster 2/hostmaster 3/; s/\.81/.82/' "$dir/zones/db.sub.auto.test"
soon "and changes" 192.0.2.82 ask name.sub.auto.test
mv "$dir/zones" "$dir/zones.away"
control reload >/dev/null
is "a directory that vanished is degraded" "$(degraded 'zones: cannot be read')" 1
is "and its zones stay" "$(ask name.sub.auto.test)" 192.0.2.82
mv "$dir/zones.away" "$dir/zones"
control reload >/dev/null
is "until it is back" "$(degraded 'cannot be read')" 0
rm "$dir/zones/db.sub.auto.test"
soon "and goes" 1 sh -c \
	"dig -p $port @127.0.0.1 name.sub.auto.test | grep -cE 'SERVFAIL|REFUSED'"

cp "$dir/Corefile" "$dir/good"
sed -i 's/  cache/  cachet/' "$dir/Corefile"
code=0
control reload >"$dir/reply" 2>&1 || code=$?
is "a bad Corefile is refused" "$code $(grep -c "did you mean 'cache'" "$dir/reply")" "1 1"
is "and the last good one stays" "$(ask one.test)" 192.0.2.1
sed 's/example.org {/example.org example.net {/' "$dir/good" >"$dir/Corefile"
kill -USR1 "$pid"
soon "SIGUSR1 reloads: a new zone is refused no more" 1 \
	sh -c "dig -p $port @127.0.0.1 x.example.net | grep -c SERVFAIL"
python3 -c "
import socket, time
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(('127.0.0.1', $((port + 6)))); s.listen(); time.sleep(1)" &
holder=$!
sleep 0.3
sed -i "s/prometheus .*/prometheus 127.0.0.1:$((port + 6))/" "$dir/Corefile"
control reload >/dev/null
is "a taken HTTP port is degraded" "$(degraded "cannot serve HTTP")" 1
wait "$holder"
tries=100
while [ "$tries" -gt 0 ] && [ "$(degraded "cannot serve HTTP")" = 1 ]; do
	tries=$((tries - 1))
	sleep 0.1
done
is "and served when it is free" "$(http 6 metrics | grep -c ^coredns_build_info)" 1
cp "$dir/good" "$dir/Corefile"
control reload >/dev/null

is "one view has another name" \
	"$(control trace kept.test --view ":$port" --json | jq -r .view)" ":$port"
printf 'only.test:%s {\n    whoami\n}\n' "$((port + 5))" >>"$dir/Corefile"
control reload >/dev/null
is "records set by hand outlive a second view" "$(ask kept.test)" 192.0.2.10
dig -p $((port + 5)) @127.0.0.1 +tries=1 other.test >"$dir/reply"
is "what meets no block is told under its address" "$(http 3 metrics |
	grep "^coredns_dns_responses_total{server=\"dns://:$((port + 5))\",zone=\"dropped\"" |
	sed 's/.*rcode=//')" '"REFUSED",plugin=""} 1'
is "and answers under the directive they came from" "$(http 3 metrics |
	sed -n 's/^coredns_dns_responses_total.*"NOERROR",plugin="\(.*\)"} [1-9].*/\1/p' | sort -u | xargs)" \
	"auto file hosts record"
code=0
control record set default "lost.test. 30 A 192.0.2.9" >"$dir/reply" 2>&1 || code=$?
is "of two views none is the default" "$code $(grep -c 'is not a view' "$dir/reply")" "1 1"
cp "$dir/good" "$dir/Corefile"

old=$(worker)
kill -9 "$old"
soon "a killed worker is started again" 192.0.2.1 ask one.test
is "its end is logged" "$(logged "pid $old) was killed by signal 9")" 1
kill -9 "$pid"
wait "$pid" 2>/dev/null || true
is "without lane53d the worker answers" "$(ask one.test)" 192.0.2.1
old=$(worker)
start "again" 2
is "the worker was adopted" "$(worker) $(logged "pid $old) adopted")" "$old 1"
is "records set by hand are kept" "$(ask kept.test)" 192.0.2.10

code=0
"$lane53d" -no-xdp -conf "$dir/Corefile" -state "$dir/state" -run "$dir/run" \
	>"$dir/second" 2>&1 || code=$?
is "a second one is refused" "$code $(grep -c 'runs already' "$dir/second")" "1 1"
stop
is "its workers ended with it" "$(ask one.test 2>&1 | grep -c 'refused')" 1

start "once more" 3
kill -9 "$pid"
wait "$pid" 2>/dev/null || true
old=$(worker)
head -c 8192 /dev/urandom >"$dir/state/default/store/data.mdb"
start "with a corrupt store" 4
is "hosts after that" "$(ask one.test)" 192.0.2.1
is "the worker that had the old store was replaced" \
	"$(logged "pid $old) is of another build, store")" 1
is "it was set aside" "$(ls -d "$dir"/state/default/store.bad-1 | wc -l)" 1
stop

code=0
"$lane53d" -check -conf "$dir/Corefile" >"$dir/reply" 2>&1 || code=$?
is "-check of a good Corefile" "$code" 0
echo ". { wombat }" >"$dir/Bad"
code=0
"$lane53d" -check -conf "$dir/Bad" >"$dir/reply" 2>&1 || code=$?
is "-check of a bad one" "$code $(grep -c "Bad:1: .*'wombat'" "$dir/reply")" "1 1"
code=0
"$lane53d" -wombat >"$dir/reply" 2>&1 || code=$?
is "a flag that is none" "$code" 2
is "-plugins" "$("$lane53d" -plugins | grep -c '^dns.forward$')" 1

cat >"$dir/Corefile" <<-END
	.:$port {
	    loop
	    forward . 127.0.0.1:$port
	}
END
code=0
timeout 20 "$lane53d" -no-xdp -conf "$dir/Corefile" -state "$dir/state" \
	-run "$dir/run" >"$dir/reply" 2>&1 || code=$?
is "forwarding to oneself" "$code $(grep -c 'FATAL.*plugin/loop' "$dir/reply")" "1 1"
echo "$passed passed"
