# SPDX-License-Identifier: BSD-2-Clause
"""TCP in bulk, in each mode of networks: guest to guest and to the outside, judged by tshark and by the
counters of both ends; then over lines that lose, double and overtake segments. 100 MB a transfer under
INSULA_SOAK=1. In Bochs 5 MB, lossless from guest to guest only."""
import contextlib
import itertools
import os
import re
import subprocess
import tempfile

import netcapture
import netjudge
import netlab
import netrelay
import station
from boot import die_with_parent
from lab import Guest, linux, machine, prompt
from programs import built, guest_files
from station import inside

SOAK = bool(os.environ.get("INSULA_SOAK"))
MB = 1000000
WHOLE = {"qemu": 100 * MB if SOAK else 2 * MB, "bochs": 5 * MB}
DAMAGED = {"qemu": 10 * MB if SOAK else MB // 2, "bochs": MB}
# With checksums in software, to be looked at packet by packet. In Bochs what waits for its slow console.
SAMPLE = {"qemu": MB // 4, "bochs": 45000}
LONG = 7200 if SOAK else 900  # a busy machine
PAUSE = 15 if SOAK else 1  # seconds before a transfer: a capture begins, or its end becomes known
PORT, FLOWS = 5000, 5001  # of TCP in bulk, of many connections
CONNECTIONS, STREAMS = 10000, 100  # of one guest; by TCP, the others by UDP
GATEWAYS = {"dmz": "10.20.0.1", "own": "10.0.2.1", "wire": "-"}
GUESTS = "ab"
MACHINES = ["qemu", "bochs"] if SOAK else ["qemu"]  # test_net has two guests in Bochs already
IPS = 200000000  # Bochs: more than it can, so that it waits for real time only when idle
CONFIG = {"lan": "[net.lan]\n",
          "dmz": '[net.dmz]\nmode = "natnet"\nsubnet = "10.20.0.0/24"\nuplink = "nic0"\n',
          "wire": '[net.wire]\nmode = "bridge"\nuplink = "nic0"\n',
          "own": '[net.own]\nmode = "nat"\nuplink = "nic0"\n'}
NETS = tuple(CONFIG)  # in the order of each guest's cards


def config():
    return "".join(CONFIG.values()) + "".join(linux(name, autostart=True, nics=NETS) for name in GUESTS)


class Lab:
    """The machine, its stations with their addresses, and the peer's programs."""

    def __init__(self, m, programs, directory):
        self.m, self.directory = m, directory
        self.programs = {os.path.basename(path): path for path in programs}
        self.addresses = {}

    def run(self, name, line):
        """In a station, "a.lan"; what it printed."""
        with Guest(self.m, name[0]) as g:
            return g.run(f"{inside(name)} {line}", LONG)

    def counters(self, name):
        if name == "peer":
            text = "".join(open(f"/proc/self/net/{file}").read() for file in ("snmp", "netstat"))
        else:
            text = self.run(name, "cat /proc/net/snmp /proc/net/netstat")
        return netjudge.counters(text)

    def begin(self, name, line):
        """In the background; .ended() gives what it said."""
        if name == "peer":
            name, *arguments = line.split()
            child = subprocess.Popen([self.programs[name], *arguments], stdout=subprocess.PIPE, text=True,
                                     stderr=subprocess.STDOUT, preexec_fn=die_with_parent)
            return lambda: child.communicate(timeout=LONG)[0]
        self.run(name, f"{line} >/tmp/said 2>&1 & echo $! >/tmp/begun")
        return lambda: self.run(name, "sh -c 'while kill -0 $(cat /tmp/begun) 2>/dev/null; do sleep 1; done; "
                                      "cat /tmp/said'")


def make_station(lab, g, net, number):
    name, nic = f"{g.name}.{net}", f"eth{number}"
    station.make(g, name, nic, LONG)
    g.run(f"{inside(name)} sh -c 'echo 0 >/proc/sys/net/ipv4/tcp_early_retrans'", LONG)
    if net == "lan":
        lab.addresses[name] = f"10.9.0.{1 + GUESTS.index(g.name)}"
        g.run(f"{inside(name)} ip address add {lab.addresses[name]}/24 dev {nic}", LONG)
    else:
        lab.addresses[name] = station.lease(g, name, nic, LONG)


def peer_probes(mode):
    """How early the peer sends again what it sent last (tcp_early_retrans); 0: not before it must."""
    with open("/proc/sys/net/ipv4/tcp_early_retrans", "w") as file:
        file.write(str(mode))


def be_patient(lab):
    """From now on neither end sends anything again because the other one is slow."""
    for number, net in enumerate(NETS):
        if net != "own":
            for name, other in ("ab", "ba"):
                lab.run(f"{name}.{net}", f"nicset patient eth{number} {lab.addresses[f'{other}.{net}']} -")
        if net != "lan":
            lab.run(f"a.{net}", f"nicset patient eth{number} {netlab.PEER} {GATEWAYS[net]}")
    for address in (netlab.HOST, lab.addresses["a.wire"]):
        netrelay.ip(f"route replace {address} dev tap0 rto_min 60s")
    peer_probes(0)


def be_usual(lab):
    peer_probes(3)
    for net in NETS:
        if net != "own":
            for name, other in ("ab", "ba"):
                lab.run(f"{name}.{net}", f"ip route delete {lab.addresses[f'{other}.{net}']}")
        if net != "lan":
            lab.run(f"a.{net}", f"ip route delete {netlab.PEER}")


# ---- transfers ----

def transfer(lab, source, target, size, way="send"):
    """source connects to target and sends, or receives; both must say that all bytes are right."""
    listens = {"send": "receive", "receive": "send"}[way]
    address = netlab.PEER if target == "peer" else lab.addresses[target]
    ended = lab.begin(target, f"transfer listen {PORT} {listens} {size}")
    said = lab.run(source, f"transfer connect {address} {PORT} {way} {size}")
    assert f"{way} of {size} bytes is right" in said, (source, target, said)
    said = ended()
    assert f"{listens} of {size} bytes is right" in said, (source, target, said)


@contextlib.contextmanager
def nothing_wrong(lab, *ends):
    """No counter of an error grows at these ends."""
    before = {end: lab.counters(end) for end in ends}
    yield
    wrong = netjudge.grown(before, {end: lab.counters(end) for end in ends})
    lost = {port["name"]: port["lost"] for net in NETS for port in lab.m.json(f"net info {net}")["ports"]}
    assert not wrong, (ends, wrong, lost)


def check_outside(lab, net, size):
    for way in ("send", "receive"):
        path = os.path.join(lab.directory, "outside.pcap")
        with nothing_wrong(lab, f"a.{net}", "peer"), \
                netcapture.of_device("tap0", path, LONG):
            transfer(lab, f"a.{net}", "peer", size, way)
        wrong, data = netjudge.faults(path, PORT, card=True)
        assert not wrong and data == size, (net, way, data, wrong[:4000])
        print(f"{net} {way}: {size} bytes, {netjudge.checked(path, PORT)} packets with good checksums",
              flush=True)


LOOP = ("sh -c 'while sleep {2}; [ ! -e /tmp/seen{0} ]; do {1} || break; done; echo over' "
        ">/tmp/said{0} 2>&1 & :")


def end_loop(lab, name, number, last=":"):
    """What it said."""
    lab.run(name, f"sh -c 'touch /tmp/seen{number}; {last}'")
    return lab.run(name, f"sh -c 'until grep -q over /tmp/said{number}; do sleep 1; done; cat "
                         f"/tmp/said{number}'")


def check_between(lab, net, size, snap=160, numbers=itertools.count(1)):
    """a sends to b, again and again, until the console has shown one such connection whole."""
    source, target, number = f"a.{net}", f"b.{net}", next(numbers)
    path = os.path.join(os.environ.get("INSULA_LOG_DIR", lab.directory), f"between{number}-{net}.pcap")
    with nothing_wrong(lab, source, target):
        lab.run(target, LOOP.format(number, f"transfer listen {PORT} receive {size}", 0))
        lab.run(source, LOOP.format(number, f"transfer connect {lab.addresses[target]} {PORT} send {size}",
                                    PAUSE))
        command = f"net capture {net} a.{NETS.index(net)} --snap {snap}"
        port, lost = netcapture.of_console(lab.m, command, path, LONG)
        said = end_loop(lab, source, number)
        assert re.search(rf"^(send of {size} bytes is right\s+)+over\s+\Z", said, re.M), said
        end_loop(lab, target, number, last="killall transfer")
    return path, port, lost


def check_bulk(lab, net, size):
    path, port, lost = check_between(lab, net, size)
    wrong, data = netjudge.faults(path, port, whole=lost == 0)
    assert not wrong and (lost or data == size), (net, data, lost, wrong[:4000])
    print(f"{net} between guests: {size} bytes, of its packets {lost} not captured", flush=True)


def check_sums(lab, net, size):
    """What guests send without the card's help is whole with a good checksum on the other port."""
    path, port, _ = check_between(lab, net, size, snap=1600)
    wrong, _ = netjudge.faults(path, port, whole=False)
    good = netjudge.checked(path, port)
    assert not wrong and good >= 30, (net, good, wrong[:4000])
    print(f"{net} between guests, no offload: {good} packets with good checksums", flush=True)


# ---- connections ----

def check_connections(lab):
    """One guest has as many as it may: all go on, one more is refused, others do not notice. (In less than
    the 5 minutes that UDP's last: so under soak only.)"""
    lab.begin("peer", f"flows serve {FLOWS}")
    with Guest(lab.m, "a") as g:  # a page is put aside for each socket
        g.run("echo 90000 100000 110000 >/proc/sys/net/ipv4/udp_mem", LONG)
    ask = f"flows {netlab.PEER} {FLOWS}"
    lab.run("a.dmz", f"{ask} {CONNECTIONS - STREAMS} {STREAMS} /tmp/go >/tmp/flows 2>&1 & :")
    answers = "sh -c 'until [ $(grep -c answered /tmp/flows) = %u ]; do sleep 1; done; cat /tmp/flows'"
    said = lab.run("a.dmz", answers % 1)
    assert re.search(rf"^{CONNECTIONS} answered, 0 refused\s+\Z", said, re.M), said
    assert "0 answered, 1 refused" in lab.run("a.dmz", f"{ask} 1 0")
    for other in ("b.dmz", "a.own"):
        said = lab.run(other, f"{ask} 20 5")
        assert "25 answered, 0 refused" in said, (other, said)
    said = lab.run("a.dmz", "touch /tmp/go; " + answers % 2)
    assert re.search(rf"^({CONNECTIONS} answered, 0 refused\s+){{2}}\Z", said, re.M), said
    print(f"dmz: {CONNECTIONS} connections of one guest, each answered twice on one port; one more refused; "
          "another guest and another network have 25 more", flush=True)


# ---- bad lines ----

def make_lossy(lab):
    for name in GUESTS:
        lab.run(f"{name}.lan", "insmod /lib/modules/sch_netem.ko")
        for number, net in enumerate(NETS):
            lab.run(f"{name}.{net}", f"nicset plain eth{number}")
            lab.run(f"{name}.{net}", "sh -c 'echo 3 >/proc/sys/net/ipv4/tcp_early_retrans'")


def set_line(lab, net, how):
    for name in GUESTS:
        said = lab.run(f"{name}.{net}", f"nicset {how} eth{NETS.index(net)}")
        assert not said.strip(), said


def check_lossy_between(lab, size):
    for net in NETS:
        if net == "own":
            continue
        set_line(lab, net, "lossy")
        before = [lab.counters(f"{name}.{net}") for name in GUESTS]
        transfer(lab, f"a.{net}", f"b.{net}", size)
        after = [lab.counters(f"{name}.{net}") for name in GUESTS]
        again, early = (after[0]["RetransSegs"] - before[0]["RetransSegs"],
                        after[1]["TCPOFOQueue"] - before[1]["TCPOFOQueue"])
        assert again > 0 and early > 0, (net, again, early)
        print(f"{net} between guests, bad line: {size} bytes, {again} segments sent again, {early} "
              "out of order", flush=True)
        set_line(lab, net, "lossless")


def check_lossy_outside(lab, size):
    with netrelay.BadLine(seed=1) as line:
        for net in GATEWAYS:
            for way in ("send", "receive"):
                transfer(lab, f"a.{net}", "peer", size, way)
                print(f"{net} {way}, bad line: {size} bytes; lost, doubled, overtaken so far: "
                      f"{line.did()}", flush=True)
        assert min(line.did()) > 0, line.did()


def check_all(lab, kind):
    for name in GUESTS:
        with Guest(lab.m, name) as g:
            g.ready(LONG)
            for number, net in enumerate(NETS):
                make_station(lab, g, net, number)
    be_patient(lab)
    for net in NETS:
        if net in GATEWAYS and kind == "qemu":
            check_outside(lab, net, WHOLE[kind])
        if net != "own":
            check_bulk(lab, net, WHOLE[kind])
    be_usual(lab)
    if SOAK:
        check_connections(lab)
    make_lossy(lab)
    check_sums(lab, "lan", SAMPLE[kind])
    check_lossy_between(lab, DAMAGED[kind])
    check_lossy_outside(lab, DAMAGED[kind])


def test_transfer(kind):
    with netlab.Outside() as net, tempfile.TemporaryDirectory() as directory:
        programs = [built(directory, name) for name in ("transfer", "nicset", "flows")]
        with machine(kind, config(), guest_files(programs, directory), memory="512M", timeout=LONG,
                     nics=[net.nic(kind)], ips=IPS) as m:
            prompt(m, LONG)
            check_all(Lab(m, programs, directory), kind)
            assert "broke the rules" not in m.command("host log")


test_transfer.timeout = 6 * LONG if SOAK else LONG
