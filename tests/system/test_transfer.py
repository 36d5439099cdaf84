# SPDX-License-Identifier: BSD-2-Clause
"""TCP in bulk, in each mode of networks: guest to guest and to the outside, judged by tshark and by the
counters of both ends; then over lines that lose, double and overtake segments. 100 MB a transfer under
INSULA_SOAK=1. In Bochs 5 MB from guest to guest."""
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
import newc
import station
from boot import die_with_parent
from lab import LINUX, Guest, linux, machine, prompt
from station import inside

HERE = os.path.dirname(os.path.abspath(__file__))
SOAK = bool(os.environ.get("INSULA_SOAK"))
MB = 1000000
WHOLE = {"qemu": 100 * MB if SOAK else 2 * MB, "bochs": 5 * MB}
DAMAGED = 10 * MB if SOAK else MB // 2
SAMPLE = MB // 4  # with checksums in software, to be looked at packet by packet
LONG = 7200 if SOAK else 900  # a busy machine
PORT = 5000
CONNECTIONS, STREAMS = 10000, 100  # of one guest; by TCP, the others by UDP
GATEWAYS = {"dmz": "10.20.0.1", "own": "10.0.2.1", "wire": "-"}
GUESTS = "ab"
MACHINES = ["qemu", "bochs"] if SOAK else ["qemu"]  # test_net has two guests in Bochs already
NETS = {"qemu": ("lan", "dmz", "wire", "own"), "bochs": ("lan",)}
CONFIG = {"lan": "[net.lan]\n",
          "dmz": '[net.dmz]\nmode = "natnet"\nsubnet = "10.20.0.0/24"\nuplink = "nic0"\n',
          "wire": '[net.wire]\nmode = "bridge"\nuplink = "nic0"\n',
          "own": '[net.own]\nmode = "nat"\nuplink = "nic0"\n'}


def config(nets):
    return "".join(CONFIG[net] for net in nets) + "".join(
        linux(name, autostart=True, nics=list(nets)) for name in GUESTS)


# ---- the programs of both sides ----

def built(directory, name):
    path = os.path.join(directory, name)
    subprocess.run(["gcc", "-O2", "-static", "-Wall", "-Wextra", "-Werror", "-s", "-o", path,
                    os.path.join(HERE, f"{name}.c")], check=True)
    return path


def guest_files(programs, directory):
    """The guests' boot modules, their initramfs with the programs in it."""
    image = os.path.join(directory, "initrd.img")
    with open(LINUX["initrd.img"], "rb") as file:
        data = newc.extended(file.read(), {f"bin/{os.path.basename(path)}": path for path in programs})
    with open(image, "wb") as file:
        file.write(data)
    return {**LINUX, "initrd.img": image}


class Lab:
    """The machine, its stations with their addresses, and the peer's programs."""

    def __init__(self, m, nets, programs, directory):
        self.m, self.nets, self.directory = m, nets, directory
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


def be_patient(lab, nets):
    """From now on neither end sends anything again because the other one is slow."""
    for number, net in enumerate(nets):
        if net != "own":
            for name, other in ("ab", "ba"):
                lab.run(f"{name}.{net}", f"nicset patient eth{number} {lab.addresses[f'{other}.{net}']} -")
        if net != "lan":
            lab.run(f"a.{net}", f"nicset patient eth{number} {netlab.PEER} {GATEWAYS[net]}")
    if "wire" in nets:
        for address in (netlab.HOST, lab.addresses["a.wire"]):
            netrelay.ip(f"route replace {address} dev tap0 rto_min 60s")
        with open("/proc/sys/net/ipv4/tcp_early_retrans", "w") as file:
            file.write("0")


def be_usual(lab, nets):
    for net in nets:
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
    for end in ends:
        wrong = netjudge.grown(before[end], lab.counters(end))
        assert not wrong, (end, ends, wrong)


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


LOOP = "sh -c 'while [ ! -e /tmp/seen{0} ]; do {1} || break; sleep 1; done; echo over' >/tmp/said{0} 2>&1 & :"


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
        lab.run(target, LOOP.format(number, f"transfer listen {PORT} receive {size}"))
        lab.run(source, LOOP.format(number, f"transfer connect {lab.addresses[target]} {PORT} send {size}"))
        command = f"net capture {net} a.{lab.nets.index(net)} --snap {snap}"
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


