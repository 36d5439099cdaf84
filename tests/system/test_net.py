# SPDX-License-Identifier: BSD-2-Clause
"""Networks between Debian guests, without any uplink: an internal one with static addresses, two that
do not meet, natnet and nat with addresses from the hypervisor. Under INSULA_SOAK=1 forged frames, too."""
import base64
import itertools
import os
import re
import struct
import time

import netforge
import netjudge
from boot import Machine
from lab import LINUX, linux
from programs import built, guest_files

SOAK = bool(os.environ.get("INSULA_SOAK"))
LONG = 1800 if SOAK else 900  # Bochs on a busy machine
GUESTS = ("a", "b")
CONFIG = """
[net.lan]
[net.left]
[net.right]
[net.shared]
mode = "natnet"
subnet = "10.20.0.0/24"
[net.own]
mode = "nat"
"""


def machine(kind):
    scratch = os.environ["TMPDIR"]
    path = os.path.join(scratch, "net.conf")
    with open(path, "w") as file:
        file.write(CONFIG + linux("a", cpus=2, nics=["lan", "left", "shared", "own"]) +
                   linux("b", nics=['{ net = "lan", mac = "52:54:00:00:00:02" }',
                                    '{ net = "right", spoof = true }', "shared", "own"]))
    files = guest_files([built(scratch, "frame")], scratch) if SOAK else LINUX
    return Machine(kind, memory="512M", timeout=LONG, modules=dict(files, **{"insula.conf": path}))


def run(m, name, line, number=itertools.count()):
    """Runs one line in a guest's shell; what it printed."""
    n = next(number)  # what was there before is shown again
    m.send(f"vm console {name}\r")
    m.expect_exact("comes back]")
    m.send(f"echo BE'GIN'{n}; {line}; echo E'ND'{n}.\r")
    m.expect_exact(f"BEGIN{n}\r\n")
    m.expect_exact(f"END{n}.")
    text = m.before.decode(errors="replace").replace("\r", "")
    m.send("\x1d")
    m.expect_exact("insula> ")
    return text


def pings(m, name, address):
    """How many of two are answered."""
    text = run(m, name, f"ping -c 2 -W 1 {address}")
    found = re.search(r"(\d) packets received", text)
    return int(found.group(1)) if found else 0


def address(m, name, nic):
    found = re.search(r"inet ([\d.]+)", run(m, name, f"ip -4 address show dev eth{nic}"))
    return found and found.group(1)


def set_up(m):
    m.expect_exact("insula> ")
    for name in GUESTS:
        m.command(f"vm start {name}")
    for number, name in enumerate(GUESTS, 1):
        m.send(f"vm console {name}\r")
        m.expect_exact(f"insula guest ready: {name}")
        m.send("\x1d")
        m.expect_exact("insula> ")
        run(m, name, f"ip link set eth0 up; ip address add 10.9.0.{number}/24 dev eth0; "
                     f"ip link set eth1 up; ip address add 10.8.0.{number}/24 dev eth1")


def check_twins(m):
    """A MAC address that the network has already, in a VM made by commands: why it does not start."""
    m.command("vm create c memory=64M kernel=boot:vmlinuz nics=[{net=lan,mac=52:54:00:00:00:02}]")
    text = m.command("vm start c")
    assert "error: cannot start c: nics[0].mac: another port of network lan has" in text, text
    assert "deleted" in m.command("vm delete c")


def check_internal(m):
    """Both ways by ping, TCP by sum of what arrived; the other network does not answer."""
    assert pings(m, "a", "10.9.0.2") == 2 and pings(m, "b", "10.9.0.1") == 2
    assert pings(m, "a", "10.8.0.2") == 0, "networks of two names meet"
    # Its input has no end: nc would say so to its peer, whose nc would then stop sending.
    run(m, "b", "mkfifo /tmp/in; nc -l -p 5000 <>/tmp/in | md5sum >/tmp/sum & :")
    sent = run(m, "a", "seq 1 100000 >/tmp/data; nc 10.9.0.2 5000 </tmp/data; md5sum </tmp/data")
    came = run(m, "b", "wait; cat /tmp/sum")
    sums = [re.findall(r"[0-9a-f]{32}", text) for text in (sent, came)]
    assert sums[0] and sums[0] == sums[1], (sent, came)
    ports = {p["name"]: p for p in m.json("net info lan")["ports"]}
    assert ports["b.0"]["mac"] == "52:54:00:00:00:02"
    assert ports["b.0"]["received_bytes"] > 588_000, ports
    lost = dict(ports["b.0"]["lost"])
    lost.pop("link down")  # what was for all while the guest had no driver yet
    assert not any(lost.values()), ports


