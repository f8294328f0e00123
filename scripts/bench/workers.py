#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The scale curve: lane53d -workers 1, 2, 3 ... over the lane, with every core given.

Unlike the rows of the benchmark, which share two cores: here the generator has threads on
the first cores, and workers run where the scheduler puts them, beside the generator.
Needs root and a finished build.  Writes workers.json and workers.png to --out.
"""
import argparse
import json
import os
import pathlib
import signal
import statistics
import sys

import lab as labs
import load
import systems
from common import TROUBLE, awake, say

WAYS = {"lane": systems.Lane53Lane, "upstream": systems.Lane53Upstream}


class Lab(labs.Lab):
    """The generator's links have a queue for each of its threads: kxdpgun follows those."""

    def __init__(self, cores, clients):
        super().__init__(cores)
        self.clients = clients

    def add(self, place):
        i = super().add(place)
        for where, dev in ((place, "srv0"), ("gen", f"g{i}")):
            self.run(where, ["ethtool", "-L", dev, "rx", self.clients], 10)
        for where, dev in ((place, "srv0"), ("gen", f"g{i}")):
            self.run(where, ["ethtool", "-L", dev, "tx", self.clients], 10)
        return i


def variant(kind, workers):
    """lane53-lane-w2: @kind with so many threads on the lane."""
    return type(f"{kind.__name__}W{workers}", (kind,), {
        "name": f"{kind.name}-w{workers}", "workers": workers})


def one_round(lab, args, system):
    rate = load.FLAT_OUT if system.kind != "distinct" else args.distinct
    queries = system.queries("uniform", rate * args.seconds)
    with awake(system):
        before = system.counters()
        got = load.kxdpgun(lab, system, queries, rate, args.seconds)
        after = system.counters()
    got["share"] = system.proof(before, after, got["answered"]) if system.proves else 0
    got["counters"] = {k: after[k] - before.get(k, 0) for k in after
                       if after[k] != before.get(k, 0)}
    return got


def measure(lab, args):
    kinds = [variant(WAYS[way], count) for way in args.ways.split(",")
             for count in range(1, args.most + 1)]
    running = []
    for kind in [systems.Reflector] + kinds:
        system = kind(lab, 1000, args.cores)
        try:
            system.start()
            running.append(system)
        except TROUBLE as problem:
            say(f"{system.name} is left out: {problem}")
        finally:
            system.pause()
    rows = {s.name: {"workers": getattr(s, "workers", 0), "rounds": []} for s in running}
    for number in range(args.rounds):
        for system in running:
            try:
                got = one_round(lab, args, system)
            except TROUBLE as problem:
                say(f"{system.name}: {problem}")
                continue
            rows[system.name]["rounds"].append(got)
            say(f"{number + 1}/{args.rounds} {system.name}: {got['rate']:,.0f}/s"
                + (f"  {100 * got['share']:.1f} % its way" if got["share"] else ""))
    return rows


def curve(rows, way):
    """[(workers, median rate, lowest, highest)]"""
    return sorted((row["workers"], statistics.median(rates), min(rates), max(rates))
                  for name, row in rows.items() if name.startswith(WAYS[way].name + "-w")
                  and (rates := [r["rate"] for r in row["rounds"]]))


def plot(rows, ways, path):
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    figure, axes = plt.subplots(figsize=(7, 4))
    for way, shade in zip(ways, ("#c44e52", "#4c72b0")):
        points = curve(rows, way)
        if not points:
            continue
        counts, middle, low, high = zip(*points)
        axes.errorbar(counts, [m / 1000 for m in middle], capsize=3, marker="o", color=shade,
                      label=f"{WAYS[way].name}", yerr=(
                          [(m - n) / 1000 for m, n in zip(middle, low)],
                          [(n - m) / 1000 for m, n in zip(middle, high)]))
    axes.set_xticks(sorted({row["workers"] for row in rows.values() if row["workers"]}))
    axes.set_ylim(bottom=0)
    axes.set_xlabel("threads on the lane (-workers)")
    axes.set_ylabel("thousand answers/s: median, range")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=90)


def parse():
    parser = argparse.ArgumentParser(description=__doc__)
    cores = sorted(os.sched_getaffinity(0))
    parser.add_argument("--most", type=int, default=max(1, len(cores) - 1), metavar="N",
                        help="threads, at the most (default: cores - 1)")
    parser.add_argument("--clients", type=int, default=2, metavar="N",
                        help="threads of the generator (default 2)")
    parser.add_argument("--ways", default="lane,upstream", help="of: lane, upstream")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=1)
    parser.add_argument("--distinct", type=int, default=800_000, metavar="RATE",
                        help="questions/s asked of an upstream (default 800,000)")
    parser.add_argument("--cores", default=",".join(map(str, cores)), metavar="LIST")
    parser.add_argument("--out", default="bench-out", metavar="DIR")
    return parser.parse_args()


def main():
    args = parse()
    if os.geteuid():
        sys.exit("bench: needs root: network namespaces and XDP")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    out = pathlib.Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    lab = Lab(args.cores, args.clients)
    try:
        lab.begin()
        rows = measure(lab, args)
    finally:
        lab.close()
    (out / "workers.json").write_text(json.dumps(
        {"cores": args.cores, "clients": args.clients, "rows": rows}, indent=1) + "\n")
    plot(rows, args.ways.split(","), out / "workers.png")
    for way in args.ways.split(","):
        for workers, middle, low, high in curve(rows, way):
            print(f"{WAYS[way].name} -workers {workers}: {middle:,.0f}/s "
                  f"({low:,.0f} to {high:,.0f})")


if __name__ == "__main__":
    main()
