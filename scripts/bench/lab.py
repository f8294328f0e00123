# SPDX-License-Identifier: BSD-3-Clause
"""The benchmark's lab: one network namespace a system, one generator, one probe.

    gen ──g<i>══srv0── sys<i> ──srv1══p<i>── probe

Each system under test has a namespace of its own with the service address 10.54.<i>.1,
so all of them stay loaded and none sees another's traffic.  `gen` makes the load,
`probe` asks a few questions beside it.  close() undoes everything, in reverse order.
"""
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time


class LabError(Exception):
    """Something of the lab did not come up; the text says what and what to do."""


def sh(*argv, check=True, **kwargs):
    done = subprocess.run(argv, capture_output=True, text=True, **kwargs)
    if check and done.returncode:
        raise LabError(f"{' '.join(argv)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


class Lab:
    def __init__(self, cores):
        self.id = f"l53b{os.getpid()}"
        self.cores = cores
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="lane53-bench."))
        self._undo = [lambda: shutil.rmtree(self.dir, ignore_errors=True)]
        self._count = 0
        for place in ("gen", "probe"):
            self._namespace(place)

    def close(self):
        while self._undo:
            try:
                self._undo.pop()()
            except (LabError, OSError, subprocess.SubprocessError) as problem:
                print(f"bench: cleaning up: {problem}")

    def _namespace(self, place):
        name = f"{self.id}-{place}"
        sh("ip", "netns", "add", name)
        self._undo.append(lambda: sh("ip", "netns", "del", name))
        sh("ip", "-n", name, "link", "set", "lo", "up")

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
                sh("ip", "-n", where, "link", "set", dev, "up")
        sh("ip", "-n", f"{self.id}-probe", "route", "add", f"10.54.{i}.0/24", "via",
           f"10.55.{i}.1")
        # kxdpgun asks the neighbour table, and nothing answers ARP for a paused system.
        for where, dev, far, address in (
                ("gen", f"g{i}", (place, "srv0"), f"10.54.{i}.1"),
                (place, "srv0", ("gen", f"g{i}"), f"10.54.{i}.2"),
                ("probe", f"p{i}", (place, "srv1"), f"10.55.{i}.1"),
                (place, "srv1", ("probe", f"p{i}"), f"10.55.{i}.2")):
            sh("ip", "-n", f"{self.id}-{where}", "neigh", "replace", address, "lladdr",
               self.mac(*far), "dev", dev, "nud", "permanent")
        return i

    def mac(self, place, dev):
        words = sh("ip", "-n", f"{self.id}-{place}", "-o", "link", "show", dev).split()
        return words[words.index("link/ether") + 1]

    def argv(self, place, argv, cores=None):
        return ["nsenter", f"--net=/run/netns/{self.id}-{place}", "--", "taskset", "-c",
                cores or self.cores, *map(str, argv)]

    def run(self, place, argv, timeout, cores=None, check=True):
        done = subprocess.run(self.argv(place, argv, cores), capture_output=True, text=True,
                              timeout=timeout)
        if check and done.returncode:
            raise LabError(f"{argv[0]}: {(done.stderr or done.stdout).strip()[-400:]}")
        return done.stdout

    def start(self, place, argv, log, cores=None, env=None):
        """A process of the lab: ended, by its pid, when the lab closes."""
        out = open(self.dir / log, "wb")  # closed with the process, by the kernel
        process = subprocess.Popen(self.argv(place, argv, cores), stdout=out,
                                   stderr=subprocess.STDOUT, start_new_session=True,
                                   env={**os.environ, **(env or {})})
        out.close()
        self._undo.append(lambda: end(process))
        return process

    def undo(self, action):
        self._undo.append(action)


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


def wait_for(what, ready, seconds):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if ready():
            return
        time.sleep(0.05)
    raise LabError(f"{what} was not ready within {seconds} s")