def interrupts(m, name):
    """{queue: so many} of a guest's eth0."""
    text = run(m, name, "n=$(basename $(readlink /sys/class/net/eth0/device)); "
                        "grep $n- /proc/interrupts")
    lines = re.findall(r"^ *\d+:((?: +\d+)+) .*virtio\d+-(\S+)$", text, re.MULTILINE)
    return {queue: sum(map(int, counts.split())) for counts, queue in lines}


def check_queues(m):
    """A pair of queues for each vCPU; what one sends is answered on the same pair."""
    queues = {name: set(run(m, name, "ls /sys/class/net/eth0/queues").split()) for name in GUESTS}
    assert queues == {"a": {"rx-0", "rx-1", "tx-0", "tx-1"}, "b": {"rx-0", "tx-0"}}, queues
    for cpu in (0, 1):
        before = interrupts(m, "a")
        text = run(m, "a", f"taskset {1 << cpu:x} ping -c 2 10.9.0.2")
        assert "2 packets received" in text, text
        after = interrupts(m, "a")
        assert after[f"input.{cpu}"] > before[f"input.{cpu}"], (before, after)


def check_filter(m):
    """What is for others reaches a card only while it is promiscuous."""
    run(m, "a", "arp -i eth0 -s 10.9.0.77 52:54:00:00:00:77")
    for mode in ("off", "on"):
        run(m, "b", f"ip link set eth0 promisc {mode}")
        count = "cat /sys/class/net/eth0/statistics/rx_bytes"
        before = int(run(m, "b", count))
        run(m, "a", "ping -c 2 -s 1400 -W 1 10.9.0.77")
        more = int(run(m, "b", count)) - before
        assert (more > 2800) == (mode == "on"), f"promisc {mode}: {more} bytes"


def check_address(m):
    """A card's address changes only where the network does not guard it."""
    for nic, expected in (("eth0", "52:54:00:00:00:02"), ("eth1", "52:54:00:00:00:99")):
        run(m, "b", f"ip link set {nic} address 52:54:00:00:00:99")
        assert expected in run(m, "b", f"cat /sys/class/net/{nic}/address"), nic


def captured(text):
    """The whole packets of a capture as the console printed it: [(bytes kept, length)]."""
    lines = re.findall(r"pcap:(\S+)\s*$", text, re.MULTILINE)
    data = b"".join(base64.b64decode(line) for line in lines)
    assert struct.unpack_from("<IHHQII", data) == (0xa1b23c4d, 2, 4, 0, 1600, 1), data[:24]
    packets, at = [], 24
    while at + 16 <= len(data):
        _, nanoseconds, kept, length = struct.unpack_from("<IIII", data, at)
        assert nanoseconds < 10**9 and kept <= 1600
        packets.append((data[at + 16:at + 16 + kept], length))
        at += 16 + kept
    return [(kept, length) for kept, length in packets if len(kept) == min(length, 1600)]


def echoes(text):
    """Types of the ICMP packets of 142 bytes in a capture."""
    return [packet[34] for packet, length in captured(text)
            if length == 142 and packet[12:14] == b"\x08\0" and packet[23] == 1]


def check_capture(m):
    """What a pings b with, both ways, at one port; Ctrl-C ends it."""
    assert "ports of guests" in m.command("net capture lan")
    run(m, "a", "(sleep 1; while ! test -e /tmp/seen; do ping -c 1 -s 100 10.9.0.2; sleep 1; done) "
                ">/dev/null 2>&1 & :")
    m.send("net capture lan b.0\r")
    text = ""
    while len(echoes(text) if text.count("pcap:") > 2 else []) < 4:
        m.expect_exact("\n")
        text += m.before.decode(errors="replace") + "\n"
    m.send("\x03")
    m.expect(r"b\.0: (\d+) packets, (\d+) lost")
    assert int(m.match.group(1)) >= 4
    m.expect_exact("insula> ")
    run(m, "a", "touch /tmp/seen")
    assert echoes(text)[:2] == [8, 0], text


