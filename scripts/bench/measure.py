# SPDX-License-Identifier: BSD-3-Clause
"""What is measured of systems that run: each function returns plain data for the report.

Rounds are interleaved: one round of each system, then the next of each.  A system is
resumed for its round and paused after it.  What goes wrong in a round is kept in it.
"""
import contextlib
import json
import math
import os
import pathlib
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import figures
import lab as labs
import load
import names
from common import TROUBLE, awake, say, trouble

EQUAL_RATE = 20_000    # queries/s: every system can do it
PROBE_RATE = 2_000     # queries/s of the latency probe, beside the load
DISTINCT_RATE = 400_000
OUTSTANDING = 2_000    # of an open loop: with many more dnsperf itself is slow to start
CLIENTS = (1, 10, 100, 1000)

# name of a shape: (kind of questions, IPv6?)
SHAPES = {"uniform": ("uniform", False), "Zipf": ("zipf", False), "10 % NXDOMAIN":
          ("nxdomain", False), "A and AAAA": ("mixed", False), "EDNS": ("edns", False),
          "IPv6": ("uniform", True)}


def rate_of(system, rate):
    """Distinct questions are asked no faster than a file can hold them."""
    return min(rate, DISTINCT_RATE) if system.kind == "distinct" else rate


def warm(lab, running):
    """Ask for every name, as often as a cache needs, all systems at once."""
    def one(system):
        path = lab.dir / f"all-{system.count}"
        for _ in range(system.warms):
            load.ask_all(lab, system, path, all_cores())

    needy = [s for s in running if s.warms]
    if not needy:
        return
    names.write_all(lab.dir / f"all-{needy[0].count}", needy[0].count)
    for system in needy:
        system.resume()
    with ThreadPoolExecutor(4) as pool:
        for system, done in [(s, pool.submit(one, s)) for s in needy]:
            try:
                done.result()
            except TROUBLE as problem:
                trouble(f"{system.name} was not warmed: {problem}",
                        "its first rounds are of a cold cache: run again")
    for system in needy:
        system.pause()


def all_cores():
    return ",".join(map(str, sorted(os.sched_getaffinity(0))))


# ---- one after the other ----

def in_turn(jobs):
    """
    Run jobs, each with a function to call when its load is over: then the next begins,
    while this one still waits for its generator.  kxdpgun sends nothing in the second
    after its start and waits for a second after its end; two of these overlap so.
    """
    with ThreadPoolExecutor(2) as pool:
        done = []
        for job in jobs:
            over = threading.Event()
            done.append(pool.submit(job, over.set))
            done[-1].add_done_callback(lambda _, over=over: over.set())
            over.wait()
        for one in done:
            one.result()


def interleave(running, what, rounds, one_round, tell):
    """{system: [round, ...]}: one round of each, then the next of each."""
    rows = {s.name: [] for s in running}

    def job(system, number, over):
        try:
            got = one_round(system, number, over)
        except TROUBLE as problem:
            got = {"problem": str(problem)}
        rows[system.name].append(got)
        say(f"{what} {number + 1}/{rounds} {system.name}: {got.get('problem') or tell(got)}")

    in_turn([lambda over, s=system, n=number: job(s, n, over)
             for number in range(rounds) for system in running])
    return rows


# ---- flat out ----

def gun_round(lab, args, system, shape, number, over):
    kind, ipv6 = SHAPES[shape]
    rate = rate_of(system, load.FLAT_OUT)
    queries = system.queries(kind, rate * args.seconds)
    with awake(system):
        before = system.counters()
        sampler = load.Sampler(lab, system, number, args.seconds - 0.1)
        with load.Background(lab, system, queries, rate, args.seconds, ipv6,
                             load.GUN_STARTS_S - 0.3) as gun:
            pair_ns = [lab.pair.ns()]  # just before and just after: it does not last
            time.sleep(0.3)
            sampler.start()
            time.sleep(args.seconds)
            pair_ns.append(lab.pair.ns())
            over()
        got = gun.got
        got["samples"] = sampler.verdict()
        got["pair_ns"] = pair_ns
        after = system.counters()
    proved(system, before, after, got)
    judged(system, got, "kxdpgun")
    return got


def proved(system, before, after, got):
    if system.proves:
        got["share"] = system.proof(before, after, got["answered"])
    got["counters"] = {k: after[k] - before.get(k, 0) for k in after
                       if after[k] != before.get(k, 0)}


def judged(system, got, generator):
    """What is wrong with a round is told at once."""
    if got["samples"]["wrong"]:
        trouble(f"{system.name} gave wrong answers under load",
                "its row says how many of the samples; do not use its rate")
    if not got["answered"]:
        trouble(f"{system.name} answered nothing to {generator}",
                f"read logs/{system.name}.log beside the report")
    elif got.get("uncounted", 0) > figures.UNCOUNTED * got["answered"]:
        trouble(f"{generator} dropped more than {figures.UNCOUNTED:.0%} of the answers of "
                f"{system.name}", "add the share in the notes to its rate, or give more cores")


def perf_round(lab, args, system, number, over, **how):
    """@how: arguments of load.dnsperf()."""
    queries = system.queries("uniform", DISTINCT_RATE)
    with awake(system):
        before = system.counters()
        sampler = load.Sampler(lab, system, number, args.seconds)
        sampler.start()
        got = load.dnsperf(lab, system, queries, args.seconds, **how)
        over()
        got["samples"] = sampler.verdict()
        after = system.counters()
    proved(system, before, after, got)
    judged(system, got, "dnsperf")
    return got


