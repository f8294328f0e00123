# SPDX-License-Identifier: BSD-3-Clause
"""From what was measured to what is said: ratios, the rows of tables, the floors.

Everything here reads a result as results.json has it: keys of dictionaries are text.
"""
import math
import statistics

MISSING = "not measured"
UNCOUNTED = 0.01  # of the answers: more than this, and the generator's drops are told


def rates(run, name, how="gun"):
    return [r["rate"] for r in run.get(how, {}).get(name, []) if "rate" in r]


def middle(run, name, how="gun"):
    got = rates(run, name, how)
    return statistics.median(got) if got else math.nan


def ratio(run, name, base, how="gun"):
    """Median over rounds of this one's rate to the other's in the same round."""
    mine, other = run.get(how, {}).get(name, []), run.get(how, {}).get(base, [])
    pairs = [(a["rate"], b["rate"]) for a, b in zip(mine, other)
             if a.get("rate") and b.get("rate")]
    return statistics.median(a / b for a, b in pairs) if pairs else math.nan


def baseline(run, name):
    return "reflector-gen" if run["systems"][name]["baseline"] == "reflector-gen" \
        else "reflector"


def best(run, names, how):
    """The fastest of @names, or None."""
    got = [(middle(run, n, how), n) for n in names if rates(run, n, how)]
    return max(got)[1] if got else None


def latency(run, name, share, key, how="latency"):
    """Median over rounds, in us."""
    got = [r[key] for r in run.get(how, {}).get(name, {}).get(str(share), [])
           if key in r and not math.isnan(r[key])]
    return statistics.median(got) if got else math.nan


def cpu_rounds(run, name):
    return run.get("cpu", {}).get("rounds", {}).get(name, ())


def cpu(run, name):
    """
    us per query of the whole machine: the least of the passes, for whatever else runs can
    only add to it.  The reflector has several rounds in a pass: the median of the least at
    each place, so that it has no more rounds to be lucky in than the others.
    """
    if name == "reflector":
        got = cpu_base(run)
        return statistics.median(got) if got else math.nan
    return min((one["us"] for one in cpu_rounds(run, name)), default=math.nan)


def cpu_base(run):
    """The reflector's least of the passes, at each of its places in a pass."""
    places = {}
    for one in cpu_rounds(run, "reflector"):
        places[one["at"]] = min(one["us"], places.get(one["at"], math.inf))
    return sorted(places.values())


def cpu_above(run, name):
    """us per query more than the reflector's; NaN where not measured."""
    return cpu(run, name) - cpu(run, "reflector")


def cpu_spread(run):
    """
    How far apart the same thing, measured in the same way, is from itself: the reflector at
    its places in a pass.  Less is not a difference.
    """
    got = cpu_base(run)
    return got[-1] - got[0] if len(got) > 1 else math.nan


# ---- where the host put the two cores ----

def pair_ns(run):
    """All that was measured of the way from core to core, in ns."""
    return [ns for rounds in run.get("gun", {}).values() for r in rounds
            for ns in r.get("pair_ns", ()) if ns]


def place(run, one):
    """Were the two cores "near" each other in this round, or "far"?  None if both."""
    got = pair_ns(run)
    if not got or max(got) < 2 * min(got):
        return "as ever"
    found = {"near" if ns < 2 * min(got) else "far" for ns in one.get("pair_ns", ()) if ns}
    return found.pop() if len(found) == 1 else None


def placed(run, name, where):
    return [r["rate"] for r in run.get("gun", {}).get(name, ())
            if r.get("rate") and place(run, r) == where]


def alike(run, name, base):
    """
    (ratio, which rounds): what hands packets from core to core is two times faster where
    the cores are near, so rounds are compared with rounds of the same place only.
    """
    both = [(min(len(mine), len(other)), statistics.median(mine) / statistics.median(other), where)
            for where in ("far", "near", "as ever")
            if (mine := placed(run, name, where)) and (other := placed(run, base, where))]
    if not both:
        return ratio(run, name, base), "all rounds"
    count, found, where = max(both)
    return found, f"{count} pairs of rounds" + (
        f", cores {where}" if where != "as ever" else "")


