#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Runs the benchmarks in both emulators, prints one table and writes build/bench.json.

run.py [NAME]: only those with a figure whose name contains NAME. A bench is a module here with NAMES
and measure(machine kind), which yields rows of the JSON file. The two machines run side by side:
the figures are counted in instructions, so that a busy host does not change them.
"""
import concurrent.futures
import json
import os
import sys
import time
import traceback

os.chdir(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path[:0] = ["tests/bench"]
import emulated  # noqa: E402
import exits  # noqa: E402
import linux  # noqa: E402
import memory  # noqa: E402
import virtq  # noqa: E402

BENCHES = (exits, linux, memory, virtq)
OUT = "build/bench.json"


def measure(kind, wanted):
    """(rows of one machine, benches that failed)."""
    rows, failed = [], 0
    for bench in BENCHES:
        if not any(wanted in name for name in bench.NAMES):
            continue
        started = time.monotonic()
        try:
            rows += [{"machine": kind, **row} for row in bench.measure(kind)
                     if wanted in row["name"]]
        except Exception:  # the others may still tell something
            traceback.print_exc()
            failed += 1
        print(f"bench {bench.__name__}[{kind}] {time.monotonic() - started:.0f} s", file=sys.stderr,
              flush=True)
    return rows, failed


def table(rows):
    lines = [f"{'machine':<8} {'figure':<18} {'ours':>15} {'native':>15} {'ratio':>9}  unit"]
    for row in rows:
        native, ratio = "-", "-"
        if "native" in row:
            native, ratio = f"{row['native']:,}", f"{row['value'] / row['native']:.3f}"
        lines.append(f"{row['machine']:<8} {row['name']:<18} {row['value']:>15,} {native:>15} "
                     f"{ratio:>9}  {row['unit']}")
    return "\n".join(lines)


def exit_table(rows):
    """The exits by reason behind each figure that lists them."""
    lines = []
    for row in rows:
        for name, stat in row.get("exits", {}).items():
            lines.append(f"{row['machine']:<8} {row['name']:<18} {name:<24} {stat['count']:>9,} exits"
                         f" {stat['ticks']:>14,} instructions"
                         f" {stat['ticks'] // max(stat['count'], 1):>8,} each")
    return "\n".join(lines)


def main():
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    os.makedirs(emulated.SCRATCH, exist_ok=True)
    with concurrent.futures.ThreadPoolExecutor(len(emulated.KINDS)) as pool:
        done = list(pool.map(lambda kind: measure(kind, wanted), emulated.KINDS))
    rows = [row for machine, _ in done for row in machine]
    print(table(rows))
    print("\nExits on the way to /init and through 1,020 sleeps:\n" + exit_table(rows)
          if exit_table(rows) else "")
    with open(OUT, "w") as file:
        json.dump(rows, file, indent=1)
        file.write("\n")
    print(f"written to {OUT}")
    sys.exit(1 if not rows or any(failed for _, failed in done) else 0)


if __name__ == "__main__":
    main()
