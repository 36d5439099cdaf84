# SPDX-License-Identifier: BSD-2-Clause
"""The management console on the real image: help, errors, completion, history, JSON, VMs' lives."""
import json
import tempfile

from boot import Machine

PROMPT = "insula> "

CONFIG = """
[host]
name = "bench"
[vm.echo]
memory = "4M"
boot = "multiboot"
kernel = "boot:echo"
stop_timeout = "30s"
[vm.hello]
memory = "4M"
boot = "multiboot"
kernel = "boot:hello"
cmdline = "a \\"quoted\\" word"
"""

BROKEN = """
[host]
nmae = "x"
[vm.good]
kernel = "boot:hello"
[vm.bad]
cpus = 99
kernel = vmlinuz
boot = "bios"
"""


class Console:
    """A machine with that configuration and the small guests, at its prompt."""

    def __init__(self, kind, config=CONFIG, **options):
        self.file = tempfile.NamedTemporaryFile("w", suffix=".conf")
        self.file.write(config)
        self.file.flush()
        self.machine = Machine(kind, memory="256M", modules={
            "insula.conf": self.file.name, "echo": "build/guests/echo.elf",
            "hello": "build/guests/hello.elf"}, **options)

    def __enter__(self):
        self.machine.expect_exact(PROMPT)
        return self.machine

    def __exit__(self, *exc):
        self.machine.emulator.stop()
        self.file.close()


def expect_state(machine, name, state):
    """Asks until the VM is in that state; the tests' time limit ends it otherwise."""
    while True:
        found = {vm["name"]: vm["state"] for vm in machine.json("vm list")}
        if found[name] == state:
            return


def test_help_and_errors(kind):
    with Console(kind) as machine:
        text = machine.command("help")
        for noun in ("vm list", "vm create", "host info", "config check", "top", "trace"):
            assert f"\n{noun} " in "\n" + text, f"{noun} is not in help"
        assert max(len(line) for line in text.split("\n")) < 80
        assert "ACPI power button" in machine.command("help vm stop")
        errors = {
            "vmm list": 'unknown command "vmm"; did you mean vm?',
            "vm lsit": 'unknown command "vm lsit"; did you mean vm list?',
            "vm start": "usage: vm start VM",
            "vm start ecco": 'no VM is named "ecco"; did you mean echo?',
            "vm list --jsno": 'unknown option "--jsno"; usage: vm list [--json]',
            "vm create x memory=1": 'memory: found "1", allowed: a size like "512M" or "1G", "2M" '
                                    'to "256G"',
            'vm info "echo': "a quote is not closed",
        }
        for line, error in errors.items():
            assert machine.command(line) == f"error: {error}", line


def test_json(kind):
    with Console(kind) as machine:
        commands = ["vm list", "vm info echo", "vm stats echo", "host info", "host cpus",
                    "host memory", "host devices", "host log debug", "config show", "version"]
        for line in commands:
            text = machine.command(line + " --json")
            assert "\n" not in text, f"{line}: more than one line"
            json.loads(text)
        info = machine.json("vm info hello")
        assert info["memory"] == 4 << 20 and info["config"]["cmdline"] == 'a "quoted" word'
        memory = machine.json("host memory")
        assert memory["total"] == sum(memory[key] for key in
                                      ("image", "hypervisor", "guest", "free"))


def test_typing(kind):
    """Completion, history, editing in the line, a line longer than the row, pasted lines."""
    with Console(kind) as machine:
        machine.send("vm inf\the\t\r")
        machine.expect_exact('cmdline = "a \\"quoted\\" word"')
        machine.expect_exact(PROMPT)
        machine.send("vers\t\x1b[D\x1b[D\x15version\x0b\r")  # Left, Left, Ctrl-U, Ctrl-K
        machine.expect(r"Insula [0-9.]+ \(")
        machine.expect_exact(PROMPT)
        machine.send("\x1b[A\x1b[A\r")  # Up, Up
        machine.expect_exact('cmdline = "a \\"quoted\\" word"')
        machine.expect_exact(PROMPT)
        machine.send("\x12rsi\r")  # Ctrl-R
        machine.expect(r"Insula [0-9.]+ \(")
        machine.expect_exact(PROMPT)
        long = "x" * 400
        machine.command(f"vm create long memory=4M kernel=boot:hello cmdline={long}")
        assert machine.json("vm info long")["config"]["cmdline"] == long
        machine.send("# a comment\r\n\r\nvm list --json\r\nvm del\x03version\r\n")
        machine.expect_exact('"name":"long"')
        machine.expect_exact("^C")
        machine.expect(r"Insula [0-9.]+ \(")


def test_configuration_errors(kind):
    with Console(kind, BROKEN) as machine:
        text = machine.before.decode()
        file = "error: boot:insula.conf"
        for error in (f"{file}:3:1: host.nmae: unknown key; did you mean name?",
                      f"{file}:7:1: vm.bad.cpus: found 99, allowed: 1 to 16",
                      f"{file}:8:10: kernel: found vmlinuz, expected a value: \"string\"",
                      f"{file}:9:1: vm.bad.boot: \"bios\" is not supported in this version"):
            assert error in text, error
        assert [vm["name"] for vm in machine.json("vm list")] == ["good"]
        assert "2 errors" not in machine.command("config check")
        assert "error: boot:insula.conf: 4 errors; 1 VM without one" in machine.command(
            "config check")
        assert 'allowed  a size like "512M"' in machine.command("config help memory")


