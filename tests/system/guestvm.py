# SPDX-License-Identifier: BSD-2-Clause
"""Runs bare-metal guests as VMs, through the management console, and tells how they ended.

Knows the console's words (vm set, start, stop, info --json, console), not what a guest prints.
"""
import json
import os
import re
import tempfile
import time

from boot import LOG_LINE, Machine, ROOT

GUEST = re.compile(r"^\w+$")


class Guests:
    """A machine with VMs: Guests(kind, {"vm name": {"kernel": "hello", "cmdline": "...", ...}}).

    A value is a key of [vm.NAME]; kernel names a folder of guests/, memory is 16M by default. The
    boot modules are the ELF files that the VMs name and `files` ({name: path}); log is the level of
    log lines on the console, host further lines of [host]. A context manager; .machine is the boot.Machine.
    """

    def __init__(self, kind, vms, files=None, log="info", memory="512M", timeout=60, host="",
                 **options):
        modules = dict(files or {})
        text = f"[host]\nlog = {json.dumps(log)}\n{host}"
        for name, keys in vms.items():
            keys = {"boot": "multiboot", "memory": "16M", **keys}
            if GUEST.match(keys["kernel"]):
                modules[keys["kernel"] + ".elf"] = self.elf(keys["kernel"])
                keys["kernel"] = f"boot:{keys['kernel']}.elf"
            text += f"[vm.{name}]\n" + "".join(f"{k} = {json.dumps(v)}\n" for k, v in keys.items())
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as conf:
            conf.write(text)
            conf.flush()
            modules["insula.conf"] = conf.name
            self.machine = Machine(kind, memory=memory, timeout=timeout, modules=modules, **options)
            try:
                self.machine.expect_exact("insula> ")
            except BaseException:
                self.machine.emulator.stop()
                raise

    @staticmethod
    def elf(name):
        return os.path.join(ROOT, "build/guests", name + ".elf")

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.machine.emulator.stop()

    def command(self, line):
        """What the command printed. Fails the test if that is an error."""
        text = self.machine.command(line)
        assert "error: " not in text, f"{line}: {text}"
        return text

    def info(self, name):
        """The value of vm info NAME --json."""
        return self.machine.json(f"vm info {name}")

    def start(self, name, cmdline=None):
        if cmdline is not None:
            self.command(f'vm set {name} cmdline="{cmdline}"')
        self.command(f"vm start {name}")

    def stop(self, name):
        """Stops it by force, if it has not ended by itself meanwhile."""
        said = self.machine.command(f"vm stop {name} --force")
        assert "error: " not in said or "it is not running" in said, said
        state = self.info(name)["state"]
        assert state in ("stopped", "crashed"), f"{name} is {state}; vm stop said: {said}"

    def wait(self, name, timeout):
        """vm info of the VM when it no longer runs, or still does after so many seconds."""
        deadline = time.monotonic() + timeout
        while True:
            info = self.info(name)
            if info["state"] in ("stopped", "crashed") or time.monotonic() > deadline:
                return info
            time.sleep(0.1)

    def console(self, name):
        """The kept end (16 KiB) of what the guest printed."""
        machine = self.machine
        machine.send(f"vm console {name}\r")
        machine.expect_exact("Ctrl-] comes back]")
        time.sleep(0.05)
        machine.send("\x1d")
        machine.expect_exact("[left the console of")
        text = machine.before.decode(errors="replace").replace("\r", "")
        machine.expect_exact("insula> ")
        return text

    def run(self, name, cmdline=None, timeout=60):
        """Starts a guest, waits for its end and returns what it printed; it must power off."""
        self.start(name, cmdline)
        info = self.wait(name, timeout)
        text = self.console(name)
        assert info["state"] == "stopped", f"{name} is {info['state']} ({info['crash_reason']}):\n{text}"
        return text


class Neighbour:
    """A memcheck guest that must go on finding its memory unharmed: use as a context manager."""

    CONFIG = {"kernel": "memcheck", "memory": "8M", "cmdline": "seed=77 rest=50"}

    def __init__(self, guests, name="neighbour"):
        self.guests, self.name, self.round = guests, name, 0

    def __enter__(self):
        self.guests.start(self.name)
        self.check()
        return self

    def __exit__(self, kind, *exc):
        if kind is None:
            self.check()

    def check(self, timeout=120):
        """It runs, found no difference, and has made another round since the last check."""
        deadline = time.monotonic() + timeout
        while True:
            info = self.guests.info(self.name)
            text = self.guests.console(self.name)
            assert "FAILED" not in text, text
            assert info["state"] == "running", f"the neighbour is {info['state']}"
            rounds = [int(n) for n in re.findall(r"^memcheck ok (\d+)$", text, re.M)]
            if rounds and rounds[-1] > self.round + 1:
                self.round = rounds[-1]
                return
            assert time.monotonic() < deadline, f"no new round after {self.round}:\n{text}"
            time.sleep(0.2)
