#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Measure lane53 and what its users would otherwise run, side by side in one run.

See docs/benchmarks.md for what each figure means and how it is taken.
"""
import argparse
import os
import pathlib
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

import cpu
import lab as labs
import load
import measure
import names
import peers
import systems
import target
from common import TROUBLE, TROUBLES, say, section, trouble

ALL = (systems.Reflector, systems.ReflectorGeneric, systems.Testpmd, systems.Lane53Local,
       systems.Lane53Cache, systems.Lane53Lane, systems.Lane53Upstream, systems.Lane53Auto,
       systems.Lane53Socket) + peers.PEERS
CEILINGS = ("reflector", "reflector-gen")  # every ratio needs them
MILLION = 1_000_000
OVER_CORES = ("reflector", "lane53-local", "lane53-lane", "lane53-socket", "unbound", "knot", "nsd")
CORES_MAX = 8
TAIL = ("reflector", "lane53-local")
OVER_LANE = ("testpmd", "lane53-lane", "lane53-upstream")
TOOLS = ("kxdpgun", "dnsperf", "bpftool", "clang", "ip", "nsenter", "taskset", "ethtool")
RECORDED = systems.TOP / "docs"


def parse():
    parser = argparse.ArgumentParser(prog="scripts/bench.sh", description=__doc__,
                                     epilog="systems: " + ", ".join(s.name for s in ALL))
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true",
                      help="3 rounds of 1 s, 1,000 names; the default")
    size.add_argument("--full", action="store_true",
                      help="5 rounds; 1,000 to 1,000,000 names; every shape of load")
    parser.add_argument("--systems", metavar="LIST",
                        help="comma list; default: all that are installed")
    parser.add_argument("--names", type=int, metavar="N", help="names served (default 1,000)")
    parser.add_argument("--out", default="bench-out", metavar="DIR",
                        help="directory of the report (default bench-out)")
    parser.add_argument("--queries", metavar="FILE", help="a dnsperf query file of your own")
    parser.add_argument("--target", metavar="ADDR",
                        help="a server of your own: only the load is run, with dnsperf")
    parser.add_argument("--cores", metavar="LIST",
                        help="cores for all, the generator's too (default: the first two)")
    parser.add_argument("--rounds", type=int, metavar="N", help="rounds flat out")
    parser.add_argument("--seconds", type=float, default=1, metavar="S",
                        help="length of a round (default 1)")
    parser.add_argument("--guard", action="store_true",
                        help="compare with the recorded run; exit 1 if worse")
    parser.add_argument("--record", nargs="?", const=RECORDED, type=pathlib.Path,
                        metavar="DOCS", help="put the results and tables into docs/")
    args = parser.parse_args()
    args.rounds = args.rounds or (5 if args.full else 3)
    if args.names is not None and not 1 <= args.names <= 4 * MILLION:
        parser.error("--names: 1 to 4,000,000")
    if not 1 <= args.rounds <= 100 or not 0.2 <= args.seconds <= 60:
        parser.error("--rounds: 1 to 100; --seconds: 0.2 to 60")
    return args


def choose(args):
    """Which systems run, and why the others do not."""
    wanted = args.systems.split(",") if args.systems else [s.name for s in ALL]
    unknown = set(wanted) - {s.name for s in ALL}
    if unknown:
        sys.exit(f"bench: no such system: {', '.join(sorted(unknown))}; "
                 f"there are: {', '.join(s.name for s in ALL)}")
    chosen, skipped = [], {}
    for kind in ALL:
        if kind.name not in wanted and kind.name not in CEILINGS:
            continue
        missing = kind.missing()
        if missing:
            skipped[kind.name] = f"not installed: {', '.join(missing)}"
            say(f"{kind.name} is left out: {skipped[kind.name]}")
        elif kind.cores_needed > len(args.cores.split(",")):
            skipped[kind.name] = "needs two cores (--cores)"
            say(f"{kind.name} is left out: {skipped[kind.name]}")
        else:
            chosen.append(kind)
    return chosen, skipped


def start_one(system, skipped):
    try:
        system.start()
    except TROUBLE as problem:
        skipped[system.name] = f"did not start: {problem}"
        trouble(f"{system.name} with {system.count:,} names did not start: {problem}",
                f"read logs/{system.name}.log beside the report; the other rows are not touched")
        return None
    finally:
        system.pause()
    say(f"{system.name} is up after {system.load_s:.2f} s: {system.what}")
    return system


def start(lab, kinds, count, args, skipped, workers=1):
    """Start what has a figure of its own for it alone, the rest four at a time."""
    everyone = [kind(lab, count, args.cores) for kind in kinds]
    for system in everyone:
        if system.name == "lane53-lane":
            system.workers = workers
    alone = [s for s in everyone if s.name == "lane53-local"]
    running = [start_one(s, skipped) for s in alone]
    figures = million(running[0]) if count >= MILLION and running and running[0] else {}
    with ThreadPoolExecutor(4) as pool:
        running += pool.map(lambda s: start_one(s, skipped),
                            [s for s in everyone if s not in alone])
    running = [s for s in running if s]
    return sorted(running, key=everyone.index), figures


def million(system):
    """What is asked of lane53 with a million records, while nothing else runs."""
    found = {"answers_s": system.load_s}
    system.resume()
    try:
        began = time.monotonic()
        found["xdp_s"] = system.load_s + measure.until_answered_by_xdp(system, began)
        say(f"{system.count:,} records: from zone file to answered by XDP in "
            f"{found['xdp_s']:.2f} s")
        found["change"] = measure.change(system)
        took = [c["xdp_ms"] for c in found["change"]]
        say(f"a changed record is seen after {statistics.median(took):.2f} ms, "
            f"{max(took):.2f} at the most")
    except TROUBLE as problem:
        found["problem"] = str(problem)
        trouble(f"{system.name} with {system.count:,} names: {problem}",
                "the rows of a million names are missing; run again")
    finally:
        system.pause()
    return found


def medians(rows):
    return {name: statistics.median(got) for name, rounds in rows.items()
            if (got := [r["rate"] for r in rounds if r.get("rate")])}


def run_count(lab, args, count, result):
    """Everything that is measured with @count names."""
    kinds, skipped = choose(args)
    systems.System.own_queries = args.queries
    run = {"names": count, "skipped": skipped, "million": {}}
    lab.begin()
    lab.pair = cpu.CorePair(lab)
    with section(run, "start"):
        running, run["million"] = start(lab, kinds, count, args, skipped)
    run["systems"] = {s.name: {
        "what": s.what, "version": s.version(), "baseline": s.baseline, "kind": s.kind,
        "load_s": s.load_s, "proves": list(s.proves)} for s in running}
    run["configurations"] = {s.name: s.configurations() for s in running}
    result["runs"].append(run)
    try:
        if running:
            measure_all(lab, args, run, running, count == min(counts_of(args)))
    finally:
        keep_logs(lab, args, [s.name for s in running if s.gone] + list(skipped))


def keep_logs(lab, args, wanted):
    """What a system said that did not start or did not last."""
    for name in wanted:
        for path in lab.dir.glob(f"{name}.log"):
            (args.out / "logs").mkdir(exist_ok=True)
            shutil.copy(path, args.out / "logs")


def rounds_of(args, count):
    """Points of the curve over names have two rounds, the ends of it all."""
    return min(args.rounds, 2) if count in (10_000, 100_000) and args.full else args.rounds


def measure_all(lab, args, run, running, first):
    say(f"warming {', '.join(s.name for s in running if s.warms) or 'nothing'}")
    with section(run, "warming"):
        measure.warm(lab, running)
    with section(run, "flat out"):
        run["gun"] = measure.guns(lab, args, running, rounds=rounds_of(args, run["names"]))
    run["user_bytes"] = {s.name: s.user_bytes() for s in running}
    run["kernel_bytes"] = {s.name: s.kernel_bytes() for s in running}
    with section(run, "ns per run"):
        run["run_ns"] = {s.name: measure.run_time(lab, s) for s in running
                         if s.name in ("reflector", "lane53-local", "lane53-cache")}
    if not args.queries and args.full and run["names"] >= 100_000:
        with section(run, "shapes"):
            run["shapes"] = {"Zipf": measure.guns(lab, args, running, "Zipf", 1)}
    if first:
        measure_first(lab, args, run, running)


def measure_first(lab, args, run, running):
    """What is measured with the fewest names only."""
    if args.full:
        # twice as many where the distance of the cores decides, so that it can be told apart
        with section(run, "flat out, lane"):
            for name, more in measure.guns(lab, args, [s for s in running
                                                       if s.name in OVER_LANE]).items():
                run["gun"][name] += more
    with section(run, "flat out, dnsperf"):
        run["perf"] = measure.perfs(lab, args, running)
    guns, perfs = medians(run["gun"]), medians(run["perf"])
    with section(run, "idle"):
        run["idle"] = {s.name: cpu.idle_share(s) for s in running if not s.gone
                       and s.name in ("lane53-local", "lane53-socket")}
    with section(run, "cpu"):
        run["cpu"] = cpu.per_query(lab, running, args.rounds + 3 if args.full else 2,
                                   0.6 * args.seconds, measure.EQUAL_RATE)
    full = {0.1: 1, 0.5: 2, 0.8: 1, "equal": 1}
    with section(run, "latency"):
        run["latency"] = measure.latency(lab, running, guns, full if args.full else {0.5: 1},
                                         args.seconds)
    if args.full:
        # the floor is about these two, and one burst of others is in a p99 at once
        with section(run, "latency, more"):
            for name, more in measure.latency(lab, [s for s in running if s.name in TAIL], guns,
                                              {0.5: 4}, args.seconds).items():
                run["latency"][name]["0.5"] += more["0.5"]
    with section(run, "open loop"):
        run["open"] = measure.open_loop(lab, running, perfs, {0.5: 1, 0.8: 1} if args.full
                                        else {0.5: 1}, args.seconds)
    if not args.full:
        return
    with section(run, "clients"):
        run["clients"] = measure.clients(lab, args, running, 1)
    if not args.queries:
        with section(run, "shapes"):
            run["shapes"] = {shape: measure.guns(lab, args, running, shape, 1)
                             for shape in measure.SHAPES if shape != "uniform"}


def counts_of(args):
    """How many names, in the order measured: the run of many parts comes last."""
    if args.full and not args.names:
        return [10_000, 100_000, MILLION, 1000]
    return [args.names or 1000]


def machine():
    cpu = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo", encoding="ascii")
                if line.startswith("model name")), "?")
    with open("/proc/meminfo", encoding="ascii") as text:
        meminfo = dict(line.split(":", 1) for line in text)
    commit = subprocess.run(["git", "-C", str(systems.TOP), "describe", "--always", "--dirty"],
                            capture_output=True, text=True, check=False).stdout.strip()
    return {"cpu": cpu, "cores": os.cpu_count(), "kernel": platform.release(),
            "memory": meminfo["MemTotal"].strip(),
            "hugepages": meminfo["HugePages_Total"].strip(), "commit": commit,
            "huge page size": meminfo["Hugepagesize"].strip(),
            "dnsperf": systems.package_version("dnsperf"),
            "kxdpgun": systems.package_version("knot-dnsutils"),
            "load before": f"{os.getloadavg()[0]:.1f}",
            "when": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())}


def check_machine(args):
    """What cannot be measured here ends the run; what only makes it worse is a trouble."""
    if os.geteuid():
        sys.exit("bench: needs root: network namespaces and XDP")
    for tool in TOOLS:
        if not shutil.which(tool):
            sys.exit(f"bench: {tool} is not installed: scripts/setup.sh bench")
    if args.queries and not os.access(args.queries, os.R_OK):
        sys.exit(f"bench: --queries: cannot read {args.queries}")
    there = sorted(os.sched_getaffinity(0))
    wanted = args.cores or ",".join(map(str, there[:2]))
    try:
        cores = list(dict.fromkeys(int(core) for core in wanted.split(",")))
    except ValueError:
        sys.exit(f"bench: --cores: '{wanted}' is not a comma list of numbers")
    if set(cores) - set(there):
        sys.exit(f"bench: --cores: there are {there}, not {sorted(set(cores) - set(there))}")
    args.cores = ",".join(map(str, cores))
    if len(cores) < 2:
        trouble("one core only: each system shares it with its generator",
                "do not compare these ratios with others; --cores 0,1 where there are two")
    if not huge_pages():
        trouble("no hugepages: lane53's worker and testpmd run on ordinary pages",
                "sysctl vm.nr_hugepages=256, and run again, to see the difference")
    busy = os.getloadavg()[0]
    if busy > 0.5 * os.cpu_count():
        trouble(f"the machine is busy: load average {busy:.1f} before the run",
                "wait, or trust only ratios and medians")


def huge_pages():
    with open("/proc/meminfo", encoding="ascii") as text:
        return next(int(line.split()[1]) for line in text if line.startswith("HugePages_Total"))


def clear(args):
    """A place for the report that can be written, and nothing left of a killed run."""
    args.out = pathlib.Path(args.out)
    try:
        args.out.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=args.out) as file:
            file.write(b"\0" * (1 << 20))  # a report is smaller
    except OSError as problem:
        sys.exit(f"bench: --out: {args.out}: {problem.strerror}; give a directory with a "
                 "megabyte of room")
    left, others = labs.sweep()
    if left:
        trouble(f"a killed run had left {len(left)} namespaces: {', '.join(left[:4])}"
                + (", ..." if len(left) > 4 else ""), "nothing: they are removed")
    for pid in others:
        trouble(f"another benchmark runs (pid {pid})", "wait for its end, and run again")


class Stop:
    """Ctrl-C, once: what is waited for ends, and then the lab is taken down."""

    def __init__(self):
        self.lab = None
        for number in labs.SIGNALS:
            signal.signal(number, self)

    def __call__(self, number, frame):
        for each in labs.SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        if self.lab:
            self.lab.stop()
        raise KeyboardInterrupt


def run_cores(lab, args, result):
    """Flat out on the first cores of the machine, generator included; 1,000 names."""
    used = argparse.Namespace(**{**vars(args), "cores": lab.cores})
    number = len(lab.cores.split(","))
    kinds, skipped = choose(used)
    kinds = [kind for kind in kinds if kind.name in OVER_CORES]
    lab.begin()
    lab.pair = cpu.CorePair(lab)
    with section(result, f"{number} cores"):
        running, _ = start(lab, kinds, 1000, used, skipped, workers=max(1, number - 1))
        try:
            measure.warm(lab, running)
            for system in running:
                cpu.with_pass(lab, system, "on")
            result.setdefault("over_cores", {})[number] = measure.cores(lab, used, running,
                                                                        number, 3)
        finally:
            keep_logs(lab, args, [s.name for s in running if s.gone] + list(skipped))


def parts_of(args, result):
    """[(name, cores, what to run)]"""
    parts = [(f"{count:,} names", args.cores,
              lambda lab, count=count: run_count(lab, args, count, result))
             for count in counts_of(args)]
    if args.full and not args.names and not args.queries:
        there = [str(core) for core in sorted(os.sched_getaffinity(0))[:CORES_MAX]]
        parts += [(f"{n} cores", ",".join(there[:n]), lambda lab: run_cores(lab, args, result))
                  for n in range(1, len(there) + 1)]
    return parts


def run_all(args, result, stop):
    """Return: was it stopped?"""
    began = time.monotonic()
    for name, cores, part in parts_of(args, result):
        stop.lab = labs.Lab(cores)
        try:
            try:
                part(stop.lab)
            except Exception as problem:  # whatever it is: half an hour is not thrown away
                traceback.print_exc()
                trouble(f"{name}: {type(problem).__name__}: {problem}",
                        "what was measured before is reported")
            finally:
                stop.lab.close()
        except KeyboardInterrupt:
            stop.lab.close()  # again, if it came before the first one began
            say("stopped; what was finished is reported")
            return True
        finally:
            result["took_s"] = time.monotonic() - began
    return False


def write(result, args):
    """The report; in another place if there is no room in the one asked for."""
    import report  # needs matplotlib, which --target does not
    try:
        report.write(result, args.out)
    except OSError as problem:
        other = pathlib.Path(tempfile.mkdtemp(prefix="bench-out."))
        trouble(f"the report cannot be written to {args.out}: {problem.strerror}",
                f"make room; it is in {other}")
        args.out = other
        report.write(result, other)
    say(f"{result['took_s'] / 60:.1f} minutes; report: {args.out}/report.html, report.md, "
        "results.csv, results.json")
    return report


def main():
    args = parse()
    if args.target:
        return target.run(args)
    check_machine(args)
    clear(args)
    stop = Stop()
    result = {"machine": machine(), "size": "full" if args.full else "quick",
              "queries": args.queries, "cores_used": args.cores, "rounds": args.rounds,
              "seconds": args.seconds, "kinds": names.KINDS, "runs": []}
    stopped = run_all(args, result, stop)
    result["runs"] = sorted((run for run in result["runs"] if run.get("gun")),
                            key=lambda run: run["names"])
    result["troubles"] = TROUBLES
    if not result["runs"]:
        say("nothing was measured")
        return 130 if stopped else 1
    report = write(result, args)
    for one in TROUBLES:
        say(f"TROUBLE: {one['what']}. To do: {one['do']}")
    if stopped:
        return 130
    if args.record:
        import record
        record.into(args.record, args.out)
    return report.guard(result) if args.guard else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
