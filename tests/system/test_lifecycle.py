# SPDX-License-Identifier: BSD-2-Clause
"""Lives of many VMs: memory that comes back to the page and clean, a crowd, a crash loop, and a
configuration that describes what runs."""
import base64
import os
import random
import re

from guestvm import Guests
from lab import guest_modules, machine, prompt, wait_state

SOAK = bool(os.environ.get("INSULA_SOAK"))
CYCLES = 1000 if SOAK else 30
SIZES = [4, 6, 8, 16, 30, 32, 64] if SOAK else [4, 6, 8, 10]  # MiB
CROWD = 64
SUMMED = ("image", "hypervisor", "guest", "store", "free")


def host_memory(guests):
    """The value of host memory, whose parts must add up to the byte."""
    memory = guests.machine.json("host memory")
    assert memory["total"] == sum(memory[part] for part in SUMMED)
    assert memory["image"] == sum(memory["of_image"].values()), memory
    assert memory["hypervisor"] == sum(memory["of_hypervisor"].values()), memory
    assert memory["guest"] == sum(memory["vms"].values()) + memory["changing"], memory
    return memory


def free(guests):
    memory = host_memory(guests)
    assert memory["guest"] == 0, memory
    return memory["free"]


def cycle(guests, name, size, force):
    """One life; a forced stop comes at whatever the guest is doing then."""
    guests.command(f"vm create {name} memory={size}M boot=multiboot kernel=boot:fresh.elf")
    guests.command(f"vm start {name}")
    if force:
        guests.machine.command(f"vm stop {name} --force")  # it may have powered off meanwhile
    info = guests.wait(name, 60)
    assert info["state"] == "stopped", info
    if not force:
        text = guests.console(name)
        seen = re.search(r"^fresh (\d+) KiB, 0 words not zero$", text, re.M)
        assert seen and int(seen.group(1)) > size * 1024 - 2048 and "FAILED" not in text, text
    guests.command(f"vm delete {name}")


def test_fresh_memory(kind):
    """Create, start, stop, delete: no page is lost, no byte of a former guest's is seen."""
    rand = random.Random(1)
    with Guests(kind, {}, files=guest_modules("fresh"), log="bug", memory="256M") as guests:
        cycle(guests, "first", max(SIZES), False)  # what is kept for reuse: stacks, a slab
        before = free(guests)
        for i in range(CYCLES):
            cycle(guests, f"vm{i}", rand.choice(SIZES), i % 3 == 2)
        assert free(guests) == before


def two_reports(guests, name):
    """Joins its virtio console until it has said two things: the random bytes of both."""
    guests.machine.send(f"vm console {name} --port 1\r")
    guests.machine.expect_exact("Ctrl-] comes back]")
    said = []
    for _ in range(2):
        guests.machine.expect(rb"tick (\d+) ([0-9a-f]+)\r?\n")
        said.append((int(guests.machine.match.group(1)), guests.machine.match.group(2)))
    guests.machine.send("\x1d")
    guests.machine.expect_exact("insula> ")
    assert said[1][0] > said[0][0], said
    return {rand for _, rand in said}


def test_crowd(kind):
    """64 guests at once on 2 GiB, each with a ticking timer, a virtio console and the entropy device."""
    vms = {f"g{i}": {"kernel": "crowd", "memory": "24M", "autostart": True,
                     "cmdline": "ms=20 every=20"} for i in range(CROWD)}
    with Guests(kind, vms, log="bug", memory="2G", timeout=150) as guests:
        randoms = [two_reports(guests, name) for name in vms]
        assert len(set.union(*randoms)) == 2 * CROWD
        states = {vm["state"] for vm in guests.machine.json("vm list")}
        assert states == {"running"}, states
        memory = host_memory(guests)
        assert memory["vms"] == {name: 24 << 20 for name in vms}
        assert memory["hypervisor"] / CROWD < 256 << 10, memory  # all that it has, guests' or not


def test_config_round_trip(kind):
    """config save of VMs made at run time, as the configuration of the next boot, makes the same."""
    modules = guest_modules("hello")
    with machine(kind, "", modules, memory="256M") as m:
        prompt(m)
        m.command('vm create a.b kernel=boot:hello.elf boot=multiboot memory=6M cmdline="a \\"b\\" \\\\ c"')
        m.command("vm create second kernel=boot:k initrd=boot:i cpus=3 pin=0 weight=77 on_crash=restart")
        m.command("vm set second start_order=-5 stop_timeout=90s autostart=false rng=false")
        m.command("vm create gone kernel=boot:k")
        assert m.command("vm delete gone") == "gone: deleted"
        assert "error: " not in m.command("config save ram:all.conf")  # and again, in its place:
        m.command("vm create late kernel=boot:k")
        assert m.command("config save ram:all.conf").startswith("ram:all.conf: saved")
        saved = base64.b64decode(m.command("store print ram:all.conf")).decode()
        text, full = m.command("config show"), m.command("config show --json")
        assert saved == text + "\n" and "[vm.late]" in text, saved
        assert "read-only" in m.command("config save boot:x")
    with machine(kind, saved, modules, memory="256M") as m:
        prompt(m)
        assert m.command("config show") == text
        assert m.command("config show --json") == full
        assert m.command("vm start a.b").endswith("a.b: running")
        wait_state(m, "a.b", "stopped")


def test_slow_start(kind):
    """While one VM's memory is scrubbed others obey, and it is told who is at work on it."""
    vms = {"big": {"kernel": "echo", "memory": "400M"}, "small": {"kernel": "echo", "memory": "4M"}}
    with Guests(kind, vms, memory="512M", log="bug") as guests:
        m = guests.machine
        m.send("vm start big\r\x03")
        m.expect_exact("error: big is being started: not waited for")
        m.expect_exact("insula> ")
        assert m.command("vm reset big") == "error: big is being started"
        assert m.command("vm start small").endswith("small: running")
        wait_state(m, "big", "running", 60)
        assert m.json("vm info small")["state"] == "running"


test_fresh_memory.timeout = 7200 if SOAK else 120
test_crowd.timeout = 600  # 25 s of CPU time
