#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Put a run into the documentation: no figure there is written by hand.

	record.py DOCS OUT	take the results in OUT; DOCS/benchmarks: write the page again
	record.py DOCS --check	exit 1 if DOCS/benchmarks.md does not say what its results say
"""
import json
import pathlib
import shutil
import sys

import figures

BEGIN, END = "<!-- recorded: written by scripts/bench.sh --record -->", "<!-- recorded: end -->"
PLOTS = (("rates-1000", "flat out, 1,000 names"), ("rates-1000000", "flat out, 1,000,000 names"),
         ("rates-dnsperf", "dnsperf, closed loop"),
         ("latency-half", "latency at half of each one's capacity"),
         ("latency-equal", "latency at an equal rate"), ("latency-load", "p99 over load"),
         ("latency-open", "latency beside dnsperf in open loop"),
         ("cpu", "CPU per query"), ("names", "over names"), ("clients", "over clients"),
         ("cores", "over cores"), ("shapes", "shapes of load"))


def markdown_table(rows):
    return ["| " + " | ".join(rows[0]) + " |", "|" + "---|" * len(rows[0])] + [
        "| " + " | ".join(str(v) for v in row.values()) + " |" for row in rows]


def block(result, plots):
    """What stands between BEGIN and END."""
    about, rows = result["machine"], figures.target_rows(result)
    versions = {("lane53" if name.startswith("lane53") else name): info["version"]
                for run in result["runs"] for name, info in run["systems"].items()
                if info["version"]}
    lines = [BEGIN, "", f"`scripts/bench.sh --{result['size']}` at {about['commit']}, "
             f"{about['when']}, {result['took_s'] / 60:.0f} minutes: {about['cpu']}, "
             f"{about['cores']} cores of which all systems and the generator shared "
             f"{result['cores_used']}, Linux {about['kernel']}, {about['hugepages']} hugepages, "
             f"load average before the run {about['load before']}. "
             + ", ".join(f"{name} {version}" for name, version in versions.items()) + ".", "",
             "All tables are in [benchmarks/report.md](benchmarks/report.md), every round with "
             "versions and configurations in [benchmarks/results.json](benchmarks/results.json), "
             "the rows flat out in [benchmarks/results.csv](benchmarks/results.csv).", ""]
    lines += markdown_table(rows)
    for verdict, title in (("BELOW FLOOR", "Floors not reached in this run"),
                           ("not resolved", "Not resolved in this run"),
                           (figures.MISSING, "Not measured in this run")):
        named = [row for row in rows if row["reached"] == verdict]
        lines += ["", f"{title}: " + ("; ".join(
            f"{row['what']} ({row['measured'] or 'no figure'} of {row['floor']})"
            for row in named) if named else "none") + "."]
    skipped = {name: why for run in result["runs"] for name, why in run["skipped"].items()}
    lines += ["", "Left out: " + ("; ".join(f"{name} ({why})" for name, why in skipped.items())
                                  or "nothing") + "."]
    lines += ["", "Troubles told during the run: " + ("; ".join(
        t["what"] for t in result.get("troubles", ())) or "none") + ".", ""]
    lines += [f"![{text}](benchmarks/{name}.png)" for name, text in PLOTS if name in plots]
    return "\n".join([*lines, "", END])


def rewritten(text, result, plots):
    """@text with its block renewed."""
    before, found, rest = text.partition(BEGIN)
    if not found or END not in rest:
        sys.exit(f"record: no place for it: '{BEGIN}' and '{END}' are missing")
    return before + block(result, plots) + rest.partition(END)[2]


def plots_in(folder):
    return {path.stem for path in folder.glob("*.png")}


def into(docs, out):
    """The results in @out become the recorded ones of @docs."""
    docs, out = pathlib.Path(docs), pathlib.Path(out)
    raw, page = docs / "benchmarks", docs / "benchmarks.md"
    raw.mkdir(parents=True, exist_ok=True)
    if out.resolve() != raw.resolve():
        ours = {name for name, _ in PLOTS}
        for path in raw.glob("*.png"):  # other plots there are somebody else's
            if path.stem in ours or path.stem.startswith("rates-"):
                path.unlink()
        for path in [out / "results.json", out / "results.csv", out / "report.md",
                     *out.glob("*.png")]:
            shutil.copy(path, raw)
    result = json.loads((raw / "results.json").read_text(encoding="utf-8"))
    page.write_text(rewritten(page.read_text(encoding="utf-8"), result, plots_in(raw)),
                    encoding="utf-8")
    print(f"bench: recorded in {page} and {raw}; look at them before you commit", flush=True)


def check(docs):
    """Is the page what its results say?"""
    raw, page = pathlib.Path(docs) / "benchmarks", pathlib.Path(docs) / "benchmarks.md"
    result = json.loads((raw / "results.json").read_text(encoding="utf-8"))
    text = page.read_text(encoding="utf-8")
    if rewritten(text, result, plots_in(raw)) != text:
        print(f"{page} does not say what {raw}/results.json says: "
              f"scripts/bench/record.py {docs} {raw}")
        return 1
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(check(sys.argv[1]) if sys.argv[2] == "--check" else into(*sys.argv[1:]))
