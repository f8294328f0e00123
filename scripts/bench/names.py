# SPDX-License-Identifier: BSD-3-Clause
"""The seeded name list that every system serves, and the questions asked about it.

Host i is h<i>.bench.example with the address 10.<i in three bytes>, so an answer can be
checked without a table.
"""
import random

ORIGIN = "bench.example"
SEED = 53


def host(i):
    return f"h{i}.{ORIGIN}"


def address(i):
    return f"10.{i >> 16 & 255}.{i >> 8 & 255}.{i & 255}"


def address6(i):
    return f"fd00::{i >> 16:x}:{i & 65535:x}"


def write_zone(path, count, wildcard=False):
    with open(path, "w", encoding="ascii") as out:
        out.write(f"$ORIGIN {ORIGIN}.\n$TTL 3600\n"
                  "@ SOA ns hostmaster 1 7200 1800 86400 300\n@ NS ns\nns A 127.0.0.1\n")
        for i in range(count):
            out.write(f"h{i} A {address(i)}\n")
        if count <= 100_000:
            for i in range(count):
                out.write(f"h{i} AAAA {address6(i)}\n")
        if wildcard:
            out.write("*.wild A 192.0.2.1\n")


def write_hosts(path, count):
    with open(path, "w", encoding="ascii") as out:
        for i in range(count):
            out.write(f"{address(i)} {host(i)}\n")


def write_queries(path, count, lines, kind="uniform", mixed=False):
    """@kind: uniform, zipf, nxdomain (10 % of it), wild (names no table holds)."""
    rng = random.Random(SEED)
    with open(path, "w", encoding="ascii") as out:
        for _ in range(lines):
            if kind == "zipf":
                i = min(int(rng.paretovariate(0.9)) - 1, count - 1)
            else:
                i = rng.randrange(count)
            if kind == "wild":
                out.write(f"x{i}.wild.{ORIGIN} A\n")
            elif kind == "nxdomain" and rng.random() < 0.1:
                out.write(f"no{i}.{ORIGIN} A\n")
            else:
                out.write(f"{host(i)} {'AAAA' if mixed and rng.random() < 0.5 else 'A'}\n")