def told_rate(got):
    return (f"{got['rate']:,.0f}/s"
            + (f"  {100 * got['share']:.1f} % its way" if "share" in got else "")
            + (f"  {got['samples']['wrong']} WRONG" if got["samples"]["wrong"] else ""))


def guns(lab, args, running, shape="uniform", rounds=None):
    return interleave([s for s in running if s.gun], f"kxdpgun, {shape},",
                      rounds or args.rounds,
                      lambda s, n, over: gun_round(lab, args, s, shape, n, over), told_rate)


def perfs(lab, args, running):
    return interleave([s for s in running if s.perf], "dnsperf", args.rounds,
                      lambda s, n, over: perf_round(lab, args, s, n, over), told_rate)


def clients(lab, args, running, rounds):
    """{clients: {system: [round]}}: closed loop, one query on its way per client."""
    chosen = [s for s in running if s.perf]
    # one query that is lost must not stop a lone client for the round
    return {count: interleave(
        chosen, f"{count} clients,", rounds, lambda s, n, over, c=count: perf_round(
            lab, args, s, n, over, clients=c, outstanding=c, timeout_s=0.1), told_rate)
        for count in CLIENTS}


def cores(lab, args, running, number, rounds):
    """Closed loop with as many threads as cores: kxdpgun has one, for the link's one queue."""
    return interleave(running, f"{number} cores, dnsperf,", rounds, lambda s, n, over: perf_round(
        lab, args, s, n, over, clients=8 * number, outstanding=200 * number, threads=number,
        timeout_s=0.1), told_rate)


# ---- latency ----

def probe(lab, system, queries, seconds):
    """A paced dnsperf on a second client.  Returns p50 to p99.9, and how many were asked."""
    got = load.dnsperf(lab, system, queries, seconds, rate=PROBE_RATE, place="probe",
                       verbose=True)
    return {**{f"p{p:g}": load.percentile(got["latency_us"], p / 100)
               for p in (50, 90, 99, 99.9)}, "probed": len(got["latency_us"])}


def gun_probe(lab, system, rate, seconds, over):
    """The probe beside kxdpgun at @rate."""
    window = seconds + 1
    queries = system.queries("uniform", int(rate * window))
    asked = system.queries("uniform", PROBE_RATE * seconds) if system.kind == "distinct" \
        else queries
    with awake(system):
        with load.Background(lab, system, queries, rate, window) as gun:
            got = probe(lab, system, asked, seconds)
            time.sleep(0.3)  # kxdpgun's end is not the probe's
            over()
    return paced(got, gun.got, rate, window)


def perf_probe(lab, system, rate, seconds, over):
    """The probe beside dnsperf in open loop at @rate: sockets can do it, generic mode too."""
    queries = system.queries("uniform", 0)
    window = seconds + 0.5
    with awake(system):
        process = lab.popen("gen", load.perf_argv(system, queries, window, rate, 8, OUTSTANDING,
                                                  0.2, 2))
        time.sleep(0.2)
        got = probe(lab, system, queries, seconds)
        load_ = load.perf_read(lab.finish(process, 30))
        over()
    return {**paced(got, load_, rate, window), "answered_rate": load_["rate"]}


def paced(got, load_, rate, seconds):
    sent = load_["sent"]
    return {**got, "rate": rate, "sent_rate": sent / seconds,
            "lost": max(0, 1 - load_["answered"] / sent) if sent else 1.0}


def told_latency(got):
    return (f"p50 {got['p50']:.0f}, p99 {got['p99']:.0f}, p99.9 {got['p99.9']:.0f} us, "
            f"lost {got['lost']:.1%}")


def beside(chosen, capacity, rounds, what, one_round):
    """{system: {share or "equal": [round, ...]}}; @rounds: {share: how many}."""
    found = {s.name: {} for s in chosen}
    for share, count in rounds.items():
        rows = interleave(chosen, f"{what} at {share}", count, lambda s, n, over, share=share:
                          one_round(s, EQUAL_RATE if share == "equal"
                                    else capacity[s.name] * share, over), told_latency)
        for name, got in rows.items():
            found[name][str(share)] = got
            for one in got:
                if one.get("sent_rate", math.inf) < 0.9 * one.get("rate", 0):
                    trouble(f"the generator sent {one['sent_rate']:,.0f}/s of "
                            f"{one['rate']:,.0f}/s asked, to {name}",
                            "the latency is that of the lower rate: use a quieter machine")
    return found


def latency(lab, running, capacity, rounds, seconds):
    """Beside kxdpgun."""
    return beside([s for s in running if s.gun and capacity.get(s.name)], capacity, rounds,
                  "latency", lambda s, rate, over: gun_probe(lab, s, rate, seconds, over))


def open_loop(lab, running, capacity, rounds, seconds):
    """Beside dnsperf in open loop: what of a steady rate is answered, and how late."""
    return beside([s for s in running if s.perf and capacity.get(s.name)], capacity, rounds,
                  "open loop", lambda s, rate, over: perf_probe(lab, s, rate, seconds, over))


# ---- XDP ----

def run_time(lab, system):
    """ns per run of the XDP program under live load, with kernel.bpf_stats."""
    path = pathlib.Path("/proc/sys/kernel/bpf_stats_enabled")
    old = path.read_text(encoding="ascii")
    rate = rate_of(system, load.FLAT_OUT)
    try:
        queries = system.queries("uniform", rate)
        path.write_text("1", encoding="ascii")
        with awake(system):
            before = system.run_ns()
            load.kxdpgun(lab, system, queries, rate, 1)
            after = system.run_ns()
    except TROUBLE as problem:
        say(f"ns per run of {system.name}: {problem}")
        return None
    finally:
        path.write_text(old, encoding="ascii")
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
            raise labs.LabError("stopped")
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
