# SPDX-License-Identifier: BSD-2-Clause
"""Who reaches whom: Debian guests with a station (a network namespace) on each kind of network, the host,
and a peer on the physical network; each to each by ping, TCP and UDP, against the table of modes; forwarded
ports. Two guests under INSULA_SOAK=1, else one: test_net and test_outside have pairs on the same network."""
import concurrent.futures
import os
import re
import socket
import threading

import netlab
import station
from lab import Guest, linux, machine, prompt
from station import inside

SOAK = bool(os.environ.get("INSULA_SOAK"))
GUESTS = "ab" if SOAK else "a"
LONG = 3600 if SOAK else 900  # a busy machine
IPS = 200000000  # Bochs: more than it can, so that it waits for real time only when idle
STEP = LONG / 3  # seconds for one command in a guest
ANSWER = 30  # seconds for what must come
NOTHING = 2  # for what must not
ECHO, CLOSED = 7, 33434  # a TCP service that says its name, a UDP port that nobody has
MODES = ("lan", "dmz", "own", "wire")
FORWARDS = {"dmz": 8007, "own": 8008}  # ports of the host's to ECHO and CLOSED of a's station there
UNUSED = 8009
CONFIG = """
[net.lan]
[net.dmz]
mode = "natnet"
subnet = "10.20.0.0/24"
uplink = "nic0"
forward = ["tcp:8007:a:7", "udp:8007:a:33434"]
[net.own]
mode = "nat"
uplink = "nic0"
forward = ["tcp:8008:a:7", "udp:8008:a:33434"]
[net.wire]
mode = "bridge"
uplink = "nic0"
"""
PRIVATE = ("10.9.0.0/24", "10.20.0.0/24", "10.0.2.0/24")
STATIONS = [f"{vm}.{mode}" for vm in GUESTS for mode in MODES]

# The table of modes: from a station on the first to one on the second, of whichever guest.
REACHES = {
    ("lan", "lan"), ("dmz", "dmz"), ("wire", "wire"),
    ("dmz", "wire"), ("own", "wire"),  # guests on the physical network are outside for NAT
    ("dmz", "peer"), ("own", "peer"), ("wire", "peer"),
    ("dmz", "host"), ("own", "host"), ("wire", "host"),
    ("peer", "wire"), ("peer", "host"),
    ("host", "wire"), ("host", "peer"),
}


def vm(name):
    return linux(name, autostart=True, nics=MODES)


def reaches(source, target):
    """What the table says; a station's mode is behind its dot."""
    return (source.split(".")[-1], target.split(".")[-1]) in REACHES


def expected(source, target):
    """The kinds of packets that are answered: the host has no services and no clients, but ping."""
    if not reaches(source, target):
        return set()
    return {"ping"} if "host" in (source, target) else {"ping", "tcp", "udp"}


# ---- stations in a guest ----

def make_station(g, number, mode):
    """Its own network namespace with the card, an address, and a service; returns the address."""
    name, nic = f"{g.name}.{mode}", f"eth{number}"
    station.make(g, name, nic, STEP)
    if mode == "lan":
        g.run(f"{inside(name)} ip address add 10.9.0.{1 + (g.name == 'b')}/24 dev {nic}; "
              f"{inside(name)} ip route add default dev {nic}", STEP)
    else:
        g.run(f"{inside(name)} udhcpc -n -q -t 10 -i {nic}", STEP)
    for subnet in PRIVATE if mode == "wire" else ():  # it knows the way
        g.run(f"{inside(name)} ip route add {subnet} via {netlab.HOST}", STEP)
    g.run(f"{inside(name)} nc -ll -p {ECHO} -e echo {name} & :", STEP)
    return station.address(g.run(f"{inside(name)} ip -4 address show dev {nic}", STEP))


# Name, address, seconds for an answer; name, address, probes, seconds for each.
SCRIPTS = {"probe": """(ping -c 1 -W $3 $2 >/dev/null && echo $1 ping) &
[ $1 = host ] || echo $1 tcp $(timeout $3 nc $2 7 </dev/null)
wait""", "trace": """traceroute -n -q $3 -w $4 -m 3 $2 | grep -q "^ .* $2 " && echo $1 udp"""}


def write_scripts(g):
    for name, text in SCRIPTS.items():
        lines = " ".join(f"'{line}'" for line in text.splitlines())
        g.run(f"printf '%s\\n' {lines} >/tmp/{name}", STEP)


