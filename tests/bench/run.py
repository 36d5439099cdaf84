#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Runs the benchmarks in both emulators, prints one table and writes build/bench.json.

run.py [--peers] [NAME]: only those with a figure whose name contains NAME. A bench is a module here
with NAMES and measure(machine kind), which yields rows of the JSON file. The two machines run side
by side: the figures are counted in instructions, so that a busy host does not change them. With
--peers what KVM and QEMU take stands beside them: of benches with PEER_RUNS (for peer.measure) and
peer_figures(what that gave), which returns {name: what to add to the row}.
"""
import argparse
import concurrent.futures
import json
import os
import sys
import time
import traceback

os.chdir(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path[:0] = ["tests/bench"]
import crowd  # noqa: E402
import disk  # noqa: E402
import emulated  # noqa: E402
import exits  # noqa: E402
import flood  # noqa: E402
import linux  # noqa: E402
import memory  # noqa: E402
import net  # noqa: E402
import paravirt  # noqa: E402
import peer  # noqa: E402
import scheduler  # noqa: E402
import virtq  # noqa: E402
import wire  # noqa: E402

BENCHES = (exits, linux, memory, crowd, scheduler, virtq, paravirt, disk, net, wire, flood)
OUT = "build/bench.json"
PEER_KIND = "qemu"  # the machine whose figures the peer's stand beside


def selected(wanted):
    return [bench for bench in BENCHES if any(wanted in name for name in bench.NAMES)]


def measure_peer(wanted):
    """({name: part of a row} from KVM and QEMU, how often repeated, whether it failed)."""
    benches = [bench for bench in selected(wanted) if hasattr(bench, "PEER_RUNS")]
    runs = [run for bench in benches for run in bench.PEER_RUNS]
    figures, repeated, started = {}, 0, time.monotonic()
    try:
        done, repeated = peer.measure(runs) if runs else ({}, 0)
        for bench in benches:
            figures.update(bench.peer_figures(done))
    except (Exception, SystemExit) as failure:  # ours are there all the same
        print(f"bench peer: KVM and QEMU not measured: {failure}", file=sys.stderr)
        return {}, repeated, True
    print(f"bench peer {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    return figures, repeated, False


def measure(kind, wanted):
    """(rows of one machine, benches that failed)."""
    rows, failed = [], 0
    for bench in selected(wanted):
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
    peers = any("peer" in row for row in rows)
    column = f" {'KVM+QEMU':>12}" if peers else ""
    lines = [f"{'machine':<8} {'figure':<18} {'ours':>15} {'native':>15} {'ratio':>9}{column}"
             "  unit"]
    for row in rows:
        native, ratio = "-", "-"
        if "native" in row:
            native, ratio = f"{row['native']:,}", f"{row['value'] / row['native']:.3f}"
        if peers:
            column = f" {row['peer']:>12,}" if "peer" in row else f" {'-':>12}"
        lines.append(f"{row['machine']:<8} {row['name']:<18} {row['value']:>15,} {native:>15} "
                     f"{ratio:>9}{column}  {row['unit']}")
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


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers", action="store_true", help="KVM and QEMU as well: minutes")
    parser.add_argument("name", nargs="?", default="", help="only figures with this in their name")
    args = parser.parse_args()
    if args.peers and peer.missing():
        sys.exit(f"bench: no KVM and QEMU to measure without {peer.missing()}")
    return args


def measure_all(wanted, peers):
    """(rows, how often the peer was repeated, whether anything failed)."""
    with concurrent.futures.ThreadPoolExecutor(len(emulated.KINDS)) as pool:
        ours = [pool.submit(measure, kind, wanted) for kind in emulated.KINDS]
        theirs = pool.submit(measure_peer, wanted) if peers else None
        done = [future.result() for future in ours]
        figures, repeated, failed = theirs.result() if theirs else ({}, 0, False)
    rows = [row for machine, _ in done for row in machine]
    for row in rows:
        if row["machine"] == PEER_KIND:
            row.update(figures.get(row["name"], {}))
    return rows, repeated, failed or any(count for _, count in done)


def main():
    args = arguments()
    os.makedirs(emulated.SCRATCH, exist_ok=True)
    rows, repeated, failed = measure_all(args.name, args.peers)
    print(table(rows))
    if repeated:
        print(f"KVM+QEMU: its machine failed and was started {repeated} time more")
    print("\nExits on the way to /init and through 1,020 sleeps:\n" + exit_table(rows)
          if exit_table(rows) else "")
    with open(OUT, "w") as file:
        json.dump(rows, file, indent=1)
        file.write("\n")
    print(f"written to {OUT}")
    sys.exit(1 if not rows or failed else 0)


if __name__ == "__main__":
    main()
