# SPDX-License-Identifier: BSD-3-Clause
"""Making load and reading what came of it: kxdpgun, dnsperf, samples of the answers."""
import os
import random
import re
import socket
import struct
import threading
import time

import names

ARRIVED = "rx_queue_0_xdp_packets"  # of a veth's statistics
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
        ("sent", r"total queries: +(\d+)"), ("replies", r"total replies: +(\d+)"),
        ("noerror", r"responded NOERROR: +(\d+)"),
        ("nxdomain", r"responded NXDOMAIN: +(\d+)"))}
    # SERVFAIL and REFUSED are replies, not answers.
    found["answered"] = found["noerror"] + found["nxdomain"]
    found["rate"] = found["answered"] / seconds
    return found


def kxdpgun(lab, system, queries, rate, seconds, ipv6=False):
    """Open-loop load over AF_XDP.  Returns sent, answered, noerror, nxdomain, rate."""
    with Background(lab, system, queries, rate, seconds, ipv6, starts_s=0) as gun:
        pass
    return gun.got


class Background:
    """kxdpgun beside something else; `got` holds what came of it afterwards."""

    def __init__(self, lab, system, queries, rate, seconds, ipv6=False,
                 starts_s=GUN_STARTS_S):
        self.lab, self.end = lab, f"g{system.i}"
        self.seconds, self.rate, self.starts_s, self.got = seconds, rate, starts_s, None
        self.before = lab.statistics("gen", self.end)
        self.process = lab.popen("gen", gun_argv(lab, system, queries, rate, seconds, ipv6))

    def __enter__(self):
        time.sleep(self.starts_s)
        return self

    def __exit__(self, kind, value, trace):
        if kind:
            self.process.kill()
        out = self.lab.finish(self.process, self.seconds + 30, check=not kind)
        after = self.lab.statistics("gen", self.end)
        self.got = gun_read(out, self.seconds)
        arrived = after.get(ARRIVED, 0) - self.before.get(ARRIVED, 0)
        # what came to its interface and was not counted: a few are not DNS
        self.got["uncounted"] = max(0, arrived - self.got["replies"])


def perf_argv(system, queries, seconds, rate, clients, outstanding, timeout_s, threads):
    argv = ["dnsperf", "-s", system.address, "-d", queries, "-t", timeout_s, "-c", clients,
            "-T", min(threads, clients), "-q", outstanding, "-l", seconds]
    return argv + (["-Q", int(rate)] if rate else [])


def dnsperf(lab, system, queries, seconds, rate=0, place="gen", verbose=False, clients=8,
            outstanding=200, timeout_s=1, threads=2):
    """Closed-loop load over sockets (or open, with @rate)."""
    argv = perf_argv(system, queries, seconds, rate, clients, outstanding, timeout_s, threads)
    return perf_read(lab.run(place, argv + (["-v"] if verbose else []), seconds + 30), verbose)


def ask_all(lab, system, path, cores):
    """Every question of a file once."""
    lab.run("gen", ["dnsperf", "-s", system.address, "-d", path, "-t", 1, "-c", 8, "-T", 2,
                    "-q", 200, "-n", 1], 600, cores)


def perf_read(out, verbose=False):
    def number(pattern):
        return float(m[1]) if (m := re.search(pattern, out)) else 0.0

    found = {"sent": number(r"Queries sent: +(\d+)"), "lost": number(r"Queries lost: +(\d+)"),
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
        self.cores = {int(core) for core in lab.cores.split(",")}
        self.client = Client(lab, "probe", system)
        self.after, self.seconds = after, seconds
        self.asked = self.answered = self.wrong = 0

    def run(self):
        # On the cores of everybody else: a question from another one would move work there.
        os.sched_setaffinity(0, self.cores)
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
