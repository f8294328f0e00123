#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Measure lane53 and what its users would otherwise run, side by side in one run.

See docs/benchmarks.md for what each figure means and how it is taken.
"""
import argparse
import json
import os
import pathlib
import platform
import signal
import statistics
import subprocess
import sys
import time

import lab as labs
import load
import names
import report
import systems


def parse():
    parser = argparse.ArgumentParser(prog="scripts/bench.sh", description=__doc__)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="3 rounds of 1 s, 1,000 names")
    size.add_argument("--full", action="store_true", help="7 rounds of 2 s, scale curves")
    parser.add_argument("--systems", help="comma list; default all that are installed")
    parser.add_argument("--names", type=int, help="names served (default 1,000)")
    parser.add_argument("--out", default="bench-out", help="directory of the report")
    parser.add_argument("--queries", help="a dnsperf query file of your own")
    parser.add_argument("--target", help="a server of your own: only the load is run")
    parser.add_argument("--cores", default="0,1", help="cores for all, the generator's too")
    parser.add_argument("--guard", action="store_true",
                        help="compare with the last recorded run; exit 1 if worse")
    args = parser.parse_args()
    args.rounds, args.seconds = (7, 2) if args.full else (3, 1)
    return args


def say(*words):
    print("bench:", *words, flush=True)


def choose(args):
    """Which systems run, and why the others do not."""
    wanted = args.systems.split(",") if args.systems else [s.name for s in systems.ALL]
    unknown = set(wanted) - {s.name for s in systems.ALL}
    if unknown:
        sys.exit(f"bench: no such system: {', '.join(sorted(unknown))}; "
                 f"there are: {', '.join(s.name for s in systems.ALL)}")
    chosen, skipped = [], {}
    for kind in systems.ALL:
        if kind.name not in wanted and kind.name not in ("reflector", "reflector-gen"):
            continue
        missing = kind.missing()
        if missing:
            skipped[kind.name] = f"not installed: {', '.join(missing)}"
        else:
            chosen.append(kind)
    return chosen, skipped


def start(lab, kinds, count, cores, skipped):
    running = []
    for kind in kinds:
        system = kind(lab, count, cores)
        say(f"starting {system.name}: {system.what}")
        try:
            system.start()
            running.append(system)
            system.pause()
        except (labs.LabError, OSError, subprocess.SubprocessError) as problem:
            skipped[system.name] = f"did not start: {problem}"
            say(f"{system.name} is left out: {problem}")
    return running


def query_file(lab, args, count, kind):
    if args.queries and kind == "uniform":
        return args.queries
    path = lab.dir / f"queries-{kind}-{count}"
    if not path.exists():
        names.write_queries(path, count, min(max(count, 10_000), 200_000), kind)
    return path


def proof(system, before, after, answered):
    """The share of the round that took the way the row is named for, or None."""
    if not system.__dict__.get("proves", getattr(system, "proves", ())) or not answered:
        return None
    return sum(after[name] - before[name] for name in system.proves) / answered


def one_round(lab, args, system, queries, seed):
    system.resume()
    try:
        before = system.counters()
        sampler = load.Sampler(system, seed)
        sampler.start()
        if system.generic:
            got = load.dnsperf(lab, system, queries, args.seconds)
        else:
            got = load.kxdpgun(lab, system, queries, load.FLAT_OUT, args.seconds)
        sampler.join(30)
        after = system.counters()
        got["right"] = bool(sampler.right)
        got["share"] = proof(system, before, after, got["answered"])
        return got
    finally:
        system.pause()


def warm(lab, args, system, queries):
    """Every name asked a few times, slowly enough that none is lost."""
    system.resume()
    try:
        for _ in range(3):
            load.dnsperf(lab, system, queries, max(1, system.count // 50_000))
    finally:
        system.pause()


def flat_out(lab, args, running, count):
    rows = {s.name: [] for s in running}
    files = {s.name: query_file(lab, args, count, "wild" if s.wants_wild else "uniform")
             for s in running}
    for system in running:
        warm(lab, args, system, files[system.name])
    for number in range(args.rounds):
        for system in running:
            try:
                got = one_round(lab, args, system, files[system.name], number)
            except (labs.LabError, OSError, subprocess.SubprocessError) as problem:
                got = {"rate": 0.0, "answered": 0, "right": False, "share": None,
                       "problem": str(problem)}
            rows[system.name].append(got)
            say(f"round {number + 1}/{args.rounds} {system.name}: {got['rate']:,.0f}/s"
                + ("" if got["right"] else "  ANSWERS NOT ALL RIGHT")
                + (f"  {got['problem']}" if "problem" in got else ""))
    return rows


def latency(lab, args, running, capacity, queries):
    """Percentiles from a paced probe on a second client, beside the load."""
    found = {}
    for system in running:
        if system.generic or not capacity.get(system.name):
            continue
        system.resume()
        rows = {}
        try:
            for share in (0.1, 0.5, 0.8):
                gun = subprocess.Popen(lab.argv("gen", [
                    "kxdpgun", "-t", 3, "-Q", int(capacity[system.name] * share), "-i", queries,
                    "-I", f"g{system.i}", system.address]), stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL)
                try:
                    time.sleep(0.5)
                    got = load.dnsperf(lab, system, queries, 2, rate=1000, place="probe",
                                       verbose=True)
                finally:
                    gun.wait(20)
                rows[share] = {f"p{p:g}": load.percentile(got["latency_us"], p / 100)
                               for p in (50, 90, 99, 99.9)}
        except (labs.LabError, subprocess.SubprocessError) as problem:
            rows["problem"] = str(problem)
        finally:
            system.pause()
        found[system.name] = rows
        say(f"latency {system.name}: " + ", ".join(
            f"{int(s * 100)} %: p99 {r['p99']:.0f} us" for s, r in rows.items() if s != "problem"))
    return found


def cpu_per_query(lab, args, running, queries, rate=20_000):
    """Whole machine, from its idle time, at one equal rate; in us per query."""
    found = {s.name: [] for s in running if not s.generic}
    for _ in range(args.rounds):
        for system in running:
            if system.generic:
                continue
            system.resume()
            try:
                began, idle = time.monotonic(), load.idle_seconds()
                got = load.kxdpgun(lab, system, queries, rate, 2)
                wall, idle = time.monotonic() - began, load.idle_seconds() - idle
                if got["answered"]:
                    busy = wall * os.cpu_count() - idle
                    found[system.name].append(busy / got["answered"] * 1e6)
            except (labs.LabError, subprocess.SubprocessError):
                pass
            finally:
                system.pause()
    return found


def run_time(lab, args, system, queries):
    """ns per run of the XDP program under live load, with kernel.bpf_stats."""
    path = pathlib.Path("/proc/sys/kernel/bpf_stats_enabled")
    old = path.read_text()
    system.resume()
    try:
        path.write_text("1")
        before = system.run_ns()
        load.kxdpgun(lab, system, queries, load.FLAT_OUT, 1)
        after = system.run_ns()
    finally:
        path.write_text(old)
        system.pause()
    if not before or not after or after[1] == before[1]:
        return None
    return (after[0] - before[0]) / (after[1] - before[1])


def measure(lab, args, count):
    kinds, skipped = choose(args)
    running = start(lab, kinds, count, args.cores, skipped)
    queries = query_file(lab, args, count, "uniform")
    rows = flat_out(lab, args, running, count)
    capacity = {name: statistics.median(r["rate"] for r in got) for name, got in rows.items()}
    result = {
        "names": count,
        "skipped": skipped,
        "systems": {s.name: {"what": s.what, "version": s.version(), "generic": s.generic,
                             "proves": list(getattr(s, "proves", ()))} for s in running},
        "flat_out": rows,
        "latency": latency(lab, args, running, capacity, queries),
        "cpu_us": cpu_per_query(lab, args, running, queries),
        "run_ns": {s.name: run_time(lab, args, s, queries) for s in running
                   if s.name.startswith(("lane53", "reflector")) and not s.generic},
        "user_bytes": {s.name: s.user_bytes() for s in running},
        "kernel_bytes": {s.name: s.kernel_bytes() for s in running},
        "configurations": {s.name: {p.name: p.read_text(errors="replace")
                                    for p in s.dir.glob("*")
                                    if p.name == "Corefile" or p.suffix == ".conf"}
                           for s in running},
    }
    return result


def machine():
    cpu = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo", encoding="ascii")
                if line.startswith("model name")), "?")
    commit = subprocess.run(["git", "-C", str(systems.TOP), "describe", "--always", "--dirty"],
                            capture_output=True, text=True, check=False).stdout.strip()
    return {"cpu": cpu, "cores": os.cpu_count(), "kernel": platform.release(),
            "commit": commit, "when": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())}


def target_only(args):
    """--target: the load alone, against a server of the user's own."""
    if not args.queries:
        sys.exit("bench: --target needs --queries FILE: only you know what it serves")
    done = subprocess.run(["dnsperf", "-s", args.target, "-d", args.queries, "-l",
                           str(args.seconds * args.rounds)], check=False)
    return done.returncode


def main():
    args = parse()
    if args.target:
        return target_only(args)
    if os.geteuid():
        sys.exit("bench: needs root: network namespaces and XDP")
    if (os.cpu_count() or 1) < 2:
        sys.exit("bench: needs two cores: the generator shares them with each system")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    counts = [args.names or 1000]
    if args.full and not args.names:
        counts = [1000, 100_000, 1_000_000]
    out = pathlib.Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    result = {"machine": machine(), "cores": args.cores, "rounds": args.rounds,
              "seconds": args.seconds, "runs": []}
    for count in counts:
        lab = labs.Lab(args.cores)
        try:
            result["runs"].append(measure(lab, args, count))
        except KeyboardInterrupt:
            say("stopped; what is measured so far is reported")
            break
        finally:
            lab.close()
        (out / "results.json").write_text(json.dumps(result, indent=1))
    if not result["runs"]:
        return 130
    report.write(result, out)
    say(f"report: {out}/report.html, report.md, results.csv, results.json")
    return report.guard(result) if args.guard else 0


if __name__ == "__main__":
    sys.exit(main())
