# SPDX-License-Identifier: BSD-3-Clause
"""The report of a run: JSON, CSV, Markdown, HTML with plots.  Also the regression guard."""
import base64
import csv
import html
import json
import math
import pathlib
import statistics

import figures
import plots

RECORDED = pathlib.Path(__file__).resolve().parents[2] / "docs/benchmarks/results.json"
NOISE = 0.15  # ratios of interleaved rounds move by this much on a shared machine

STYLE = """body{font:15px/1.45 sans-serif;max-width:72em;margin:2em auto;padding:0 1em}
table{border-collapse:collapse;display:block;overflow-x:auto}
td,th{padding:.25em .6em;text-align:left;border-bottom:1px solid #ddd;font-size:13px;
vertical-align:top}th{background:#f4f4f4}pre{background:#f4f4f4;padding:1em;overflow-x:auto}
.bad{background:#fbe3e4}.good{background:#e6f4e6}img{max-width:100%}"""


def preface(result):
    size = f"`--{result['size']}`, {result.get('took_s', 0) / 60:.1f} minutes"
    return (f"All systems and the generator share cores {result['cores_used']}; {result['rounds']} "
            f"interleaved rounds of {result['seconds']} s flat out; {size}. Compare the ratios, not the "
            "rates: each stands beside a reflector's round of the same minute.")


def latency_rows(run):
    rows = []
    for name, found in run.get("latency", {}).items():
        for share, got in found.items():
            lost = [r["lost"] for r in got if "lost" in r]
            rows.append({"system": name,
                         "load": "20,000/s" if share == "equal" else f"{float(share):.0%}",
                         **{f"{key}_us": figures.number(figures.latency(run, name, share, key),
                                                        "{:.0f}") for key in plots.KEYS},
                         "lost": f"{max(lost):.2%}" if lost else "",
                         "notes": next((r["problem"] for r in got if "problem" in r), "")})
    return rows


def client_rows(run):
    return [{"system": name, **{f"{count} clients": round(statistics.median(
        r["rate"] for r in rows[name])) for count, rows in run["clients"].items()}}
        for name in next(iter(run["clients"].values()), {})] if run.get("clients") else []


def shape_rows(run):
    if not run.get("shapes"):
        return []
    names = next(iter(run["shapes"].values()))
    return [{"system": name, "uniform": figures.number(figures.ratio(run, name, "reflector")),
             **{shape: figures.number(figures.ratio({"gun": rows}, name, "reflector"))
                for shape, rows in run["shapes"].items()}} for name in names]


def load_rows(result):
    return [{"system": name, **{f"{run['names']:,} names, s": figures.number(
        run["systems"].get(name, {}).get("load_s") or math.nan, "{:.2f}")
        for run in result["runs"]}} for name in result["runs"][0]["systems"]]


def sections(result):
    """[(title, rows)]: what Markdown and HTML both show."""
    first = result["runs"][0]
    found = [("Floors and goals", figures.target_rows(result))]
    for run in result["runs"]:
        found.append((f"Flat out, {run['names']:,} names", figures.table(run)))
    found.append((f"Latency of a paced probe, {first['names']:,} names", latency_rows(first)))
    found.append(("Concurrent clients, dnsperf, answers/s", client_rows(first)))
    found.append(("Shapes of load, rate of the reflector's", shape_rows(first)))
    found.append(("From start to the last name answered", load_rows(result)))
    return [(title, rows) for title, rows in found if rows]


def skipped(result):
    return {name: why for run in result["runs"] for name, why in run["skipped"].items()}


def markdown(result):
    lines = ["# Benchmark run", "",
             " · ".join(f"{k} {v}" for k, v in result["machine"].items()), "", preface(result)]
    for title, rows in sections(result):
        lines += ["", f"## {title}", "", "| " + " | ".join(rows[0]) + " |",
                  "|" + "---|" * len(rows[0])]
        lines += ["| " + " | ".join(str(v) for v in row.values()) + " |" for row in rows]
    for name, why in skipped(result).items():
        lines.append(f"\nSkipped: **{name}**: {why}")
    return "\n".join(lines) + "\n"


def cell(value):
    text = str(value)
    bad = any(word in text for word in ("BELOW", "WRONG", "NOT "))
    good = text in ("goal", "floor")
    mark = " class=bad" if bad else " class=good" if good else ""
    return f"<td{mark}>{html.escape(text)}"


def page(result, images):
    parts = ["<!doctype html><html lang=en><meta charset=utf-8><title>lane53 benchmark</title>",
             f"<style>{STYLE}</style><h1>lane53 benchmark</h1>",
             f"<p>{html.escape(' · '.join(f'{k} {v}' for k, v in result['machine'].items()))}",
             f"<p>{html.escape(preface(result))}"]
    for name, why in skipped(result).items():
        parts.append(f"<p>Skipped: <b>{html.escape(name)}</b>: {html.escape(why)}")
    for name, data in images.items():
        parts.append(f"<p><img alt='{name}' src='data:image/png;base64,"
                     f"{base64.b64encode(data).decode()}'>")
    for title, rows in sections(result):
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