def probes(g, source, targets):
    """{(target, kind)} of what was answered. What must not be is asked all at once, and so is all but UDP:
    busybox's traceroute takes answers to another one, in the same namespace, for its own."""
    once, then = "", "wait; "
    for target, address in targets.items():
        answers = expected(source, target)
        once += f"sh /tmp/probe {target} {address} {ANSWER if answers else NOTHING} & "
        if "udp" in answers:
            then += f"sh /tmp/trace {target} {address} 2 5; "
        elif target != "host":
            once += f"sh /tmp/trace {target} {address} 1 1 & "
    said = g.run(f"{inside(source)} sh -c '{once}{then}' 2>/dev/null", STEP)
    got = {(target, kind) for target, kind, _ in re.findall(r"^(\S+) (ping|udp)()\s*$", said, re.M)}
    return got | {(target, "tcp") for target, who in re.findall(r"^(\S+) tcp (\S+)\s*$", said, re.M)
                  if who == target}


# ---- the peer ----

def serve_name():
    server = socket.create_server(("", ECHO))

    def serve():
        while True:
            conn, _ = server.accept()
            conn.sendall(b"peer\n")
            conn.close()

    threading.Thread(target=serve, daemon=True).start()


def tcp(address, wait, port=ECHO):
    """The name that the service there says; None."""
    try:
        with socket.create_connection((address, port), timeout=wait) as sock:
            return sock.recv(100).decode().strip()
    except OSError:
        return None


def udp(address, wait, port=CLOSED):
    """Is a datagram to a port that nobody has answered with an ICMP error?"""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(wait)
        sock.connect((address, port))
        sock.send(b"x")
        try:
            sock.recv(10)
        except ConnectionRefusedError:
            return True
        except OSError:
            pass
        return False


def peer_probe(target, address):
    wait = ANSWER if expected("peer", target) else NOTHING
    got = {(target, "ping")} if netlab.ping(address, wait) else set()
    if target != "host" and tcp(address, wait) == target:
        got.add((target, "tcp"))
    if target != "host" and udp(address, wait):
        got.add((target, "udp"))
    return got


def peer_probes(targets):
    with concurrent.futures.ThreadPoolExecutor(len(targets)) as pool:
        return set().union(*pool.map(peer_probe, targets, targets.values()))


def host_probes(m, targets):
    """By the console's ping; one request, a second, where none must be answered."""
    counts = {target: 4 if expected("host", target) else 1 for target in targets}
    return {(target, "ping") for target, address in targets.items()
            if "answers in" in m.command(f"net ping {address} --count {counts[target]}")}


def forwarded(port, who):
    """Who is reached through that port of the host's, None for nobody: in words, what is not so."""
    wait = NOTHING if who is None else ANSWER
    got = tcp(netlab.HOST, wait, port), udp(netlab.HOST, wait, port)
    return [] if got == (who, who is not None) else [f"port {port} of the host: {got}, not {who}"]


# ---- the table ----

def others(source, addresses):
    """Whom it asks: not itself, nor (two nat guests have the same address) who it would be itself."""
    return {name: address for name, address in addresses.items()
            if name != source and address != addresses.get(source)}


def judge(source, targets, got):
    """What is not as the table says, in words."""
    wanted = {(target, kind) for target in targets for kind in expected(source, target)}
    return [f"{source} does {'' if pair in got else 'not '}reach {pair[0]} by {pair[1]}"
            for pair in sorted(got ^ wanted)]


def test_reach(kind):
    config = CONFIG + "".join(map(vm, GUESTS))
    with netlab.Outside() as net, machine(kind, config, memory="512M", timeout=LONG,
                                          nics=[net.nic(kind)], ips=IPS) as m:
        serve_name()
        prompt(m, LONG)
        addresses = {"host": netlab.HOST, "peer": netlab.PEER}
        for name in GUESTS:
            with Guest(m, name) as g:
                g.ready(LONG / 2)
                write_scripts(g)
                for number, mode in enumerate(MODES):
                    addresses[f"{name}.{mode}"] = make_station(g, number, mode)
        assert {addresses[f"{name}.own"] for name in GUESTS} == {"10.0.2.2"}, addresses
        wrong = []
        for source in STATIONS:
            targets = others(source, addresses)
            with Guest(m, source[0]) as g:
                wrong += judge(source, targets, probes(g, source, targets))
        for subnet in PRIVATE:
            net.route(subnet)
        targets = others("peer", addresses)
        wrong += judge("peer", targets, peer_probes(targets))
        targets = others("host", addresses)
        wrong += judge("host", targets, host_probes(m, targets))
        for mode, port in FORWARDS.items():
            wrong += forwarded(port, f"a.{mode}")
        if SOAK:
            wrong += forwarded(UNUSED, None)
        assert not wrong, "\n".join(wrong)
        print(f"as the table says: {', '.join(STATIONS)} and the peer, to each other and to the host")


test_reach.timeout = LONG
# In Bochs under soak only: what it asks of drivers and CPU, test_outside asks there, too.
test_reach.machines = ["qemu", "bochs"] if SOAK else ["qemu"]
