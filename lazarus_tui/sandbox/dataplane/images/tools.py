"""The commands that exec allows, written here so that no host program runs: paths stay inside the pod.

``tools.py ROOT ALLOWED COMMAND ARGS…``: ROOT is the pod's root directory, ALLOWED the other directories (its volumes),
separated by ``:``.
"""

from __future__ import annotations

import os
import sys
import tarfile
import time
from typing import Any

_ROOT, _ALLOWED = sys.argv[1], [os.path.realpath(path) for path in sys.argv[2].split(":") if path]


# Absent before Python 3.11.4; what it forbids is looked at here as well.
_SAFELY: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}


class Outside(Exception):
    """A path that leads out of the pod."""


def say(text: object) -> None:
    sys.stdout.write(f"{text}\n")


def complain(text: object) -> None:
    sys.stderr.write(f"{text}\n")


def inside(path: str) -> str:
    """The host path of a path in the pod; links are followed, and must end in the pod or in one of its volumes."""
    found = os.path.realpath(os.path.join(_ROOT, path.lstrip("/")))
    if not any(found == top or found.startswith(top + os.sep) for top in (os.path.realpath(_ROOT), *_ALLOWED)):
        raise Outside(f"{path}: outside the pod")
    return found


def cat(args: list[str]) -> int:
    out = sys.stdout.buffer
    for path in args or ["-"]:
        if path == "-":
            while data := os.read(0, 65536):
                out.write(data)
                out.flush()
            continue
        with open(inside(path), "rb") as file:
            while data := file.read(65536):
                out.write(data)
    return 0


def ls(args: list[str]) -> int:
    long = any(arg.startswith("-") and "l" in arg for arg in args)
    hidden = any(arg.startswith("-") and "a" in arg for arg in args)
    for path in [arg for arg in args if not arg.startswith("-")] or ["/"]:
        where = inside(path)
        names = sorted(os.listdir(where)) if os.path.isdir(where) else [os.path.basename(path)]
        for name in names:
            if name.startswith(".") and not hidden:
                continue
            if long:
                info = os.stat(os.path.join(where, name) if os.path.isdir(where) else where)
                moment = time.strftime("%Y-%m-%d %H:%M", time.gmtime(info.st_mtime))
                say(f"{info.st_mode & 0o7777:04o} {info.st_size:>12} {moment} {name}")
            else:
                say(name)
    return 0


def tar(args: list[str]) -> int:
    words = [args[0].lstrip("-"), *args[1:]] if args else [""]
    letters, rest, folder, names = words[0], words[1:], "/", []
    file = rest.pop(0) if "f" in letters and rest else "-"
    while rest:
        word = rest.pop(0)
        if word == "-C" and rest:
            folder = rest.pop(0)
        elif not word.startswith("-"):
            names.append(word)
    if file != "-" or not ("c" in letters or "x" in letters):
        complain("tar: only cf - and xf - are known here")
        return 2
    if "c" in letters:
        with tarfile.open(fileobj=sys.stdout.buffer, mode="w|") as archive:
            for name in names:
                archive.add(inside(os.path.join(folder, name)), arcname=name.lstrip("/"))
        return 0
    where = inside(folder)
    with tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as archive:
        for member in archive:
            member.name = member.name.lstrip("/")
            inside(os.path.join(folder, member.name))
            if member.isfile() or member.isdir():
                archive.extract(member, where, set_attrs=False, **_SAFELY)
    return 0


def find(args: list[str]) -> int:
    """``find DIR -type f -exec stat -c "%s %n" {} +``: size and path of every file below."""
    if args[1:] != ["-type", "f", "-exec", "stat", "-c", "%s %n", "{}", "+"]:
        complain('find: only DIR -type f -exec stat -c "%s %n" {} + is known here')
        return 2
    top = inside(args[0])
    for folder, _, names in os.walk(top):
        for name in sorted(names):
            path = os.path.join(folder, name)
            say(f"{os.path.getsize(path)} {os.path.normpath(os.path.join(args[0], os.path.relpath(path, top)))}")
    return 0