def check_sums(lab, net):
    """What guests send without the card's help is whole with a good checksum on the other port."""
    path, port, _ = check_between(lab, net, SAMPLE, snap=1600)
    wrong, _ = netjudge.faults(path, port, whole=False)
    good = netjudge.checked(path, port)
    assert not wrong and good >= 30, (net, good, wrong[:4000])
    print(f"{net} between guests, no offload: {good} packets with good checksums", flush=True)


# ---- connections ----

def check_connections(lab):
    """One guest has as many as it may: all go on, one more is refused, others do not notice. (In less than
    the 5 minutes that UDP's last: so under soak only.)"""
    lab.begin("peer", f"flows serve {PORT}")
    with Guest(lab.m, "a") as g:  # a page is put aside for each socket
        g.run("echo 90000 100000 110000 >/proc/sys/net/ipv4/udp_mem", LONG)
    ask = f"flows {netlab.PEER} {PORT}"
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

def make_lossy(lab, nets):
    for name in GUESTS:
        lab.run(f"{name}.{nets[0]}", "insmod /lib/modules/sch_netem.ko")
        for number, net in enumerate(nets):
            lab.run(f"{name}.{net}", f"nicset plain eth{number}")
            lab.run(f"{name}.{net}", "sh -c 'echo 3 >/proc/sys/net/ipv4/tcp_early_retrans'")


def check_lossy_between(lab, nets):
    for number, net in enumerate(nets):
        if net == "own":
            continue
        for name in GUESTS:
            said = lab.run(f"{name}.{net}", f"nicset lossy eth{number}")
            assert not said.strip(), said
        before = [lab.counters(f"{name}.{net}") for name in GUESTS]
        transfer(lab, f"a.{net}", f"b.{net}", DAMAGED)
        after = [lab.counters(f"{name}.{net}") for name in GUESTS]
        again, early = (after[0]["RetransSegs"] - before[0]["RetransSegs"],
                        after[1]["TCPOFOQueue"] - before[1]["TCPOFOQueue"])
        assert again > 0 and early > 0, (net, again, early)
        print(f"{net} between guests, bad line: {DAMAGED} bytes, {again} segments sent again, {early} "
              "out of order", flush=True)
        for name in GUESTS:
            lab.run(f"{name}.{net}", f"tc qdisc delete dev eth{number} root")


def check_lossy_outside(lab):
    with netrelay.BadLine(seed=1) as line:
        for net in GATEWAYS:
            for way in ("send", "receive"):
                transfer(lab, f"a.{net}", "peer", DAMAGED, way)
                print(f"{net} {way}, bad line: {DAMAGED} bytes; lost, doubled, overtaken so far: "
                      f"{line.did()}", flush=True)
        assert min(line.did()) > 0, line.did()


def check_all(lab, kind, nets):
    for name in GUESTS:
        with Guest(lab.m, name) as g:
            g.ready(LONG)
            for number, net in enumerate(nets):
                make_station(lab, g, net, number)
    be_patient(lab, nets)
    for net in nets:
        if net in GATEWAYS:
            check_outside(lab, net, WHOLE[kind])
        if net != "own":
            check_bulk(lab, net, WHOLE[kind])
    be_usual(lab, nets)
    if SOAK and "dmz" in nets:
        check_connections(lab)
    make_lossy(lab, nets)
    check_sums(lab, nets[0])
    check_lossy_between(lab, nets)
    if "wire" in nets:
        check_lossy_outside(lab)


def test_transfer(kind):
    nets = NETS[kind]
    with contextlib.ExitStack() as stack:
        net = stack.enter_context(netlab.Outside()) if "wire" in nets else None
        directory = stack.enter_context(tempfile.TemporaryDirectory())
        programs = [built(directory, name) for name in ("transfer", "nicset", "flows")]
        m = stack.enter_context(machine(kind, config(nets), guest_files(programs, directory),
                                        memory="512M", timeout=LONG, nics=[net.nic(kind)] if net else []))
        prompt(m, LONG)
        lab = Lab(m, nets, programs, directory)
        check_all(lab, kind, nets)
        assert "broke the rules" not in m.command("host log")


test_transfer.timeout = 6 * LONG if SOAK else LONG
