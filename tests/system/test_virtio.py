# SPDX-License-Identifier: BSD-2-Clause
"""Virtio as Debian's kernel drives it: console and entropy device, by MSI-X and by pin, BARs moved,
drivers bound again and again; and a driver that attacks, beside a neighbour."""
import os
import re

from boot import Machine
from guestvm import Guests, Neighbour
from lab import LINUX, linux, states, wait_state

LONG = 900  # Bochs on a busy machine
SOAK = bool(os.environ.get("INSULA_SOAK"))
PROMPT = re.compile(rb"/ # (?:\x1b\[6n)?")


def machine(kind, config, files):
    path = os.path.join(os.environ["TMPDIR"], "virtio.conf")
    with open(path, "w") as file:
        file.write(config)
    return Machine(kind, memory="512M", timeout=LONG, modules=dict(files, **{"insula.conf": path}))


def start(m, name):
    m.command(f"vm start {name}")
    m.send(f"vm console {name}\r")
    m.expect_exact(f"insula guest ready: {name}")


def leave(m):
    m.send("\x1d")
    m.expect_exact("insula> ")


def shell(m, line):
    """Runs one line in the guest's shell that we have joined; what it printed."""
    m.send(line + "; echo E'ND'\r")
    m.expect_exact("END")
    return m.before.decode(errors="replace").replace("\r", "")


def functions(m, name):
    """{name: function} of the PCI functions that vm info lists."""
    info = m.json(f"vm info {name}")
    return {f["name"]: f for f in info["pci"]}


def read_random(m, kib):
    """Reads that much of /dev/hwrng; asserts that it does not look constant."""
    text = shell(m, f"dd if=/dev/hwrng of=/tmp/random bs=1024 count={kib} iflag=fullblock 2>&1; "
                    "wc -c </tmp/random; gzip -9 -c /tmp/random | wc -c")
    sizes = re.findall(r"^(\d+)$", text, re.MULTILINE)
    assert int(sizes[0]) == kib * 1024 and int(sizes[1]) >= kib * 1024, text


def check_hvc0(m, name):
    """A login shell answers on the virtio console, which is port 1."""
    m.send(f"vm console {name} --port 1\r")
    m.expect(PROMPT)
    m.send("echo answer=$((6*7)); readlink /proc/self/fd/0\r")
    m.expect_exact("answer=42\r\n/dev/hvc0")
    leave(m)


def resize_hvc0(m, name):
    """The guest's terminal has the size that the operator gives, when it is joined and later."""
    m.send(f"vm console {name} --port 1 --size 132x43\r")
    m.expect(PROMPT)
    m.send("stty size\r")
    m.expect_exact("\r\n43 132\r\n")
    leave(m)
    m.send(f"vm console {name} --port 1 --size 100x50\r")
    m.expect_exact("comes back]")
    m.send("stty size\r")
    m.expect_exact("\r\n50 100\r\n")
    leave(m)


def bind_again(m, bus, driver, device, times):
    """Takes a device from its driver and gives it back, that often."""
    text = shell(m, f"for i in $(seq {times}); do for act in unbind bind; do "
                    f"echo {device} >/sys/bus/{bus}/drivers/{driver}/$act || echo B'A'D; "
                    "done; done; echo D'ON'E")
    assert "DONE" in text and "BAD" not in text, text


def test_linux(kind):
    with machine(kind, linux("virt"), LINUX) as m:
        m.expect_exact("insula> ")
        start(m, "virt")
        read_random(m, 1024)
        bind_again(m, "pci", "virtio-pci", "0000:00:04.0", 100)
        text = shell(m, "cat /sys/class/misc/hw_random/rng_current")
        assert "virtio_rng" in text, text
        read_random(m, 4)
        leave(m)
        check_hvc0(m, "virt")
        resize_hvc0(m, "virt")
        m.send("vm console virt\recho a'gain'\r")
        m.expect_exact("again\r\n")  # behind what it showed before
        # Its shell on hvc0 is hung up each time, and comes back.
        bind_again(m, "virtio", "virtio_console", "virtio0", 100 if SOAK else 5)
        assert shell(m, "stty size </dev/hvc0").strip().endswith("50 100")
        leave(m)
        check_hvc0(m, "virt")
        found = functions(m, "virt")
        for name in ("virtio-console", "virtio-rng"):
            assert found[name]["msix"] and sum(found[name]["sent"]) > 0, found
            assert all(bar["address"] for bar in found[name]["bars"]), found
        assert "broke the rules" not in m.command("host log")


test_linux.timeout = LONG


