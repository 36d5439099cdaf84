# SPDX-License-Identifier: BSD-2-Clause
"""sched.*: who gets how much of the CPUs, and how soon, counted by the guests themselves.

guests/work counts as fast as it can and says how far it got by which tick of its TSC; its rate over
that of one alone is its share, which no accounting of the hypervisor's touches. The ideal is weighted
max-min: by weight, but nobody more than its vCPUs or its cap. Virtual time passes in few instructions
there (a slice is 625,000), so that ten seconds of it end soon: the cost of switching, several times a
real machine's then, counts as an error. guests/timer sleeps beside a busy VM: how late it wakes.
"""
import os
import re

import emulated
import boot

NAMES = ("sched.share_error", "sched.cap_error", "sched.reserve_missing", "sched.wake_latency",
         "sched.reserve_wake")
FAST = {"qemu": {"extra": ["-icount", "shift=3,sleep=off"]}, "bochs": {"ips": 125000000}}
REPORT_MS, REPORTS = 2500, 4  # ten seconds of guest time
WORK = "build/guests/work.elf"
TIMER = "build/guests/timer.elf"
# (host CPUs, vCPUs of each VM): weights 1:2:4; QEMU's TCG with icount has one CPU
SHARES = {"qemu": ((1, 1), (1, 2)), "bochs": ((1, 1), (1, 2), (2, 1), (2, 2))}
WEIGHTS = (100, 200, 400)
CAP = 25
RESERVE = 20
CROWD = [{"weight": 100, "cpus": 1}] * 20


def ideal(cpus, vms):
    """CPUs for each of [{weight, cpus, cap}], by water-filling."""
    share, left, thirsty = [0.0] * len(vms), float(cpus), set(range(len(vms)))
    while thirsty:
        weights = sum(vms[i]["weight"] for i in thirsty)
        limit = {i: min(vms[i]["cpus"], vms[i].get("cap", 1e9) / 100) for i in thirsty}
        fair = {i: left * vms[i]["weight"] / weights for i in thirsty}
        full = [i for i in thirsty if fair[i] >= limit[i]] or list(thirsty)
        for i in full:
            share[i] = min(limit[i], fair[i])
            left -= share[i]
        thirsty.difference_update(full)
    return share


def config(vms):
    text = ""
    for i, vm in enumerate(vms):
        text += f"""[vm.v{i}]
memory = "4M"
boot = "multiboot"
kernel = "boot:work.elf"
cmdline = "ms={REPORT_MS} cpus={vm['cpus']}"
autostart = true
""" + "".join(f"{key} = {value}\n" for key, value in vm.items())
    return text


def start(kind, text, modules, **options):
    os.makedirs(emulated.SCRATCH, exist_ok=True)
    path = os.path.join(emulated.SCRATCH, f"{kind}-sched.conf")
    with open(path, "w") as file:
        file.write(text)
    machine = boot.Machine(kind, timeout=emulated.TIMEOUT, memory="256M",
                           modules={"insula.conf": path, **modules}, **options)
    machine.expect_exact("Type help for a list of commands.")
    machine.expect_exact("insula> ")
    return machine


def rates(kind, cpus, vms, reports=REPORTS, whose=None):
    """Counts per tick of the TSC of each VM, or of those in whose, over its last `reports` reports."""
    found = []
    with start(kind, config(vms), {"work.elf": WORK}, cpus=cpus, **FAST[kind]) as m:
        for i in whose or range(len(vms)):
            said = []
            m.send(f"vm console v{i}\r")
            while len(said) <= reports + 1:  # the first: others were not there yet
                m.expect(rb"work (\d+) at (\d+)\r?\n")
                said.append((int(m.match.group(1)), int(m.match.group(2))))
            m.send("\x1d")
            m.expect_exact("[left the console of")
            m.expect_exact("insula> ")
            (c0, t0), (c1, t1) = said[-1 - reports], said[-1]
            found.append((c1 - c0) / (t1 - t0))
    return found


def error(kind, alone, cpus, vms):
    """Worst deviation from the ideal, in percent of it; and each VM's share."""
    got = [rate / alone for rate in rates(kind, cpus, vms)]
    want = ideal(cpus, vms)
    return max(100 * abs(g - w) / w for g, w in zip(got, want)), got


def wake_latency(kind, busy, keys=""):
    """Lateness of a local APIC's timer for a vCPU in HLT, mean and worst, VMs being busy on that CPU."""
    text = config(busy) + f"""[vm.timer]
memory = "4M"
boot = "multiboot"
kernel = "boot:timer.elf"
cmdline = "count=20"
{keys}
"""
    with start(kind, text, {"work.elf": WORK, "timer.elf": TIMER}, **emulated.EXACT[kind]) as m:
        m.command("vm start timer")
        m.send("vm console timer\r")
        m.expect(rb"timer.lapic_once count=20 late min=\d+ mean=(\d+) max=(\d+) ")
        return int(m.match.group(1)), int(m.match.group(2))


def measure(kind):
    alone = rates(kind, 1, [{"weight": 256, "cpus": 1}], reports=1)[0]
    cases = {}
    for cpus, vcpus in SHARES[kind]:
        cases[cpus, vcpus] = error(kind, alone, cpus, [{"weight": w, "cpus": vcpus} for w in WEIGHTS])
    yield {"name": "sched.share_error", "value": round(max(e for e, _ in cases.values()), 2),
           "unit": "%", "shares": {f"{c} CPUs, {v} vCPUs each": [round(g, 4) for g in got]
                                   for (c, v), (_, got) in cases.items()}}
    capped, got = error(kind, alone, 1, [{"weight": 256, "cpus": 1, "cap": CAP}])
    yield {"name": "sched.cap_error", "value": round(capped, 2), "unit": "%",
           "shares": {f"cap {CAP} %": [round(g, 4) for g in got]}}
    crowd = CROWD + [{"weight": 1, "cpus": 1, "reserve": RESERVE}]
    got = rates(kind, 1, crowd, whose=[len(CROWD)])[0] / alone
    yield {"name": "sched.reserve_missing", "value": round(max(100 - 100 * got / (RESERVE / 100), 0), 2),
           "unit": "%", "shares": {f"{RESERVE} % beside {len(CROWD)} busy VMs": [round(got, 4)]}}
    for name, busy, keys in (("sched.wake_latency", [{"cpus": 1}], ""),
                             ("sched.reserve_wake", CROWD, f"weight = 1\nreserve = {RESERVE}")):
        mean, worst = wake_latency(kind, busy, keys)
        yield {"name": name, "value": mean, "unit": "instructions", "worst": worst}
