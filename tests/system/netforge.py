# SPDX-License-Identifier: BSD-2-Clause
"""Ethernet frames from and with whatever addresses, as bytes. Sends none; in a guest that is frame.c."""
import socket
import struct

from netlab import checksum

IPV4, ARP, UDP = 0x800, 0x806, 17


def mac_bytes(text):
    return bytes.fromhex(text.replace(":", ""))


def ethernet(target, source, kind, payload):
    return (mac_bytes(target) + mac_bytes(source) + struct.pack("!H", kind) + payload).ljust(60, b"\0")


def udp(target, source, to, by, ports):
    """A datagram without data, to and by IPv4 addresses; ports: (source's, target's)."""
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28, 0, 0, 64, UDP, 0, socket.inet_aton(by),
                       socket.inet_aton(to))
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    return ethernet(target, source, IPV4, head + struct.pack("!HHHH", *ports, 8, 0))


def arp_answer(target, source, to, who, where):
    """Tells who asked from the address `to` that `who` is at the MAC address `where`."""
    return ethernet(target, source, ARP, struct.pack(
        "!HHBBH6s4s6s4s", 1, IPV4, 6, 4, 2, mac_bytes(where), socket.inet_aton(who), mac_bytes(target),
        socket.inet_aton(to)))
