# SPDX-License-Identifier: BSD-3-Clause
"""The benchmark's lab: one network namespace a system, one generator, one probe.

    gen ──g<i>══srv0── sys<i> ──srv1══p<i>── probe

Each system under test has a namespace of its own with the service address 10.54.<i>.1,
so all of them stay loaded and none sees another's traffic.  `gen` makes the load,
`probe` asks a few questions beside it.  close() undoes everything, in reverse order; what a
run left that was killed before it could, sweep() removes.
"""
import contextlib
import ctypes
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
PREFIX = "l53b"  # of everything with a name: namespaces, instances; a pid follows
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class LabError(Exception):
    """Something of the lab did not come up; the text says what and what to do."""


def sh(*argv, check=True, **kwargs):
    done = subprocess.run(argv, capture_output=True, text=True, **kwargs)
    if check and done.returncode:
        raise LabError(f"{' '.join(argv)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


class Lab:
    """Nothing exists before begin(); close() is right at any time after the constructor."""

    def __init__(self, cores):
        self.id = f"{PREFIX}{os.getpid()}"
        self.cores = cores
        self.dir = None
        self._undo = []
        self._count = 0
        self._running = set()
        self.stopping = threading.Event()  # waits end early

    def begin(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix=f"lane53-bench.{os.getpid()}."))
        self._undo.append(lambda: shutil.rmtree(self.dir, ignore_errors=True))
        for place in ("gen", "probe"):
            self._namespace(place)

    def stop(self):
        """End what is waited for, in all threads: called when a signal comes."""
        self.stopping.set()
        for process in list(self._running):
            process.kill()

    def close(self):
        """Undo everything.  A second Ctrl-C is not heard: it would leave things behind."""
        heard = {number: signal.signal(number, signal.SIG_IGN) for number in SIGNALS}
        self.stop()
        while self._undo:
            try:
                self._undo.pop()()
            except (LabError, OSError, subprocess.SubprocessError) as problem:
                print(f"bench: cleaning up: {problem}", flush=True)
        for number, handler in heard.items():
            signal.signal(number, handler)

    def _namespace(self, place):
        name = f"{self.id}-{place}"
        self._undo.append(lambda: end_namespace(name))
        sh("ip", "netns", "add", name)
        sh("ip", "-n", name, "link", "set", "lo", "up")
        # Nothing of the kernel's own on the links: a packet sent by another core can take
        # the softirq of a link there, and the rows would not have the same cores any more.
        sh("nsenter", f"--net=/run/netns/{name}", "sysctl", "-qw",
           "net.ipv6.conf.default.addr_gen_mode=1",
           "net.ipv6.conf.default.router_solicitations=0")
        return name

    def add(self, place):
        """Namespace and links of one system.  Returns its number i."""
        self._count += 1
        i = self._count
        self._namespace(place)
        for peer, end, net, at in (("gen", f"g{i}", 54, "srv0"),
                                   ("probe", f"p{i}", 55, "srv1")):
            ns, other = f"{self.id}-{place}", f"{self.id}-{peer}"
            sh("ip", "link", "add", at, "netns", ns, "type", "veth",
               "peer", "name", end, "netns", other)
            for where, dev, host in ((ns, at, 1), (other, end, 2)):
                sh("ip", "-n", where, "addr", "add", f"10.{net}.{i}.{host}/24", "dev", dev)
                sh("ip", "-n", where, "addr", "add", f"fd{net}:{i}::{host}/64", "dev", dev,
                   "nodad")
                sh("ip", "-n", where, "link", "set", dev, "multicast", "off", "up")
        sh("ip", "-n", f"{self.id}-probe", "route", "add", f"10.54.{i}.0/24", "via",
           f"10.55.{i}.1")
        sh("ip", "-n", f"{self.id}-probe", "-6", "route", "add", f"fd54:{i}::/64", "via",
           f"fd55:{i}::1")
        self._neighbours("gen", f"g{i}", place, "srv0", 54, i)
        self._neighbours("probe", f"p{i}", place, "srv1", 55, i)
        return i

    def _neighbours(self, client, dev, place, end, net, i):
        # kxdpgun asks the neighbour table, and nothing answers ARP for a paused system.
        for where, at, far, host in ((client, dev, (place, end), 1),
                                     (place, end, (client, dev), 2)):
            mac = self.mac(*far)
            for address in (f"10.{net}.{i}.{host}", f"fd{net}:{i}::{host}"):
                sh("ip", "-n", f"{self.id}-{where}", "neigh", "replace", address, "lladdr",
                   mac, "dev", at, "nud", "permanent")

    def add_upstream(self, place, i):
        """A namespace beside @place that is on-link there: 10.56.<i>.2.  Returns it."""
        name = f"{place}-up"
        self._namespace(name)
        sh("ip", "link", "add", "up0", "netns", f"{self.id}-{place}", "type", "veth",
           "peer", "name", "srv0", "netns", f"{self.id}-{name}")
        for where, dev, host in ((place, "up0", 1), (name, "srv0", 2)):
            sh("ip", "-n", f"{self.id}-{where}", "addr", "add", f"10.56.{i}.{host}/24",
               "dev", dev)
            sh("ip", "-n", f"{self.id}-{where}", "link", "set", dev, "up")
        return name

    def ifindex(self, place, dev):
        return int(sh("ip", "-n", f"{self.id}-{place}", "-o", "link", "show",
                      dev).split(":", 1)[0])

    def socket_in(self, place, family=socket.AF_INET, kind=socket.SOCK_DGRAM):
        """A socket of ours that lives in the namespace of @place."""
        with open("/proc/thread-self/ns/net", "rb") as home, \
                open(f"/run/netns/{self.id}-{place}", "rb") as there:
            if LIBC.setns(there.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), f"cannot enter the namespace {place}")
            try:
                return socket.socket(family, kind)
            finally:
                LIBC.setns(home.fileno(), CLONE_NEWNET)

    def statistics(self, place, dev):
        """The counters that the driver of @dev keeps."""
        told = self.run(place, ["ethtool", "-S", dev], 10, check=False)
        return {key: int(value) for key, value in re.findall(r"(\w+): (\d+)", told)}

    def wait_for(self, what, ready, seconds):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self.stopping.is_set():
                raise LabError(f"{what}: stopped")
            if ready():
                return
            time.sleep(0.05)
        raise LabError(f"{what} was not ready within {seconds} s")

    def mac(self, place, dev):
        words = sh("ip", "-n", f"{self.id}-{place}", "-o", "link", "show", dev).split()
        return words[words.index("link/ether") + 1]

    def argv(self, place, argv, cores=None):
        return ["nsenter", f"--net=/run/netns/{self.id}-{place}", "--", "taskset", "-c",
                cores or self.cores, *map(str, argv)]

    def popen(self, place, argv, cores=None):
        """A process with an end: finish() it."""
        process = subprocess.Popen(self.argv(place, argv, cores), stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        self._running.add(process)
        if self.stopping.is_set():
            process.kill()
        return process

    def finish(self, process, timeout, check=True):
        """Wait for it.  Returns what it wrote."""
        try:
            out, problem = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        finally:
            self._running.discard(process)
        if check and process.returncode:
            raise LabError(f"{process.args[5]}: {(problem or out).strip()[-400:]}")
        return out

    def run(self, place, argv, timeout, cores=None, check=True):
        return self.finish(self.popen(place, argv, cores), timeout, check)

    def start(self, place, argv, log, cores=None, env=None):
        """A process of the lab: ended, by its pid, when the lab closes."""
        out = open(self.dir / log, "wb")  # the process has a copy
        process = subprocess.Popen(self.argv(place, argv, cores), stdin=subprocess.PIPE,
                                   stdout=out, stderr=subprocess.STDOUT,
                                   start_new_session=True,
                                   env={**os.environ, **(env or {})})
        out.close()
        self._undo.append(lambda: end(process))
        return process

    def undo(self, action):
        self._undo.append(action)

    def bpf(self, name, *defines):
        """The lab's program @name, compiled."""
        out = self.dir / f"{'-'.join((name, *defines))}.o"
        if not out.exists():
            part = f"{out}.{threading.get_ident()}"  # several may want it at once
            sh("clang", "-O2", "-g", "-target", "bpf",
               f"-I/usr/include/{os.uname().machine}-linux-gnu", *defines, "-c",
               str(HERE / f"{name}.bpf.c"), "-o", part)
            os.replace(part, out)
        return out


def end(process):
    """A process and the children it forked: they share the session it was given."""
    for number in (signal.SIGCONT, signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        if number == signal.SIGTERM:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                pass
            time.sleep(0.1)  # its children see their parent go
    process.wait()


def family(pid):
    """@pid and its descendants."""
    pids = [pid]
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            pids += family(int(path.parent.name))
    return pids


def end_pid(pid, word):
    """A process that is not our child, if it is still there: @word is in its arguments."""
    try:
        if word.encode() not in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes():
            return
    except OSError:
        return
    for number in (signal.SIGCONT, signal.SIGTERM, signal.SIGKILL):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        time.sleep(0.2 if number == signal.SIGTERM else 0)


def end_namespace(name):
    """With whatever still runs inside: a daemon stopped at its start may just have forked."""
    for pid in sh("ip", "netns", "pids", name, check=False).split():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
    sh("ip", "netns", "del", name, check=False)


# ---- what a killed run left behind ----

def is_running(pid):
    """Is it a benchmark still, of this tree or another?"""
    try:
        return b"python" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def sweep():
    """
    Remove what runs left that were killed: only what bears their pid in its name.  Returns
    the namespaces removed, and the pids of benchmarks that still run.
    """
    left, others = [], set()
    for path in sorted(pathlib.Path("/run/netns").glob(f"{PREFIX}[0-9]*-*")):
        pid = int(re.match(rf"{PREFIX}(\d+)-", path.name)[1])
        if is_running(pid):
            others.add(pid)
            continue
        end_namespace(path.name)
        for pins in (*pathlib.Path("/sys/fs/bpf/lane53").glob(f"{PREFIX}{pid}*"),
                     pathlib.Path(f"/sys/fs/bpf/{PREFIX}{pid}-echo")):
            shutil.rmtree(pins, ignore_errors=True)
        for files in pathlib.Path(tempfile.gettempdir()).glob(f"lane53-bench.{pid}.*"):
            shutil.rmtree(files, ignore_errors=True)
        left.append(path.name)
    return left, others
