#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Run CoreDNS and lane53 with the same Corefile, ask both the same, compare /metrics.

    scripts/compare-metrics.py [--coredns PROGRAM] [--build DIR]

Both listen on loopback, lane53 without XDP; no root.  Prints every difference in the
coredns_* families: names, types, labels, bounds of buckets, series, values (but times and
bytes).  docs/metrics.md says which of them are meant.  Needs dig.  Exit status 1 if a
family of both has other types, labels or bounds.
"""
import argparse
import os
import re
import subprocess
import tempfile
import time
import urllib.request

ZONE = """$ORIGIN {0}.
$TTL 300
@ IN SOA ns hostmaster 1 7200 1800 86400 60
@ IN NS ns
ns IN A 192.0.2.53
www IN A 192.0.2.80
"""
COREFILE = """.:{dns} {{
  bind 127.0.0.1
  hosts {dir}/hosts corp.example {{
    fallthrough
  }}
  cache 30
  forward . 127.0.0.1:{upstream}
  health 127.0.0.1:{health}
  prometheus 127.0.0.1:{metrics}
  reload 10s
  chaos somebody
}}
file.example:{dns} {{
  bind 127.0.0.1
  file {dir}/db.file.example
  prometheus 127.0.0.1:{metrics}
}}
auto.example:{dns} {{
  bind 127.0.0.1
  auto {{
    directory {dir}/zones
  }}
  prometheus 127.0.0.1:{metrics}
}}
only.example:{other} {{
  bind 127.0.0.1
  whoami
  prometheus 127.0.0.1:{metrics}
}}
dead.example:{dns} {{
  bind 127.0.0.1
  forward . 127.0.0.1:{nobody}
  cache
  prometheus 127.0.0.1:{metrics}
}}
"""
UPSTREAM = ".:{upstream} {{\n  bind 127.0.0.1\n  file {dir}/db.up.example up.example\n}}\n"
QUESTIONS = """printer.corp.example A|printer.corp.example AAAA +dnssec|printer.corp.example A +tcp
nosuch.corp.example A|www.file.example A|www.file.example TXT|nosuch.file.example A|file.example SOA
www.auto.example A|nosuch.auto.example A|www.up.example A|www.up.example A|www.up.example A +tcp
nosuch.up.example A|nosuch.up.example A|www.up.example MX|www.up.example MX|www.up.example TYPE65280
www.up.example CAA|version.bind TXT -c CH|x.dead.example A|y.dead.example A|www.up.example A +norec
a.only.example A +other|elsewhere.example A +other|elsewhere.example A +other +tcp"""


def ask(ports):
    for question in re.split(r"[|\n]", QUESTIONS):
        words = question.split()
        port = ports["other"] if "+other" in words else ports["dns"]
        subprocess.run(["dig", "@127.0.0.1", "-p", str(port), "+tries=1", "+time=6"] +
                       [w for w in words if w != "+other"], stdout=subprocess.DEVNULL, check=False)


def scrape(ports):
    url = f"http://127.0.0.1:{ports['metrics']}/metrics"
    return urllib.request.urlopen(url, timeout=5).read().decode()


def wait_for(ports):
    for _ in range(100):
        try:
            return scrape(ports)
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"nobody serves /metrics at port {ports['metrics']}")


def read(text, ports):
    """Of each family: type, names of labels, bounds, and its series without the ports."""
    families = {}
    for line in text.splitlines():
        if line.startswith("# TYPE coredns_"):
            _, _, name, kind = line.split(" ")
            families[name] = {"type": kind, "labels": set(), "bounds": set(), "series": {}}
        match = re.match(r"(coredns_\w+?)((?:_bucket|_sum|_count)?)(\{.*\})? (\S+)$", line)
        if not match:
            continue
        name, suffix, labels, value = match.groups()
        name = name if name in families else name + suffix
        pairs = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels or ""))
        bound = pairs.pop("le", None)
        if bound:
            families[name]["bounds"].add(bound)
        families[name]["labels"].add(tuple(sorted(pairs)))
        if suffix != "_bucket" and suffix != "_sum":
            shown = " ".join(f'{k}="{v}"' for k, v in sorted(pairs.items()))
            for port_of, port in ports.items():
                shown = shown.replace(str(port), port_of.upper())
            families[name]["series"][shown] = value
    return families


def compare(core, lane):
    wrong = 0
    for name in sorted(set(core) | set(lane)):
        if name not in core or name not in lane:
            print(f"{name}: only in {'CoreDNS' if name in core else 'lane53'}")
            continue
        for what in "type", "labels", "bounds":
            if core[name][what] != lane[name][what] and core[name][what] and lane[name][what]:
                print(f"{name}: {what}: {core[name][what]} | {lane[name][what]}")
                wrong = 1
        series = core[name]["series"], lane[name]["series"]
        for key in sorted(set(series[0]) | set(series[1])):
            if series[0].get(key) != series[1].get(key):
                print(f"{name}{{{key}}} {series[0].get(key)} | {series[1].get(key)}")
    return wrong


def main():
    top = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--coredns", default="coredns")
    parser.add_argument("--build", default=os.path.join(top, "build"))
    args = parser.parse_args()
    base = 20000 + os.getpid() % 2000 * 12
    shared = {"upstream": base, "nobody": base + 1}
    sides = [{"dns": base + n, "other": base + n + 1, "health": base + n + 2,
              "metrics": base + n + 3, **shared} for n in (2, 6)]
    running = []
    with tempfile.TemporaryDirectory(prefix="lane53-metrics.") as place:
        def write(name, text):
            path = os.path.join(place, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="ascii") as file:
                file.write(text)
            return path

        def start(*command):
            with open(os.path.join(place, "log"), "a", encoding="utf-8") as log:
                running.append(subprocess.Popen(command, stdout=log, stderr=log))

        write("hosts", "192.0.2.10 printer.corp.example\n2001:db8::10 printer.corp.example\n")
        write("zones/db.auto.example", ZONE.format("auto.example"))
        for zone in "file", "up":
            write(f"db.{zone}.example", ZONE.format(f"{zone}.example"))
        try:
            start(args.coredns, "-conf", write("Upstream", UPSTREAM.format(dir=place, **shared)))
            start(args.coredns, "-conf", write("Core", COREFILE.format(dir=place, **sides[0])))
            start(os.path.join(args.build, "control", "lane53d"), "-no-xdp", "-conf",
                  write("Lane", COREFILE.format(dir=place, **sides[1])), "-run", place + "/run",
                  "-state", place + "/state")
            families = []
            for ports in sides:
                wait_for(ports)
                time.sleep(1)  # ready may be later than /metrics
                ask(ports)
                time.sleep(1.5)  # health checks, gauges
                families.append(read(scrape(ports), ports))
            return compare(*families)
        finally:
            for process in running:
                process.terminate()
            for process in running:
                process.wait()


if __name__ == "__main__":
    raise SystemExit(main())
