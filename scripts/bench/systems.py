# SPDX-License-Identifier: BSD-3-Clause
"""The systems side by side, each with the configuration its own documentation
recommends for speed, serving the same names (names.py).

A system is started once, warmed, and then paused except in its own rounds: processes by
SIGSTOP.  Programs attached to its own interfaces see nothing then, for nothing is sent.
"""
import json
import os
import pathlib
import shutil
import signal
import subprocess

import lab as labs
import names

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = TOP / "build"


class System:
    name = "?"
    what = ""           # one line for the report
    needs = ()          # programs
    wants_wild = False  # asked for names that no table holds
    generic = False     # measured with sockets on the client's side only

    def __init__(self, lab, count, cores):
        self.lab, self.count, self.cores = lab, count, cores
        self.place = self.name
        self.processes = []
        self.i = 0

    # ---- to be filled in by each ----
    def configure(self):
        raise NotImplementedError

    def version(self):
        return ""

    # ---- common ----
    @classmethod
    def missing(cls):
        return [p for p in cls.needs if not (shutil.which(p) or pathlib.Path(p).exists())]

    @property
    def address(self):
        return f"10.54.{self.i}.1"

    @property
    def dir(self):
        path = self.lab.dir / self.name
        path.mkdir(exist_ok=True)
        return path

    def write(self, name, text):
        (self.dir / name).write_text(text)
        return self.dir / name

    def start(self):
        self.i = self.lab.add(self.place)
        self.configure()
        labs.wait_for(self.name, self.answers, 90)

    def spawn(self, *argv, env=None):
        process = self.lab.start(self.place, argv, f"{self.name}.log", self.cores, env)
        self.processes.append(process)
        return process

    def answers(self):
        if any(p.poll() is not None for p in self.processes):
            tail = (self.lab.dir / f"{self.name}.log").read_text(errors="replace")[-300:]
            raise labs.LabError(f"{self.name} ended: {tail.strip()}")
        return self.check_answers([self.count - 1])

    def check_answers(self, indices):
        """Are these hosts answered, and right?"""
        for i in indices:
            out = self.lab.run("probe", ["python3", TOP / "tests/lab/ask.py", self.address,
                                         names.host(i), "A", "--timeout", "0.5"],
                               10, check=False)
            want = bytes(map(int, names.address(i).split("."))).hex()
            if not (out.startswith("0 1") and want in out):
                return False
        return True

    def pids(self):
        return [pid for p in self.processes if p.poll() is None
                for pid in labs.family(p.pid)]

    def pause(self):
        self._signal(signal.SIGSTOP)

    def resume(self):
        self._signal(signal.SIGCONT)

    def _signal(self, number):
        for pid in self.pids():
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def counters(self):
        """What the system itself says of how it answered; {} if it cannot."""
        return {}

    def user_bytes(self):
        total = 0
        for pid in self.pids():
            try:
                text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
            except OSError:
                continue
            total += sum(int(line.split()[1]) * 1024 for line in text.splitlines()
                         if line.startswith("Pss:"))
        return total

    def kernel_bytes(self):
        return 0

    def run_ns(self):
        """(run_time_ns, run_cnt) of the XDP program on srv0, with bpf_stats on."""
        shown = json.loads(self.lab.run(self.place, ["bpftool", "-j", "net", "show", "dev", "srv0"],
                                        10, check=False) or "[]")
        ids = [x["id"] for part in shown for x in part.get("xdp", []) if "id" in x]
        if not ids:
            return None
        prog = json.loads(labs.sh("bpftool", "-j", "prog", "show", "id", str(ids[0])))
        return prog.get("run_time_ns", 0), prog.get("run_cnt", 0)


def package_version(package):
    done = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package],
                          capture_output=True, text=True, check=False)
    return done.stdout or "?"


# ---- the ceiling ----

