# SPDX-License-Identifier: BSD-3-Clause
"""A system under test; the ceilings; lane53's rows.  The others are in peers.py.

A system is started once, warmed, and then paused except in its own rounds: processes by
SIGSTOP.  Programs attached to its own interfaces see nothing then, for nothing is sent.
"""
import itertools
import json
import os
import pathlib
import shutil
import signal
import subprocess
import threading
import time

import lab as labs
import load
import names

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("LAB_BUILD", TOP / "build"))
FILES = threading.Lock()  # two rounds may want the same file
START_S = 240  # a million names into the slowest of them, on a busy machine


class System:
    name = "?"
    what = ""           # one line for the report
    needs = ()          # programs
    kind = "uniform"    # of questions (names.KINDS), or "distinct": never twice the same
    gun = True          # measured with kxdpgun, as XDP's clients with a driver of their own
    perf = False        # measured with dnsperf, as ordinary clients
    warms = 0           # how often each name is asked before the first round
    proves = ()         # counters of which 99 % of a round must be (Lane53.counters())
    settle_s = 0        # from SIGCONT to being itself again
    baseline = "reflector"
    cores_needed = 1
    own_queries = None  # --queries

    def __init__(self, lab, count, cores):
        self.lab, self.count, self.cores = lab, count, cores
        self.place = self.name
        self.processes = []
        self.i = 0
        self.load_s = None
        self._files = itertools.count()
        self.client = None
        self.gone = ""  # why it is not measured any more

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
    def address6(self):
        return f"fd54:{self.i}::1"

    @property
    def threads(self):
        """Of a server that is told how many: one a core."""
        return len(self.cores.split(","))

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
        self.client = load.Client(self.lab, "probe", self)
        self.lab.undo(self.client.close)
        self.prepare()
        began = time.monotonic()
        self.configure()
        self.lab.wait_for(self.name, self.answers, START_S)
        self.load_s = time.monotonic() - began

    def prepare(self):
        """Write what is read at the start: not part of the time to load."""

    def spawn(self, *argv, env=None):
        process = self.lab.start(self.place, argv, f"{self.name}.log", self.cores, env)
        self.processes.append(process)
        return process

    def answers(self):
        """Is it up?  It is when the last of its names is answered, and right."""
        if self.ended():
            raise labs.LabError(self.ended())
        got = self.client.ask(names.host(self.count - 1))
        return bool(got) and self.is_right(*got, names.address(self.count - 1))

    def ended(self):
        """Which of its processes is not there any more, and its last words; or ""."""
        for process in self.processes:
            if process.poll() is None:
                continue
            tail = self.log.read_text(errors="replace").strip().splitlines()[-2:]
            return f"{pathlib.Path(process.args[5]).name} ended with {process.returncode}" + (
                f" ({' / '.join(tail)[-300:]})" if tail else "")
        return ""

    @property
    def log(self):
        return self.lab.dir / f"{self.name}.log"

    def sample(self, rng):
        """A name to ask about during a round, and its address."""
        i = rng.randrange(self.count)
        return names.host(i), names.address(i)

    def is_right(self, query, response, address):
        return load.is_right(query, response, address)

    def queries(self, kind, lines):
        """A file of questions; one for "distinct" is used for one round only."""
        if self.kind == "distinct":
            path = self.dir / "queries"
            names.write_distinct(path, f"{next(self._files)}", int(lines))
            return path
        if self.kind == "wild":
            kind = "wild"
        elif self.own_queries:
            return self.own_queries
        path = self.lab.dir / f"queries-{kind}-{self.count}"
        with FILES:
            if not path.exists():
                names.write_queries(path, self.count, max(self.count, 10_000), kind)
        return path

    def configurations(self):
        """{file or "command": text}: what it runs with."""
        found = {p.name: p.read_text(errors="replace") for p in sorted(self.dir.glob("*"))
                 if p.name == "Corefile" or p.suffix == ".conf"}
        found["command"] = "\n".join(" ".join(p.args[5:]) for p in self.processes)
        return found

    def pids(self):
        return [pid for p in self.processes if p.poll() is None
                for pid in labs.family(p.pid)]

    def pause(self):
        self._signal(signal.SIGSTOP)

    def resume(self):
        self._signal(signal.SIGCONT)
        time.sleep(self.settle_s)

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
        """{map: bytes}"""
        return {}

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


# ---- the ceilings ----

class Ceiling(System):
    """Nothing is looked up: the right answer is the question with QR set."""
    needs = ("clang", "ip", "bpftool")

    def answers(self):
        if self.ended():
            raise labs.LabError(self.ended())
        got = self.client.ask("anything." + names.ORIGIN)
        return bool(got) and self.is_right(*got, None)

    def is_right(self, query, response, address):
        return response[12:] == query[12:] and bool(response[2] & 0x80)