def dd(args: list[str]) -> int:
    """``dd if=/dev/urandom of=FILE bs=N count=N conv=notrunc``: random bytes over the begin of a file."""
    given = dict(arg.partition("=")[::2] for arg in args)
    if given.get("if") != "/dev/urandom" or given.get("conv") != "notrunc" or not given.get("of"):
        complain("dd: only if=/dev/urandom of=FILE bs=N count=N conv=notrunc is known here")
        return 2
    with open(inside(given["of"]), "r+b") as file:
        file.write(os.urandom(int(given.get("bs", "512")) * int(given.get("count", "1"))))
    return 0


def orders_cli(args: list[str]) -> int:
    """count · last · integrity: asks the order book's file itself, read-only."""
    import sqlite3

    path = os.path.join(os.environ.get("DATA_DIR", _ROOT), "orders.db")
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
        queries = {
            "count": "SELECT count(*) FROM orders",
            "last": "SELECT ifnull(max(id), 0) FROM orders",
            "integrity": "PRAGMA integrity_check",
            "checkpoint": "PRAGMA wal_checkpoint",
        }
        if not args or args[0] not in queries:
            complain(f"orders-cli: {' | '.join(queries)}")
            return 64
        answer = db.execute(queries[args[0]]).fetchone()[0]
    say(answer)
    return 0 if args[0] != "integrity" or answer == "ok" else 1


def stty(args: list[str]) -> int:
    """size: rows and columns of the terminal."""
    if args != ["size"]:
        complain("stty: only size is known here")
        return 2
    try:
        size = os.get_terminal_size(0)
    except OSError:
        complain("stty: standard input: not a terminal")
        return 1
    say(f"{size.lines} {size.columns}")
    return 0


def run(command: str, args: list[str]) -> int:
    if command in ("true", "false"):
        return 0 if command == "true" else 1
    if command == "echo":
        say(" ".join(args))
        return 0
    if command == "env":
        say("\n".join(f"{name}={value}" for name, value in sorted(os.environ.items())))
        return 0
    if command == "sleep":
        time.sleep(float(args[0]) if args else 0)
        return 0
    commands = {"cat": cat, "ls": ls, "tar": tar, "stty": stty, "find": find, "dd": dd, "orders-cli": orders_cli}
    if command in ("nc", "wget", "nslookup"):
        import reach  # type: ignore[import-not-found]

        commands |= {"nc": reach.nc, "wget": reach.wget, "nslookup": reach.nslookup}
    if command == "locker":
        from locker import locker  # type: ignore[import-not-found]

        commands |= {"locker": locker}
    if engine := os.environ.get("LAZARUS_ENGINE"):
        import engines  # type: ignore[import-not-found]

        if command in engines.CLIENTS[engine]:
            sys.stdout.flush()
            paths = [inside(one) if command.startswith("redis-check") and one[:1] == "/" else one for one in args]
            return int(engines.client(command, paths, engine))
    if command not in commands:
        complain(f"{command}: not found")
        return 127
    try:
        return commands[command](args)
    except OSError as fault:
        # Its own text would show the host's path.
        where = str(fault.filename).removeprefix(os.path.realpath(_ROOT)) if fault.filename else ""
        complain(f"{command}: {f'{where}: ' if where else ''}{fault.strerror or fault}")
    except (ValueError, Outside, tarfile.TarError) as fault:
        complain(f"{command}: {fault}")
    return 1


def main() -> int:
    command, args = sys.argv[3], sys.argv[4:]
    if command in ("sh", "/bin/sh"):
        from shell import shell  # type: ignore[import-not-found]

        return int(shell(args, run))
    return run(command, args)


if __name__ == "__main__":
    sys.exit(main())
