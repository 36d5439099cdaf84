#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Adds up what the stages of `make test` report. As a script: prints the sum of all stages.

Each stage leaves "passed failed" in build/results/STAGE; a stage that left nothing has failed.
"""
import os
import sys

DIR = "build/results"


def report(stage, passed, failed):
    """Records and prints one stage's totals, and ends the program with its status."""
    os.makedirs(DIR, exist_ok=True)
    with open(os.path.join(DIR, stage), "w") as file:
        file.write(f"{passed} {failed}\n")
    print(f"{stage}: {passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


def main():
    passed = failed = 0
    for stage in sys.argv[1:]:
        path = os.path.join(DIR, stage)
        if not os.path.exists(path):
            print(f"{stage}: did not finish")
            failed += 1
            continue
        with open(path) as file:
            counts = file.read().split()
        passed += int(counts[0])
        failed += int(counts[1])
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
