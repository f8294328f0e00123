# SPDX-License-Identifier: BSD-3-Clause
"""The seeded name list that every system serves, and the questions asked about it.

Host i is h<i>.bench.example with the address 10.<i in three bytes>, so an answer can be
checked without a table.
"""
import random

ORIGIN = "bench.example"
SEED = 53
WILD = "192.0.2.1"  # the address of every name below wild.bench.example
AAAA_MAX = 100_000  # more names than this have an A only

# What is asked; the reader of a report knows them by these words.
KINDS = {
    "uniform": "every name as often as any other",
    "zipf": "few names often, most names rarely (Pareto, 0.9)",
    "nxdomain": "one in ten does not exist",
    "mixed": "A and AAAA in turn by chance",
    "edns": "with an OPT record",
    "wild": "names no table holds, below a wildcard",
}


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
        if count <= AAAA_MAX:
            for i in range(count):
                out.write(f"h{i} AAAA {address6(i)}\n")
        if wildcard:
            out.write(f"*.wild A {WILD}\n")


def write_hosts(path, count):
    with open(path, "w", encoding="ascii") as out:
        for i in range(count):
            out.write(f"{address(i)} {host(i)}\n")
            if count <= AAAA_MAX:
                out.write(f"{address6(i)} {host(i)}\n")


def indices(rng, count, lines, kind):
    """Which hosts are asked about: for a large list a permutation, so all of them are."""
    if kind == "zipf":
        for _ in range(lines):
            yield min(int(rng.paretovariate(0.9)) - 1, count - 1)
    elif lines == count:
        order = list(range(count))
        rng.shuffle(order)
        yield from order
    else:
        for _ in range(lines):
            yield rng.randrange(count)


def write_queries(path, count, lines, kind="uniform"):
    """@kind: one of KINDS."""
    rng = random.Random(SEED)
    with open(path, "w", encoding="ascii") as out:
        for i in indices(rng, count, lines, kind):
            if kind == "wild":
                out.write(f"x{i}.wild.{ORIGIN} A\n")
            elif kind == "nxdomain" and rng.random() < 0.1:
                out.write(f"no{i}.{ORIGIN} A\n")
            elif kind == "edns":
                out.write(f"{host(i)} A E\n")  # kxdpgun's flag
            elif kind == "mixed" and rng.random() < 0.5:
                out.write(f"{host(i)} AAAA\n")
            else:
                out.write(f"{host(i)} A\n")


def write_all(path, count):
    """Every name once, to warm a cache with."""
    with open(path, "w", encoding="ascii") as out:
        out.writelines(f"{host(i)} A\n" for i in range(count))


def write_distinct(path, prefix, lines):
    """Names that nobody asked before: each @prefix is used once."""
    with open(path, "w", encoding="ascii") as out:
        out.writelines(f"x{prefix}-{i}.wild.{ORIGIN} A\n" for i in range(lines))
