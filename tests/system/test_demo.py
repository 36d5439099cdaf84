# SPDX-License-Identifier: BSD-2-Clause
"""The demo of `make run`, and the life of a VM from the console: every verb that changes its state."""
from boot import Machine
from lab import BOOT_SECONDS, LINUX, Guest, guest_modules, prompt, states, wait_state


def test_life(kind):
    files = {"insula.conf": "guests/demo.conf", **LINUX, **guest_modules("hello")}
    with Machine(kind, modules=files) as m:
        prompt(m)
        assert states(m) == {"web1": "running", "web2": "running"}
        both_shells(m)
        poweroff(m)
        reboot(m)
        pause(m)
        button(m)
        reset(m)
        create_and_delete(m)


test_life.timeout = 900


def both_shells(m):
    for name in ("web1", "web2"):
        with Guest(m, name) as guest:
            guest.ready()
            assert guest.run("hostname").strip() == name
            assert "-cloud-amd64" in guest.run("uname -r")


def poweroff(m):
    """In the guest; the console says it, vm list shows it, and vm start has something to start."""
    with Guest(m, "web1"):
        m.send("poweroff\n")
        m.expect_exact("[web1 is stopped; Ctrl-] comes back]", timeout=BOOT_SECONDS)
    assert states(m) == {"web1": "stopped", "web2": "running"}
    assert "web1: running" in m.command("vm start web1")


def reboot(m):
    """Meanwhile web1 comes up again. web2 restarts by itself, without anyone at the console."""
    with Guest(m, "web2") as guest:
        guest.run("echo lost >/tmp/file")
        m.send("reboot\n")
        m.expect_exact("Restarting system", timeout=BOOT_SECONDS)
        guest.ready()
        assert "No such file" in guest.run("cat /tmp/file")
        guest.run("echo kept >/tmp/file")


def pause(m):
    """A paused guest stands still, keeps its memory, and goes on."""
    assert "web2: paused" in m.command("vm pause web2")
    before = m.json("vm stats web2")["exits"]
    assert "error: web2 is paused" in m.command("vm stop web2")
    assert m.json("vm stats web2")["exits"] == before
    assert "web2: running" in m.command("vm resume web2")
    with Guest(m, "web2") as guest:
        assert guest.run("cat /tmp/file").strip() == "kept"
        paste(m, guest)


def paste(m, guest):
    """Far more keys at once than the guest's UART and all queues hold: none is lost."""
    lines = [f"{i:03} " + "x" * 53 for i in range(200)]
    m.send("cat >/tmp/pasted\n" + "\n".join(lines) + "\nend\n\x04")
    m.expect(r"\nend\r", timeout=120)
    assert guest.run("wc -c </tmp/pasted").strip() == str(200 * 58 + 4)


def button(m):
    """vm stop presses the ACPI power button, and the guest's acpid powers off."""
    said = m.command("vm stop web2", timeout=BOOT_SECONDS)
    assert "ACPI power button pressed" in said and said.endswith("web2: stopped"), said
    assert "error: cannot reset web2" in m.command("vm reset web2")


def reset(m):
    """The reset button, pressed while Linux runs: it begins anew."""
    with Guest(m, "web1") as guest:
        guest.ready()
        guest.run("echo before the reset | tee /tmp/file")
    assert "web1: running" in m.command("vm reset web1")
    with Guest(m, "web1") as guest:
        m.expect_exact("\nbefore the reset\r")  # of what the console kept: skip
        guest.ready()
        assert "No such file" in guest.run("cat /tmp/file")


def create_and_delete(m):
    assert "error: cannot delete web1" in m.command("vm delete web1")  # it runs
    assert "web1: stopped" in m.command("vm stop web1 --force")
    assert "web1: deleted" in m.command("vm delete web1")
    assert "error: " in m.command("vm create late boot=multiboot kernal=boot:hello.elf")
    said = m.command("vm create late boot=multiboot kernel=boot:hello.elf memory=16M "
                     'cmdline="made at run time"')
    assert "late: created" in said, said
    assert states(m) == {"web2": "stopped", "late": "stopped"}
    m.command("vm start late")
    with Guest(m, "late"):
        m.expect_exact("cmdline: made at run time")
        m.expect_exact("goodbye")
    wait_state(m, "late", "stopped")
