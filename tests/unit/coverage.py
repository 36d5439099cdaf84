#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Line coverage of the tree's sources by the unit tests.

coverage.py [NAME]: by the programs whose path contains NAME, all together; one row for each source
file that they are made of, tests and fakes left out. Lines are those that gcov counts, without
optimisation.
"""
import collections
import glob
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import run  # noqa: E402  (changes to the top of the tree)

run.BUILD = "build/coverage"
run.CFLAGS += " -O0 --coverage"


def counts():
    """{file: {line: times executed}}, added up over all programs."""
    total = collections.defaultdict(collections.Counter)
    for data in glob.glob(f"{run.BUILD}/**/*.gcda", recursive=True):
        text = subprocess.run(["gcov", "--json-format", "--stdout", data], check=True,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
        for file in json.loads(text)["files"]:
            for line in file["lines"]:
                total[file["file"]][line["line_number"]] += line["count"]
    return total


def main():
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    tests = sorted(t for t in glob.glob("tests/unit/**/test_*.c", recursive=True) if name in t)
    for old in glob.glob(f"{run.BUILD}/**/*.gcda", recursive=True):
        os.remove(old)
    programs, complaint = run.build(tests)
    failed = sum(run.run(program)[2] for program in programs)
    for file, lines in sorted(counts().items()):
        if not file.startswith(("tests/", "/")):
            done = sum(count > 0 for count in lines.values())
            missed = ", ".join(str(n) for n, count in sorted(lines.items()) if count == 0)
            print(f"{file:40} {done:5} of {len(lines):5} lines  {100 * done / len(lines):5.1f} %"
                  f"{'  not: ' + missed if 0 < len(missed) < 40 else ''}")
    print(complaint or f"{len(programs)} programs, {failed} tests failed")
    sys.exit(bool(complaint or failed))


if __name__ == "__main__":
    main()