class Reflector(Ceiling):
    name = "reflector"
    what = "bare XDP_TX, native: swaps addresses, looks nothing up"
    flavour = "xdpdrv"

    def configure(self):
        obj = self.lab.bpf("reflector")
        # The probe's client has no XDP of its own: a native XDP_TX would not reach it.
        for dev, flavour in (("srv0", self.flavour), ("srv1", "xdpgeneric")):
            self.lab.run(self.place, ["ip", "link", "set", "dev", dev, flavour, "obj", obj,
                                      "sec", "xdp"], 10)


class ReflectorGeneric(Reflector):
    name = "reflector-gen"
    what = "the same in generic (skb) mode"
    baseline = "reflector-gen"
    flavour = "xdpgeneric"
    gun = False
    perf = True


class Testpmd(Ceiling):
    name = "testpmd"
    what = "DPDK testpmd, io mode, behind a lane like lane53's: turned round, sent back"
    needs = Ceiling.needs + ("dpdk-testpmd",)
    cores_needed = 2

    def configure(self):
        ns = f"{self.lab.id}-{self.place}"
        labs.sh("ip", "-n", ns, "link", "add", "lane_a", "mtu", "1600", "type", "veth",
                "peer", "name", "lane_b", "mtu", "1600")
        for end in ("lane_a", "lane_b"):
            self.lab.run(self.place, ["sysctl", "-qw", f"net.ipv6.conf.{end}.disable_ipv6=1"], 10)
            labs.sh("ip", "-n", ns, "link", "set", end, "arp", "off", "multicast", "off", "up")
        obj = self.lab.bpf("echo", f"-DLANE_IFINDEX={self.lab.ifindex(self.place, 'lane_a')}")
        pins = pathlib.Path(f"/sys/fs/bpf/{self.lab.id}-echo")
        labs.sh("bpftool", "prog", "loadall", str(obj), str(pins))
        self.lab.undo(lambda: shutil.rmtree(pins, ignore_errors=True))
        for dev, how, program in (("srv0", "xdpdrv", "echo_entry"),
                                  ("srv1", "xdpgeneric", "echo_entry"),
                                  ("lane_a", "xdpgeneric", "echo_return")):
            self.lab.run(self.place, ["bpftool", "net", "attach", how, "pinned",
                                      pins / program, "dev", dev], 10)
        first, *others = self.cores.split(",")
        self.spawn("dpdk-testpmd", f"--lcores=0@{first},1@{others[-1] if others else first}",
                   "--no-pci", "--no-huge", "--no-shconf", "--no-telemetry", "-m", "256",
                   f"--file-prefix={self.lab.id}", "--log-level=critical",
                   "--vdev=net_af_xdp0,iface=lane_b,busy_budget=0", "--",
                   "--forward-mode=io", "--port-topology=loop", "--auto-start", "--burst=64",
                   "--rxd=2048", "--txd=2048", "--total-num-mbufs=8191", "--no-mlockall",
                   "--max-pkt-len=1614", env={"LIBXDP_SKIP_DISPATCHER": "1",
                                              "RUNTIME_DIRECTORY": str(self.dir)})

    def version(self):
        return package_version("dpdk-dev")


# ---- lane53 ----

# What a query that came to XDP may end as; of these a row's own way must be 99 %.
ENDS = ("ANSWERED_LOCAL", "ANSWERED_CACHE", "ANSWERED_TRUNCATED", "TO_LANE",
        "PASSED_NO_WORKER", "PASSED_NO_ROOM", "PASSED_DISABLED")


class Lane53(System):
    needs = (str(BUILD / "control/lane53d"),)
    mode = "native"
    ends = ("srv1",)  # the probe's side
    flags = ()
    workers = 1  # threads on the lane
    settle_s = 0.3  # the worker's heart beats every 100 ms

    def body(self):
        """The server block's own lines."""
        return [f"file {self.dir}/zone"]

    def zones(self):
        return names.ORIGIN

    def prepare(self):
        names.write_zone(self.dir / "zone", self.count, wildcard=True)
        attach = [f"    xdp srv0 {{\n        mode {self.mode}\n    }}"] + [
            f"    xdp {end}" for end in self.ends]
        self.write("Corefile", "\n".join(
            [f"{self.zones()}:53 {{", f"    bind {self.address} {self.address6}"]
            + ([] if self.flags else attach)
            + ["    " + line for line in self.body()] + ["}", ""]))

    def configure(self):
        self.instance = f"{self.lab.id}{self.i}"
        self.lab.undo(self.detach)
        self.spawn(BUILD / "control/lane53d", "-conf", self.dir / "Corefile", "-name",
                   self.instance, "-run", self.dir / "run", "-state", self.dir / "state",
                   *self.flags, *(("-workers", self.workers) if self.workers > 1 else ()))

    @property
    def pins(self):
        return pathlib.Path("/sys/fs/bpf/lane53") / self.instance

    def detach(self):
        """The daemon removes its traces itself; what it could not, we do."""
        self.resume()
        workers = self.worker_pids()
        try:
            self.ctl("detach")
            self.processes[0].wait(5)
        except (labs.LabError, subprocess.SubprocessError, IndexError):
            if self.processes:
                labs.end(self.processes[0])
        for pid in workers:
            labs.end_pid(pid, self.instance)
        shutil.rmtree(self.pins, ignore_errors=True)

    def ctl(self, *args):
        return self.lab.run(self.place, [
            BUILD / "control/lane53ctl", "-s",
            self.dir / "run" / self.instance / "control.sock", *args], 30)

    def worker_pids(self):
        found = []
        for path in (self.dir / "run" / getattr(self, "instance", "?")).glob("worker-*.pid"):
            try:
                found.append(int(path.read_text()))
            except (OSError, ValueError):
                pass
        return found

    def pids(self):
        return list(dict.fromkeys(super().pids() + self.worker_pids()))

    def counters(self):
        shown = json.loads(self.ctl("stats", "--json"))
        found = dict(shown["outcomes"])
        for worker in shown["workers"]:
            for key, value in worker.items():
                if isinstance(value, int):
                    found[f"{worker['io']}.{key}"] = value
        return found

    def proof(self, before, after, answered):
        """The share of the round's queries that took the way the row is named for."""
        grown = {key: after[key] - before.get(key, 0) for key in after}
        came = sum(grown.get(end, 0) for end in ENDS)
        return sum(grown.get(name, 0) for name in self.proves) / came if came else 0.0

    def version(self):
        return labs.sh(str(BUILD / "control/lane53d"), "-version").strip()

    def kernel_bytes(self):
        found = {}
        for path in self.pins.glob("v*/*"):
            shown = subprocess.run(["bpftool", "-j", "map", "show", "pinned", str(path)],
                                   capture_output=True, text=True, check=False)
            if shown.returncode == 0 and shown.stdout.strip():
                found[path.name] = int(json.loads(shown.stdout).get("bytes_memlock", 0))
        return found