def notes(run, name):
    rounds = run.get("gun", {}).get(name, []) + run.get("perf", {}).get(name, [])
    words = []
    samples = [r["samples"] for r in rounds if "samples" in r]
    wrong = sum(s["wrong"] for s in samples)
    seen = sum(s["answered"] for s in samples)
    asked = sum(s["asked"] for s in samples)
    words.append(f"{seen} of {asked} samples answered" + (
        f", {wrong} WRONG" if wrong else ", all right" if seen else ": NOT CHECKED"))
    shares = [r["share"] for r in rounds if "share" in r]
    if shares:
        low = min(shares)
        words.append(f"{100 * low:.1f} % its way" + ("" if low >= 0.99 else ": NOT PROVED"))
    dropped = max((r.get("uncounted", 0) / r["answered"] for r in rounds if r.get("answered")),
                  default=0)
    if dropped > UNCOUNTED:
        words.append(f"the generator dropped up to {dropped:.1%} of the answers")
    words += [r["problem"] for r in rounds if "problem" in r][:1]
    return "; ".join(words)


def number(value, form="{:.2f}"):
    return "" if value is None or math.isnan(value) else form.format(value)


def table(run):
    """One row per system of the flat-out rounds, kxdpgun's or else dnsperf's."""
    rows = []
    for name, info in run["systems"].items():
        how = "gun" if rates(run, name) else "perf"
        got = rates(run, name, how)
        if not got:
            continue
        share = "0.5"
        above, spread = cpu_above(run, name), cpu_spread(run)
        rows.append({
            "system": name, "what": info["what"], "version": info["version"],
            "generator": {"gun": "kxdpgun", "perf": "dnsperf"}[how],
            "answers_per_s": round(statistics.median(got)),
            "lowest": round(min(got)), "highest": round(max(got)),
            "of_reflector": number(ratio(run, name, baseline(run, name), how)),
            "dnsperf_per_s": number(middle(run, name, "perf"), "{:.0f}"),
            "of_reflector_gen": number(ratio(run, name, "reflector-gen", "perf")),
            **{f"{key}_us": number(latency(run, name, share, key), "{:.0f}")
               for key in ("p50", "p90", "p99", "p99.9")},
            "cpu_us_above_reflector":
                "" if math.isnan(above) or name == "reflector"
                else f"< spread ({spread:.2f})" if above < spread else f"{above:.2f}",
            "xdp_ns": number(run.get("run_ns", {}).get(name) or math.nan, "{:.0f}"),
            "user_MiB": number(run["user_bytes"].get(name, 0) / 2**20, "{:.0f}"),
            "kernel_MiB": number(sum(run["kernel_bytes"].get(name, {}).values()) / 2**20,
                                 "{:.0f}"),
            "notes": notes(run, name),
        })
    return rows


# ---- the floors and goals (issue 4) ----

def by_names(result, count):
    return next((run for run in result["runs"] if run["names"] == count), None)


def _hit(result, count, name):
    run = by_names(result, count)
    return ratio(run, name, "reflector") if run and name in run["systems"] else math.nan


def _over(run, mine, others, how="gun"):
    other = best(run, others, how)
    return ratio(run, mine, other, how) if other else math.nan


def _cpu_part(run, others):
    """lane53's CPU above the reflector's, as a part of another's."""
    base = [cpu_above(run, n) for n in others if not math.isnan(cpu_above(run, n))]
    if not base or math.isnan(cpu_above(run, "lane53-local")):
        return math.nan
    spread = cpu_spread(run)
    mine = max(cpu_above(run, "lane53-local"), 0 if math.isnan(spread) else spread)
    return mine / min(base) if min(base) > 0 else math.nan


def _cpu_form(run):
    """Less than the reflector's spread is no more than a bound."""
    return "< {:.3f}" if cpu_above(run, "lane53-local") < cpu_spread(run) else "{:.3f}"


def _million(result):
    run = by_names(result, 1_000_000)
    return run.get("million", {}) if run else {}


def _bytes_per_record(result):
    run = by_names(result, 1_000_000)
    maps = run["kernel_bytes"].get("lane53-local", {}) if run else {}
    local = sum(size for name, size in maps.items() if name.startswith("local"))
    return local / 1e6 if local else math.nan


def _xdp_ms(result):
    got = [c["xdp_ms"] for c in _million(result).get("change", [])]
    return statistics.median(got) if got else math.nan


