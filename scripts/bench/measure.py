# SPDX-License-Identifier: BSD-3-Clause
"""What is measured of systems that run: each function returns plain data for the report.

Rounds are interleaved: one round of each system, then the next of each.  A system is
resumed for its round and paused after it.  What goes wrong in a round is kept in it.
"""
import contextlib
import json
import os
import pathlib
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import lab as labs
import load
import names

EQUAL_RATE = 20_000    # queries/s: every system can do it
PROBE_RATE = 2_000     # queries/s of the latency probe, beside the load
DISTINCT_RATE = 400_000
CLIENTS = (1, 10, 100, 1000)
TROUBLE = (labs.LabError, OSError, subprocess.SubprocessError, KeyError)

# name of a shape: (kind of questions, IPv6?)
SHAPES = {"uniform": ("uniform", False), "Zipf": ("zipf", False), "10 % NXDOMAIN":
          ("nxdomain", False), "A and AAAA": ("mixed", False), "EDNS": ("edns", False),
          "IPv6": ("uniform", True)}


def say(*words):
    print("bench:", *words, flush=True)


@contextlib.contextmanager
def awake(system):
    system.resume()
    try:
        yield
    finally:
        system.pause()


def rate_of(system, rate):
    """Distinct questions are asked no faster than a file can hold them."""
    return min(rate, DISTINCT_RATE) if system.kind == "distinct" else rate


def warm(lab, running):
    """Ask for every name, as often as a cache needs, all systems at once."""
    def one(system):
        path = lab.dir / f"all-{system.count}"
        for _ in range(system.warms):
            load.dnsperf(lab, system, path, 600, once=True, cores=all_cores())

    needy = [s for s in running if s.warms]
    if not needy:
        return
    names.write_all(lab.dir / f"all-{needy[0].count}", needy[0].count)
    for system in needy:
        system.resume()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(one, needy))
    for system in needy:
        system.pause()


def all_cores():
    return ",".join(map(str, sorted(os.sched_getaffinity(0))))


# ---- flat out ----

def gun_round(lab, args, system, shape, number):
    kind, ipv6 = SHAPES[shape]
    rate = rate_of(system, load.FLAT_OUT)
    queries = system.queries(kind, rate * args.seconds)
    with awake(system):
        before = system.counters()
        sampler = load.Sampler(lab, system, number, args.seconds - 0.1, load.GUN_STARTS_S)
        sampler.start()
        got = load.kxdpgun(lab, system, queries, rate, args.seconds, ipv6)
        got["samples"] = sampler.verdict()
        after = system.counters()
    if system.proves:
        got["share"] = system.proof(before, after, got["answered"])
    got["counters"] = {k: after[k] - before.get(k, 0) for k in after
                       if after[k] != before.get(k, 0)}
    return got


def perf_round(lab, args, system, number, clients=None):
    queries = system.queries("uniform", 0)
    with awake(system):
        before = system.counters()
        sampler = load.Sampler(lab, system, number, args.seconds)
        sampler.start()
        got = load.dnsperf(lab, system, queries, args.seconds,
                           **({"clients": clients, "outstanding": clients} if clients else {}))
        got["samples"] = sampler.verdict()
        after = system.counters()
    if system.proves:
        got["share"] = system.proof(before, after, got["answered"])
    return got


def flat_out(lab, args, running, what, one_round, rounds=None):
    """{system: [round, ...]}, interleaved."""
    rows = {s.name: [] for s in running}
    rounds = rounds or args.rounds
    for number in range(rounds):
        for system in running:
            try:
                got = one_round(system, number)
            except TROUBLE as problem:
                got = {"rate": 0.0, "answered": 0, "sent": 0, "problem": str(problem),
                       "samples": {"asked": 0, "answered": 0, "wrong": 0}}
            rows[system.name].append(got)
            say(f"{what} {number + 1}/{rounds} {system.name}: {got['rate']:,.0f}/s"
                + (f"  {100 * got['share']:.1f} % its way" if "share" in got else "")
                + (f"  {got['samples']['wrong']} WRONG" if got["samples"]["wrong"] else "")
                + (f"  {got['problem']}" if "problem" in got else ""))
    return rows


def guns(lab, args, running, shape="uniform", rounds=None):
    return flat_out(lab, args, [s for s in running if s.gun], f"kxdpgun, {shape},",
                    lambda s, n: gun_round(lab, args, s, shape, n), rounds)


def perfs(lab, args, running):
    return flat_out(lab, args, [s for s in running if s.perf], "dnsperf",
                    lambda s, n: perf_round(lab, args, s, n))


def clients(lab, args, running):
    """{clients: {system: [round]}}: closed loop, one query on its way per client."""
    chosen = [s for s in running if s.perf]
    return {count: flat_out(lab, args, chosen, f"{count} clients,",
                            lambda s, n, c=count: perf_round(lab, args, s, n, c), 1)
            for count in CLIENTS}


# ---- latency ----

def probe_round(lab, system, rate, seconds):
    """One paced probe on a second client beside kxdpgun at @rate."""
    window = seconds + 1
    queries = system.queries("uniform", int(rate * window))
    probe = system.queries("uniform", PROBE_RATE * seconds) if system.kind == "distinct" \
        else queries
    with awake(system), load.Background(lab, system, queries, rate, window) as gun:
        got = load.dnsperf(lab, system, probe, seconds, rate=PROBE_RATE, place="probe",
                           verbose=True)
    sent = gun.got["sent"]
    return {**{f"p{p:g}": load.percentile(got["latency_us"], p / 100)
               for p in (50, 90, 99, 99.9)},
            "probed": len(got["latency_us"]), "rate": rate,
            "lost": 1 - gun.got["answered"] / sent if sent else 1.0}


