# SPDX-License-Identifier: BSD-2-Clause
"""A CPU whose VT-x does not suit: what is missing is said by name, and the console comes up."""
from boot import Machine

MACHINES = ["bochs"]


def test_no_ept(kind):
    with Machine(kind, memory="256M", cpu="core2_penryn_t9600") as machine:
        machine.expect_exact("VMX: EPT: MISSING, required")
        machine.expect_exact("VMX: unrestricted guest: MISSING, required")
        machine.expect_exact("no hardware virtualization that suits: see above what is missing")
        machine.expect_exact("insula> ")
        assert "Insula" in machine.command("version")
