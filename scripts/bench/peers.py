# SPDX-License-Identifier: BSD-3-Clause
"""What lane53's users would otherwise run, each with the configuration its own
documentation recommends for speed; docs/benchmarks.md names the pages.
"""
import lab as labs
import names
from systems import System, Upstreamed, knot_conf, package_version


class Knot(System):
    name = "knot"
    what = "Knot DNS on sockets, authoritative"
    needs = ("knotd",)
    perf = True

    def prepare(self):
        names.write_zone(self.dir / "zone", self.count)

    def configure(self):
        self.spawn("knotd", "-c", self.write("knot.conf", self.conf()))

    def conf(self, xdp=""):
        return knot_conf(self, [f"{self.address}@53", f"{self.address6}@53"], xdp)

    def version(self):
        return package_version("knot")


class KnotXdp(Knot):
    name = "knot-xdp"
    what = "Knot DNS with its AF_XDP listener"
    perf = False

    def conf(self, xdp=""):
        return super().conf("xdp:\n    listen: srv0\n")


class Nsd(System):
    name = "nsd"
    what = "NSD, authoritative"
    needs = ("nsd",)
    perf = True

    def prepare(self):
        names.write_zone(self.dir / "zone", self.count)

    def configure(self):
        conf = self.write("nsd.conf", f"""server:
    ip-address: {self.address}
    ip-address: {self.address6}
    server-count: {self.threads}
    reuseport: yes
    username: ""
    zonesdir: "{self.dir}"
    pidfile: "{self.dir}/nsd.pid"
    database: ""
    xfrdfile: "{self.dir}/xfrd.state"
    zonelistfile: "{self.dir}/zone.list"
    rrl-ratelimit: 0
    minimal-responses: yes
remote-control:
    control-enable: no
zone:
    name: {names.ORIGIN}
    zonefile: zone
""")
        self.spawn("nsd", "-d", "-c", conf)

    def version(self):
        return package_version("nsd")


class Unbound(Upstreamed, System):
    name = "unbound"
    what = "Unbound, from its cache"
    needs = ("unbound", "knotd")
    perf = True
    warms = 1

    def configure(self):
        self.upstream()
        slabs = 1 << (self.threads - 1).bit_length()  # a power of 2 close to the threads
        conf = self.write("unbound.conf", f"""server:
    interface: {self.address}
    interface: {self.address6}
    access-control: 0.0.0.0/0 allow
    access-control: ::/0 allow
    do-not-query-localhost: no
    username: ""
    chroot: ""
    directory: "{self.dir}"
    pidfile: "{self.dir}/unbound.pid"
    use-syslog: no
    num-threads: {self.threads}
    so-reuseport: yes
    so-rcvbuf: 4m
    so-sndbuf: 4m
    msg-cache-slabs: {slabs}
    rrset-cache-slabs: {slabs}
    infra-cache-slabs: {slabs}
    key-cache-slabs: {slabs}
    msg-cache-size: 512m
    rrset-cache-size: 1g
    outgoing-range: 8192
    num-queries-per-thread: 4096
    minimal-responses: yes
    module-config: "iterator"
    domain-insecure: "{names.ORIGIN}"
remote-control:
    control-enable: no
forward-zone:
    name: "."
    forward-addr: 127.0.0.1@5300
""")
        self.spawn("unbound", "-d", "-p", "-c", conf)

    def version(self):
        return package_version("unbound")


class Dnsdist(Upstreamed, System):
    name = "dnsdist"
    what = "dnsdist, from its packet cache"
    needs = ("dnsdist", "knotd")
    perf = True
    warms = 1

    def configure(self):
        self.upstream()
        # one thread for each: the manual's way to more cores
        locals_ = "".join(f'addLocal("{at}:53", {{reusePort=true}})\n' for at in
                          (self.address, f"[{self.address6}]") for _ in range(self.threads))
        conf = self.write("dnsdist.conf", f"""setACL({{"0.0.0.0/0", "::/0"}})
{locals_}newServer({{address="127.0.0.1:5300", healthCheckMode="up"}})
pc = newPacketCache({max(10000, 2 * self.count)}, {{maxTTL=86400, numberOfShards=4}})
getPool(""):setCache(pc)
setRingBuffersSize(100)
""")
        self.spawn("dnsdist", "--supervised", "--disable-syslog", "-C", conf)

    def version(self):
        return package_version("dnsdist")


class Dnsmasq(System):
    name = "dnsmasq"
    what = "dnsmasq, from addn-hosts"
    needs = ("dnsmasq",)
    perf = True

    def prepare(self):
        names.write_hosts(self.dir / "hosts", self.count)

    def configure(self):
        self.spawn("dnsmasq", "-k", "--conf-file=/dev/null", "--no-resolv", "--no-hosts",
                   "--log-facility=-", "--user=root", f"--addn-hosts={self.dir}/hosts",
                   f"--listen-address={self.address}",
                   f"--listen-address={self.address6}", "--bind-interfaces", "--port=53",
                   "--local-ttl=3600", "--cache-size=10000", f"--pid-file={self.dir}/pid")

    def version(self):
        return package_version("dnsmasq-base")


class CoreDns(Upstreamed, System):
    name = "coredns"
    what = "CoreDNS, from its cache"
    needs = ("coredns", "knotd")
    perf = True
    warms = 1

    def configure(self):
        self.upstream()
        conf = self.write("Corefile", f""".:53 {{
    bind {self.address} {self.address6}
    multisocket {self.threads}
    cache 3600 {{
        success {max(9984, 2 * self.count)} 3600
    }}
    forward . 127.0.0.1:5300
}}
""")
        self.spawn("coredns", "-conf", conf, "-quiet", env={"GOMAXPROCS": str(self.threads)})

    def version(self):
        return labs.sh("coredns", "-version").split()[0]



PEERS = (CoreDns, Unbound, Knot, KnotXdp, Nsd, Dnsdist, Dnsmasq)
