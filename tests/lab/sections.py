#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Ask by kdig, and print each response section by section, to compare two servers.

usage: sections.py SERVER PORT QUESTIONS [KDIG OPTION...]

A line of QUESTIONS is NAME TYPE.  One line a response: the question, rcode, AA and AD,
then the records of answer, authority and additional, sorted; names are lower case.
Without questions' own differences, two servers with the same zone print the same.
"""
import re
import subprocess
import sys

SECTIONS = ("ANSWER", "AUTHORITY", "ADDITIONAL")


def section(block, name):
    found = re.search(rf"^;; {name} SECTION:\n(.*?)(?:\n\n|\Z)", block, re.S | re.M)
    lines = found.group(1).split("\n") if found else []
    return " / ".join(sorted(" ".join(line.split()).lower() for line in lines))


def main():
    server, port, questions, *options = sys.argv[1:]
    with open(questions, encoding="ascii") as lines:
        asked = [line.split() for line in lines if line.strip()]
    command = ["kdig", f"@{server}", "-p", port, "+retry=1", "+time=3", *options]
    for start in range(0, len(asked), 100):
        part = asked[start:start + 100]
        words = [word for name, rtype in part for word in (name, rtype)]
        out = subprocess.run(command + words, capture_output=True, text=True, check=False)
        blocks = out.stdout.split(";; ->>HEADER<<-")[1:]
        if len(blocks) != len(part):
            sys.exit(f"{len(part)} questions, {len(blocks)} responses\n{out.stdout[-500:]}")
        for (name, rtype), block in zip(part, blocks):
            status = re.search(r"status: (\w+)", block).group(1)
            flags = set(re.search(r"Flags: ([^;]*);", block).group(1).split())
            print(name, rtype, status, *sorted(flags & {"aa", "ad", "tc"}), "|",
                  " | ".join(section(block, part) for part in SECTIONS))


if __name__ == "__main__":
    main()
