# SPDX-License-Identifier: BSD-3-Clause
"""Making load and reading what came of it: kxdpgun, dnsperf, samples, the idle clock."""
import os
import pathlib
import random
import re
import socket
import struct
import subprocess
import threading
import time

import names

FLAT_OUT = 6_000_000  # queries/s asked of kxdpgun: more than any system answers
GUN_STARTS_S = 1.2  # kxdpgun sends nothing for its first second


def first_core(lab):
    return re.match(r"\d+", lab.cores)[0]


def gun_argv(lab, system, queries, rate, seconds, ipv6=False):
    return ["kxdpgun", "-t", seconds, "-Q", int(rate), "-i", queries, "-I", f"g{system.i}",
            "-b", 16, "-F", f"{first_core(lab)}s1",
            system.address6 if ipv6 else system.address]


def gun_read(text, seconds):
    found = {key: int(m[1]) if (m := re.search(pattern, text)) else 0 for key, pattern in (
        ("sent", r"total queries: +(\d+)"), ("noerror", r"responded NOERROR: +(\d+)"),
        ("nxdomain", r"responded NXDOMAIN: +(\d+)"))}
    # SERVFAIL and REFUSED are replies, not answers.
    found["answered"] = found["noerror"] + found["nxdomain"]
    found["rate"] = found["answered"] / seconds
    return found


def kxdpgun(lab, system, queries, rate, seconds, ipv6=False):
    """Open-loop load over AF_XDP.  Returns sent, answered, noerror, nxdomain, rate."""
    out = lab.run("gen", gun_argv(lab, system, queries, rate, seconds, ipv6), seconds + 30)
    return gun_read(out, seconds)


class Background:
    """kxdpgun beside something else; `got` holds what came of it afterwards."""

    def __init__(self, lab, system, queries, rate, seconds):
        self.seconds, self.got = seconds, None
        self.process = subprocess.Popen(
            lab.argv("gen", gun_argv(lab, system, queries, rate, seconds)),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def __enter__(self):
        time.sleep(GUN_STARTS_S)
        return self

    def __exit__(self, kind, value, trace):
        if kind:
            self.process.kill()
        out, _ = self.process.communicate(timeout=self.seconds + 20)
        self.got = gun_read(out, self.seconds)


def dnsperf(lab, system, queries, seconds, rate=0, place="gen", verbose=False, clients=8,
            outstanding=200, once=False, cores=None):
    """Closed-loop load over sockets (or paced, with @rate)."""
    argv = ["dnsperf", "-s", system.address, "-d", queries, "-t", "1", "-c", clients,
            "-T", min(2, clients), "-q", outstanding]
    argv += ["-n", 1] if once else ["-l", seconds]
    if rate:
        argv += ["-Q", int(rate)]
    if verbose:
        argv += ["-v"]
    out = lab.run(place, argv, seconds + 30, cores)
    number = lambda pattern: float(m[1]) if (m := re.search(pattern, out)) else 0.0
    found = {"sent": number(r"Queries sent: +(\d+)"),
             "rate": number(r"Queries per second: +([\d.]+)")}
    codes = dict(re.findall(r"([A-Z]+) (\d+) \(", out))
    found["answered"] = sum(int(codes.get(c, 0)) for c in ("NOERROR", "NXDOMAIN"))
    completed = number(r"Queries completed: +(\d+)")
    if completed:
        found["rate"] *= found["answered"] / completed
    if verbose:
        found["latency_us"] = sorted(float(m) * 1e6 for m in
                                     re.findall(r"^> \S+ \S+ \S+ ([\d.]+)$", out, re.M))
    return found


def percentile(values, share):
    return values[min(len(values) - 1, int(share * len(values)))] if values else float("nan")


class Client:
    """One stub resolver in a namespace, for questions whose answers we know."""

    def __init__(self, lab, place, system, ipv6=False):
        self.sock = lab.socket_in(place, socket.AF_INET6 if ipv6 else socket.AF_INET)
        self.sock.connect((system.address6 if ipv6 else system.address, 53))
        self.ids = random.Random(names.SEED)

    def close(self):
        self.sock.close()

    def ask(self, name, timeout=0.5):
        """Ask for an A.  Returns (query, response), or None if nothing came."""
        query = struct.pack(">6H", self.ids.randrange(65536), 0x0100, 1, 0, 0, 0) + b"".join(
            bytes([len(label)]) + label.encode("ascii") for label in name.split(".")
        ) + b"\0\0\1\0\1"
        self.sock.settimeout(timeout)
        try:
            self.sock.send(query)
            while (response := self.sock.recv(4096))[:2] != query[:2]:
                pass  # a late one
        except OSError:
            return None
        return query, response


def is_right(query, response, address):
    """Is it the answer to @query, with @address and nothing else?"""
    _, flags, _, answers, _, _ = struct.unpack(">6H", response[:12])
    rest = response[len(query):]
    return (flags & 0x8000 and not flags & 0x020F and answers == 1
            and response[12:len(query)] == query[12:]
            and b"\0\4" + socket.inet_aton(address) in rest)


class Sampler(threading.Thread):
    """Checks answers in content, all through the load: @after seconds, for @seconds."""

    def __init__(self, lab, system, seed, seconds, after=0):
        super().__init__(daemon=True)
        self.system, self.rng = system, random.Random(seed)
        self.client = Client(lab, "probe", system)
        self.after, self.seconds = after, seconds
        self.asked = self.answered = self.wrong = 0

    def run(self):
        time.sleep(self.after)
        until = time.monotonic() + self.seconds
        while time.monotonic() < until:
            self.asked += 1
            name, address = self.system.sample(self.rng)
            got = self.client.ask(name, timeout=0.1)
            if got:
                self.answered += 1
                self.wrong += not self.system.is_right(*got, address)
            time.sleep(0.02)
        self.client.close()

    def verdict(self):
        self.join(5)
        return {"asked": self.asked, "answered": self.answered, "wrong": self.wrong}


def idle_seconds():
    """Idle time of all cores (exact under NO_HZ, unlike busy ticks)."""
    with open("/proc/stat", encoding="ascii") as stat:
        words = stat.readline().split()
    return (int(words[4]) + int(words[5])) / os.sysconf("SC_CLK_TCK")


def run_seconds(pids):
    """CPU time of processes in ns resolution, from the scheduler's own clock."""
    total = 0
    for pid in pids:
        for path in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"):
            try:
                total += int(path.read_text().split()[0])
            except (OSError, ValueError, IndexError):
                pass
    return total / 1e9