def test_realloc(kind):
    """The kernel puts all BARs elsewhere than where we have just read them."""
    with machine(kind, linux("moved", words="pci=realloc"), LINUX) as m:
        m.expect_exact("insula> ")
        start(m, "moved")
        where = functions_by_kernel(m)
        read_random(m, 16)
        shell(m, "for d in 3 4; do echo 1 >/sys/bus/pci/devices/0000:00:0$d.0/remove; done")
        shell(m, "echo 1 >/sys/bus/pci/rescan; sleep 1")
        read_random(m, 16)
        again = functions_by_kernel(m)
        leave(m)
        found = functions(m, "moved")
        assert sorted(where) == sorted(again), (where, again)
        for name in ("virtio-console", "virtio-rng"):
            for bar in found[name]["bars"]:
                assert bar["address"] in again[found[name]["slot"]], (found, again)


def functions_by_kernel(m):
    """{slot: addresses} as the guest's kernel has them."""
    text = shell(m, "for d in /sys/bus/pci/devices/*; do echo $d; head -6 $d/resource; done")
    found, slot = {}, None
    for line in text.splitlines():
        if line.startswith("/sys/"):
            slot = line.rsplit(":", 2)[1] + ":" + line.rsplit(":", 1)[1]
            found[slot] = []
        elif line.startswith("0x") and slot:
            found[slot].append(int(line.split()[0], 16))
    return found


test_realloc.timeout = LONG


def test_nomsi(kind):
    config = linux("pins", words="pci=nomsi") + linux("none", hvc=False, rng=False, balloon=False)
    with machine(kind, config, LINUX) as m:
        m.expect_exact("insula> ")
        start(m, "pins")
        read_random(m, 64)
        text = shell(m, "cat /proc/interrupts")
        assert re.search(r"IO-APIC +\d+-fasteoi +virtio1", text), text
        leave(m)
        check_hvc0(m, "pins")
        found = functions(m, "pins")
        assert not found["virtio-rng"]["msix"] and not any(found["virtio-rng"]["sent"]), found
        start(m, "none")
        text = shell(m, "cat /sys/bus/pci/devices/*/vendor")
        assert "0x8086" in text and "0x1af4" not in text, text
        leave(m)
        assert "error: none has no virtio console" in m.command("vm console none --port 1")


test_nomsi.timeout = LONG


ATTACK = """
[vm.attack]
memory = "16M"
boot = "multiboot"
kernel = "boot:virtio_attack.elf"
cmdline = "rounds=%d"

[vm.neighbour]
memory = "16M"
boot = "multiboot"
kernel = "boot:cpuidloop.elf"
"""


def test_attack(kind):
    """Whatever a driver does, it breaks its device only: the VM goes on, a neighbour and we as well."""
    rounds = 100000 if SOAK else 2000
    files = {name: f"build/guests/{name}" for name in ("virtio_attack.elf", "cpuidloop.elf")}
    with machine(kind, ATTACK % rounds, files) as m:
        m.expect_exact("insula> ")
        m.command("vm start neighbour")
        m.command("vm start attack")
        m.send("vm console attack\r")
        m.expect(rb"virtio_attack \d+ attacks, \d+ rounds, (\d+) failed")
        assert m.match.group(1) == b"0", m.before.decode(errors="replace")[-2000:]
        leave(m)
        before = exits(m, "neighbour")
        assert "virtio-rng: its driver broke the rules: queue 0: " in m.command("host log guest")
        assert exits(m, "neighbour") > before
        wait_state(m, "attack", "stopped")
        assert states(m)["neighbour"] == "running"


def exits(m, name):
    return m.json(f"vm stats {name}")["exits"]


test_attack.timeout = LONG


def test_race(kind):
    """Four vCPUs at one queue without any order break their device only; a neighbour's memory is whole."""
    rounds = 100000 if SOAK else 400 if kind == "bochs" else 1500
    vms = {"race": {"kernel": "virtio_attack", "cpus": 4, "cmdline": f"cpus=4 rounds={rounds}"},
           "neighbour": Neighbour.CONFIG}
    with Guests(kind, vms, cpus=2, timeout=LONG) as guests, Neighbour(guests) as neighbour:
        text = guests.run("race", timeout=LONG)
        assert f"virtio_attack 4 CPUs, {rounds} rounds, 0 failed" in text, text
        resets = [int(n) for n in re.findall(r"started over (\d+) times", text)]
        assert len(resets) == 2 and min(resets) > 10, text  # it did break rules
        neighbour.check()
        log = guests.command("host log guest")
        assert "virtio-rng: its driver broke the rules" in log, log


test_race.timeout = LONG
