# SPDX-License-Identifier: BSD-2-Clause
"""Stations: network namespaces inside a Debian guest, each with one of its network cards, as if it were a
machine of its own. Saves a guest for each. Knows no network."""
import re


def inside(name):
    """In front of a command that shall run in that station."""
    return f"nsenter -t $(cat /tmp/{name}) -n"


def make(g, name, nic, timeout):
    """From now on the guest g has that station, with the card nic; no address yet."""
    g.run(f"unshare -n sleep 100000 & echo $! >/tmp/{name}; until [ $(readlink /proc/$(cat /tmp/{name})"
          f"/ns/net) != $(readlink /proc/self/ns/net) ]; do :; done; ip link set {nic} netns $(cat /tmp/{name})"
          f"; {inside(name)} ip link set lo up; {inside(name)} ip link set {nic} up", timeout)


def lease(g, name, nic, timeout):
    """By DHCP; the address that it has then."""
    said = g.run(f"{inside(name)} udhcpc -n -q -t 10 -i {nic}; {inside(name)} ip -4 address show dev {nic}",
                 timeout)
    return address(said)


def isc_lease(g, name, nic, timeout):
    """As lease, by ISC's dhclient; gives it back at the end. The address that it had."""
    dhclient = f"{inside(name)} dhclient -v -sf /etc/dhclient.script -lf /tmp/{name}.leases -pf /tmp/{name}.pid"
    g.run(f"{inside(name)} ip address flush dev {nic}; : >/tmp/{name}.leases", timeout)
    said = g.run(f"{dhclient} -1 {nic} 2>&1; {inside(name)} ip -4 address show dev {nic}", timeout)
    assert "bound to" in said, said
    released = g.run(f"{dhclient} -r {nic} 2>&1", timeout)
    assert "DHCPRELEASE" in released, released
    return address(said)


def address(said):
    """Out of what `ip address show` said."""
    found = re.search(r"inet ([\d.]+)", said)
    assert found, f"no address: {said}"
    return found.group(1)
