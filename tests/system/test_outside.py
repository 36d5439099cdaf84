# SPDX-License-Identifier: BSD-2-Clause
"""The way out through the host's network card to a real Linux network: natnet, nat and bridge, forwarded
ports, the host's own address, DHCP and DNS by dnsmasq."""
import re
import time

import netlab
from lab import Guest, machine, prompt

LONG = 900  # Bochs on a busy machine
IPS = 200000000  # Bochs: more than it can, so that it waits for real time only when idle
ANSWER = 30  # seconds for what must come
NOTHING = 3  # for what must not
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
"""
PORT = f"http://{netlab.HOST}:8080/"


def vm(name, nics):
    return (f'[vm.{name}]\nmemory = "128M"\nkernel = "boot:vmlinuz"\ninitrd = "boot:initrd.img"\n'
            f'cmdline = "console=ttyS0 quiet name={name}"\nnics = {nics}\nautostart = true\n')


def wait_host_address(m):
    deadline = time.monotonic() + LONG / 3
    while (nic := m.json("net uplinks")[0])["address"] is None:
        assert time.monotonic() < deadline, nic
        time.sleep(0.5)  # between two questions
    assert (nic["address"], nic["router"], nic["dns"]) == (netlab.HOST, netlab.PEER, netlab.PEER)


def run(g, line):
    return g.run(line, timeout=LONG / 3)


def serve(g, name):
    run(g, f"mkdir -p /www; echo this is {name} >/www/index.html; httpd -p 80 -h /www")


def lease(g, nic):
    said = run(g, f"ip link set {nic} up; udhcpc -n -q -t 10 -i {nic}; ip -4 address show dev {nic}")
    found = re.search(r"inet ([\d.]+)", said)
    assert found, said
    return found.group(1)


def check_natnet(m):
    with Guest(m, "a") as g:
        g.ready()
        assert lease(g, "eth0") == "10.20.0.2"
        said = run(g, f"timeout {ANSWER} wget -q -O - http://{netlab.PEER}/")
        assert f"outside sees {netlab.HOST}" in said, said
        assert netlab.BEYOND in run(g, f"nslookup {netlab.DOMAIN}")
        said = run(g, f"timeout {ANSWER} wget -q -O - http://{netlab.BEYOND}/")
        assert f"outside sees {netlab.HOST}" in said, said
        assert " 0% packet loss" in run(g, f"ping -c 2 -W {ANSWER} {netlab.BEYOND}")
        serve(g, "a")
    assert netlab.fetch(PORT, ANSWER) == "this is a\n"


def check_bridge(m):
    with Guest(m, "b") as g:
        g.ready()
        assert lease(g, "eth0") == netlab.GUEST
        serve(g, "b")
        for address in (netlab.PEER, netlab.HOST):
            assert " 0% packet loss" in run(g, f"ping -c 2 -W {ANSWER} {address}")
        said = run(g, f"timeout {ANSWER} wget -q -O - http://{netlab.PEER}/")
        assert f"outside sees {netlab.GUEST}" in said, said
        said = run(g, f"timeout {ANSWER} wget -q -O - {PORT}")
        assert "this is a" in said, said
    assert netlab.fetch(f"http://{netlab.GUEST}/", ANSWER) == "this is b\n"
    for address in (netlab.HOST, netlab.GUEST):
        assert netlab.ping(address, ANSWER), address


def check_nat(m):
    """b, now on a network of its own, reaches outside, and nobody of the others."""
    with Guest(m, "b") as g:
        run(g, "ip link set eth0 down")
        assert lease(g, "eth1") == "10.0.2.2"
        said = run(g, f"timeout {ANSWER} wget -q -O - http://{netlab.BEYOND}/")
        assert f"outside sees {netlab.HOST}" in said, said
        said = run(g, f"ping -c 1 -W {NOTHING} 10.20.0.2; timeout {NOTHING} wget -q -O - http://10.20.0.2/")
        assert "100% packet loss" in said and "this is" not in said, said


def check_unreachable():
    """From outside, even for who knows the way."""
    for subnet, guest in (("10.20.0.0/24", "10.20.0.2"), ("10.0.2.0/24", "10.0.2.2")):
        netlab.Outside.route(subnet)
        assert not netlab.ping(guest, NOTHING), guest
        assert netlab.fetch(f"http://{guest}/", NOTHING) is None, guest


def check_forward(m):
    """By command: away, and to another VM."""
    assert "error" not in m.command("net forward dmz remove tcp:8080:a:80")
    assert netlab.fetch(PORT, NOTHING) is None
    assert "error" not in m.command("net forward own add tcp:8080:b:80")
    assert netlab.fetch(PORT, ANSWER) == "this is b\n"
    assert 'forward = ["tcp:8080:b:80"]' in m.command("config show")


def test_outside(kind):
    config = CONFIG + vm("a", '["dmz"]') + vm("b", f'[{{ net = "wire", mac = "{netlab.GUEST_MAC}" }}, "own"]')
    with netlab.Outside() as net, machine(kind, config, memory="512M", timeout=LONG,
                                          nics=[net.nic(kind)], ips=IPS) as m:
        prompt(m, LONG)
        wait_host_address(m)
        check_natnet(m)
        check_bridge(m)
        check_nat(m)
        check_unreachable()
        check_forward(m)
        nic = m.json("net uplinks")[0]
        assert nic["interrupts"] > 0 and nic["damaged"] == nic["missed"] == 0, nic
        assert "broke the rules" not in m.command("host log")


test_outside.timeout = LONG
