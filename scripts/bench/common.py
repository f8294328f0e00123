# SPDX-License-Identifier: BSD-3-Clause
"""What all parts of the benchmark use: words for the terminal, troubles for the report."""
import contextlib
import subprocess
import threading
import time

import lab as labs

TROUBLE = (labs.LabError, OSError, subprocess.SubprocessError, KeyError, ValueError)
TROUBLES = []  # [{"what", "do"}]: all that went wrong in this run, each once
_lock = threading.Lock()


def say(*words):
    print("bench:", *words, flush=True)


def trouble(what, do):
    """Something went wrong: @what, and what the user can @do.  Told at once and in the report."""
    with _lock:
        if any(t["what"] == what for t in TROUBLES):
            return
        TROUBLES.append({"what": what, "do": do})
    say(f"TROUBLE: {what}. To do: {do}")


@contextlib.contextmanager
def awake(system):
    """Its processes run, until the end of the block.  Raises LabError if one has ended."""
    look(system)
    system.resume()
    try:
        yield
    finally:
        system.pause()
    look(system)


def look(system):
    """A system that died is not measured any more."""
    if not system.gone:
        gone = system.ended()
        if not gone:
            return
        system.gone = gone
        trouble(f"{system.name} died during the run: {gone}",
                f"read logs/{system.name}.log beside the report; its other rows are missing")
    raise labs.LabError(system.gone)


@contextlib.contextmanager
def section(result, name):
    """A part of the run, whose time is told in the report."""
    began = time.monotonic()
    try:
        yield
    finally:
        took = result.setdefault("sections_s", {})
        took[name] = round(took.get(name, 0) + time.monotonic() - began, 1)
