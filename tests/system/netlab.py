# SPDX-License-Identifier: BSD-2-Clause
"""The physical network beyond the host's network card: a Linux network namespace with a tap device, dnsmasq
and a web server, in which the emulator runs too.

The namespace is the test process' own: all of it is gone when that ends. Knows no console.
"""
import contextlib
import ctypes
import errno
import fcntl
import http.server
import os
import socket
import struct
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.request

from boot import die_with_parent

NIC_MAC = "52:54:00:12:34:56"
HOST = "192.0.2.10"  # what dnsmasq gives the NIC's MAC address
PEER = "192.0.2.1"
BEYOND = "198.51.100.1"  # behind PEER, which is the router
DOMAIN = "www.beyond.test"  # a name that dnsmasq knows for it
GUEST_MAC, GUEST = "52:54:00:00:00:02", "192.0.2.20"  # of a bridged guest
CLONE_NEWNET, CLONE_NEWUSER = 0x40000000, 0x10000000
TUNSETIFF, TUNSETPERSIST, TAP_FLAGS = 0x400454CA, 0x400454CB, 0x1002  # IFF_TAP, IFF_NO_PI


def enter_namespace():
    """This process, and what it starts, sees a network of its own. Without root by a user namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    uid, gid = os.getuid(), os.getgid()
    if libc.unshare(CLONE_NEWNET if uid == 0 else CLONE_NEWNET | CLONE_NEWUSER) != 0:
        raise unittest.SkipTest(f"no network namespace: {os.strerror(ctypes.get_errno())}")
    for name, text in () if uid == 0 else (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"),
                                           ("gid_map", f"0 {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def make_tap(name):
    try:
        tun = os.open("/dev/net/tun", os.O_RDWR)
    except OSError as error:
        raise unittest.SkipTest(f"no tap device: {error}")
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", name.encode(), TAP_FLAGS))
    fcntl.ioctl(tun, TUNSETPERSIST, 1)
    os.close(tun)


class Answers(http.server.BaseHTTPRequestHandler):
    """Says who asks."""

    def do_GET(self):
        body = f"outside sees {self.client_address[0]}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Outside:
    """`with Outside() as net: Machine(kind, nics=[net.nic(kind)])`: once in a process."""

    def __enter__(self):
        enter_namespace()
        with contextlib.suppress(OSError), open("/proc/sys/net/ipv6/conf/default/disable_ipv6",
                                                "w") as file:
            file.write("1")
        make_tap("tap0")
        for line in (f"address add {BEYOND}/32 dev lo", "link set lo up",
                     f"address add {PEER}/24 dev tap0", "link set tap0 up"):
            subprocess.run(["ip", *line.split()], check=True)
        self.web = http.server.ThreadingHTTPServer(("", 80), Answers)
        threading.Thread(target=self.web.serve_forever, daemon=True).start()
        self.scratch = tempfile.TemporaryDirectory()
        self.log = open(os.path.join(self.scratch.name, "dnsmasq.log"), "w+")
        self.dnsmasq = subprocess.Popen(
            ["dnsmasq", "--keep-in-foreground", "--log-facility=-", "--conf-file=/dev/null",
             "--user=root", "--group=root", "--pid-file=", "--no-resolv", "--no-hosts",
             "--interface=tap0", "--bind-interfaces", "--dhcp-authoritative", "--no-ping",
             f"--dhcp-leasefile={self.scratch.name}/leases",
             "--dhcp-range=192.0.2.50,192.0.2.90,255.255.255.0,1h",
             f"--dhcp-host={NIC_MAC},{HOST}", f"--dhcp-host={GUEST_MAC},{GUEST}",
             f"--dhcp-option=option:router,{PEER}", f"--address=/{DOMAIN}/{BEYOND}"],
            stdout=self.log, stderr=self.log, preexec_fn=die_with_parent)
        return self

    def __exit__(self, kind, *_):
        self.dnsmasq.kill()
        self.dnsmasq.wait()
        self.web.shutdown()
        if kind is not None:
            self.log.seek(0)
            print("dnsmasq:\n" + self.log.read()[-4000:])
        self.log.close()
        self.scratch.cleanup()

    @staticmethod
    def nic(kind, model="e1000"):
        """The host's network card, for boot.Machine; model: of QEMU's."""
        if kind == "bochs":
            return f"e1000,mac={NIC_MAC}, ethmod=tuntap, ethdev=/dev/net/tun:tap0"
        return f"{model},mac={NIC_MAC},tap,ifname=tap0,script=no,downscript=no"

    @staticmethod
    def route(subnet, via=HOST):
        """From now on that subnet is looked for there."""
        subprocess.run(["ip", "route", "replace", subnet, "via", via], check=True)


# ---- what the peer does ----

def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ping(address, timeout):
    """Is an echo request answered within so many seconds?"""
    body = struct.pack("!HH", os.getpid() & 0xFFFF, ping.number) + bytes(range(48))
    ping.number += 1
    request = struct.pack("!BBH", 8, 0, checksum(b"\x08\0\0\0" + body)) + body
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as sock:
        sock.sendto(request, (address, 0))
        deadline = time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > 0:
            sock.settimeout(left)
            try:
                packet, (sender, _) = sock.recvfrom(2048)
            except socket.timeout:
                return False
            if sender == address and packet[20] == 0 and packet[24:] == body:
                return True
    return False


ping.number = 1


def fetch(url, timeout):
    """What an HTTP server answers; None if nothing comes within so many seconds, or a refusal."""
    try:
        with urllib.request.urlopen(url, timeout=timeout) as answer:
            return answer.read().decode()
    except OSError as error:
        refused = getattr(error, "reason", error)
        if isinstance(refused, (socket.timeout, ConnectionRefusedError)) or \
                getattr(refused, "errno", 0) in (errno.EHOSTUNREACH, errno.ENETUNREACH):
            return None
        raise
