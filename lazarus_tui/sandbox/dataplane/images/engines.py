"""Real database servers as programs of pods: where this machine has them, and the walls around them.

A server reads and executes what it needs of the machine and writes to its pod alone, whatever it is told by SQL or by a
client's own commands: the kernel's Landlock sees to it. Without that there is no server.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import re
import struct
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Engine:
    """A server as Debian packages it; ``folders`` may hold patterns, the highest version comes first.

    ``programs`` are the file names of each program that is needed, the preferred one first.
    """

    name: str
    package: str
    folders: tuple[str, ...]
    programs: dict[str, tuple[str, ...]]

    @property
    def absence(self) -> str:
        return f"{self.name} is not installed on this machine: apt-get install {self.package}"


_BINARIES = ("usr/sbin", "usr/bin", "usr/local/sbin", "usr/local/bin", "opt/homebrew/bin")
ENGINES = {
    one.name: one
    for one in (
        Engine(
            "postgresql", "postgresql", ("usr/lib/postgresql/*/bin", "usr/local/pgsql/bin"),
            {name: (name,) for name in ("postgres", "initdb", "psql", "pg_isready", "pg_amcheck", "pg_dump")},
        ),
        Engine(
            "mariadb", "mariadb-server", _BINARIES,
            {
                "mariadbd": ("mariadbd", "mysqld"), "mariadb": ("mariadb", "mysql"),
                "mariadb-install-db": ("mariadb-install-db", "mysql_install_db"),
                "mariadb-admin": ("mariadb-admin", "mysqladmin"), "mariadb-check": ("mariadb-check", "mysqlcheck"),
            },
        ),
        Engine(
            "redis", "redis-server", _BINARIES,
            {name: (name,) for name in ("redis-server", "redis-cli", "redis-check-aof", "redis-check-rdb")},
        ),
    )
}  # fmt: skip
CLIENTS = {
    "postgresql": frozenset({"psql", "pg_isready", "pg_amcheck", "pg_dump"}),
    "mariadb": frozenset({"mariadb", "mariadb-admin", "mariadb-check"}),
    "redis": frozenset({"redis-cli", "redis-check-aof", "redis-check-rdb"}),
}
"""What exec may run in a pod of each engine."""


def find(engine: Engine, root: Path = Path("/")) -> dict[str, Path] | None:
    """Path of each program, all from one place of a fixed list; None when the machine lacks one of them."""
    for pattern in engine.folders:
        # Only the folder may vary; at most a handful of versions are installed side by side.
        for folder in sorted(root.glob(pattern), key=_version, reverse=True)[:20]:
            first = _complete(engine, (folder,))
            if first:
                return first
    return _complete(engine, tuple(root / folder for folder in engine.folders if "*" not in folder))


def _version(folder: Path) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", str(folder))))


def _complete(engine: Engine, folders: Sequence[Path]) -> dict[str, Path] | None:
    found: dict[str, Path] = {}
    for program, names in engine.programs.items():
        candidates = (folder / name for name in names for folder in folders)
        path = next((one for one in candidates if os.access(one, os.X_OK) and one.is_file()), None)
        if path is None:
            return None
        found[program] = path
    return found


def needed(name: str) -> dict[str, Path]:
    """The programs of an engine; ends the program with its absence in words."""
    found = find(ENGINES[name])
    if found is None:
        sys.exit(ENGINES[name].absence)
    return found


# --- a server's directory


def data_folder(name: str) -> Path:
    """Where the server keeps its data: in the pod's first claim, else in the pod's own directory."""
    if os.geteuid() == 0:
        sys.exit(f"{name} does not run as root, and this machine allows no user namespaces: run the sandbox as a user")
    top = Path(os.environ.get("DATA_DIR") or Path(os.environ["POD_ROOT"], "data"))
    top.mkdir(parents=True, exist_ok=True, mode=0o700)
    _alone(top.resolve())
    return top / name


def _alone(top: Path) -> None:
    """Waits until no process of an earlier server is left; all processes of this one inherit the lock."""
    for other in _left_standing(top):
        os.kill(other, 9)
    lock = os.open(top / ".server.lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    os.set_inheritable(lock, True)


def _left_standing(top: Path) -> Iterable[int]:
    """Orphans that a sandbox, killed in the midst of a cut, left stopped in ``top``: nobody else would end them."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            state, parent = (entry / "stat").read_bytes().rpartition(b")")[2].split()[:2]
            if state == b"T" and parent == b"1" and top in Path(os.readlink(entry / "cwd")).parents:
                yield int(entry.name)
        except OSError:
            continue


