# SPDX-License-Identifier: BSD-3-Clause
# corefile.sh - the configuration most lab tests use; to be sourced after node.sh.

# A zone with one of everything that local records can do.
lab_local_zone() {
	cat >"$LAB_DIR/lab.zone" <<-END
		\$ORIGIN lab.example.
		\$TTL 300
		@	SOA	ns hostmaster 1 7200 1800 86400 60
		@	NS	ns
		@	MX	10 mail
		ns	A	$LAB_SERVICE
		www	A	192.0.2.1
		www	AAAA	2001:db8::1
		mail	A	192.0.2.2
		two	A	192.0.2.3
		two	A	192.0.2.4
		alias	CNAME	www
		chain	CNAME	alias
		away	CNAME	host-3.up.example.
		*.wild	A	192.0.2.5
		deep.empty	TXT	"under an empty non-terminal"
		_dns._udp	SRV	0 5 53 ns
		text	TXT	"one" "two"
		old	DNAME	new
		host.new	A	192.0.2.6
		sub	NS	ns.sub
		ns.sub	A	192.0.2.7
	END
	awk 'BEGIN { for (i = 1; i <= 60; i++) printf "big A 203.0.113.%d\n", i }' >>"$LAB_DIR/lab.zone"
}

# lab_corefile: hosts and a zone file before an upstream, one view, XDP on vc.
lab_corefile() {
	lab_local_zone
	cat >"$LAB_DIR/Corefile" <<-END
		lab.example:53 {
		    bind $LAB_SERVICE $LAB_SERVICE6
		    xdp vc
		    file $LAB_DIR/lab.zone {
		        reload 0
		    }
		    forward . $LAB_UPSTREAM
		    cache 60
		}
		.:53 {
		    bind $LAB_SERVICE $LAB_SERVICE6
		    hosts {
		        192.0.2.10   printer.home.example
		        2001:db8::10 printer.home.example
		        fallthrough
		    }
		    cache 60
		    forward . $LAB_UPSTREAM
		    chaos lane53-lab
		    prometheus 127.0.0.1:9153
		    health 127.0.0.1:8080
		    ready 127.0.0.1:8181
		}
	END
}

# lab_begin: the lab, its upstream, and lane53d with this configuration, ready.
lab_begin() {
	lab_require_root
	lab_up
	lab_upstream
	lab_corefile
	lab_lane53
}
