# SPDX-License-Identifier: BSD-2-Clause
"""A CPU whose VT-x does not suit: what is missing is said by name, and the console comes up. One that
virtualizes the local APIC, and one that does not or may not."""
import re

from boot import Machine
from guestvm import Guests

MACHINES = ["bochs"]


def test_no_ept(kind):
    with Machine(kind, memory="256M", cpu="core2_penryn_t9600") as machine:
        machine.expect_exact("VMX: EPT: MISSING, required")
        machine.expect_exact("VMX: unrestricted guest: MISSING, required")
        machine.expect_exact("no hardware virtualization that suits: see above what is missing")
        machine.expect_exact("insula> ")
        assert "Insula" in machine.command("version")


def run_smp(kind, **options):
    """The guest that tries all there is of local APICs, and its VM's exits by reason."""
    vms = {"a": {"kernel": "smp", "cpus": 3, "cmdline": "cpus=3 rounds=100"}, "b": {"kernel": "timer"}}
    with Guests(kind, vms, cpus=2, **options) as guests:
        text = guests.run("a", timeout=100)
        assert re.search(r"^smp 3 CPUs, \d+ checks, 0 failed$", text, re.M), text
        reasons = guests.machine.json("vm stats a")["reasons"]
        assert "timer ok\n" in guests.run("b", timeout=100)
    return {row["name"]: row["count"] for row in reasons}


def test_speculation_control(kind):
    """Where CPUID offers it, each vCPU has its own SPEC_CTRL, without an exit but for the first."""
    with Guests(kind, {"a": {"kernel": "smp", "cpus": 3, "cmdline": "cpus=3 rounds=200"}}, cpus=2,
                cpu="corei7_icelake_u") as guests:
        text = guests.run("a", timeout=100)
        assert re.search(r"^smp 3 CPUs, \d+ checks, 0 failed$", text, re.M), text
        reasons = guests.machine.json("vm stats a")["reasons"]
    exits = {row["name"]: row["count"] for row in reasons}
    assert exits["CPUID"] > 3 * 200 and exits["WRMSR"] + exits["RDMSR"] < 600, exits


def test_apicv(kind):
    exits = run_smp(kind, cmdline="apicv=on")
    assert exits["APIC_WRITE"] > 0, exits
    for off in ({}, {"cmdline": "apicv=on", "cpu": "corei3_cnl"}):
        exits = run_smp(kind, **off)
        assert exits["EPT_VIOLATION"] > 0 and exits.get("APIC_WRITE", 0) == 0, (off, exits)