class Reflector(System):
    name = "reflector"
    what = "bare XDP_TX: swaps addresses, looks nothing up"
    needs = ("clang", "ip")
    flavour = "xdpdrv"

    def configure(self):
        obj = self.dir / "reflector.o"
        labs.sh("clang", "-O2", "-g", "-target", "bpf", "-I/usr/include/x86_64-linux-gnu",
                "-c", str(pathlib.Path(__file__).with_name("reflector.bpf.c")), "-o", str(obj))
        # The probe's client has no XDP of its own: a native XDP_TX would not reach it.
        for dev, flavour in (("srv0", self.flavour), ("srv1", "xdpgeneric")):
            self.lab.run(self.place, ["ip", "link", "set", "dev", dev, flavour, "obj", obj,
                                      "sec", "xdp"], 10)

    def answers(self):
        return True

    def check_answers(self, indices):
        return True  # nothing to check: it echoes


class ReflectorGeneric(Reflector):
    name = "reflector-gen"
    what = "the same in generic (skb) mode"
    flavour = "xdpgeneric"
    generic = True


# ---- lane53 ----

class Lane53(System):
    needs = (str(BUILD / "control/lane53d"), "jq")
    mode = "native"
    flags = ()
    proves = ()  # outcomes of which 99 % of a round must be

    def corefile(self):
        raise NotImplementedError

    def configure(self):
        names.write_zone(self.dir / "zone", self.count, wildcard=True)
        self.start_before()
        conf = self.write("Corefile", self.corefile())
        self.instance = f"{self.lab.id}{self.i}"
        argv = [BUILD / "control/lane53d", "-conf", conf, "-name", self.instance,
                "-run", self.dir / "run", "-state", self.dir / "state", *self.flags]
        self.spawn(*argv)
        self.lab.undo(self.detach)

    def detach(self):
        self.resume()
        self.ctl("detach")

    def start_before(self):
        pass

    def head(self):
        return f"    bind {self.address}\n" + (
            f"    xdp srv0 {{\n        mode {self.mode}\n    }}\n    xdp srv1\n"
            if not self.flags else "")

    def ctl(self, *args):
        return self.lab.run(self.place, [
            BUILD / "control/lane53ctl", "-s",
            self.dir / "run" / self.instance / "control.sock", *args], 30)

    def pids(self):
        found = super().pids()
        for path in (self.dir / "run" / getattr(self, "instance", "?")).glob("worker-*.pid"):
            try:
                found.append(int(path.read_text()))
            except (OSError, ValueError):
                pass
        return list(dict.fromkeys(found))

    def counters(self):
        self.resume()
        return json.loads(self.ctl("stats", "--json"))["outcomes"]

    def version(self):
        return labs.sh(str(BUILD / "control/lane53d"), "-version").strip()

    def kernel_bytes(self):
        total = 0
        for path in pathlib.Path(f"/sys/fs/bpf/lane53/{self.instance}").glob("v*/*"):
            shown = subprocess.run(["bpftool", "-j", "map", "show", "pinned", str(path)],
                                   capture_output=True, text=True, check=False)
            if shown.returncode == 0 and shown.stdout.strip():
                total += int(json.loads(shown.stdout).get("bytes_memlock", 0))
        return total


class Lane53Local(Lane53):
    name = "lane53-local"
    what = "XDP, native, from the local-record table"
    proves = ("ANSWERED_LOCAL",)

    def corefile(self):
        return f"{names.ORIGIN}:53 {{\n{self.head()}    file {self.dir}/zone\n}}\n"


class Lane53Generic(Lane53Local):
    name = "lane53-auto"
    what = "XDP, mode auto (generic on veth), from the local-record table"
    mode = "auto"
    generic = True


class Lane53Lane(Lane53Local):
    name = "lane53-lane"
    what = "over the lane, DPDK worker, from its zone store (names no table holds)"
    proves = ("FROM_LANE",)
    wants_wild = True


class Lane53Socket(Lane53Local):
    name = "lane53-socket"
    what = "lane53d -no-xdp: the socket worker"
    flags = ("-no-xdp",)
    proves = ()

    def counters(self):
        return {}


class Upstreamed:
    """Mixin: a Knot on 127.0.0.1:5300 of the system's namespace holds the names."""

    def upstream(self):
        if not (self.dir / "zone").exists():
            names.write_zone(self.dir / "zone", self.count)
        conf = self.write("upstream.conf", knot_conf(self, "127.0.0.1@5300"))
        self.spawn("knotd", "-c", conf)


