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
import shutil
import signal
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import lab as labs
import load
import measure
import peers
import report
import systems
from measure import say

ALL = (systems.Reflector, systems.ReflectorGeneric, systems.Testpmd, systems.Lane53Local,
       systems.Lane53Cache, systems.Lane53Lane, systems.Lane53Upstream, systems.Lane53Auto,
       systems.Lane53Socket) + peers.PEERS
CEILINGS = ("reflector", "reflector-gen")  # every ratio needs them
MILLION = 1_000_000
# whose latency and CPU --quick measures, and whose shapes --full does: time is short
QUICK = ("reflector", "lane53-local", "lane53-cache", "coredns", "unbound", "knot")


def parse():
    parser = argparse.ArgumentParser(prog="scripts/bench.sh", description=__doc__,
                                     epilog="systems: " + ", ".join(s.name for s in ALL))
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true",
                      help="3 rounds of 1 s, 1,000 names; the default")
    size.add_argument("--full", action="store_true",
                      help="5 rounds; 1,000, 100,000 and 1,000,000 names; every shape of load")
    parser.add_argument("--systems", metavar="LIST",
                        help="comma list; default: all that are installed")
    parser.add_argument("--names", type=int, metavar="N", help="names served (default 1,000)")
    parser.add_argument("--out", default="bench-out", metavar="DIR",
                        help="directory of the report (default bench-out)")
    parser.add_argument("--queries", metavar="FILE", help="a dnsperf query file of your own")
    parser.add_argument("--target", metavar="ADDR",
                        help="a server of your own: only the load is run, with dnsperf")
    parser.add_argument("--cores", default="0,1", metavar="LIST",
                        help="cores for all, the generator's too (default 0,1)")
    parser.add_argument("--guard", action="store_true",
                        help="compare with the recorded run; exit 1 if worse")
    args = parser.parse_args()
    args.rounds, args.seconds = (5, 1) if args.full else (3, 1)
    if args.names is not None and not 1 <= args.names <= 4 * MILLION:
        parser.error("--names: 1 to 4,000,000")
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
        else:
            chosen.append(kind)
    return chosen, skipped


def start_one(system, skipped):
    try:
        system.start()
    except measure.TROUBLE as problem:
        skipped[system.name] = f"did not start: {problem}"
        say(f"{system.name} is left out: {problem}")
        return None
    finally:
        system.pause()
    say(f"{system.name} is up after {system.load_s:.2f} s: {system.what}")
    return system


def start(lab, kinds, count, args, skipped):
    """Start what has a figure of its own for it alone, the rest four at a time."""
    everyone = [kind(lab, count, args.cores) for kind in kinds]
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
    except measure.TROUBLE as problem:
        found["problem"] = str(problem)
        say(f"{system.name}: {problem}")
    finally:
        system.pause()
    return found


def medians(rows):
    return {name: statistics.median(r["rate"] for r in got) for name, got in rows.items()}