def address() -> str:
    return os.environ.get("POD_IP", "127.0.0.1")


def port(number: int) -> str:
    return os.environ.get(f"PORT_{number}", str(number))


def run(words: Sequence[str | Path], text: str = "") -> None:
    """A step of the first start; ends the program with what it said when it fails."""
    done = subprocess.run(
        list(map(str, words)), input=text.encode(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    if done.returncode:
        sys.stdout.buffer.write(done.stdout)
        sys.exit(f"{Path(words[0]).name} ended with {done.returncode}")


def become(program: Path, words: Sequence[str], folder: Path, name: str = "") -> None:
    """This process becomes the server, which may write to its pod only."""
    sys.stdout.flush()
    os.chdir(folder)
    confine([program])
    os.execve(program, [name or str(program), *words], _environment())


def _environment() -> dict[str, str]:
    """A manifest's variables are not for these programs: some of them name libraries to load."""
    return {"PATH": os.defpath, "LANG": "C.UTF-8", "TZ": "UTC", "HOME": os.environ["POD_ROOT"]}


# --- clients


def client(command: str, args: list[str], engine: str) -> int:
    """Runs a client of the engine against this pod's server; its exit code. It may write to its pod only."""
    program = needed(engine)[command]
    process = os.fork()
    if process == 0:
        there = {"PGHOST": address(), "PGPORT": port(5432), "PGUSER": "app", "PGDATABASE": "app"}
        confine([program])
        os.execve(program, [str(program), *_reaching(command), *args], _environment() | there)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def _reaching(command: str) -> list[str]:
    if command.startswith("mariadb"):
        return ["--no-defaults", f"--host={address()}", f"--port={port(3306)}", "--user=app"]
    return ["-h", address(), "-p", port(6379)] if command == "redis-cli" else []


# --- walls

_CREATE, _ADD, _RESTRICT = 444, 445, 446  # the system calls of Landlock, the same on all architectures
_PR_SET_NO_NEW_PRIVS, _O_PATH = 38, 0o10000000
# <linux/landlock.h>: LANDLOCK_ACCESS_FS_*
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _REFER, _TRUNCATE = 1, 2, 4, 8, 1 << 13, 1 << 14
_ALL = (1 << 13) - 1
_FILE = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE
# What a server or client reads of the machine: its libraries, its own data files, names and zones.
_READ = ("/usr/lib", "/usr/lib64", "/usr/share", "/usr/local/lib", "/lib", "/lib64", "/proc", "/sys/devices/system",
         "/etc/ld.so.cache", "/etc/localtime", "/etc/passwd", "/etc/group", "/etc/nsswitch.conf", "/etc/ssl",
         "/etc/hosts", "/dev/urandom", "/dev/random", "/dev/zero")  # fmt: skip
_LOADERS = ("/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1", "/lib/ld-linux-riscv64-lp64d.so.1")


def confine(programs: Iterable[Path]) -> None:
    """From now on: of the machine's programs only ``programs``, of its files only those that all may see.

    The pod's directory and its volumes stay open. Ends the program where the kernel cannot do that.
    """
    library = ctypes.CDLL(None, use_errno=True)
    version = library.syscall(_CREATE, None, 0, 1) if sys.platform == "linux" else 0
    if version < 2:
        sys.exit("databases run only where the kernel has Landlock (Linux 5.19 or newer, enabled)")
    handled = _ALL | _REFER | (_TRUNCATE if version >= 3 else 0)
    rules = library.syscall(_CREATE, struct.pack("=Q", handled), 8, 0)
    own = [value for name, value in os.environ.items() if name == "POD_ROOT" or name.startswith("VOLUME_")]
    for paths, rights in (
        (_READ, _READ_FILE | _READ_DIR),
        ([*map(str, programs), *_LOADERS], _EXECUTE | _READ_FILE),
        ([*own, "/dev/shm", "/dev/null", "/dev/tty"], handled & ~_EXECUTE),
    ):
        for path in paths:
            _allow(library, rules, path, rights & handled)
    library.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if rules < 0 or library.syscall(_RESTRICT, rules, 0):
        sys.exit(f"the walls around the server cannot be built: {os.strerror(ctypes.get_errno())}")
    os.close(rules)


def _allow(library: ctypes.CDLL, rules: int, path: str, rights: int) -> None:
    try:
        place = os.open(path, _O_PATH | os.O_CLOEXEC)
    except OSError:  # not every machine has each of them
        return
    rights &= ~0 if os.path.isdir(path) else _FILE
    library.syscall(_ADD, rules, 1, struct.pack("=Qi", rights, place), 0)
    os.close(place)
