"""Makes network namespaces for pods, and sockets in them: a program of its own, since it moves between namespaces.

``keeper.py PARENT FD [USER NET]``: FD is a SOCK_SEQPACKET socket. Requests and replies are JSON with descriptors beside
them. First comes a reply that nobody asked for, with descriptors of the program's own namespaces; a later keeper that
is given them as USER and NET takes this one's place.

- ``{"number": n, "do": "open", "address": ip}`` → the descriptors of a new user and a new network namespace;
- ``{"number": n, "do": "sockets", "wanted": [[kind, ip, port], …]}`` with the descriptor of a network namespace →
  ``errors``, a text for each wanted one, and descriptors of those without. Kinds are ``listen``, ``dial`` and ``udp``.

The program keeps nothing: a namespace lives for as long as somebody holds a descriptor of it, or a process is in it. It
stays in a user namespace of its own, the parent of all others, which gives it every right over them and none elsewhere.
A new network namespace has its loopback alone, and every address there counts as its own ("AnyIP"): what a pod sends
to any address arrives at a listener in its namespace, or nowhere. No privilege of the machine is used.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import signal
import socket
import struct
import sys
from collections.abc import Callable
from typing import Any

_NEW_USER, _NEW_NET = 0x10000000, 0x40000000  # <sched.h>
_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
_LOOPBACK = 1
"""The index of ``lo``: the first interface of every network namespace."""

# <linux/rtnetlink.h>, <linux/netlink.h>, <linux/if.h>
_RTM_NEWLINK, _RTM_NEWROUTE, _RTA_OIF, _RTA_PREFSRC, _IFF_UP = 16, 24, 4, 7, 1
_REQUEST_ACK, _CREATE, _NLMSG_ERROR = 0x5, 0x400, 2
_TABLE_MAIN, _PROTOCOL_BOOT, _SCOPE_HOST, _TYPE_LOCAL = 254, 3, 254, 2
_MESSAGE = 1 << 16


def _libc(name: str, *args: int) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if getattr(library, name)(*args):
        code = ctypes.get_errno()
        # What the kernel says when the number of namespaces is at its limit has nothing to do with a disk.
        text = "no more namespaces (user.max_*_namespaces)" if code == errno.ENOSPC else os.strerror(code)
        raise OSError(code, f"{name}: {text}")


def _map_oneself(uid: int, gid: int, *, outermost: bool) -> None:
    """The ids inside are those outside: files belong to whom they belong, and nobody becomes root."""
    if outermost:
        with open("/proc/self/setgroups", "w", encoding="ascii") as file:
            file.write("deny")
    for name, number in (("uid_map", uid), ("gid_map", gid)):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(f"{number} {number} 1")


def _attribute(kind: int, data: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(data), kind) + data


def _netlink(kind: int, flags: int, payload: bytes) -> None:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as wire:
        wire.send(struct.pack("=IHHII", 16 + len(payload), kind, flags | _REQUEST_ACK, 1, 0) + payload)
        reply = wire.recv(_MESSAGE)
    answered, code = struct.unpack_from("=H", reply, 4)[0], struct.unpack_from("=i", reply, 16)[0]
    if answered != _NLMSG_ERROR or code:
        raise OSError(-code, f"netlink request {kind}: {os.strerror(-code)}")


def _furnish(address: str) -> None:
    """Loopback up, every address local, ``address`` the one that packets come from, and low ports free for all."""
    _netlink(_RTM_NEWLINK, 0, struct.pack("=BxHiII", socket.AF_UNSPEC, 0, _LOOPBACK, _IFF_UP, _IFF_UP))
    route = struct.pack("=BBBBBBBBI", socket.AF_INET, 0, 0, 0, _TABLE_MAIN, _PROTOCOL_BOOT, _SCOPE_HOST, _TYPE_LOCAL, 0)
    route += _attribute(_RTA_OIF, struct.pack("=i", _LOOPBACK))
    route += _attribute(_RTA_PREFSRC, socket.inet_aton(address))
    _netlink(_RTM_NEWROUTE, _CREATE, route)
    with open("/proc/sys/net/ipv4/ip_unprivileged_port_start", "w", encoding="ascii") as file:
        file.write("0")


def _in_child(work: Callable[[], None], leave: int) -> None:
    """The child's life: the work, its outcome into the pipe, then to wait until its namespaces have been opened."""
    try:
        work()
        os.write(leave, b"ok")
    except OSError as fault:
        os.write(leave, str(fault).encode())
    signal.pause()


