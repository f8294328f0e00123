# SPDX-License-Identifier: BSD-3-Clause
"""The plots of a report, as PNG bytes."""
import io
import math
import statistics

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402  (the backend must be chosen first)

from figures import (  # noqa: E402
    cpu_above, cpu_rounds, cpu_spread, latency, middle, rates, ratio)

OURS, CEILING, OTHERS = "#c44e52", "#8c8c8c", "#4c72b0"
KEYS = ("p50", "p90", "p99", "p99.9")


def colour(name):
    return OURS if name.startswith("lane53") else \
        CEILING if name.startswith(("reflector", "testpmd")) else OTHERS


def finish(figure):
    figure.tight_layout()
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=90)
    plt.close(figure)
    return data.getvalue()


def legend_colours(axes):
    for name, label in (("lane53", "lane53"), ("reflector", "ceiling"), ("", "others")):
        axes.barh([0], [0], color=colour(name), label=label)
    axes.legend(loc="lower right", fontsize=8)


def bars(run, how, title):
    """Rates with their range over rounds, sorted; the number is the ratio."""
    names = sorted((n for n in run[how] if any(rates(run, n, how))),
                   key=lambda n: -middle(run, n, how))
    figure, axes = plt.subplots(figsize=(9, 0.36 * len(names) + 1.4))
    for y, name in enumerate(names):
        got = [r / 1000 for r in rates(run, name, how)]
        mid = statistics.median(got)
        axes.barh(y, mid, color=colour(name),
                  xerr=[[mid - min(got)], [max(got) - mid]], capsize=3, ecolor="#333333")
        base = "reflector" if how == "gun" else "reflector-gen"
        axes.text(max(got), y, f"  {ratio(run, name, base, how):.2f}", va="center", fontsize=8)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.margins(x=0.1)
    axes.set_xlabel("thousand answers/s: median and range of the rounds; "
                    "beside it the ratio to the reflector")
    axes.set_title(title, fontsize=11)
    axes.grid(axis="x", alpha=0.3)
    legend_colours(axes)
    return finish(figure)


def distribution(run, share, title, how="latency"):
    """p50 to p99.9 of each system, as a line through four marks."""
    names = [n for n in run[how] if not math.isnan(latency(run, n, share, "p50", how))]
    names.sort(key=lambda n: latency(run, n, share, "p99", how))
    figure, axes = plt.subplots(figsize=(9, 0.36 * len(names) + 1.4))
    for y, name in enumerate(names):
        points = [latency(run, name, share, key, how) for key in KEYS]
        axes.plot(points, [y] * len(points), color=colour(name), linewidth=2, zorder=1)
        for x, marker, size in zip(points, "|oDs", (90, 26, 34, 22)):
            axes.scatter(x, y, marker=marker, s=size, color=colour(name), zorder=2)
    axes.set_xscale("log")
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.margins(y=0.12)
    axes.set_xlabel("us, log scale: | p50, ● p90, ◆ p99, ■ p99.9 of a paced probe")
    axes.set_title(title, fontsize=11)
    axes.grid(axis="x", which="both", alpha=0.25)
    return finish(figure)


def lines(series, title, x_label, y_label, log_x=True, log_y=False, whole_x=False):
    """@series: {name: [(x, y), ...]}"""
    figure, axes = plt.subplots(figsize=(9, 5))
    others = ["#4c72b0", "#55a868", "#8172b2", "#937860", "#da8bc3", "#64b5cd", "#ccb974"]
    ours = ["#c44e52", "#e07b39", "#8b1a1a", "#f0a0a0", "#b35900"]
    for name, points in series.items():
        pool = ours if name.startswith("lane53") else others
        shade = CEILING if name.startswith(("reflector", "testpmd")) else pool.pop(0)
        axes.plot(*zip(*points), marker="o", markersize=4, color=shade, label=name,
                  linewidth=2.4 if name.startswith("lane53") else 1.4,
                  linestyle="--" if shade == CEILING else "-")
    if log_x:
        axes.set_xscale("log")
    if whole_x:
        axes.set_xticks(sorted({x for points in series.values() for x, _ in points}))
    if log_y:
        axes.set_yscale("log")
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.set_title(title, fontsize=11)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return finish(figure)


def over_names(result):
    series = {}
    for run in result["runs"]:
        for name in run["gun"]:
            value = ratio(run, name, "reflector")
            if name != "reflector" and not math.isnan(value):
                series.setdefault(name, []).append((run["names"], value))
    return lines(series, "Over the number of names (flat out, kxdpgun)", "names",
                 "rate, of the reflector's")