def targets(result):
    """[(what, floor, goal, measured, smaller is better, form)]"""
    run = result["runs"][0]
    lane, lane_of = alike(run, "lane53-lane", "testpmd")
    upstream, upstream_of = alike(run, "lane53-upstream", "testpmd")
    p99 = latency(run, "lane53-local", 0.5, "p99") / latency(run, "reflector", 0.5, "p99")
    sockets = ("knot", "nsd", "unbound", "coredns", "dnsdist", "dnsmasq")
    idle = run.get("idle", {}).get("lane53-local", math.nan) * 100
    rows = [
        ("hit in `local`, 1,000 names, of the reflector", .80, .90,
         _hit(result, 1000, "lane53-local"), False, "{:.2f}"),
        ("hit in `local`, 1,000,000 names, uniform", .65, .80,
         _hit(result, 1_000_000, "lane53-local"), False, "{:.2f}"),
        ("hit in `cache`, 1,000 names", .75, .90, _hit(result, 1000, "lane53-cache"),
         False, "{:.2f}"),
        ("hit in `cache`, 1,000,000 names", .60, .80,
         _hit(result, 1_000_000, "lane53-cache"), False, "{:.2f}"),
        (f"miss answered over the lane from its own store, of testpmd's echo ({lane_of})",
         .55, .70, lane, False, "{:.2f}"),
        (f"distinct misses to an upstream, of the same echo halved ({upstream_of})", .45, .60,
         upstream * 2, False, "{:.2f}"),
    ]
    for name, others, floor, goal in (
            ("CoreDNS", ("coredns",), 8, 11), ("Unbound", ("unbound",), 2.5, 3.3),
            ("dnsdist", ("dnsdist",), 2.3, 2.9), ("dnsmasq", ("dnsmasq",), 4, 5),
            ("the best of Knot and NSD on sockets", ("knot", "nsd"), 1.7, 2.1),
            ("Knot-XDP", ("knot-xdp",), 2, 3)):
        rows.append((f"flat out against {name}", floor, goal,
                     _over(run, "lane53-local", others), False, "{:.1f}x"))
    rows += [
        ("`mode auto` (generic) with dnsperf, of the generic reflector", .80, .90,
         ratio(run, "lane53-auto", "reflector-gen", "perf"), False, "{:.2f}"),
        ("CPU per query above the reflector's, of CoreDNS's", 1 / 15, 1 / 40,
         _cpu_part(run, ("coredns",)), True, _cpu_form(run)),
        ("CPU per query above the reflector's, of the best socket server's", 1 / 5, 1 / 12,
         _cpu_part(run, sockets), True, _cpu_form(run)),
        ("p99 of an XDP hit at half capacity, of the reflector's", 2, 1.5, p99, True, "{:.2f}x"),
        ("socket path with dnsperf, of the best of Knot, NSD, Unbound", .8, 1.1,
         _over(run, "lane53-socket", ("knot", "nsd", "unbound"), "perf"), False, "{:.2f}"),
        ("idle CPU of all processes", 1, .2, idle, True, "{:.2f} %"),
        ("bytes of kernel memory per A record at 1,000,000", 200, 128,
         _bytes_per_record(result), True, "{:.0f}"),
        ("1,000,000 records from a zone file to answered by XDP", 10, 4,
         _million(result).get("xdp_s", math.nan), True, "{:.1f} s"),
        ("one record changed among 1,000,000, to the first new XDP answer", 10, 1,
         _xdp_ms(result), True, "{:.2f} ms"),
    ]
    return rows


def verdict(row):
    _, floor, goal, got, smaller, form = row
    if math.isnan(got):
        return MISSING
    if form.startswith("<") and got > floor:
        return "not resolved"  # the bound is above the floor: nothing is shown
    if smaller:
        return "goal" if got <= goal else "floor" if got <= floor else "BELOW FLOOR"
    return "goal" if got >= goal else "floor" if got >= floor else "BELOW FLOOR"


def target_rows(result):
    return [{"what": row[0], "floor": row[5].lstrip("< ").format(row[1]),
             "goal": row[5].lstrip("< ").format(row[2]),
             "measured": "" if math.isnan(row[3]) else row[5].format(row[3]),
             "reached": verdict(row)} for row in targets(result)]
