# SPDX-License-Identifier: BSD-2-Clause
"""A guest that spins with interrupts off, on the only CPU, takes neither the console nor other VMs."""
import tempfile

from boot import Machine

CONF = """
[vm.spin]
memory = "16M"
boot = "multiboot"
kernel = "boot:spin.elf"

[vm.hello]
memory = "16M"
boot = "multiboot"
kernel = "boot:hello.elf"
"""


def test_spinning_guest(kind):
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as conf:
        conf.write(CONF)
        conf.flush()
        modules = {"insula.conf": conf.name, "spin.elf": "build/guests/spin.elf",
                   "hello.elf": "build/guests/hello.elf"}
        with Machine(kind, memory="256M", modules=modules) as machine:
            machine.expect_exact("insula> ")
            assert "spin: running" in machine.command("vm start spin")
            machine.command("vm start hello")
            machine.send("vm console hello\r")
            machine.expect_exact("goodbye")
            machine.send("\x1d")
            machine.expect_exact("insula> ")
            assert "spin: stopped" in machine.command("vm stop spin --force")
