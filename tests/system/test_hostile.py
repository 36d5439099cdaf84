# SPDX-License-Identifier: BSD-2-Clause
"""A guest that does its worst loses only itself: the host and a neighbour that checks its own memory
go on. Under INSULA_SOAK=1 every step and 10,000 random streams, else a sample of the slow groups.
"""
import os
import re
import time

import pexpect

from guestvm import Guests, Neighbour

SOAK = os.environ.get("INSULA_SOAK") == "1"
STUCK = 2e9  # ns of CPU time without a new line before a guest counts as hung,
ASLEEP = 3  # or seconds without having used any
TCG_DIES = "tcg fatal error"  # QEMU 7.2's translator on some code, without us as well (stream 4237)
ALONE = 64  # streams started one at a time to find on which of them it dies


class Attacker:
    """Runs a group of the hostile guest to its end, whatever the VM dies of on the way.

    Each start is a VM of its own: so its console holds nothing old.
    """

    KEYS = "boot=multiboot kernel=boot:hostile.elf memory=16M testdev=true"

    def __init__(self, kind):
        self.kind, self.runs, self.ends = kind, 0, {}

    def __enter__(self):
        files = {"hostile.elf": Guests.elf("hostile")}
        self.guests = Guests(self.kind, {"neighbour": Neighbour.CONFIG}, files, log="host")
        self.neighbour = Neighbour(self.guests).__enter__()
        return self

    def __exit__(self, kind, *exc):
        try:
            if kind is None:
                self.neighbour.check()
                self.print_ends()
        finally:
            self.guests.__exit__()

    def print_ends(self):
        for step, how in self.ends.items():
            print(f"{step}: {how}")

    def once(self, cmdline):
        """One start of the guest: (what it printed, how it ended)."""
        self.runs += 1
        name, mark = f"a{self.runs}", f"run={self.runs}"
        self.guests.command(f'vm create {name} {self.KEYS} cmdline="{cmdline} {mark}"')
        self.guests.start(name)
        text, how = self.watch(name, mark)
        self.guests.command(f"vm delete {name}")
        return text, how

    def watch(self, name, mark):
        """What a started VM printed and how it ended; it is stopped then."""
        text, used, changed, awake = "", 0, 0, time.monotonic()
        while True:
            info = self.guests.wait(name, 2)
            new, now = self.guests.console(name), time.monotonic()
            if info["state"] in ("stopped", "crashed"):
                return new, info["crash_reason"] or "switched off"
            if info["cpu_time_ns"] != used:
                used, awake = info["cpu_time_ns"], now
            if new != text:
                text, changed = new, used
            if text.count(mark) > 1 or used - changed > STUCK or now - awake > ASLEEP:
                self.guests.stop(name)
                return text, "reset" if text.count(mark) > 1 else "hung"

    def group(self, name, stride=1):
        """Every stride-th step of a group; self.ends says which of them ended the VM, and how."""
        at, every = 0, ""
        while True:
            text, how = self.once(f"{name} from={at} stride={stride} {every}")
            if f"hostile {name} done" in text:
                return
            steps = re.findall(r"^step (\d+) ?(.*)$", text, re.M)
            assert steps, f"{name} from {at} printed no step ({how}):\n{text[-2000:]}"
            last, what = int(steps[-1][0]), steps[-1][1]
            if "every 1," not in text:
                at, every = last, "every=1"  # once more, to find the very step
                continue
            self.ends[f"{name} step {last} {what}"] = how
            print(f"{name} step {last} {what}: {how}", flush=True)
            at, every = last + stride, ""

    def streams(self, first, count):
        """Random streams; those that ended the VM, or QEMU by its own fault, are in self.ends."""
        at, alone, end = first, 0, first + count
        while at < end:
            some = 1 if alone else end - at
            alone = max(alone - 1, 0)
            try:
                text, how = self.once(f"random seed={at} count={some}")
            except (pexpect.EOF, OSError):
                self.restart_if_qemus_fault()
                self.ends[f"stream {at}{'' if some == 1 else ' or later'}"] = TCG_DIES
                at, alone = (at + 1, 0) if some == 1 else (at, ALONE)
                continue
            if "hostile random done" in text:
                at += some
                continue
            streams = re.findall(r"^stream (\d+) (?!ended)(\S+)$", text, re.M)
            assert streams, f"random from {at} printed no stream ({how}):\n{text[-2000:]}"
            self.ends[f"stream {streams[-1][0]} {streams[-1][1]}"] = how
            at = int(streams[-1][0]) + 1

    def restart_if_qemus_fault(self):
        """A new machine after the emulator's translator gave up; any other end is a failure."""
        said = self.guests.machine.emulator.log_tail()
        assert TCG_DIES in said, f"the emulator ended: {said}"
        self.guests.__exit__()
        self.__enter__()


def run_group(kind, name, stride=1):
    with Attacker(kind) as attacker:
        attacker.group(name, 1 if SOAK else stride)


def test_ends(kind):
    """Triple faults, HLT with IF clear, resets and power-off are seen as what they are."""
    with Attacker(kind) as attacker:
        attacker.group("end")
    want = {"triple-fault": "triple|shutdown", "triple-fault-page": "triple|shutdown",
            "halt-if0": "hung|halt", "reset-cf9": "reset", "reset-keyboard": "reset",
            "reset-port92": "reset", "power-off": "switched off"}
    ends = list(attacker.ends.values())  # the last step may be survived
    for number, (name, how) in enumerate(want.items()):
        assert re.search(how, ends[number], re.I), f"{name}: {ends}"


def test_msr(kind):
    run_group(kind, "msr")


def test_port(kind):
    run_group(kind, "port")


def test_pci(kind):
    run_group(kind, "pci")


def test_mmio(kind):
    run_group(kind, "mmio")


def test_insn(kind):
    run_group(kind, "insn", 5)  # the places take turns


def test_cr(kind):
    run_group(kind, "cr")


def test_virt(kind):
    run_group(kind, "virt")


def test_jump(kind):
    run_group(kind, "jump")


def test_tables(kind):
    run_group(kind, "tables")


def test_descr(kind):
    run_group(kind, "descr")


def test_string(kind):
    run_group(kind, "string", 5)


def test_random(kind):
    with Attacker(kind) as attacker:
        attacker.streams(0, 10000 if SOAK else 70)


for function in [f for name, f in list(vars().items()) if name.startswith("test_")]:
    function.timeout = 3 * 3600 if SOAK else 300
