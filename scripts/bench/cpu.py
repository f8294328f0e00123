# SPDX-License-Identifier: BSD-3-Clause
"""CPU: per query at an equal rate, of idle processes, and the way from core to core."""
import os
import pathlib
import statistics
import time

import lab as labs
import load
from common import TROUBLE, awake, say, trouble

QUIET = 0.03      # of a core: what others may use in a round on the cores we leave free
LOUD = 0.15       # of a core: no quieter round was found, and this one does not count
TRIES = 5         # rounds until one was quiet
SPARE = 1         # of these more than one, for each round asked for: time is short
BESIDE = 2        # systems between two rounds of the reflector
NEAR = 4          # rounds of the reflector, before and after, that a round is held against


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
                              seconds + 0.6, rate, 8, 200, 1, 1)
        process = lab.popen("gen", argv)
        time.sleep(0.3)
        with Window(lab) as window:
            time.sleep(seconds)
        got = load.perf_read(lab.finish(process, 30))
    if got["rate"] < 0.95 * rate:
        raise labs.LabError(f"{got['rate']:,.0f} of {rate:,} answered a second")
    return {"us": window.busy / (got["rate"] * window.wall) * 1e6, "others": window.others}


class Rounds:
    """Takes rounds, and again what was disturbed; the line of them is in the order taken."""

    def __init__(self, lab, rate, seconds, spare):
        self.lab, self.rate, self.seconds, self.spare = lab, rate, seconds, spare
        self.line = []  # (name, round)

    def quiet(self, system):
        """The first round in which nobody else used the machine, or the quietest."""
        found = [one_round(self.lab, system, self.rate, self.seconds)]
        while found[-1]["others"] > QUIET and len(found) < TRIES and self.spare > 0:
            self.spare -= 1
            found.append(one_round(self.lab, system, self.rate, self.seconds))
        return min(found, key=lambda one: one["others"])

    def take(self, system, what):
        try:
            got = self.quiet(system)
        except TROUBLE as problem:
            say(f"{what} {system.name}: {problem}")
            return
        self.line.append((system.name, got))
        say(f"{what} {system.name}: {got['us']:.2f} us/query, whole machine" + (
            f"  (others used {got['others']:.0%} of a core)" if got["others"] > LOUD else ""))


def per_query(lab, running, rounds, seconds, rate):
    """
    {"rate", "rounds": {system: [{us, others, above}]}}: each one's rounds stand between
    rounds of the reflector, and `above` is what it took more than the nearest of those, their
    median.  The reflector's own `above` is against the others around it: the noise.
    """
    base = next((s for s in running if s.name == "reflector"), None)
    others = [s for s in running if s not in (base,) and s.name != "testpmd"]  # that polls
    found = {"rate": rate, "seconds": seconds, "rounds": {s.name: [] for s in running
                                                          if s in (base, *others)}}
    if not base:
        return found
    taken = Rounds(lab, rate, seconds, SPARE * rounds * len(others))
    try:
        for system in (base, *others):
            with_pass(lab, system, "on")
        for number in range(rounds):
            what = f"cpu {number + 1}/{rounds}"
            for at, system in enumerate(others):
                if at % BESIDE == 0:
                    taken.take(base, what)
                taken.take(system, what)
        taken.take(base, what)
    finally:
        for system in (base, *others):
            with_pass(lab, system, "off")
    pair(taken.line, found["rounds"])
    return found


def pair(line, rounds):
    """Sort the rounds of @line by system into @rounds, and set `above` in the quiet ones."""
    limit = LOUD
    if sum(one["others"] <= limit for name, one in line if name == "reflector") < 3:
        limit = max((one["others"] for _, one in line), default=0)
        trouble("others used the machine in all rounds of CPU per query",
                "stop them and run again: these rows say more of them than of the systems")
    at = [i for i, (name, one) in enumerate(line)
          if name == "reflector" and one["others"] <= limit]
    for i, (name, one) in enumerate(line):
        near = [line[j][1]["us"] for j in sorted((j for j in at if j != i),
                                                 key=lambda j: abs(j - i))[:NEAR]]
        if near and one["others"] <= limit:
            one["above"] = one["us"] - statistics.median(near)
        rounds[name].append(one)


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
