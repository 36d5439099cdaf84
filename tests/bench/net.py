# SPDX-License-Identifier: BSD-2-Clause
"""net.*: a stream of packets from one guest to another on an internal network, as guests/net_bench sees
it, whose drivers cost little: instructions of both guests and the hypervisor, on one CPU, by packet of
64 and 1,500 bytes and by segment of 64 KiB that nobody cuts; exits by packet of 1,500 bytes; how often a byte of the segments is copied. No native
figure: a bare machine has no such network. KVM's are of the same two guests, with vhost and a Linux bridge."""
import json
import re

import emulated
import peer

SIZES = {"pkt64": 64, "pkt1500": 1514, "seg64k": 1 << 16}
NAMES = (*(f"net.{name}" for name in SIZES), "net.exits", "net.copies")
ELF = "build/guests/net_bench.elf"
COUNTS = {"pkt64": (500, 4500), "pkt1500": (500, 4500), "seg64k": (50, 550)}
GUESTS = ("from", "to")


def vm(name, number, arguments, network="lan"):
    return (f'[vm.{name}]\nmemory = "16M"\nboot = "multiboot"\nkernel = "boot:bench.elf"\n'
            f'cmdline = "{arguments}"\nballoon = false\n'
            f'nics = [{{ net = "{network}", mac = "52:54:00:00:00:0{number}" }}]\n')


def pair(name, count):
    return (vm(f"{name}-{count}-from", 1, f"send={SIZES[name]} count={count}") +
            vm(f"{name}-{count}-to", 2, "stay"))


def last_line(machine, command):
    return json.loads(machine.command(command).splitlines()[-1])


def exits(machine, name):
    while "stopped" not in machine.command(f"vm info {name}"):
        pass
    return last_line(machine, f"vm stats {name} --json")["exits"]


def stream(machine, name, count):
    """(ticks of the packets behind the first, exits of both guests, copies of a packet)."""
    vms = [f"{name}-{count}-{end}" for end in GUESTS]
    machine.command(f"vm start {vms[1]}")
    machine.send(f"vm console {vms[1]}\r")
    machine.expect_exact("net_bench ready")
    machine.send("\x1d")
    machine.expect_exact("insula> ")
    machine.command(f"vm start {vms[0]}")
    machine.send(f"vm console {vms[1]}\r")
    machine.expect(r"received=(\d+) ticks=(\d+) ")
    received, ticks = map(int, machine.match.groups())
    machine.send("\x1d")
    machine.expect_exact("insula> ")
    if received != count:
        raise RuntimeError(f"{received} packets of {count} came")
    nic = last_line(machine, f"vm info {vms[1]} --json")["nics"][0]
    machine.command(f"vm stop {vms[1]} --force")
    copies = (nic["copied_once"] + 2 * nic["copied_twice"]) / nic["received"]
    return ticks, sum(exits(machine, vm_name) for vm_name in vms), copies


def measure(kind):
    vms = "[net.lan]\n" + "".join(pair(name, n) for name in SIZES for n in COUNTS[name])
    with emulated.insula(kind, vms, {"bench.elf": ELF}) as machine:
        for name, (few, many) in COUNTS.items():
            low, high = (stream(machine, name, n) for n in (few, many))
            yield {"name": f"net.{name}", "value": round((high[0] - low[0]) / (many - few)),
                   "unit": "instructions"}
            if name == "pkt1500":
                yield {"name": "net.exits", "value": round((high[1] - low[1]) / (many - few), 3),
                       "unit": "exits/packet"}
            if name == "seg64k":
                yield {"name": "net.copies", "value": round(high[2], 3), "unit": "copies"}


def peer_runs(prefix, fields):
    """Those of KVM, named PREFIX.SIZE-COUNT: fields(arguments of a sender) are of peer.Run, besides."""
    return tuple(peer.Run(f"{prefix}.{name}-{n}", ELF, **fields(f"send={SIZES[name]} count={n}"))
                 for name, counts in COUNTS.items() for n in counts)


def peer_ticks(done, pattern, count):
    packets, ticks = map(int, re.search(pattern, done.text).groups())
    if packets != count:
        raise RuntimeError(f"{packets} packets of {count} came")
    return ticks


def peer_streams(done, prefix, pattern):
    """Parts of rows by what peer_runs() gave; pattern: packets, and ticks."""
    figures = {}
    for name, counts in COUNTS.items():
        runs = [done[f"{prefix}.{name}-{n}"] for n in counts]
        low, high = (peer_ticks(run, pattern, n) for run, n in zip(runs, counts))
        packets = counts[1] - counts[0]
        figures[f"{prefix}.{name}"] = {"peer": round((high - low) / packets)}
        if name == "pkt1500":
            exits_more = runs[1].exits - runs[0].exits
            figures[f"{prefix}.exits"] = {"peer": round(exits_more / packets, 3)}
    return figures


PEER_RUNS = peer_runs("net", lambda words: {"arguments": "stay", "last": "received=", "tap": "2",
                                            "sender": words})


def peer_figures(done):
    return peer_streams(done, "net", r"received=(\d+) ticks=(\d+)")