class Lane53Cache(Upstreamed, Lane53):
    name = "lane53-cache"
    what = "XDP, native, from the cache table (names came from an upstream)"
    needs = Lane53.needs + ("knotd",)
    proves = ("ANSWERED_CACHE",)

    def start_before(self):
        self.upstream()

    def corefile(self):
        return (f".:53 {{\n{self.head()}    cache 3600 {{\n        success {2 * self.count}"
                f" 3600\n    }}\n    forward . 127.0.0.1:5300\n}}\n")


# ---- the others ----

def knot_conf(system, listen, xdp=""):
    return f"""server:
    rundir: "{system.dir}"
    listen: [ "{listen}" ]
    udp-workers: 2
{xdp}log:
  - target: stderr
    any: warning
database:
    storage: "{system.dir}"
zone:
  - domain: {names.ORIGIN}
    storage: "{system.dir}"
    file: zone
    zonefile-sync: -1
    journal-content: none
"""


class Knot(System):
    name = "knot"
    what = "Knot DNS on sockets, authoritative"
    needs = ("knotd",)

    def configure(self):
        names.write_zone(self.dir / "zone", self.count)
        self.spawn("knotd", "-c", self.write("knot.conf", knot_conf(self, f"{self.address}@53")))

    def version(self):
        return package_version("knot")


class KnotXdp(Knot):
    name = "knot-xdp"
    what = "Knot DNS with its AF_XDP listener"

    def configure(self):
        names.write_zone(self.dir / "zone", self.count)
        xdp = "xdp:\n    listen: srv0\n"
        self.spawn("knotd", "-c",
                   self.write("knot.conf", knot_conf(self, f"{self.address}@53", xdp)))


class Nsd(System):
    name = "nsd"
    what = "NSD, authoritative"
    needs = ("nsd",)

    def configure(self):
        names.write_zone(self.dir / "zone", self.count)
        conf = self.write("nsd.conf", f"""server:
    ip-address: {self.address}
    server-count: 2
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

    def configure(self):
        self.upstream()
        conf = self.write("unbound.conf", f"""server:
    interface: {self.address}
    access-control: 0.0.0.0/0 allow
    do-not-query-localhost: no
    username: ""
    chroot: ""
    directory: "{self.dir}"
    pidfile: "{self.dir}/unbound.pid"
    use-syslog: no
    num-threads: 2
    so-reuseport: yes
    so-rcvbuf: 4m
    so-sndbuf: 4m
    msg-cache-slabs: 2
    rrset-cache-slabs: 2
    infra-cache-slabs: 2
    key-cache-slabs: 2
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

    def configure(self):
        self.upstream()
        conf = self.write("dnsdist.conf", f"""setACL("0.0.0.0/0")
addLocal("{self.address}:53", {{reusePort=true}})
addLocal("{self.address}:53", {{reusePort=true}})
newServer({{address="127.0.0.1:5300", healthCheckMode="up"}})
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

    def configure(self):
        names.write_hosts(self.dir / "hosts", self.count)
        self.spawn("dnsmasq", "-k", "--conf-file=/dev/null", "--no-resolv", "--no-hosts",
                   "--no-daemon", "--user=root", f"--addn-hosts={self.dir}/hosts",
                   f"--listen-address={self.address}", "--bind-interfaces", "--port=53",
                   "--local-ttl=3600", "--cache-size=10000", f"--pid-file={self.dir}/pid")

    def version(self):
        return package_version("dnsmasq-base")


class CoreDns(Upstreamed, System):
    name = "coredns"
    what = "CoreDNS, from its cache"
    needs = ("coredns", "knotd")

    def configure(self):
        self.upstream()
        conf = self.write("Corefile", f""".:53 {{
    bind {self.address}
    multisocket 2
    cache 3600 {{
        success {max(9984, 2 * self.count)} 3600
    }}
    forward . 127.0.0.1:5300
}}
""")
        self.spawn("coredns", "-conf", conf, "-quiet", env={"GOMAXPROCS": "2"})

    def version(self):
        return labs.sh("coredns", "-version").split()[0]


ALL = (Reflector, ReflectorGeneric, Lane53Local, Lane53Cache, Lane53Lane, Lane53Generic,
       Lane53Socket, CoreDns, Unbound, Knot, KnotXdp, Nsd, Dnsdist, Dnsmasq)
