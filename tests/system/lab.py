# SPDX-License-Identifier: BSD-2-Clause
"""What several system tests share: VM configurations, VM states as JSON, a shell inside a guest.

Knows the console's words; the emulators are boot.py's.
"""
import base64
import itertools
import json
import re
import tempfile
import time

from boot import Machine

LINUX = {"vmlinuz": "build/guests/vmlinuz", "initrd.img": "build/guests/initrd.img"}
CTRL_BRACKET = "\x1d"
marks = itertools.count(1000)
BOOT_SECONDS = 240  # a Linux guest to its shell; two side by side on a shared build machine


def toml(value):
    """A value of the configuration; text in braces is an inline table already."""
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(toml, value))}]"
    return value if isinstance(value, str) and value.startswith("{") else json.dumps(value)


def linux(name, memory="128M", initrd="initrd.img", words="", **keys):
    """The configuration of a VM with Debian's kernel. The kernel's tests of its ciphers, a third of a
    boot in Bochs, run in test_demo, test_smp and test_dmesg only."""
    keys = {"memory": memory, "kernel": "boot:vmlinuz", "initrd": f"boot:{initrd}",
            "cmdline": f"console=ttyS0 quiet cryptomgr.notests {words} name={name}"} | keys
    return f"[vm.{name}]\n" + "".join(f"{key} = {toml(value)}\n" for key, value in keys.items())


def guest_modules(*names):
    """Boot modules for bare-metal guests, by name."""
    return {f"{name}.elf": f"build/guests/{name}.elf" for name in names}


def machine(kind, config, modules=None, **options):
    """A Machine with the text config as its boot:insula.conf."""
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
        file.write(config)
        file.flush()
        files = {"insula.conf": file.name, **(LINUX if modules is None else modules)}
        return Machine(kind, modules=files, **options)


def prompt(m, timeout=BOOT_SECONDS):
    """Waits for the end of the boot: the automatic VMs are started before the first prompt."""
    m.expect_exact("Type help for a list of commands.", timeout=timeout)
    m.expect_exact("insula> ", timeout=timeout)


def states(m):
    """{name: state} of all VMs."""
    return {vm["name"]: vm["state"] for vm in m.json("vm list")}


def account(m):
    """host memory --json, whose sums must be their parts' to the byte."""
    memory = m.json("host memory")
    parts = ("image", "hypervisor", "guest", "store", "free")
    assert sum(memory[part] for part in parts) == memory["total"], memory
    assert sum(memory["vms"].values()) + memory["changing"] == memory["guest"], memory
    return memory


def wait_state(m, name, wanted, timeout=120):
    """Asks until the VM is in that state."""
    deadline = time.monotonic() + timeout
    while (now := states(m)[name]) != wanted:
        if time.monotonic() > deadline:
            raise AssertionError(f"{name} is {now}, not {wanted}, after {timeout} s")
        time.sleep(0.2)  # between two questions, not for something to become true


class Guest:
    """`with Guest(m, "web1") as g: g.run("uname")`: joined to its console, left again at the end."""

    def __init__(self, m, name):
        self.m, self.name = m, name

    def __enter__(self):
        self.m.send(f"vm console {self.name}\r")
        self.m.expect_exact("Ctrl-] comes back]")
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.leave()

    def leave(self):
        self.m.send(CTRL_BRACKET)
        self.m.expect_exact(f"[left the console of {self.name}]")
        self.m.expect_exact("insula> ")

    def ready(self, timeout=BOOT_SECONDS):
        """Waits for the guest's shell, from its start or from what the console kept of it."""
        self.m.expect_exact(f"insula guest ready: {self.name}", timeout=timeout)
        self.m.expect_exact("/ # ", timeout=timeout)

    def run(self, line, timeout=60):
        """A command line in the guest's shell: what it printed. Its end shows by a computed mark."""
        number = next(marks)  # what the console repeats of earlier commands must not match
        self.m.send(f"{line}; echo end$(({number}+0))end\n")
        self.m.expect(rb"\nend%dend\r?\n" % number, timeout=timeout)
        said = plain(self.m.before.decode(errors="replace") + "\n")
        # The terminal may have echoed it twice, and broken the line anywhere.
        return re.split(r"\)\n?\)\n?e\n?n\n?d\n", said)[-1]


def plain(text):
    """Without escape sequences and carriage returns."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", text)


def printed(text):
    """The bytes of a file, of what store print said."""
    return base64.b64decode("".join(re.findall(r"^[A-Za-z0-9+/=]{4,76}$", text.replace("\r", ""),
                                               re.MULTILINE)))