def test_no_configuration(kind):
    with Machine(kind, memory="256M") as machine:
        machine.expect_exact("There is no boot:insula.conf")
        machine.expect_exact(PROMPT)
        assert machine.command("vm list --json") == "[]"


def test_guest_console(kind):
    with Console(kind) as machine:
        machine.command("vm start echo")
        machine.send("vm console echo\r")
        machine.expect_exact("which is running; Ctrl-] comes back]")
        machine.expect_exact("echo ready")
        machine.send("a\r\x03\x1b")
        machine.expect_exact("[61][0d][03][1b]")
        machine.send("\x1dversion\r")
        machine.expect_exact("[left the console of echo]")
        machine.expect(r"Insula [0-9.]+ \(")
        machine.expect_exact(PROMPT)
        machine.send("vm console echo\r")  # what was said before is shown again
        machine.expect(r"echo ready\r*\n\[61\]\[0d\]\[03\]\[1b\]")
        machine.send("\x1d")
        machine.expect_exact(PROMPT)


def test_lives_of_vms(kind):
    with Console(kind) as machine:
        machine.command("vm start hello")
        expect_state(machine, "hello", "stopped")  # it powers off by itself
        machine.send("vm console hello\r")
        machine.expect_exact('a "quoted" word')
        machine.expect_exact("goodbye")
        machine.send("\x1d")
        machine.expect_exact(PROMPT)

        assert machine.command("vm start echo").endswith("echo: running")
        assert machine.command("vm start echo").startswith("error: cannot start echo: ")
        assert machine.command("vm set echo cpus=2").startswith("error: echo is running")
        assert machine.command("vm pause echo").endswith("echo: paused")
        assert machine.command("vm resume echo").endswith("echo: running")
        assert machine.command("vm reset echo").endswith("echo: running")
        stats = machine.json("vm stats echo")
        assert stats["exits"] > 0 and all(row["name"] for row in stats["reasons"])
        assert "exit   echo/0 " in machine.command("trace 100")
        assert machine.command("vm delete echo").startswith("error: cannot delete echo: ")

        text = machine.command("vm stop echo")
        assert "ACPI power button pressed" in text and text.endswith("echo: stopped"), text
        assert machine.command("vm set echo cpus=2") == "echo: set"
        machine.command("vm start echo")
        assert machine.command("vm stop echo --force").endswith("echo: stopped")
        assert machine.command("vm delete echo") == "echo: deleted"

        machine.command("vm create big memory=8G boot=multiboot kernel=boot:echo")
        assert machine.command("vm start big").startswith(
            "error: cannot start big: not enough free host memory: it needs 8 GiB, ")
        assert machine.command("vm delete big") == "big: deleted"


def test_crash(kind):
    with Console(kind) as machine:
        machine.command("vm start echo")
        machine.send("vm console echo\r")
        machine.expect_exact("echo ready")
        machine.send("X")
        machine.expect_exact("echo is crashed")
        machine.send("\x1d")
        machine.expect_exact(PROMPT)
        info = machine.command("vm info echo")
        assert "crash      " in info and "\nrip 0000" in info and "cr0 " in info, info
        masked = machine.json("host cpus")[0]["longest_masked_ticks"]
        assert kind != "bochs" or masked < 40000, masked  # there a tick is an instruction
        assert machine.command("vm start echo").endswith("echo: running")  # and again


def test_top(kind):
    with Console(kind) as machine:
        machine.command("vm start echo")
        machine.send("top\r")
        machine.expect(r"echo +running +[0-9]+\.[0-9]%")
        machine.expect(r"echo/0 ")
        machine.expect(r"console +running")
        machine.send("q")
        machine.expect_exact(PROMPT)
        assert machine.command("vm stop echo --force").endswith("echo: stopped")


def test_poweroff(kind):
    with Console(kind) as machine:
        machine.command("vm start echo")
        machine.send("host poweroff --force\r")
        machine.expect_exact("Powering off.")
        machine.emulator.wait(60)


def test_no_virtualization(kind):
    """A CPU without: the prompt works, and says why VMs do not start."""
    cpu = {"qemu": "EPYC,-svm", "bochs": "core2_penryn_t9600"}[kind]
    with Console(kind, CONFIG + "autostart = true\n", cpu=cpu) as machine:
        why = "this machine has no usable hardware virtualization (see host info)"
        assert f"error: cannot start hello: {why}" in machine.before.decode()
        assert machine.command("vm start echo") == f"error: cannot start echo: {why}"
        text = machine.command("host info")
        assert "virtualization  not usable: VMs cannot start" in text
        assert "missing         none" not in text and "missing         " in text, text
        assert machine.json("host info")["virtualization"] is None
        assert machine.json("vm list")[1]["state"] == "stopped"
