# SPDX-License-Identifier: BSD-3-Clause
"""The report of a run: CSV, Markdown, and HTML with plots.  Also the regression guard."""
import base64
import csv
import html
import io
import json
import math
import pathlib
import statistics

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402  (the backend must be chosen first)

RECORDED = pathlib.Path(__file__).resolve().parents[2] / "docs/benchmarks/results.json"
NOISE = 0.15  # ratios of interleaved rounds move by this much on a shared machine


def rates(run, name):
    return [r["rate"] for r in run["flat_out"].get(name, [])]


def ratio(run, name):
    """Median over rounds of this system's rate to the reflector's in the same round."""
    base = "reflector-gen" if run["systems"][name]["generic"] else "reflector"
    pairs = [(a, b) for a, b in zip(rates(run, name), rates(run, base)) if b]
    return statistics.median(a / b for a, b in pairs) if pairs else math.nan


def cpu_above(run, name):
    """us of CPU per query above the reflector's; None where it is below the spread."""
    mine, base = run["cpu_us"].get(name), run["cpu_us"].get("reflector")
    if not mine or not base:
        return None
    spread = max(base) - min(base)
    above = statistics.median(mine) - statistics.median(base)
    return above if above > spread else None


def notes(run, name):
    rounds = run["flat_out"][name]
    words = []
    if not all(r["right"] for r in rounds):
        words.append("answers not all right")
    shares = [r["share"] for r in rounds if r.get("share") is not None]
    if run["systems"][name]["proves"]:
        low = min(shares, default=0)
        words.append(f"{100 * low:.1f} % took its way" + ("" if low >= 0.99 else ": NOT PROVED"))
    words += [r["problem"] for r in rounds if "problem" in r][:1]
    return "; ".join(words)


def table(run):
    rows = []
    for name, info in run["systems"].items():
        got = rates(run, name)
        half = run["latency"].get(name, {}).get(0.5) or run["latency"].get(name, {}).get("0.5")
        cpu = cpu_above(run, name)
        rows.append({
            "system": name, "what": info["what"], "version": info["version"],
            "answers_per_s": round(statistics.median(got)) if got else 0,
            "lowest": round(min(got, default=0)), "highest": round(max(got, default=0)),
            "of_reflector": round(ratio(run, name), 3),
            "p50_us": round(half["p50"], 1) if half else "",
            "p99_us": round(half["p99"], 1) if half else "",
            "p999_us": round(half["p99.9"], 1) if half else "",
            "cpu_us_above_reflector": "" if name not in run["cpu_us"] or name == "reflector"
                                      else f"{cpu:.1f}" if cpu is not None else "< spread",
            "xdp_ns": round(run["run_ns"][name]) if run["run_ns"].get(name) else "",
            "user_MiB": round(run["user_bytes"].get(name, 0) / 2**20, 1),
            "kernel_MiB": round(run["kernel_bytes"].get(name, 0) / 2**20, 1),
            "notes": notes(run, name),
        })
    return rows


def plot(draw):
    figure, axes = plt.subplots(figsize=(9, 4.5))
    draw(axes)
    figure.tight_layout()
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=110)
    plt.close(figure)
    return data.getvalue()


def bars(run):
    def draw(axes):
        shown = [r for r in table(run) if r["answers_per_s"]]
        middle = [r["answers_per_s"] / 1000 for r in shown]
        low = [m - r["lowest"] / 1000 for m, r in zip(middle, shown)]
        high = [r["highest"] / 1000 - m for m, r in zip(middle, shown)]
        colours = ["#c44e52" if r["system"].startswith("lane53") else
                   "#999999" if r["system"].startswith("reflector") else "#4c72b0" for r in shown]
        axes.barh([r["system"] for r in shown], middle, xerr=[low, high], color=colours,
                  capsize=3)
        for y, row in enumerate(shown):
            axes.text(row["highest"] / 1000, y, f"  {row['of_reflector']:.2f}", va="center",
                      fontsize=8)
        axes.invert_yaxis()
        axes.margins(x=0.12)
        axes.set_xlabel("thousand answers/s, median and range of rounds; "
                        "the number is the ratio to the reflector")
        axes.set_title(f"Flat out, {run['names']:,} names")
    return plot(draw)


def latencies(run):
    def draw(axes):
        for name, rows in run["latency"].items():
            points = [(float(s) * 100, r["p99"]) for s, r in rows.items()
                      if s != "problem" and not math.isnan(r["p99"])]
            if points:
                axes.plot(*zip(*points), marker="o", label=name,
                          linewidth=2.5 if name.startswith("lane53") else 1)
        axes.set_yscale("log")
        axes.set_xlabel("background load, % of each one's own capacity")
        axes.set_ylabel("p99 of a paced probe, us")
        axes.set_title(f"Latency under load, {run['names']:,} names")
        axes.legend(fontsize=7, ncol=2)
        axes.grid(alpha=0.3)
    return plot(draw)


