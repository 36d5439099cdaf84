# SPDX-License-Identifier: BSD-2-Clause
"""wire.*: a stream of packets from a guest to a machine on the physical network, through a bridge and the
host's e1000, of the same sizes as net.* and sent by the same guest: instructions of guest and hypervisor from the
first packet to the last, exits by packet of 1,500 bytes. wire.copies is what 1,000 bytes more in a packet cost,
in copies by rep movsq: all that is done for each byte. wire.virtio.* is the same through a virtio card of the
host's, which Bochs does not have; KVM's are of the same guest and card, with vhost and a Linux bridge. That machine is a UDP socket of ours."""
import contextlib
import json
import socket
import time

import emulated
import net

CARDS = {"wire": "e1000", "wire.virtio": emulated.EXACT_VIRTIO_NET}
NAMES = tuple(f"{wire}.{name}" for wire in CARDS for name in (*net.SIZES, "exits", "copies"))
HERE = "127.0.0.1"
PEER_MAC, OTHERS = b"\x52\x54\0\0\0\x02", b"\xff" * 6
HELLO = OTHERS + PEER_MAC + b"\x88\xb5" + bytes(46)  # of a local experiment's Ethernet type
MORE, COPIED = 1000, 8  # bytes; bytes that an instruction copies
SIZES = {**net.SIZES, "less": net.SIZES["pkt1500"] - MORE}
COUNTS = {**net.COUNTS, "less": net.COUNTS["pkt1500"]}
PEER_RUNS = net.peer_runs("wire.virtio", lambda words: {"arguments": words, "last": "sent=", "tap": "1"})


class Peer:
    """Frames in datagrams: the emulator's end at .port, ours at the next."""

    def __init__(self):
        for _ in range(100):
            self.port = emulated.boot.free_port()
            self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            with contextlib.suppress(OSError, OverflowError):
                self.sock.bind((HERE, self.port + 1))
                return
        raise RuntimeError("no free UDP port")

    def bochs(self):
        """Options of boot.Machine. Idle time is skipped in spite of the network: nothing is waited for."""
        return {"nics": [f"e1000,mac=52:54:00:12:34:56, ethmod=socket, ethdev={self.port}"],
                "extra": ["clock: sync=none, time0=946684800"]}

    def qemu(self, card):
        """The same."""
        return {"extra": ["-device", f"{card},netdev=wire", "-netdev",
                          f"socket,id=wire,udp={HERE}:{self.port + 1},localaddr={HERE}:{self.port}"]}

    def hello(self):
        self.sock.sendto(HELLO, (HERE, self.port))


def vm(name, count):
    return net.vm(f"{name}-{count}", 1, f"send={SIZES[name]} count={count}", "wire")


def received(machine):
    """Frames that the host's card got."""
    ports = json.loads(machine.command("net info wire --json").splitlines()[-1])["ports"]
    return sum(port["sent"] for port in ports if port["name"] == "nic0")


def be_known(machine, peer):
    """Until the switch knows where the peer is: what is for nobody goes to all, segments of 64 KiB to none."""
    deadline = time.monotonic() + emulated.TIMEOUT
    while received(machine) == 0:
        peer.hello()
        if time.monotonic() > deadline:
            raise RuntimeError("nothing comes from the wire")
        time.sleep(0.2)


def stream(machine, peer, name, count):
    """(ticks, exits of the guest)."""
    peer.hello()
    machine.command(f"vm start {name}-{count}")
    machine.send(f"vm console {name}-{count}\r")
    machine.expect(rf"sent={count} ticks=(\d+)")
    ticks = int(machine.match.group(1))
    machine.send("\x1d")
    machine.expect_exact("insula> ")
    return ticks, net.exits(machine, f"{name}-{count}")


def costs(kind, card):
    """{name of a size: (instructions, exits) by packet} through that card."""
    vms = '[net.wire]\nmode = "bridge"\nuplink = "nic0"\n' + "".join(
        vm(name, n) for name, counts in COUNTS.items() for n in counts)
    peer, found = Peer(), {}
    options = peer.bochs() if kind == "bochs" else peer.qemu(card)
    with emulated.insula(kind, vms, {"bench.elf": net.ELF}, **options) as machine:
        be_known(machine, peer)
        for name, (few, many) in COUNTS.items():
            low, high = (stream(machine, peer, name, n) for n in (few, many))
            found[name] = tuple((b - a) / (many - few) for a, b in zip(low, high))
    return found


def measure(kind):
    for wire, card in CARDS.items():
        if kind == "bochs" and card != "e1000":
            continue
        cost = costs(kind, card)
        for name in net.SIZES:
            yield {"name": f"{wire}.{name}", "value": round(cost[name][0]), "unit": "instructions"}
        yield {"name": f"{wire}.exits", "value": round(cost["pkt1500"][1], 3), "unit": "exits/packet"}
        yield {"name": f"{wire}.copies", "unit": "copies",
               "value": round((cost["pkt1500"][0] - cost["less"][0]) * COPIED / MORE, 2)}


def peer_figures(done):
    return net.peer_streams(done, "wire.virtio", r"sent=(\d+) ticks=(\d+)")
