# SPDX-License-Identifier: BSD-2-Clause
"""The scheduler as guests feel it: weights, caps, reservations and windows, by the guests' own counts.

Exact figures are `make bench K=sched`'s; here the bounds are wide, and the times short.
"""
import os
import re

from guestvm import Guests

SOAK = bool(os.environ.get("INSULA_SOAK"))
# Virtual time passes in few instructions, so that seconds of it end soon.
FAST = {"qemu": {"extra": ["-icount", "shift=4,sleep=off"]}, "bochs": {"ips": 50000000}}
TICKS = {"qemu": 16, "bochs": 1}  # of the TSC, an instruction
REPORTS = 20 if SOAK else 3
FRAMES = 10000 if SOAK else 500
LATE = 3000  # instructions


def rate(guests, name):
    """Counts of a work guest per tick of its TSC, over REPORTS reports of half a second."""
    m, said = guests.machine, []
    m.send(f"vm console {name}\r")
    while len(said) <= REPORTS + 1:  # the first: others were not there yet
        m.expect(rb"work (\d+) at (\d+)\r?\n")
        said.append((int(m.match.group(1)), int(m.match.group(2))))
    m.send("\x1d")
    m.expect_exact("[left the console of")
    m.expect_exact("insula> ")
    (c0, t0), (c1, t1) = said[1], said[-1]
    return (c1 - c0) / (t1 - t0)


def test_shares(kind):
    """A cap, a reservation and two weights on one CPU; a reservation too many is refused by its sums."""
    work = {"kernel": "work", "memory": "4M", "cmdline": "ms=500"}
    vms = {"capped": {**work, "cap": 10}, "reserved": {**work, "weight": 1, "reserve": 30},
           "light": {**work, "weight": 100}, "heavy": {**work, "weight": 200},
           "late": {**work, "reserve": 80}}
    with Guests(kind, vms, timeout=120, **FAST[kind]) as guests:
        for name in ("capped", "reserved", "light", "heavy"):
            guests.start(name)
        refused = guests.machine.command("vm start late")
        assert "reserves 80 %, others have 30 % of the same 1 CPU: 110 of 100 %" in refused, refused
        got = {name: rate(guests, name) for name in ("capped", "reserved", "light", "heavy")}
    share = {name: count / sum(got.values()) for name, count in got.items()}
    print("shares:", {name: round(part, 4) for name, part in share.items()})
    for name, ideal in (("capped", 0.1), ("reserved", 0.3), ("light", 0.2), ("heavy", 0.4)):
        assert abs(share[name] - ideal) < 0.03, share


def test_window(kind):
    """Each VM's window begins on time in every frame, whatever the others do.

    Nobody types meanwhile: the hypervisor's threads stop 20 us before a window, which on these slow
    machines is less than a command's longest stretch.
    """
    keys = {"boot": "multiboot", "memory": "4M", "window": "1ms"}
    vms = {"a": {**keys, "kernel": "window"},
           "b": {**keys, "kernel": "work"}, "c": {**keys, "kernel": "spin"},
           "wide": {**keys, "kernel": "spin", "window": "2ms"},
           "none": {"kernel": "spin", "memory": "4M"}}
    host = 'scheduler = "window"\nmajor_frame = "4ms"\n'
    with Guests(kind, vms, host=host, timeout=300, **FAST[kind]) as guests:
        for name in "bc":
            guests.start(name)
        frame = guests.info("b")["window"]["frame"]
        for name, why in (("wide", "finds no gap"), ("none", "needs a window")):
            assert why in guests.machine.command(f"vm start {name}")
        guests.start("a", f"frames={FRAMES} frame={frame}")
        guests.machine.send("vm console a\r")
        guests.machine.expect(rb"window \d+ frames, first at (\d+), others (-?\d+) to (-?\d+) later")
        first, low, high = (int(word) for word in guests.machine.match.groups())
        guests.machine.send("\x1d")
        guests.machine.expect_exact("insula> ")
        window = guests.info("a")["window"]
        late = (first - window["tsc_offset"] - window["start"]) % frame
        least, most = (late + low) / TICKS[kind], (late + high) / TICKS[kind]
        print(f"{FRAMES} frames, {least:.0f} to {most:.0f} instructions late")
        assert 0 <= least and most <= LATE, (least, most)


test_shares.timeout = test_window.timeout = 1800 if SOAK else 300
