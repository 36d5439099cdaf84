# SPDX-License-Identifier: BSD-2-Clause
"""A bad line between the emulator's tap device and the peer of netlab: TCP segments are lost, doubled and
overtaken, by seed. Knows no emulator and no console."""
import fcntl
import json
import os
import random
import select
import socket
import struct
import subprocess
import threading

import netlab

ETH_P_ALL, SOL_PACKET, PACKET_IGNORE_OUTGOING, SO_RCVBUFFORCE = 3, 263, 23, 33
PERCENT = 5  # of each kind
HOLD = 0.02  # seconds that an overtaken one waits at most


def ip(line):
    subprocess.run(["ip", *line.split()], check=True)


def is_tcp(frame):
    return frame[12:14] == b"\x08\x00" and frame[23] == socket.IPPROTO_TCP


class Direction:
    """Frames one way: what came in is given to `out`, or not, or twice, or later."""

    def __init__(self, out, dice):
        self.out, self.dice, self.held = out, dice, []
        self.lost = self.doubled = self.overtaken = 0

    def carry(self, frame):
        throw = self.dice.randrange(100) if is_tcp(frame) else 100
        if throw < PERCENT:
            self.lost += 1
            return
        if throw < 2 * PERCENT:
            self.overtaken += 1
            self.held.append(frame)
            return
        self.out(frame)
        if throw < 3 * PERCENT:
            self.doubled += 1
            self.out(frame)
        self.release(keep=2)

    def release(self, keep=0):
        while len(self.held) > keep:
            self.out(self.held.pop(0))


class BadLine:
    """`with BadLine(seed) as line`: the peer moves behind it, from tap0 to peer0, and back at the end."""

    def __init__(self, seed):
        self.tun = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(self.tun, netlab.TUNSETIFF, struct.pack("16sH22x", b"peer0", netlab.TAP_FLAGS))
        self.wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.wire.bind(("tap0", ETH_P_ALL))
        self.wire.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        self.wire.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 24)
        dice = random.Random(seed)
        self.inward = Direction(self.to_wire, dice)
        self.outward = Direction(lambda frame: os.write(self.tun, frame), dice)
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def to_wire(self, frame):
        try:
            self.wire.send(frame)
        except OSError:  # its queue is full: one more that is lost
            self.inward.lost += 1

    def __enter__(self):
        said = subprocess.run(["ip", "-j", "link", "show", "tap0"], check=True, stdout=subprocess.PIPE)
        self.mac = json.loads(said.stdout)[0]["address"]
        self.move("tap0", "02:00:00:00:00:01", "peer0", self.mac)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.thread.join()
        self.move("peer0", "02:00:00:00:00:01", "tap0", self.mac)
        self.wire.close()
        os.close(self.tun)

    @staticmethod
    def move(source, mac, target, address):
        ip(f"address delete {netlab.PEER}/24 dev {source}")
        for nic, own in ((source, mac), (target, address)):
            ip(f"link set {nic} address {own} up")
        ip(f"address add {netlab.PEER}/24 dev {target}")

    def run(self):
        while not self.ending.is_set():
            ready, _, _ = select.select([self.tun, self.wire], [], [], HOLD)
            if self.tun in ready:
                self.inward.carry(os.read(self.tun, 65536))
            if self.wire in ready:
                self.outward.carry(self.wire.recv(65536))
            if not ready:
                self.inward.release()
                self.outward.release()

    def did(self):
        """How many frames of all were lost, doubled, overtaken."""
        ways = (self.inward, self.outward)
        return tuple(sum(getattr(way, what) for way in ways) for what in ("lost", "doubled", "overtaken"))