def open_namespaces(address: str) -> list[int]:
    """Descriptors of a new user namespace and the network namespace it owns."""
    uid, gid = os.geteuid(), os.getegid()

    def work() -> None:
        _libc("prctl", _PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        _libc("unshare", _NEW_USER | _NEW_NET)
        _map_oneself(uid, gid, outermost=False)
        _furnish(address)

    heard, told = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            _in_child(work, told)
        finally:
            os._exit(1)
    os.close(told)
    try:
        outcome = os.read(heard, 1024).decode()
        if outcome != "ok":
            raise OSError(0, outcome or "the namespace's first process ended")
        return [os.open(f"/proc/{child}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC) for kind in ("user", "net")]
    finally:
        os.close(heard)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def make_socket(kind: str, address: str, port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM)
    try:
        if kind == "dial":
            return made
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((address, port))
        if kind == "listen":
            made.listen(128)
        return made
    except OSError:
        made.close()
        raise


def make_sockets(namespace: int, home: int, wanted: list[list[Any]]) -> tuple[list[str], list[socket.socket]]:
    """Each wanted socket in ``namespace``, or what was wrong with it."""
    errors, made = [], []
    _libc("setns", namespace, _NEW_NET)
    try:
        for kind, address, port in wanted:
            try:
                made.append(make_socket(kind, address, port))
                errors.append("")
            except OSError as fault:
                errors.append(f"{address}:{port}: {fault.strerror}")
    finally:
        _libc("setns", home, _NEW_NET)
    return errors, made


def _serve(wire: socket.socket, home: int) -> None:
    while True:
        data, given, _, _ = socket.recv_fds(wire, _MESSAGE, 1)
        if not data:
            return
        request = json.loads(data)
        reply: dict[str, Any] = {"number": request["number"]}
        found: list[int] = []
        sockets: list[socket.socket] = []
        try:
            if request["do"] == "open":
                found = open_namespaces(request["address"])
            else:
                reply["errors"], sockets = make_sockets(given[0], home, request["wanted"])
        except OSError as fault:
            reply["error"] = str(fault.strerror or fault)
        socket.send_fds(wire, [json.dumps(reply).encode()], [*found, *(one.fileno() for one in sockets)])
        for one in sockets:
            one.close()
        for descriptor in (*found, *given):
            os.close(descriptor)


def _settle(earlier: list[int]) -> list[int]:
    """Descriptors of the user and network namespace this program works from: the ``earlier`` ones or new ones."""
    if earlier:
        _libc("setns", earlier[0], _NEW_USER)
        _libc("setns", earlier[1], _NEW_NET)
        return earlier
    uid, gid = os.geteuid(), os.getegid()
    _libc("unshare", _NEW_USER | _NEW_NET)
    _map_oneself(uid, gid, outermost=True)
    return [os.open(f"/proc/self/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC) for kind in ("user", "net")]


def main() -> None:
    parent, wire = int(sys.argv[1]), socket.socket(fileno=int(sys.argv[2]))
    with wire:
        try:
            own = _settle([int(word) for word in sys.argv[3:]])
        except OSError as fault:
            wire.send(json.dumps({"number": 0, "error": str(fault.strerror or fault)}).encode())
            return
        _libc("prctl", _PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != parent:  # it died before the call above
            return
        with contextlib.suppress(ConnectionError):  # the sandbox has ended
            socket.send_fds(wire, [json.dumps({"number": 0}).encode()], own)
            _serve(wire, own[1])


if __name__ == "__main__":
    main()
