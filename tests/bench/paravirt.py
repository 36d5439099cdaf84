# SPDX-License-Identifier: BSD-2-Clause
"""pv.*: exits that Linux with two vCPUs on two CPUs costs, with KVM's interfaces and (.off) without.

phases.c runs in the guest: it stops at a mark before and after each phase, and tells how many timer
ticks, IPIs or context switches Linux counted in between. How many exits there were in between is
what `vm stats` says, less those of a phase that does nothing (the mark itself).
"""
import json
import os
import re
import subprocess

import emulated
import boot
import newc

# figure: (phase, per so many events)
FIGURES = {"pv.tick": ("tick", 1), "pv.ipi": ("ipi", 1), "pv.switch": ("switch", 1000),
           "pv.switch_local": ("switch_local", 1000)}
NAMES = tuple(name + off for name in FIGURES for off in ("", ".off"))
EVENTS = {"tick": "timer tick", "ipi": "IPI", "switch": "1,000 switches",
          "switch_local": "1,000 switches"}
PHASES = 5
# QEMU's TCG hangs with two CPUs and icount; exits are counted, not instructions, so it does without.
MACHINE = {"qemu": {}, "bochs": {"ips": 1000000000}}
CONFIG = "".join(f"""
[vm.{name}]
memory = "128M"
cpus = 2
boot = "linux"
kernel = "boot:vmlinuz"
initrd = "boot:initrd.img"
cmdline = "console=ttyS0 quiet"
paravirt = {paravirt}
""" for name, paravirt in (("with", "true"), ("without", "false")))


def initramfs(kind):
    """The guests' initramfs with a second archive behind it that replaces /sbin/init."""
    program = f"{emulated.SCRATCH}/{kind}-phases"
    subprocess.run(["gcc", "-O2", "-static", "-pthread", "-Wall", "-Wextra", "-Werror", "-s", "-o",
                    program, os.path.join(emulated.ROOT, "tests/bench/phases.c")], check=True)
    with open("build/guests/initrd.img", "rb") as file:
        image = file.read()
    path = f"{emulated.SCRATCH}/{kind}-phases.img"
    with open(path, "wb") as file:
        file.write(newc.extended(image, {"sbin/init": program}))
    return path


def start(kind):
    path = os.path.join(emulated.SCRATCH, f"{kind}-paravirt.conf")
    with open(path, "w") as file:
        file.write(CONFIG)
    modules = {"insula.conf": path, "vmlinuz": "build/guests/vmlinuz", "initrd.img": initramfs(kind)}
    machine = boot.Machine(kind, timeout=emulated.TIMEOUT, memory="512M", cpus=2, modules=modules,
                           **MACHINE[kind])
    machine.expect_exact("insula> ")
    return machine


def mark(machine, vm, number):
    """(phase that ended there, events in it, {reason: exits of the VM up to now}); goes on to there."""
    machine.send(f"vm console {vm}\r")
    machine.expect_exact("comes back]")
    if number > 0:
        machine.send("\n")
    machine.expect(rb"MARK %d (\w+) +(\d+) end" % number)
    phase, events = machine.match.group(1).decode(), int(machine.match.group(2))
    machine.send("\x1d")
    machine.expect_exact("[left the console of")
    machine.expect_exact("insula> ")
    stats = re.search(r"^\{.*\}", machine.command(f"vm stats {vm} --json"), re.M)[0]
    return phase, events, {row["name"]: row["count"] for row in json.loads(stats)["reasons"]}


def phases(machine, vm):
    """{phase: (events, {reason: exits})}."""
    machine.command(f"vm start {vm}")
    marks = [mark(machine, vm, number) for number in range(PHASES + 1)]
    machine.command(f"vm stop {vm} --force")
    return {phase: (events, {name: exits[name] - before[2].get(name, 0) for name in exits})
            for before, (phase, events, exits) in zip(marks, marks[1:])}


def measure(kind):
    with start(kind) as machine:
        runs = {off: phases(machine, vm) for vm, off in (("with", ""), ("without", ".off"))}
    for name, (phase, per) in FIGURES.items():
        for off, run in runs.items():
            events, exits = run[phase]
            count = sum(exits.values()) - sum(run["nothing"][1].values())
            yield {"name": name + off, "value": round(count * per / events, 2),
                   "unit": f"exits/{EVENTS[phase]}", "events": events,
                   "exits_of_phase": {name: n for name, n in exits.items() if n > 0}}
