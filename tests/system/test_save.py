# SPDX-License-Identifier: BSD-2-Clause
"""vm save and vm restore: a bare guest that checks its memory, in every way that they can be used;
files that are refused."""
import re

from guestvm import Guests

KEYS = {"kernel": "memcheck", "memory": "4M"}
ROUND = re.compile(rb"memcheck ok (\d+)\r")


def rounds(g, name, more):
    """Watches memcheck until it has told of `more` rounds; the last one's number."""
    m = g.machine
    m.send(f"vm console {name}\r")
    m.expect_exact("comes back]")
    for _ in range(more):
        m.expect(ROUND)
    last = int(m.match.group(1))
    m.send("\x1d")
    m.expect_exact("insula> ")
    assert b"FAILED" not in m.before
    return last


def refused(g, line, why):
    text = g.machine.command(line)
    assert "error: " in text and why in text, f"{line}: {text}"


def state(g, name):
    return g.info(name)["state"]


def check_ways(g):
    """Running, paused, stopped; back under its own name, as another (whose console is new), paused."""
    before = rounds(g, "a", 2)
    assert "it is running" in g.command("vm save a ram:run")
    g.command("vm pause a")
    assert "it is paused" in g.command("vm save a ram:paused")
    assert "it is stopped" in g.command("vm save a ram:stopped --stop")
    g.command("vm restore ram:run")
    g.command("vm restore ram:paused b --paused")
    assert state(g, "b") == "paused"
    g.command("vm resume b")
    assert rounds(g, "b", 2) > before
    g.stop("b")
    g.command("vm delete b")
    g.command("vm restore ram:stopped b")
    assert rounds(g, "b", 2) > before
    g.stop("b")
    g.command("vm delete b")


def check_refusals(g):
    refused(g, "vm save a ram:run", "already")
    refused(g, "vm save a boot:x", "read-only")
    refused(g, "vm save a x", "STORE:FILE")
    refused(g, "vm restore ram:run", "stop it first")
    refused(g, "vm restore ram:none", "there is no")
    refused(g, "vm restore boot:memcheck.elf", "not the file of a saved VM")
    refused(g, "vm save full ram:y", "it is stopped")
    g.stop("a")
    g.command("vm set a memory=6M")
    refused(g, "vm restore ram:run", "another memory")


def check_room(g):
    """All of host memory is in use: the file does not fit, and none is left of it."""
    g.command("vm set a memory=4M")
    g.command("vm restore ram:run")
    for name in ("run", "paused", "stopped"):
        g.command(f"store delete ram:{name}")
    free = g.machine.command("host memory --json")
    room = int(re.search(r'"free":(\d+)', free).group(1)) >> 20
    g.command(f"vm set full memory={(room - 3) & ~1}M")
    g.start("full")
    refused(g, "vm save a ram:none", "no room")
    assert "ram:none" not in g.command("store ls ram:")
    rounds(g, "a", 2)
    g.stop("full")
    g.command("vm save a ram:some")


def test_bare(kind):
    vms = {"a": KEYS, "full": {"kernel": "spin", "memory": "4M"}}
    with Guests(kind, vms, memory="128M") as g:
        g.start("a")
        check_ways(g)
        check_refusals(g)
        check_room(g)


test_bare.timeout = 200
