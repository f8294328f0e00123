# SPDX-License-Identifier: BSD-3-Clause
"""CPU: per query at an equal rate, of idle processes, and the way from core to core."""
import os
import pathlib
import statistics
import time

import lab as labs
import load
from common import TROUBLE, awake, say, trouble

LOUD = 0.15       # of a core: where others use more, a round is taken again
AGAIN = 5         # times a pass: time is short
BESIDE = 2        # systems between two rounds of the reflector


def idle_seconds(path="/proc/stat"):
    """Idle time per core (kept to the ns under NO_HZ, unlike busy time, told in ticks)."""
    with open(path, encoding="ascii") as stat:
        rows = [line.split() for line in stat if line.startswith("cpu")]
    tick = os.sysconf("SC_CLK_TCK")
    return {row[0][3:]: (int(row[4]) + int(row[5])) / tick for row in rows}


def idle_edge():
    """(wall, idle per core) at a moment when the sum moves on: better than its 10 ms."""
    before = idle_seconds()
    until = time.monotonic() + 0.05
    while (now := idle_seconds())[""] == before[""] and time.monotonic() < until:
        time.sleep(0.0002)
    return time.monotonic(), now


class Window:
    """Busy seconds between enter and leave: of the whole machine, and of the others."""

    def __init__(self, lab):
        self.ours = set(lab.cores.split(","))

    def __enter__(self):
        self.began, self.before = idle_edge()
        return self

    def __exit__(self, kind, value, trace):
        ended, after = idle_edge()
        self.wall = ended - self.began
        busy = {core: self.wall - after[core] + self.before[core]
                for core in after if core in self.before and core}
        total = self.wall * len(busy) - after[""] + self.before[""]
        self.busy = total
        self.others = sum(s for core, s in busy.items() if core not in self.ours) / self.wall


def one_round(lab, system, rate, seconds):
    """
    us of CPU per query, the whole machine's.  By dnsperf on one thread: kxdpgun spins
    between its batches, and would hide what is done on its core.
    """
    with awake(system):
        argv = load.perf_argv(system, system.queries("uniform", rate * (seconds + 1)),
                              seconds + 0.4, rate, 8, 200, 1, 1)
        process = lab.popen("gen", argv)
        time.sleep(0.25)
        with Window(lab) as window:
            time.sleep(seconds)
        got = load.perf_read(lab.finish(process, 30))
    if got["rate"] < 0.95 * rate:
        raise labs.LabError(f"{got['rate']:,.0f} of {rate:,} answered a second")
    return {"us": window.busy / (got["rate"] * window.wall) * 1e6, "others": window.others}


def per_query(lab, running, passes, seconds, rate):
    """
    {"rate", "seconds", "rounds": {system: [{us, others, at}]}}: in each pass one round of
    every system, and of the reflector before every second one; @at counts those.
    """
    base = next((s for s in running if s.name == "reflector"), None)
    others = [s for s in running if s not in (base,) and s.name != "testpmd"]  # that polls
    rounds = {s.name: [] for s in running if s in (base, *others)}
    found = {"rate": rate, "seconds": seconds, "rounds": rounds}
    if not base:
        return found
    line = [s for at, system in enumerate(others)
            for s in ([base, system] if at % BESIDE == 0 else [system])]
    spare = AGAIN * passes
    try:
        for system in (base, *others):
            with_pass(lab, system, "on")
        for number in range(passes):
            for at, system in enumerate(line):
                got = take(lab, system, rate, seconds, at)
                while got and got[-1]["others"] > LOUD and spare > 0 and len(got) < 3:
                    spare -= 1
                    got += take(lab, system, rate, seconds, at)
                rounds[system.name] += got
                say(f"cpu {number + 1}/{passes} {system.name}: " + (
                    f"{min(one['us'] for one in got):.2f} us/query, whole machine"
                    if got else "no figure"))
    finally:
        for system in (base, *others):
            with_pass(lab, system, "off")
    loud = [one["others"] for got in rounds.values() for one in got]
    if loud and statistics.median(loud) > LOUD:
        trouble(f"others used {statistics.median(loud):.0%} of a core while CPU was measured",
                "stop them and run again, if the spread of these rows is too large")
    return found


def take(lab, system, rate, seconds, at):
    """A round, in a list: or none."""
    try:
        return [{**one_round(lab, system, rate, seconds), "at": at}]
    except TROUBLE as problem:
        say(f"cpu {system.name}: {problem}")
        return []


def with_pass(lab, system, switch):
    """A native XDP_TX arrives only at an end that runs XDP itself: dnsperf's gets some."""
    argv = ["ip", "-force", "link", "set", "dev", f"g{system.i}", "xdpdrv"]
    argv += ["off"] if switch == "off" else ["obj", lab.bpf("pass"), "sec", "xdp"]
    lab.run("gen", argv, 10, check=switch == "on")


# ---- processes ----

def run_seconds(pids):
    """CPU time of processes in ns resolution, from the scheduler's own clock."""
    total = 0
    for pid in pids:
        for path in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"):
            try:
                total += int(path.read_text(encoding="ascii").split()[0])
            except (OSError, ValueError, IndexError):
                pass
    return total / 1e9


def idle_share(system, seconds=3):
    """CPU of all its processes while nobody asks anything, of one core."""
    with awake(system):
        time.sleep(0.5)
        before = run_seconds(system.pids())
        time.sleep(seconds)
        return (run_seconds(system.pids()) - before) / seconds


# ---- from core to core ----

class CorePair:
    """How long a cache line takes between the first two cores, in ns; see corepair.c."""

    def __init__(self, lab):
        self.cores = lab.cores.split(",")[:2]
        self.program = lab.dir / "corepair"
        if len(self.cores) == 2:
            labs.sh("clang", "-O2", "-pthread", "-o", str(self.program),
                    str(labs.HERE / "corepair.c"))

    def ns(self):
        if len(self.cores) < 2:
            return None
        told = labs.sh(str(self.program), *self.cores, check=False, timeout=5).strip()
        return float(told) if told else None
