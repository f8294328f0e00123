# SPDX-License-Identifier: BSD-3-Clause
"""Making load and reading what came of it: kxdpgun, dnsperf, the probe, the idle clock."""
import os
import random
import re
import threading

import lab as labs

FLAT_OUT = 2_000_000  # queries/s asked of kxdpgun: more than any system answers


def kxdpgun(lab, system, queries, rate, seconds):
    """Open-loop load over AF_XDP.  Returns sent, answered, seconds, noerror."""
    out = lab.run("gen", ["kxdpgun", "-t", seconds, "-Q", rate, "-i", queries, "-I",
                          f"g{system.i}", "-b", 16, system.address], seconds + 20)
    found = {key: int(m[1]) if (m := re.search(pattern, out)) else 0 for key, pattern in (
        ("sent", r"total queries: +(\d+)"), ("answered", r"total replies: +(\d+)"),
        ("noerror", r"responded NOERROR: +(\d+)"), ("nxdomain", r"responded NXDOMAIN: +(\d+)"))}
    # SERVFAIL and REFUSED are replies, not answers.
    found["answered"] = found["noerror"] + found["nxdomain"]
    found["rate"] = found["answered"] / seconds
    return found


def dnsperf(lab, system, queries, seconds, rate=0, place="gen", verbose=False, edns=False):
    """Closed-loop load over sockets (or paced, with @rate)."""
    argv = ["dnsperf", "-s", system.address, "-d", queries, "-l", seconds, "-t", "2",
            "-c", "8", "-T", "2", "-q", "200"]
    if rate:
        argv += ["-Q", rate]
    if edns:
        argv += ["-e"]
    if verbose:
        argv += ["-v"]
    out = lab.run(place, argv, seconds + 20)
    number = lambda pattern: float(m[1]) if (m := re.search(pattern, out)) else 0.0
    found = {"sent": number(r"Queries sent: +(\d+)"),
             "answered": number(r"Queries completed: +(\d+)"),
             "rate": number(r"Queries per second: +([\d.]+)")}
    if verbose:
        found["latency_us"] = sorted(float(m) * 1e6 for m in
                                     re.findall(r"^> \S+ \S+ \S+ ([\d.]+)$", out, re.M))
    return found


def percentile(values, share):
    return values[min(len(values) - 1, int(share * len(values)))] if values else float("nan")


class Sampler(threading.Thread):
    """Checks answers in content, a few a round, beside the load."""

    def __init__(self, system, seed, count=6):
        super().__init__(daemon=True)
        rng = random.Random(seed)
        self.system, self.right = system, None
        self.indices = [rng.randrange(system.count) for _ in range(count)]

    def run(self):
        # Lost under overload is the load's business; wrong is ours: ask up to three times.
        self.right = all(any(self._one(i) for _ in range(3)) for i in self.indices)

    def _one(self, i):
        try:
            return self.system.check_answers([i])
        except (labs.LabError, OSError, TimeoutError):
            return False


def idle_seconds():
    """Idle time of all cores (exact under NO_HZ, unlike busy ticks)."""
    with open("/proc/stat", encoding="ascii") as stat:
        words = stat.readline().split()
    return (int(words[4]) + int(words[5])) / os.sysconf("SC_CLK_TCK")
