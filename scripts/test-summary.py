#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Close a test run: what failed, what was skipped and why, and `N passed, N failed`.

usage: test-summary.py BROKEN_BUILDS MESON_LOG.json...

A CUnit program counts as many tests as it ran; any other test counts as one.
"""
import json
import re
import sys

CUNIT = re.compile(r"^\s*tests\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)", re.M)


def read(path):
    """The tests of one log; None if the suite did not run at all."""
    try:
        with open(path, encoding="utf-8") as log:
            return [json.loads(line) for line in log if line.strip()]
    except FileNotFoundError:
        return None


def main():
    passed, failed, skipped = 0, int(sys.argv[1]), 0
    for path in sys.argv[2:]:
        tests = read(path)
        if tests is None:
            print(f"FAILED: {path} is missing: its suite did not run")
            failed += 1
        for test in tests or []:
            out = test.get("stdout", "") + test.get("stderr", "")
            if test["result"] == "SKIP":
                why = re.findall(r"^skipped: (.*)$", out, re.M) or ["no reason printed"]
                print(f"skipped: {test['name']}: {why[0]}")
                skipped += 1
                continue
            counts = CUNIT.search(out)
            ran, good, bad = (
                (int(counts[2]), int(counts[3]), int(counts[4])) if counts else (1, 0, 0)
            )
            if test["result"] in ("OK", "EXPECTEDFAIL"):
                passed += good if counts else 1
                continue
            passed += good
            failed += max(bad, 1) if counts else ran
            print(f"FAILED: {test['name']} ({path}): {test['result']}")
            print("\n".join("    " + line for line in out.splitlines()[-40:]))
    if skipped:
        print(f"{skipped} skipped, as said above")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