def over_clients(run):
    series = {}
    for count, rows in run["clients"].items():
        for name, got in rows.items():
            if got and any(r["rate"] for r in got):
                series.setdefault(name, []).append(
                    (int(count), statistics.median(r["rate"] for r in got) / 1000))
    return lines(series, "Over concurrent clients (closed loop, dnsperf)",
                 "clients, one query on its way each", "thousand answers/s", log_y=True)


def over_cores(result):
    series = {}
    for number, rows in result["over_cores"].items():
        for name in rows:
            rate = middle({"gun": rows}, name)
            if not math.isnan(rate) and rate:
                series.setdefault(name, []).append((int(number), rate / 1000))
    return lines(series, "Over cores, the generator's included (closed loop, dnsperf)",
                 "cores; dnsperf has a thread for each", "thousand answers/s",
                 log_x=False, whole_x=True)


def over_load(run):
    series = {}
    for name, found in run["latency"].items():
        points = [(float(share) * 100, latency(run, name, share, "p99")) for share in found
                  if share != "equal"]
        points = [p for p in points if not math.isnan(p[1])]
        if points:
            series[name] = points
    return lines(series, "p99 over load", "background load, % of each one's own capacity",
                 "us", log_x=False, log_y=True)


def cpu(run):
    names = [n for n in run["cpu"]["rounds"] if n != "reflector"
             and cpu_rounds(run, n)]
    names.sort(key=lambda n: cpu_above(run, n))
    figure, axes = plt.subplots(figsize=(9, 0.36 * len(names) + 1.4))
    for y, name in enumerate(names):
        above = cpu_above(run, name)
        axes.barh(y, above, color=colour(name))
        axes.text(max(above, 0), y, f"  {above:.2f}", va="center", fontsize=8)
    spread = cpu_spread(run)
    if not math.isnan(spread):
        axes.axvspan(-spread, spread, color=CEILING, alpha=0.3)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.margins(x=0.08)
    axes.set_xlabel("us of CPU per query above the reflector's, whole machine: least of the passes;\n"
                    "grey: the spread of the reflector from itself, below which nothing is shown")
    axes.set_title(f"CPU per query at {run['cpu']['rate']:,} queries/s", fontsize=11)
    axes.grid(axis="x", alpha=0.3)
    return finish(figure)


def shapes(run):
    """Ratio to the reflector of the same shape: a table of colours, one row a system."""
    all_shapes = {"uniform": run["gun"], **run["shapes"]}
    names = [n for n in next(iter(run["shapes"].values())) if n != "reflector"]
    names.sort(key=lambda n: -ratio(run, n, "reflector"))
    cells = [[ratio({"gun": rows}, n, "reflector") for rows in all_shapes.values()]
             for n in names]
    figure, axes = plt.subplots(figsize=(9, 0.36 * len(names) + 1.2))
    shown = axes.imshow(cells, cmap="YlGnBu", vmin=0, vmax=1, aspect="auto")
    for y, row in enumerate(cells):
        for x, value in enumerate(row):
            axes.text(x, y, "–" if math.isnan(value) else f"{value:.2f}", ha="center",
                      va="center", fontsize=8, color="white" if value > 0.6 else "black")
    axes.set_xticks(range(len(all_shapes)), all_shapes, fontsize=8)
    axes.set_yticks(range(len(names)), names)
    axes.set_title(f"Shapes of load, {run['names']:,} names (kxdpgun): rate of the reflector's",
                   fontsize=11)
    figure.colorbar(shown, ax=axes, pad=0.02)
    return finish(figure)


def all_of(result):
    """{file name without .png: bytes}"""
    images = {}
    for run in result["runs"]:
        images[f"rates-{run['names']}"] = bars(
            run, "gun", f"Flat out with kxdpgun, {run['names']:,} names")
    first = result["runs"][0]
    if first.get("perf"):
        images["rates-dnsperf"] = bars(first, "perf", "Flat out with dnsperf, closed loop, "
                                       f"{first['names']:,} names")
    for share, what in (("0.5", "half of its own capacity"), ("equal", "20,000 queries/s")):
        if any(share in found for found in first.get("latency", {}).values()):
            images[f"latency-{share.replace('0.5', 'half')}"] = distribution(
                first, share, f"Latency of each one at {what}")
    if any("0.5" in found for found in first.get("open", {}).values()):
        images["latency-open"] = distribution(
            first, "0.5", "Latency beside dnsperf in open loop, at half of its closed loop", "open")
    if any("0.1" in found for found in first.get("latency", {}).values()):
        images["latency-load"] = over_load(first)
    if cpu_rounds(first, "reflector"):
        images["cpu"] = cpu(first)
    if first.get("clients"):
        images["clients"] = over_clients(first)
    if first.get("shapes"):
        images["shapes"] = shapes(first)
    if result.get("over_cores"):
        images["cores"] = over_cores(result)
    if len(result["runs"]) > 1:
        images["names"] = over_names(result)
    return images