def scale(result):
    def draw(axes):
        seen = {name for run in result["runs"] for name in run["systems"]}
        for name in sorted(seen):
            points = [(run["names"], ratio(run, name)) for run in result["runs"]
                      if name in run["systems"]]
            axes.plot(*zip(*points), marker="o", label=name)
        axes.set_xscale("log")
        axes.set_xlabel("names")
        axes.set_ylabel("rate, of the reflector's")
        axes.set_title("Over the number of names")
        axes.legend(fontsize=7, ncol=2)
        axes.grid(alpha=0.3)
    return plot(draw)


def markdown(result):
    lines = ["# Benchmark run", "", " · ".join(f"{k} {v}" for k, v in result["machine"].items()),
             "", f"All systems and the generator on cores {result['cores']}; {result['rounds']} "
             f"interleaved rounds of {result['seconds']} s. Compare the ratios, not the rates: "
             "the machine is shared."]
    for run in result["runs"]:
        rows = table(run)
        lines += ["", f"## {run['names']:,} names", "",
                  "| " + " | ".join(rows[0]) + " |", "|" + "---|" * len(rows[0])]
        lines += ["| " + " | ".join(str(v) for v in row.values()) + " |" for row in rows]
        for name, why in run["skipped"].items():
            lines.append(f"\nSkipped: **{name}**: {why}")
    return "\n".join(lines) + "\n"


def write(result, out):
    result = json.loads(json.dumps(result))  # keys as they are read back
    (out / "results.json").write_text(json.dumps(result, indent=1))
    (out / "report.md").write_text(markdown(result))
    with open(out / "results.csv", "w", newline="", encoding="utf-8") as file:
        rows = [{"names": run["names"], **row} for run in result["runs"] for row in table(run)]
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    images = {}
    for run in result["runs"]:
        images[f"rates-{run['names']}"] = bars(run)
        images[f"latency-{run['names']}"] = latencies(run)
    if len(result["runs"]) > 1:
        images["scale"] = scale(result)
    for name, data in images.items():
        (out / f"{name}.png").write_bytes(data)
    (out / "report.html").write_text(page(result, images))


def page(result, images):
    parts = ["<!doctype html><meta charset=utf-8><title>lane53 benchmark</title>",
             "<style>body{font:15px sans-serif;max-width:70em;margin:2em auto}"
             "td,th{padding:.2em .6em;text-align:left;border-bottom:1px solid #ddd;"
             "font-size:13px}pre{background:#f4f4f4;padding:1em}</style><h1>lane53 benchmark</h1>",
             f"<p>{html.escape(' · '.join(f'{k} {v}' for k, v in result['machine'].items()))}"]
    for data in images.values():
        parts.append(f"<p><img src='data:image/png;base64,{base64.b64encode(data).decode()}'>")
    for run in result["runs"]:
        rows = table(run)
        parts.append(f"<h2>{run['names']:,} names</h2><table><tr>"
                     + "".join(f"<th>{html.escape(k)}" for k in rows[0]))
        for row in rows:
            parts.append("<tr>" + "".join(f"<td>{html.escape(str(v))}" for v in row.values()))
        parts.append("</table>")
        for name, why in run["skipped"].items():
            parts.append(f"<p>Skipped: <b>{html.escape(name)}</b>: {html.escape(why)}")
        parts.append("<details><summary>Configurations</summary>")
        for name, files in run["configurations"].items():
            for file, text in files.items():
                parts.append(f"<h4>{html.escape(name)}: {html.escape(file)}</h4>"
                             f"<pre>{html.escape(text)}</pre>")
        parts.append("</details>")
    return "\n".join(parts)


def guard(result):
    """Say what got worse than the recorded run by more than the noise."""
    if not RECORDED.exists():
        print(f"guard: nothing recorded at {RECORDED}")
        return 0
    recorded = {run["names"]: run for run in json.loads(RECORDED.read_text())["runs"]}
    worse = 0
    for run in json.loads(json.dumps(result))["runs"]:
        old = recorded.get(run["names"])
        for name in run["systems"] if old else ():
            if name not in old["systems"] or not name.startswith("lane53"):
                continue
            now, then = ratio(run, name), ratio(old, name)
            if now < then * (1 - NOISE):
                print(f"guard: {name}, {run['names']:,} names: {now:.2f} of the reflector, "
                      f"was {then:.2f}")
                worse = 1
    return worse