class Lane53Local(Lane53):
    name = "lane53-local"
    what = "XDP, native, from the local-record table"
    proves = ("ANSWERED_LOCAL",)


class Lane53Auto(Lane53):
    name = "lane53-auto"
    what = "XDP, mode auto (generic on veth), from the local-record table"
    proves = ("ANSWERED_LOCAL",)
    mode = "auto"
    gun = False
    perf = True
    baseline = "reflector-gen"


class Lane53Lane(Lane53):
    name = "lane53-lane"
    what = "over the lane: the DPDK worker, from its zone store (names no table holds)"
    proves = ("TO_LANE",)
    kind = "wild"

    def sample(self, rng):
        return f"x{rng.randrange(self.count)}.wild.{names.ORIGIN}", names.WILD


class Lane53Socket(Lane53):
    name = "lane53-socket"
    what = "lane53d -no-xdp: the socket worker"
    flags = ("-no-xdp",)
    proves = ("socket.queries_udp",)
    perf = True

    def proof(self, before, after, answered):
        # every answer is the socket worker's, unless somebody else gave it
        grown = after[self.proves[0]] - before[self.proves[0]]
        return min(1.0, grown / answered) if answered else 0.0


def knot_conf(system, listen, xdp=""):
    return f"""server:
    rundir: "{system.dir}"
    listen: [ {', '.join(f'"{at}"' for at in listen)} ]
    udp-workers: {system.threads}
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


class Upstreamed:
    """Mixin: a Knot on 127.0.0.1:5300 of the system's namespace holds the names."""

    def prepare(self):
        super().prepare()
        if not (self.dir / "zone").exists():
            names.write_zone(self.dir / "zone", self.count)

    def upstream(self):
        conf = self.write("upstream.conf", knot_conf(self, ["127.0.0.1@5300"]))
        self.spawn("knotd", "-c", conf)


class Lane53Cache(Upstreamed, Lane53):
    name = "lane53-cache"
    what = "XDP, native, from the cache table (names came from an upstream)"
    needs = Lane53.needs + ("knotd",)
    proves = ("ANSWERED_CACHE",)
    warms = 3  # admitted to XDP at the second

    def zones(self):
        return "."

    def body(self):
        return ["cache 3600 {", f"    success {max(9984, self.count * 9 // 8)} 3600", "}",
                "forward . 127.0.0.1:5300"]

    def configure(self):
        super().configure()
        self.upstream()


class Lane53Upstream(Lane53):
    name = "lane53-upstream"
    what = "over the lane and on to an upstream: names never asked before"
    ends = ("srv1", "up0")
    proves = ("TO_LANE",)
    kind = "distinct"

    def zones(self):
        return "."

    def body(self):
        return ["cache", f"forward . 10.56.{self.i}.2"]

    def prepare(self):
        super().prepare()
        place = self.lab.add_upstream(self.place, self.i)
        self.lab.run(place, ["ip", "link", "set", "dev", "srv0", "xdpgeneric", "obj",
                             self.lab.bpf("upstream"), "sec", "xdp"], 10)

    def answers(self):
        if self.ended():
            raise labs.LabError(self.ended())
        got = self.client.ask("start.wild." + names.ORIGIN)
        return bool(got) and self.is_right(*got, names.WILD)

    def sample(self, rng):
        return f"s{rng.randrange(1 << 40)}.wild.{names.ORIGIN}", names.WILD
