# SPDX-License-Identifier: BSD-2-Clause
"""Hostile guests with four vCPUs that race each other, many such VMs at once: only they end, however they do.

A neighbour goes on finding its memory unharmed, a visitor is started, paused and stopped meanwhile, the
console answers and the memory adds up. Under INSULA_SOAK=1 with more rounds and seeds.
"""
import os
import time
import unittest

import pexpect

from guestvm import Guests, Neighbour
from lab import account, states

SOAK = bool(os.environ.get("INSULA_SOAK"))
KEYS = "boot=multiboot kernel=boot:hostile.elf memory=16M cpus=4 testdev=true"
PATIENCE = 300  # seconds: a busy machine
ROUNDS = 20000 if SOAK else 150
# ns of CPU time after which a VM that goes on is stopped; in Bochs 20 a tick, in QEMU the emulator's own.
LIMIT = {"qemu": (3 if SOAK else 0.5) * 1e9, "bochs": (0.5 if SOAK else 0.1) * 1e9}
ASLEEP = 5  # or seconds without having used any
SEEDS = 20 if SOAK else 1
STORM_SEEDS = (1, 2, 3, 4) if SOAK else (1, 2)  # with NMIs, with INIT and SIPI, with all, with neither
LASTING = ("msr", "port", "pci", "mmio", "cr", "virt", "string")
SUDDEN = ("insn", "jump", "tables", "descr", "end")  # most of their steps end the VM: all vCPUs' at once
TCG_DIES = "tcg fatal error"  # as in test_hostile.py


class Rivals:
    """A machine with the neighbour, the visitor and any number of hostile VMs."""

    def __init__(self, kind, **options):
        self.kind, self.runs, self.options, self.racing = kind, 0, options, {}

    def __enter__(self):
        vms = {"neighbour": Neighbour.CONFIG, "visitor": {"kernel": "hello", "memory": "4M"}}
        files = {"hostile.elf": Guests.elf("hostile")}
        self.guests = Guests(self.kind, vms, files, log="host", cpus=2, timeout=120, **self.options)
        self.neighbour = Neighbour(self.guests).__enter__()
        self.before = account(self.guests.machine)
        return self

    def __exit__(self, kind, *exc):
        try:
            if kind is None:
                self.neighbour.check(PATIENCE)
                self.check_memory()
        finally:
            self.guests.__exit__()

    def check_memory(self):
        """All that the hostile VMs had is free again, when it has been scrubbed."""
        deadline = time.monotonic() + PATIENCE
        while (after := account(self.guests.machine))["changing"]:
            assert time.monotonic() < deadline, after
        assert after["vms"] == self.before["vms"], (self.before, after)

    def race(self, group, seed, rounds=ROUNDS):
        """Starts another hostile VM; its name."""
        self.runs += 1
        name, what = f"r{self.runs}", f"{group} seed={seed} rounds={rounds}"
        self.guests.command(f'vm create {name} {KEYS} cmdline="{what} cpus=4 run={self.runs}"')
        self.guests.start(name)
        self.racing[name] = {"what": what, "used": 0, "awake": time.monotonic()}
        return name

    def over(self, name):
        """How it ended; None as long as it goes on within its limits."""
        info, vm = self.guests.info(name), self.racing[name]
        if info["state"] in ("stopped", "crashed"):
            return info["crash_reason"] or "ended"
        now = time.monotonic()
        if info["cpu_time_ns"] != vm["used"]:
            vm["used"], vm["awake"] = info["cpu_time_ns"], now
        if vm["used"] > LIMIT[self.kind]:
            return "raced on"
        return "asleep" if now - vm["awake"] > ASLEEP else None

    def finish(self, name, how):
        self.guests.stop(name)
        text = self.guests.console(name)
        what = self.racing.pop(name)["what"]
        assert "no group" not in text, f"{what}: {text}"
        print(f"{what}: {how}", flush=True)
        self.guests.command(f"vm delete {name}")

    def wait(self):
        """Until all are over."""
        while self.racing:
            for name in list(self.racing):
                how = self.over(name)
                if how is not None:
                    self.finish(name, how)

    def ask(self, line):
        """A command about a VM that may end by itself at any moment."""
        said = self.guests.machine.command(line)
        ended = "it is" in said or "has just ended" in said
        assert "error: " not in said or ended, f"{line}: {said}"

    def visit(self, storm):
        """A VM's whole life, and another one's changes, while vCPUs of a third do their worst."""
        self.guests.start("visitor")
        for verb in ("pause", "resume", "reset"):
            self.ask(f"vm {verb} {storm}")
        for verb in ("pause", "resume"):
            self.ask(f"vm {verb} visitor")
        info = self.guests.wait("visitor", PATIENCE)
        assert info["state"] == "stopped", f"the visitor is {info['state']}"
        assert "goodbye" in self.guests.console("visitor")


def storms(rivals):
    """While they rage, a visitor comes and goes; one that has ended makes room for the next."""
    names = [rivals.race("storm", seed, 10**9) for seed in STORM_SEEDS]
    for n in range(20 if SOAK else 1):
        now = states(rivals.guests.machine)
        up = [name for name in names if now[name] == "running"]
        if not up:
            names.append(rivals.race("storm", 4 * (n + 2) + 1, 10**9))
            up = names[-1:]
        rivals.visit(up[n % len(up)])
    rivals.wait()


def groups(rivals, seeds):
    for seed in seeds:
        for group in LASTING + SUDDEN:
            rivals.race(group, seed)
        rivals.wait()


def random(rivals, seeds):
    for seed in seeds:
        rivals.race("random", seed)
    rivals.wait()


def test_race(kind):
    with Rivals(kind) as rivals:
        storms(rivals)
        groups(rivals, range(1, SEEDS + 1))
        if kind == "bochs":
            random(rivals, range(1, SEEDS + 1))


def test_apicv(kind):
    """The same messages by the processor's own virtual local APIC."""
    if not SOAK:
        raise unittest.SkipTest("the long form only: make soak")
    with Rivals(kind, cmdline="apicv=on") as rivals:
        storms(rivals)
        groups(rivals, range(1, 6))


def test_random_tcg(kind):
    """QEMU's translator itself ends at some code: each seed on a machine that such an end costs nothing."""
    if not SOAK:
        raise unittest.SkipTest("the long form only: make soak")
    for seed in range(0, 60, 6):
        try:
            with Rivals(kind) as rivals:
                random(rivals, range(seed, seed + 6))
        except (pexpect.EOF, OSError):
            said = rivals.guests.machine.emulator.log_tail()
            assert TCG_DIES in said, f"the emulator ended: {said}"
            print(f"random seeds from {seed}: {TCG_DIES}")


test_race.timeout = 3 * 3600 if SOAK else 600
test_apicv.timeout = test_random_tcg.timeout = 3 * 3600
test_apicv.machines = ["bochs"]
test_random_tcg.machines = ["qemu"]
