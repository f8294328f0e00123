# SPDX-License-Identifier: BSD-3-Clause
"""The report of a run: JSON, CSV, Markdown, HTML with plots.  Also the regression guard."""
import base64
import csv
import html
import json
import math
import pathlib
import re
import statistics

import figures
import plots
import record

RECORDED = pathlib.Path(__file__).resolve().parents[2] / "docs/benchmarks/results.json"
NOISE = 0.15  # ratios of interleaved rounds move by this much on a shared machine

STYLE = """body{font:15px/1.45 sans-serif;max-width:84em;margin:2em auto;padding:0 1em}
table{border-collapse:collapse;display:block;overflow-x:auto}
td,th{padding:.25em .6em;text-align:left;border-bottom:1px solid #ddd;font-size:13px;
vertical-align:top}th{background:#f4f4f4}td:first-child{white-space:nowrap}td:last-child{min-width:14em}pre{background:#f4f4f4;padding:1em;overflow-x:auto}
.bad{background:#fbe3e4}.good{background:#e6f4e6}img{max-width:100%}"""


def core_pairs(result):
    """A sentence on where the host put the cores, which no run can choose."""
    got = sorted(ns for run in result["runs"] for ns in figures.pair_ns(run))
    if not got:
        return ""
    near = sum(ns < 2 * got[0] for ns in got) / len(got)
    if near == 1:
        return f" A cache line took {statistics.median(got):.0f} ns from core to core."
    return (f" A cache line took {got[0]:.0f} ns from core to core at best and "
            f"{statistics.median(got):.0f} in the median; in {near:.0%} of the rounds the two "
            "cores were near each other. Whatever hands packets from core to core (all but "
            "XDP) is about twice as fast then.")


def preface(result):
    size = f"`--{result['size']}`, {result.get('took_s', 0) / 60:.1f} minutes"
    return core_pairs(result)[1:] + " " + (f"All systems and the generator share cores {result['cores_used']}; {result['rounds']} "
            f"interleaved rounds of {result['seconds']} s flat out; {size}. Compare the ratios, not the "
            "rates: each stands beside a reflector's round of the same minute.")


def latency_rows(run, how):
    rows = []
    for name, found in run.get(how, {}).items():
        base = figures.baseline(run, name) if how == "latency" else "reflector-gen"
        for share, got in found.items():
            p99 = figures.latency(run, name, share, "p99", how)
            lost = [r["lost"] for r in got if "lost" in r]
            rate = [r["sent_rate"] for r in got if "sent_rate" in r]
            rows.append({"system": name, "load": "equal" if share == "equal" else
                         f"{float(share):.0%} of its own",
                         "queries/s": f"{statistics.median(rate):,.0f}" if rate else "",
                         **{f"{key}, us": figures.number(
                             figures.latency(run, name, share, key, how), "{:.0f}")
                            for key in plots.KEYS},
                         f"p99 of the {base}'s": figures.number(
                             p99 / figures.latency(run, base, share, "p99", how)),
                         "lost": f"{statistics.median(lost):.2%}" if lost else "",
                         "notes": next((r["problem"] for r in got if "problem" in r), "")})
    return rows


def cpu_rows(run):
    rows, spread = [], figures.cpu_spread(run)
    for name in run.get("cpu", {}).get("rounds", ()):
        got = figures.cpu_rounds(run, name)
        if not got:
            continue
        above = figures.cpu_above(run, name)
        rows.append({"system": name, "whole machine, us": figures.number(figures.cpu(run, name)),
                     "of the reflector's": figures.number(
                         figures.cpu(run, name) / figures.cpu(run, "reflector")),
                     "above the reflector's, us": "" if name == "reflector" else
                     f"< spread ({above:.2f})" if above < spread else f"{above:.2f}",
                     "median, us": f"{statistics.median(one['us'] for one in got):.2f}",
                     "rounds": len(got),
                     "others' share of a core, median":
                         f"{statistics.median(one['others'] for one in got):.1%}"})
    return rows


def client_rows(run):
    rows = []
    for name in next(iter(run.get("clients", {}).values()), ()):
        row = {"system": name}
        for count, found in run["clients"].items():
            part = {"perf": found}
            rate = figures.middle(part, name, "perf")
            of = figures.ratio(part, name, "reflector-gen", "perf")
            row[f"{count} clients"] = "" if math.isnan(rate) else f"{rate:,.0f} ({of:.2f})"
        rows.append(row)
    return rows


def shape_rows(run):
    names = next(iter(run.get("shapes", {}).values()), ())
    return [{"system": name, "uniform": figures.number(figures.ratio(run, name, "reflector")),
             **{shape: figures.number(figures.ratio({"gun": rows}, name, "reflector"))
                for shape, rows in run["shapes"].items()}} for name in names]


def load_rows(result):
    return [{"system": name, **{f"{run['names']:,} names, s": figures.number(
        run["systems"].get(name, {}).get("load_s") or math.nan, "{:.2f}")
        for run in result["runs"]}} for name in result["runs"][0]["systems"]]


def core_rows(result):
    found = result.get("over_cores", {})
    rows = []
    for name in dict.fromkeys(name for part in found.values() for name in part):
        row = {"system": name}
        for number, part in found.items():
            rate, of = figures.middle({"gun": part}, name), figures.ratio(
                {"gun": part}, name, "reflector")
            row[f"{number} cores"] = "" if math.isnan(rate) else f"{rate:,.0f} ({of:.2f})"
        rows.append(row)
    return rows


def time_rows(result):
    return [{"names": "", "part": part, "s": took}
            for part, took in result.get("sections_s", {}).items()] + [{"names": f"{run['names']:,}", "part": part, "s": took}
            for run in result["runs"] for part, took in run.get("sections_s", {}).items()]