def check_dhcp(m):
    """Leases, the gateway, and who reaches whom."""
    for name in GUESTS:
        run(m, name, "udhcpc -n -q -i eth2; udhcpc -n -q -i eth3")
    shared = {name: address(m, name, 2) for name in GUESTS}
    own = {name: address(m, name, 3) for name in GUESTS}
    leases = {lease["address"] for lease in m.json("net leases shared")}
    assert leases == set(shared.values()) and len(leases) == 2, (leases, shared)
    assert own["a"] == own["b"] and len(m.json("net leases own")) == 2, own
    assert pings(m, "a", "10.20.0.1") == 2 and pings(m, "b", "10.0.2.1") == 2
    assert pings(m, "a", shared["b"]) == 2 and pings(m, "b", shared["a"]) == 2
    run(m, "b", "ip address add 10.0.2.77/24 dev eth3")  # nobody gave it: its guard stops it
    assert pings(m, "a", "10.0.2.77") == 0


def forged(own, other, to):
    """[(what, frame, does it pass in lan, in shared)]; own, other, to: (MAC address, IP address)."""
    def udp(mac, ip, ports=(9, 9)):
        return netforge.udp(to[0], mac, to[1], ip, ports)

    def arp(where):
        return netforge.arp_answer(to[0], own[0], to[1], other[1], where)

    return [("another's MAC address", udp(other[0], own[1]), False, False),
            ("another's IP address", udp(own[0], other[1]), True, False),
            ("another's answer to ARP", arp(own[0]), True, False),
            ("another's MAC address in ARP", arp(other[0]), False, False),
            ("answer of a DHCP server", udp(own[0], own[1], (67, 68)), True, False),
            ("its own addresses", udp(own[0], own[1]), True, True)]


def neighbour(m, ip):
    """The MAC address that a knows for it."""
    return re.search(rf"^{re.escape(ip)} .* (\S+:\S+) ", run(m, "a", "cat /proc/net/arp"), re.M).group(1)


def tally(m, net, nic):
    """How many of b's frames were forged, and how many datagrams came to a that nobody there wants."""
    ports = {p["name"]: p for p in m.json(f"net info {net}")["ports"]}
    unwanted = netjudge.counters(run(m, "a", "cat /proc/net/snmp"))["Udp.NoPorts"]
    return ports[f"b.{nic}"]["lost"]["spoofed"], unwanted


def check_forged(m, net, nic, rows):
    """Each frame that b sends shows in the tally, as it should and before the next."""
    forged_so_far, unwanted = tally(m, net, nic)
    for what, frame, passes in rows:
        forged_so_far += not passes
        unwanted += passes and frame[12:14] == b"\x08\0"
        run(m, "b", f"frame eth{nic} {frame.hex()}")
        deadline = time.monotonic() + LONG / 10
        while (got := tally(m, net, nic)) != (forged_so_far, unwanted):
            assert time.monotonic() < deadline, (net, what, got, forged_so_far, unwanted)
        print(f"{net}: {what}: {'passes' if passes else 'does not pass'}", flush=True)


def check_guards(m):
    """Of a guest's frames only its own pass: a MAC address in any network, an IP address where we give it."""
    other = "52:54:00:00:00:33"
    for column, net, nic, ips in ((2, "lan", 0, ("10.9.0.2", "10.9.0.77", "10.9.0.1")),
                                  (3, "shared", 2, (address(m, "b", 2), "10.20.0.1", address(m, "a", 2)))):
        run(m, "b", f"echo 1 >/proc/sys/net/ipv6/conf/eth{nic}/disable_ipv6")  # nor does that pass, in shared
        macs = {p["name"]: p["mac"] for p in m.json(f"net info {net}")["ports"]}
        rows = forged(*zip((macs[f"b.{nic}"], other, macs[f"a.{nic}"]), ips))
        before = neighbour(m, ips[1])
        check_forged(m, net, nic, [(row[0], row[1], row[column]) for row in rows])
        assert neighbour(m, ips[1]) == before


def test_guests(kind):
    with machine(kind) as m:
        set_up(m)
        check_twins(m)
        check_internal(m)
        check_queues(m)
        check_filter(m)
        check_address(m)
        check_capture(m)
        check_dhcp(m)
        if SOAK:
            check_guards(m)
        assert "broke the rules" not in m.command("host log")


test_guests.timeout = LONG
