# SPDX-License-Identifier: BSD-2-Clause
"""vm stats, vm list and top against the flight recorder: exits by reason and their time, CPU time."""
import collections
import re
import time

from guestvm import Guests

# Each tick some exits, each few ticks two requests of virtio devices; then it sleeps.
KEYS = {"kernel": "crowd", "memory": "16M", "cmdline": "ms=10 every=4"}
EXIT = re.compile(r"a/0 (.+) rip [0-9a-f]+ qual [0-9a-f]+ took (\d+)")
NEAR = 0.01


def counters(g):
    """Of the paused VM: {reason: (count, ticks)}, and its CPU time in ns."""
    stats = g.machine.json("vm stats a")
    assert stats["exits"] == sum(r["count"] for r in stats["reasons"]), stats
    assert stats["exits"] == g.machine.json("vm info a")["vcpus"][0]["exits"], stats
    times = [vm["cpu_time_ns"] for vm in g.machine.json("vm list") if vm["name"] == "a"]
    return {r["name"]: (r["count"], r["ticks"]) for r in stats["reasons"]}, times[0]


def recorded(records, since):
    """The same, added up from the records later than `since`."""
    exits = collections.defaultdict(lambda: [0, 0])
    cpu, began = 0, None
    for r in records:
        if r["time_ns"] <= since:
            continue
        found = EXIT.fullmatch(r["text"]) if r["kind"] == "exit" else None
        if found:
            exits[found[1]][0] += 1
            exits[found[1]][1] += int(found[2])
        if r["kind"] == "switch" and r["text"].endswith("-> a/0"):
            began = r["time_ns"]
        if r["kind"] == "switch" and r["text"].startswith("a/0 ->"):
            cpu += r["time_ns"] - began
            began = None
    assert began is None, "the VM did not pause"
    return exits, cpu


def near(a, b, what):
    assert abs(a - b) <= NEAR * max(a, b), f"{what}: {a} counted, {b} recorded"


def check_top(g, cpu_time_ns):
    """It shows the same CPU time, and of what stands still no use."""
    m = g.machine
    m.send("top\r")
    m.expect(rb"\r\na +paused +(\S+)% +(\d+) +\d+ MiB +([0-9.]+) s")
    used, exits, seconds = m.match.groups()
    m.send("q")
    m.expect_exact("insula> ")
    assert float(used) == 0 and int(exits) == 0, m.match.group(0)
    assert abs(float(seconds) - cpu_time_ns / 1e9) <= 0.001, f"{seconds}, {cpu_time_ns} ns"


def test_trace_agrees(kind):
    with Guests(kind, {"a": KEYS}, memory="128M") as g:
        g.start("a")
        time.sleep(0.5)  # it has told of its start by then, which is much at once
        g.command("vm pause a")
        before, cpu_before = counters(g)
        since = g.machine.json("trace 1")[0]["time_ns"]
        g.command("vm resume a")
        time.sleep(0.2 if kind == "qemu" else 0)  # Bochs' own time is not ours
        g.command("vm pause a")
        records = g.machine.json("trace 1024")
        after, cpu_after = counters(g)
        assert records[0]["time_ns"] <= since, f"{since}: not from {records[0]} on"
        exits, cpu = recorded(records, since)
        assert sum(count for count, _ in exits.values()) >= 20, exits
        for name, (count, ticks) in after.items():
            old = before.get(name, (0, 0))
            near(count - old[0], exits[name][0], name)
            near(ticks - old[1], exits[name][1], name + " ticks")
        near(cpu_after - cpu_before, cpu, "CPU time in ns")
        check_top(g, cpu_after)


test_trace_agrees.timeout = 100