def sections(result):
    """[(title, rows)]: what Markdown and HTML both show."""
    first = result["runs"][0]
    names = f"{first['names']:,} names"
    rate = first.get("cpu", {}).get("rate", 0)
    found = [("What went wrong", [{"what": t["what"], "what to do": t["do"]}
                                  for t in result.get("troubles", ())]),
             ("Floors and goals", figures.target_rows(result)),
             ("Systems", [{"system": name, "version": info["version"], "what": info["what"]}
                          for name, info in first["systems"].items()])]
    for run in result["runs"]:
        found.append((f"Flat out, {run['names']:,} names", [
            {key: value for key, value in row.items() if key not in ("what", "version")}
            for row in figures.table(run)]))
    found += [(f"Latency of a paced probe beside kxdpgun, {names}", latency_rows(first, "latency")),
              (f"Open loop: dnsperf at a steady rate, a paced probe beside it, {names}",
               latency_rows(first, "open")),
              (f"CPU per query at {rate:,} queries/s; spread of the reflector from itself: "
               f"{figures.cpu_spread(first):.2f} us", cpu_rows(first)),
              ("Concurrent clients, dnsperf: answers/s (of the generic reflector's)",
               client_rows(first))]
    for run in result["runs"]:
        found.append((f"Shapes of load, {run['names']:,} names: rate of the reflector's",
                      shape_rows(run)))
    found += [("Shapes", [{"shape": k, "questions": v} for k, v in result.get("kinds", {}).items()]
               if first.get("shapes") else []),
              ("Cores, the generator's included, dnsperf with a thread for each: answers/s (of the reflector's)",
               core_rows(result)),
              ("From start to the last name answered", load_rows(result)),
              ("Where the time of this run went", time_rows(result))]
    return [(title, rows) for title, rows in found if rows]


def skipped(result):
    return {name: why for run in result["runs"] for name, why in run["skipped"].items()}


def markdown(result):
    lines = ["# Benchmark run", "",
             " · ".join(f"{k} {v}" for k, v in result["machine"].items()), "", preface(result)]
    for title, rows in sections(result):
        lines += ["", f"## {title}", "", *record.markdown_table(rows)]
    for name, why in skipped(result).items():
        lines.append(f"\nSkipped: **{name}**: {why}")
    return "\n".join(lines) + "\n"


def cell(value):
    text = str(value)
    bad = any(word in text for word in ("BELOW", "WRONG", "NOT "))
    good = text in ("goal", "floor")
    mark = " class=bad" if bad else " class=good" if good else ""
    return f"<td{mark}>{prose(text)}"


def prose(text):
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))


def page(result, images):
    parts = ["<!doctype html><html lang=en><meta charset=utf-8><title>lane53 benchmark</title>",
             f"<style>{STYLE}</style><h1>lane53 benchmark</h1>",
             f"<p>{html.escape(' · '.join(f'{k} {v}' for k, v in result['machine'].items()))}",
             f"<p>{prose(preface(result))}"]
    for name, why in skipped(result).items():
        parts.append(f"<p>Skipped: <b>{html.escape(name)}</b>: {html.escape(why)}")
    plots_at = "Systems"  # after what everybody wants to know first
    for title, rows in sections(result):
        if title == plots_at:
            parts += [f"<p><img alt='{name}' src='data:image/png;base64,"
                      f"{base64.b64encode(data).decode()}'>" for name, data in images.items()]
        parts.append(f"<h2>{html.escape(title)}</h2><table><tr>"
                     + "".join(f"<th>{html.escape(k)}" for k in rows[0]))
        parts += ["<tr>" + "".join(cell(v) for v in row.values()) for row in rows]
        parts.append("</table>")
    parts.append("<h2>Configurations</h2>")
    for name, files in result["runs"][0].get("configurations", {}).items():
        for file, text in files.items():
            parts.append(f"<details><summary>{html.escape(name)}: {html.escape(file)}</summary>"
                         f"<pre>{html.escape(text)}</pre></details>")
    return "\n".join(parts)


def write(result, out):
    result = json.loads(json.dumps(result))  # keys as they are read back
    (out / "results.json").write_text(json.dumps(result, indent=None, separators=(",", ":")))
    (out / "report.md").write_text(markdown(result))
    with open(out / "results.csv", "w", newline="", encoding="utf-8") as file:
        rows = [{"names": run["names"], **row} for run in result["runs"]
                for row in figures.table(run)]
        if rows:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    images = plots.all_of(result)
    for name, data in images.items():
        (out / f"{name}.png").write_bytes(data)
    (out / "report.html").write_text(page(result, images))


def guard(result):
    """Say what got worse than the recorded run by more than the noise.  Return: 1 if so."""
    if not RECORDED.exists():
        print(f"guard: nothing recorded at {RECORDED}")
        return 0
    result = json.loads(json.dumps(result))
    recorded = {run["names"]: run for run in json.loads(RECORDED.read_text())["runs"]}
    compared = worse = 0
    for run in result["runs"]:
        old = recorded.get(run["names"])
        for name in run["systems"] if old else ():
            for how in ("gun", "perf"):
                now = figures.ratio(run, name, figures.baseline(run, name), how)
                then = figures.ratio(old, name, figures.baseline(run, name), how) \
                    if name in old["systems"] else math.nan
                if not name.startswith("lane53") or math.isnan(now) or math.isnan(then):
                    continue
                compared += 1
                if now < then * (1 - NOISE):
                    print(f"guard: {name}, {run['names']:,} names: {now:.2f} of the "
                          f"reflector, was {then:.2f}")
                    worse += 1
    print(f"guard: {compared} ratios compared, {worse} worse by more than {NOISE:.0%}")
    return 1 if worse else 0
