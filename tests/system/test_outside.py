# SPDX-License-Identifier: BSD-2-Clause
"""The way out through the host's network card to a real Linux network: natnet, nat and bridge, forwarded
ports, the host's own address, DHCP and DNS by dnsmasq. One guest, with a station on each network, that gets
its addresses by udhcpc and by ISC's dhclient."""
import concurrent.futures
import contextlib
import os
import tempfile
import time

import netlab
import station
from lab import LINUX, Guest, linux, machine, prompt
from station import inside

SOAK = bool(os.environ.get("INSULA_SOAK"))
LONG = 1800 if SOAK else 900  # Bochs on a busy machine
IPS = 200000000  # Bochs: more than it can, so that it waits for real time only when idle
STEP = LONG / 3  # seconds for one command in the guest
ANSWER = 30  # for what must come
NOTHING = 2  # for what must not
STATIONS = {"dmz": "eth0", "wire": "eth1", "own": "eth2"}
CONFIG = """
[net.dmz]
mode = "natnet"
subnet = "10.20.0.0/24"
uplink = "nic0"
forward = ["tcp:8080:a:80"]
[net.own]
mode = "nat"
uplink = "nic0"
[net.wire]
mode = "bridge"
uplink = "nic0"
""" + linux("a", autostart=True,
            nics=["dmz", f'{{ net = "wire", mac = "{netlab.GUEST_MAC}" }}', "own"])
PORT = f"http://{netlab.HOST}:8080/"


def wait_host_address(m):
    deadline = time.monotonic() + LONG / 3
    while (nic := m.json("net uplinks")[0])["address"] is None:
        assert time.monotonic() < deadline, nic
        time.sleep(0.5)  # between two questions
    assert (nic["address"], nic["router"], nic["dns"]) == (netlab.HOST, netlab.PEER, netlab.PEER)


@contextlib.contextmanager
def with_dhclient():
    """The guest's boot modules, ISC's DHCP client in its initramfs."""
    with tempfile.NamedTemporaryFile() as image:
        for name in ("initrd.img", "dhclient.img"):
            with open(f"build/guests/{name}", "rb") as file:
                image.write(file.read())
        image.flush()
        yield {**LINUX, "initrd.img": image.name}


class Station:
    """A station, with a web server that says its name."""

    def __init__(self, g, name, isc):
        self.g, self.name = g, name
        station.make(g, name, STATIONS[name], STEP)
        self.address = station.lease(g, name, STATIONS[name], STEP)
        if isc:
            other = station.isc_lease(g, name, STATIONS[name], STEP)
            assert other == self.address, (name, other)
            station.lease(g, name, STATIONS[name], STEP)
        g.run(f"mkdir -p /www/{name}; echo this is {name} >/www/{name}/index.html", STEP)
        self.run(f"httpd -p 80 -h /www/{name}")

    def run(self, line):
        return self.g.run(f"{inside(self.name)} {line}", STEP)

    def fetch(self, url, seconds=ANSWER):
        return self.run(f"timeout {seconds} wget -q -O - {url}")

    def pings(self, address, seconds=ANSWER):
        return " 0% packet loss" in self.run(f"ping -c 1 -W {seconds} {address}")


def check_natnet(g, isc):
    dmz = Station(g, "dmz", isc)
    assert dmz.address == "10.20.0.2"
    said = dmz.fetch(f"http://{netlab.PEER}/")
    assert f"outside sees {netlab.HOST}" in said, said
    assert netlab.BEYOND in dmz.run(f"nslookup {netlab.DOMAIN}")
    said = dmz.fetch(f"http://{netlab.BEYOND}/")
    assert f"outside sees {netlab.HOST}" in said, said
    assert dmz.pings(netlab.BEYOND)
    assert netlab.fetch(PORT, ANSWER) == "this is dmz\n"


def check_bridge(g, isc):
    wire = Station(g, "wire", isc)
    assert wire.address == netlab.GUEST
    for address in (netlab.PEER, netlab.HOST):
        assert wire.pings(address), address
    said = wire.fetch(f"http://{netlab.PEER}/")
    assert f"outside sees {netlab.GUEST}" in said, said
    assert "this is dmz" in wire.fetch(PORT)
    assert netlab.fetch(f"http://{netlab.GUEST}/", ANSWER) == "this is wire\n"
    for address in (netlab.HOST, netlab.GUEST):
        assert netlab.ping(address, ANSWER), address


def check_nat(g, isc):
    """It reaches outside, and nobody of the others."""
    own = Station(g, "own", isc)
    assert own.address == "10.0.2.2"
    said = own.fetch(f"http://{netlab.BEYOND}/")
    assert f"outside sees {netlab.HOST}" in said, said
    assert not own.pings("10.20.0.2", NOTHING)
    assert "this is" not in own.fetch("http://10.20.0.2/", NOTHING)


def check_capture(m):
    """The wire has ports of the card and of the host, too, but only one of a guest."""
    m.send("net capture wire\r")
    m.expect_exact("pcap:", timeout=STEP)
    m.send("\x03")
    m.expect(r"a\.1: \d+ packets, \d+ lost", timeout=STEP)
    m.expect_exact("insula> ", timeout=STEP)


def check_unreachable():
    """From outside, even for who knows the way: all asked at once."""
    guests = {"10.20.0.0/24": "10.20.0.2", "10.0.2.0/24": "10.0.2.2"}
    for subnet in guests:
        netlab.Outside.route(subnet)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        pings = pool.map(lambda guest: netlab.ping(guest, NOTHING), guests.values())
        pages = pool.map(lambda guest: netlab.fetch(f"http://{guest}/", NOTHING), guests.values())
        assert not any(pings) and not any(pages), guests


def check_forward(m):
    """By command: away, and to a network of another mode."""
    assert "error" not in m.command("net forward dmz remove tcp:8080:a:80")
    assert netlab.fetch(PORT, NOTHING) is None
    assert "error" not in m.command("net forward own add tcp:8080:a:80")
    assert netlab.fetch(PORT, ANSWER) == "this is own\n"
    assert 'forward = ["tcp:8080:a:80"]' in m.command("net info own")


def outside(kind, model):
    with netlab.Outside() as net, with_dhclient() as modules, \
            machine(kind, CONFIG, modules, memory="512M", timeout=LONG, nics=[net.nic(kind, model)],
                    ips=IPS) as m:
        prompt(m, LONG)
        wait_host_address(m)
        with Guest(m, "a") as g:
            g.ready(STEP)
            for check in (check_natnet, check_bridge, check_nat):
                check(g, isc=kind == "qemu" or SOAK)  # what it asks of us is the same in Bochs
        check_capture(m)
        check_unreachable()
        check_forward(m)
        nic = m.json("net uplinks")[0]
        assert nic["driver"] == model and nic["interrupts"] > 0, nic
        assert nic["damaged"] == nic["missed"] == 0, nic
        assert "the rules" not in m.command("host log")


def test_outside(kind):
    outside(kind, "e1000")


test_outside.timeout = LONG


def test_outside_virtio(kind):
    outside(kind, "virtio")


test_outside_virtio.timeout = LONG
test_outside_virtio.machines = ["qemu"]  # Bochs has no such card
