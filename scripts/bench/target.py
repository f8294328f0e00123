# SPDX-License-Identifier: BSD-3-Clause
"""--target: the load alone, against a server of the user's own.  Needs no root, no lab."""
import csv
import json
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

import load
import names
from common import say, trouble

SHARES = (0.1, 0.5, 0.8)  # of what it answers flat out
LOST = 0.01


class Server:
    def __init__(self, address):
        self.address = address


def dnsperf(args, queries, seconds, rate=0):
    argv = load.perf_argv(Server(args.target), queries, seconds, rate, 8, 200, 1, 2)
    done = subprocess.run([*map(str, argv), "-v"] if rate else list(map(str, argv)),
                          capture_output=True, text=True, timeout=seconds + 30, check=False)
    if done.returncode:
        sys.exit(f"bench: {(done.stderr or done.stdout).strip()[-300:]}")
    return load.perf_read(done.stdout, verbose=bool(rate))


def percentiles(got):
    return {f"p{p:g}_us": round(load.percentile(got["latency_us"], p / 100), 1)
            for p in (50, 90, 99, 99.9)}


def measure(args, queries):
    rows = []
    for number in range(args.rounds):
        got = dnsperf(args, queries, args.seconds)
        say(f"closed loop {number + 1}/{args.rounds}: {got['rate']:,.0f}/s")
        rows.append({"load": "closed loop", "asked_per_s": "", "answered_per_s":
                     round(got["rate"]), "lost": lost(got)})
    capacity = statistics.median(row["answered_per_s"] for row in rows)
    for share in SHARES if capacity else ():
        rate = max(1, int(capacity * share))
        got = dnsperf(args, queries, args.seconds, rate)
        rows.append({"load": f"{share:.0%} of that", "asked_per_s": rate, "answered_per_s":
                     round(got["rate"]), "lost": lost(got), **percentiles(got)})
        say(f"open loop at {share:.0%}: {rate:,}/s, p50 {rows[-1]['p50_us']:.0f}, "
            f"p99 {rows[-1]['p99_us']:.0f} us")
    return rows


def lost(got):
    """The share of what was sent that got no answer, SERVFAIL and REFUSED included."""
    share = 1 - got["answered"] / got["sent"] if got["sent"] else 1.0
    if share > LOST:
        trouble(f"{share:.1%} of the questions got no answer (NOERROR or NXDOMAIN)",
                "is it the right server for this query file?")
    return round(max(0, share), 4)


def run(args):
    if not shutil.which("dnsperf"):
        sys.exit("bench: dnsperf is not installed: scripts/setup.sh bench")
    out = pathlib.Path(args.out)
    try:
        out.mkdir(parents=True, exist_ok=True)
        queries = args.queries or out / "queries"
        if not args.queries:
            names.write_zone(out / "zone", args.names or 1000)
            names.write_queries(queries, args.names or 1000, 10_000)
            say(f"no --queries: the server has to serve {out}/zone")
        with open(queries, encoding="utf-8"):
            pass
        rows = measure(args, queries)
        result = {"target": args.target, "queries": str(queries), "rows": rows,
                  "when": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())}
        write(result, rows, out)
    except OSError as problem:
        sys.exit(f"bench: {problem.filename}: {problem.strerror}")
    say(f"report: {out}/target.md, target.csv, target.json")
    return 0


def write(result, rows, out):
    (out / "target.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    keys = list(rows[-1])
    lines = [f"# Load on {result['target']}", "", f"{result['when']}; dnsperf, "
             f"{result['queries']}. There is no ceiling to compare with: these are this "
             "network's and this generator's figures as well.", "",
             "| " + " | ".join(keys) + " |", "|" + "---|" * len(keys)]
    lines += ["| " + " | ".join(str(row.get(key, "")) for key in keys) + " |" for row in rows]
    (out / "target.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    with open(out / "target.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, keys)
        writer.writeheader()
        writer.writerows(rows)