def run_count(lab, args, count, result):
    """Everything that is measured with @count names."""
    kinds, skipped = choose(args)
    systems.System.own_queries = args.queries
    running, figures = start(lab, kinds, count, args, skipped)
    say(f"warming {', '.join(s.name for s in running if s.warms) or 'nothing'}")
    measure.warm(lab, running)
    first = count == min(counts_of(args))
    run = {"names": count, "skipped": skipped, "million": figures}
    result["runs"].append(run)
    run["systems"] = {s.name: {
        "what": s.what, "version": s.version(), "baseline": s.baseline, "kind": s.kind,
        "load_s": s.load_s, "proves": list(s.proves)} for s in running}
    run["gun"] = measure.guns(lab, args, running,
                              rounds=args.rounds if count != 100_000 else 3)
    capacity = medians(run["gun"])
    run["user_bytes"] = {s.name: s.user_bytes() for s in running}
    run["kernel_bytes"] = {s.name: s.kernel_bytes() for s in running}
    run["run_ns"] = {s.name: measure.run_time(lab, s) for s in running
                     if s.name in ("reflector", "lane53-local", "lane53-cache")}
    if not first:
        return
    run["configurations"] = {
        s.name: {p.name: p.read_text(errors="replace") for p in sorted(s.dir.glob("*"))
                 if p.name == "Corefile" or p.suffix == ".conf"} for s in running}
    run["idle"] = {s.name: measure.idle_share(s) for s in running
                   if s.name in ("lane53-local", "lane53-socket")}
    run["perf"] = measure.perfs(lab, args, running)
    if args.full:
        run["latency"] = measure.latency(lab, running, capacity,
                                         {0.1: 1, 0.5: 3, 0.8: 1, "equal": 1}, 1)
        run["cpu_us"] = measure.cpu(lab, running, 3, 2)
        run["clients"] = measure.clients(lab, args, running)
        shaped = [s for s in running if s.name in QUICK]
        run["shapes"] = {shape: measure.guns(lab, args, shaped, shape, 2)
                         for shape in measure.SHAPES if shape != "uniform"}
    else:
        few = [s for s in running if s.name in QUICK]
        run["latency"] = measure.latency(lab, few, capacity, {0.5: 1}, 1)
        run["cpu_us"] = measure.cpu(lab, few, 1, 1)


def counts_of(args):
    """How many names, in the order measured: a small run of many parts comes last."""
    return [100_000, MILLION, 1000] if args.full and not args.names else [args.names or 1000]


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
            "dnsperf": systems.package_version("dnsperf"),
            "kxdpgun": systems.package_version("knot-dnsutils"),
            "load before": f"{os.getloadavg()[0]:.1f}",
            "when": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())}


def target_only(args):
    """--target: the load alone, against a server of the user's own."""
    if not args.queries:
        sys.exit("bench: --target needs --queries FILE: only you know what it serves")
    return subprocess.run(["dnsperf", "-s", args.target, "-d", args.queries, "-l",
                           str(args.seconds * args.rounds)], check=False).returncode


def check_machine(args):
    if os.geteuid():
        sys.exit("bench: needs root: network namespaces and XDP")
    try:
        cores = {int(core) for core in args.cores.split(",")}
    except ValueError:
        sys.exit(f"bench: --cores: '{args.cores}' is not a comma list of numbers")
    missing = cores - os.sched_getaffinity(0)
    if len(cores) < 2 or missing:
        sys.exit("bench: needs two cores, which the generator shares with each system; "
                 f"there are {sorted(os.sched_getaffinity(0))} (--cores)")
    for tool in ("kxdpgun", "dnsperf", "bpftool", "nsenter", "taskset"):
        if not shutil.which(tool):
            sys.exit(f"bench: {tool} is not installed: scripts/setup.sh bench")
    if args.queries and not os.access(args.queries, os.R_OK):
        sys.exit(f"bench: --queries: cannot read {args.queries}")


def main():
    args = parse()
    if args.target:
        return target_only(args)
    check_machine(args)
    # also when started in the background by a shell that ignores SIGINT for it
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    out = pathlib.Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    result = {"machine": machine(), "size": "full" if args.full else "quick",
              "queries": args.queries, "cores_used": args.cores, "rounds": args.rounds,
              "seconds": args.seconds, "runs": []}
    began, stopped = time.monotonic(), False
    for count in counts_of(args):
        lab = labs.Lab(args.cores)
        try:
            run_count(lab, args, count, result)
        except KeyboardInterrupt:
            say("stopped; sections that were finished are reported")
            stopped = True
            break
        finally:
            lab.close()
    result["took_s"] = time.monotonic() - began
    result["runs"] = sorted((run for run in result["runs"] if run.get("gun")),
                            key=lambda run: run["names"])
    if result["runs"]:
        report.write(result, out)
        say(f"{result['took_s'] / 60:.1f} minutes; report: {out}/report.html, report.md, "
            "results.csv, results.json")
    if stopped:
        return 130
    return report.guard(result) if args.guard else 0


if __name__ == "__main__":
    sys.exit(main())
