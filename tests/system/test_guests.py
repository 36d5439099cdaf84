# SPDX-License-Identifier: BSD-2-Clause
"""The well-behaved bare-metal guests do in a VM what they do on a bare machine."""
import re
import time

from guestvm import Guests, Neighbour


def test_hello(kind):
    with Guests(kind, {"a": {"kernel": "hello", "cmdline": "one two=3",
                             "modules": ["boot:hello.elf with text"]}}) as guests:
        text = guests.run("a")
    assert "hello from guest\n" in text
    assert "cmdline: one two=3\n" in text
    assert re.search(r"^memory: 000000000000-\S+ type 1$", text, re.M)
    assert "memory: 000000100000-000000ffffff type 1\n" in text
    assert re.search(r"^module: \S+ boot:hello.elf with text$", text, re.M)
    assert text.index("hello") < text.index("goodbye")


def test_exits(kind):
    with Guests(kind, {"a": {"kernel": "exits", "cmdline": "rounds=100"}}) as guests:
        text = guests.run("a")
    assert "exit.prefix ok\n" in text
    for name in "cpuid rdmsr io mmio mmio_write mmio_eoi hlt_wake".split():
        least, mean = map(int, re.search(rf"^exit\.{name} min=(\d+) mean=(\d+)$", text, re.M).groups())
        assert 0 < least <= mean, name


def test_timer(kind):
    with Guests(kind, {"a": {"kernel": "timer"}}, icount=kind == "qemu") as guests:
        text = guests.run("a")
    assert "timer ok\n" in text, text


def test_mmio(kind):
    with Guests(kind, {"a": {"kernel": "mmio", "testdev": True}}) as guests:
        text = guests.run("a", timeout=100)
    forms, failed = map(int, re.search(r"^mmio (\d+) forms, (\d+) failed$", text, re.M).groups())
    assert forms > 1500 and failed == 0, text


def test_pcdev(kind):
    # In instructions (icount): else the chips' time runs on while QEMU waits for the build machine's CPU.
    with Guests(kind, {"a": {"kernel": "pcdev", "testdev": True}}, icount=kind == "qemu") as guests:
        text = guests.run("a", timeout=240)
    checks, failed = map(int, re.search(r"^pcdev (\d+) checks, (\d+) failed$", text, re.M).groups())
    assert checks >= 40 and failed == 0, text
    # A driver of plain MSI, where virtio has only INTx and MSI-X.
    found = set(re.findall(r"^pcdev\.(msi_\w+) ok$", text, re.M))
    assert found >= {"msi_off", "msi_one", "msi_four", "msi_masked", "msi_master"}, text


test_pcdev.timeout = 300


def test_again(kind):
    """A VM can be started again, and its memory is then as new."""
    with Guests(kind, {"a": {"kernel": "memcheck", "memory": "4M"}}) as guests:
        for seed in (1, 2):
            assert "memcheck ok 2\n" in guests.run("a", f"seed={seed} rounds=2 rest=1")


def test_bad_neighbours(kind):
    """Two guests that never give the CPU back leave the others their share, and the console."""
    vms = {"spin": {"kernel": "spin", "memory": "8M"}, "loop": {"kernel": "cpuidloop", "memory": "8M"},
           "work": {"kernel": "work", "memory": "8M"}, "neighbour": Neighbour.CONFIG}
    exact = {"icount": True} if kind == "qemu" else {}  # else QEMU's own waits count as CPU time
    with Guests(kind, vms, **exact) as guests, Neighbour(guests) as neighbour:
        for name in ("spin", "loop", "work"):
            guests.start(name)
        neighbour.check()
        before = {name: guests.info(name)["cpu_time_ns"] for name in vms}
        time.sleep(5)
        after = {name: guests.info(name)["cpu_time_ns"] for name in vms}
        started = time.monotonic()
        guests.command("version")
        assert time.monotonic() - started < 5  # of the emulator's slow time
        used = {name: after[name] - before[name] for name in vms}
        total = sum(used.values())
        for name in ("spin", "loop", "work"):
            assert 0.2 < used[name] / total < 0.45, f"{name}: {used}"
        assert re.search(r"^work \d+ at \d+$", guests.console("work"), re.M)


test_mmio.timeout = 150
test_bad_neighbours.timeout = 150