def latency(lab, running, capacity, rounds, seconds):
    """{system: {share or "equal": [round, ...]}}; @rounds: {share: how many}."""
    chosen = [s for s in running if s.gun and capacity.get(s.name)]
    found = {s.name: {} for s in chosen}
    for share, count in rounds.items():
        for number in range(count):
            for system in chosen:
                rate = EQUAL_RATE if share == "equal" else capacity[system.name] * share
                try:
                    got = probe_round(lab, system, rate, seconds)
                except TROUBLE as problem:
                    got = {"problem": str(problem)}
                found[system.name].setdefault(str(share), []).append(got)
                say(f"latency at {share} {number + 1}/{count} {system.name}: " + (
                    f"p50 {got['p50']:.0f}, p99 {got['p99']:.0f}, p99.9 {got['p99.9']:.0f} us"
                    if "p50" in got else got["problem"]))
    return found


# ---- CPU ----

def cpu_round(lab, system, seconds):
    """
    us of CPU per query, the whole machine's, at the equal rate.  By dnsperf: kxdpgun
    spins between its batches, and would hide what is done on its core.
    """
    end = f"g{system.i}"
    queries = system.queries("uniform", EQUAL_RATE * (seconds + 2))
    lab.run("gen", ["ip", "-force", "link", "set", "dev", end, "xdpdrv", "obj", lab.bpf("pass"),
                    "sec", "xdp"], 10)
    try:
        with awake(system), ThreadPoolExecutor(1) as pool:
            load_ = pool.submit(load.dnsperf, lab, system, queries, seconds + 1, EQUAL_RATE)
            time.sleep(0.5)
            began, idle = time.monotonic(), load.idle_seconds()
            time.sleep(seconds)
            wall, idle = time.monotonic() - began, load.idle_seconds() - idle
            got = load_.result()
    finally:
        lab.run("gen", ["ip", "link", "set", "dev", end, "xdpdrv", "off"], 10)
    if got["rate"] < 0.9 * EQUAL_RATE:
        raise labs.LabError(f"{got['rate']:,.0f} of {EQUAL_RATE:,} answered a second")
    return (wall * os.cpu_count() - idle) / (got["rate"] * wall) * 1e6


def cpu(lab, running, rounds, seconds):
    chosen = [s for s in running if s.name != "testpmd"]  # it polls
    found = {s.name: [] for s in chosen}
    for number in range(rounds):
        for system in chosen:
            try:
                found[system.name].append(cpu_round(lab, system, seconds))
                say(f"cpu {number + 1}/{rounds} {system.name}: "
                    f"{found[system.name][-1]:.1f} us/query")
            except TROUBLE as problem:
                say(f"cpu {system.name}: {problem}")
    return found


def idle_share(system, seconds=3):
    """CPU of all its processes while nobody asks anything, of one core."""
    with awake(system):
        time.sleep(0.5)
        before = load.run_seconds(system.pids())
        time.sleep(seconds)
        return (load.run_seconds(system.pids()) - before) / seconds


def run_time(lab, system):
    """ns per run of the XDP program under live load, with kernel.bpf_stats."""
    path = pathlib.Path("/proc/sys/kernel/bpf_stats_enabled")
    old = path.read_text()
    rate = rate_of(system, load.FLAT_OUT)
    queries = system.queries("uniform", rate)
    try:
        path.write_text("1")
        with awake(system):
            before = system.run_ns()
            load.kxdpgun(lab, system, queries, rate, 1)
            after = system.run_ns()
    except TROUBLE:
        return None
    finally:
        path.write_text(old)
    if not before or not after or after[1] == before[1]:
        return None
    return (after[0] - before[0]) / (after[1] - before[1])


# ---- a million records ----

def until_answered_by_xdp(system, began, asked=100):
    """Seconds from @began until @asked hosts, spread over all, are answered by XDP."""
    step = max(1, system.count // asked)
    for _ in range(1200):
        before = system.counters()["ANSWERED_LOCAL"]
        right = 0
        for i in range(0, step * asked, step):
            got = system.client.ask(names.host(i))
            right += bool(got) and system.is_right(*got, names.address(i))
        if right == asked and system.counters()["ANSWERED_LOCAL"] - before >= asked:
            return time.monotonic() - began
        if system.lab.stopping.is_set():
            break
        time.sleep(0.05)
    raise labs.LabError(f"{right} of {asked} hosts answered, not all by XDP, after a minute")


def change_record(system, number):
    """
    ms from the request on the control socket to the first new answer, and to the first
    one asked for after the daemon said that it is published: that one is XDP's.
    """
    i = system.count // 2
    fresh = f"192.0.2.{number + 1}"
    request = json.dumps({"op": "record", "action": "set", "records": [
        f"{names.host(i)}. 3600 IN A {fresh}"]}) + "\n"
    found, reply = {}, None
    with socket.socket(socket.AF_UNIX) as control:
        control.connect(str(system.dir / "run" / system.instance / "control.sock"))
        control.setblocking(False)
        began = time.monotonic()
        control.sendall(request.encode())
        while "xdp_ms" not in found:
            if time.monotonic() > began + 5:
                raise labs.LabError("a changed record was not seen within 5 s")
            with contextlib.suppress(BlockingIOError):
                reply = reply or json.loads(control.recv(65536))
            got = system.client.ask(names.host(i), timeout=0.001)
            if got and system.is_right(*got, fresh):
                seen = (time.monotonic() - began) * 1e3
                found.setdefault("new_ms", seen)
                if reply:
                    found["xdp_ms"] = seen
    if not reply.get("ok"):
        raise labs.LabError(f"record set: {reply.get('error')}")
    return found


def change(system, times=20):
    system.resume()
    try:
        time.sleep(0.5)
        return [change_record(system, number) for number in range(times)]
    finally:
        system.pause()
