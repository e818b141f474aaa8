"""Where Lazarus keeps its state, and the rules for what it finds there (reference: reliability §5.4).

Everything below the state root is private to one user: folders 0700, files 0600, no symbolic links, nothing owned by
somebody else. A path that breaks a rule is refused with the command that mends it; nothing is loosened or followed.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path

# sun_path is 108 bytes on Linux and 104 on macOS; 100 leaves room for the terminating zero everywhere.
MAX_SOCKET_PATH = 100


class UnsafePath(Exception):
    """A file or folder that others could read, change or have planted. ``hint`` is what mends it."""

    def __init__(self, what: str, *, hint: str = "") -> None:
        super().__init__(what)
        self.what, self.hint = what, hint


def state_base(env: Mapping[str, str] | None = None) -> Path:
    """``$LAZARUS_STATE``, else ``$XDG_STATE_HOME/lazarus``, else ``~/.local/state/lazarus``; always absolute."""
    env = os.environ if env is None else env
    if env.get("LAZARUS_STATE"):
        return Path(os.path.abspath(os.path.expanduser(env["LAZARUS_STATE"])))
    xdg = env.get("XDG_STATE_HOME", "")
    # The XDG specification says that relative values are to be ignored.
    home = Path(xdg) if os.path.isabs(xdg) else Path.home() / ".local" / "state"
    return home / "lazarus"


class StateRoot:
    """The state of the ordinary engine (``main``) or of the sandbox engine (``sandbox``), each with its own files."""

    def __init__(self, sandbox: bool, *, env: Mapping[str, str] | None = None) -> None:
        self._env: Mapping[str, str] = dict(os.environ if env is None else env)
        self.sandbox = sandbox
        self.base = state_base(self._env)
        self.home = self.base / ("sandbox" if sandbox else "main")

    @property
    def journal(self) -> Path:
        return self.home / "engine.db"

    @property
    def log(self) -> Path:
        return self.home / "engine.log"

    @property
    def evidence(self) -> Path:
        return self.home / "evidence"

    @property
    def cluster(self) -> Path:
        """Folder of the sandbox cluster itself, whichever engine asks."""
        return self.base / "sandbox" / "cluster"

    @property
    def socket(self) -> Path:
        """The engine's Unix socket, at most 100 bytes long."""
        return _short_enough(self._socket_choices())

    def _socket_choices(self) -> list[Path]:
        key = hashlib.sha256(os.fsencode(self.home)).hexdigest()[:8]
        runtime = self._env.get("XDG_RUNTIME_DIR", "")
        choices = [Path(runtime) / "lazarus" / f"{key}.sock"] if os.path.isabs(runtime) and _usable(runtime) else []
        choices.append(self.home / "run" / "engine.sock")
        choices.append(Path(tempfile.gettempdir()) / f"lazarus-{os.getuid()}-{key}" / "engine.sock")
        return choices

    def ensure(self) -> StateRoot:
        """Make the folders that are missing, 0700, and check those that are there; raises ``UnsafePath``."""
        try:
            self.base.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _make(self.base)
        except OSError as error:
            what = f"the state folder {self.base} cannot be made: {error.strerror} ({error.filename})"
            raise UnsafePath(what, hint="set LAZARUS_STATE to a folder that you can write to") from error
        _check_folder(self.base, others=0o022)
        for folder in (self.home, self.evidence, self.socket.parent):
            private_folder(folder)
        return self


def private_folder(path: Path) -> Path:
    """``path`` as an own 0700 folder, made if missing (its parent must exist); raises ``UnsafePath``."""
    _make(path)
    _check_folder(path, others=0o077)
    return path


def private_open(path: Path, flags: int) -> int:
    """A file descriptor on a private regular file; new files are 0600. Raises ``UnsafePath`` or ``OSError``."""
    try:
        fd = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if path.is_symlink():
            raise UnsafePath(f"{path} is a symbolic link", hint=f"remove it: rm {path}") from error
        raise
    try:
        _check(path, os.fstat(fd), stat.S_ISREG, "a regular file", 0o077, "600")
    except BaseException:
        os.close(fd)
        raise
    return fd


def check_private_file(path: Path) -> bool:
    """False when there is no such file; raises ``UnsafePath`` when it is not an own 0600 regular file."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return False
    _check(path, found, stat.S_ISREG, "a regular file", 0o077, "600")
    return True


def write_private(path: Path, data: bytes) -> None:
    """Replace a private file as a whole: a reader or a crash sees the old content or the new, never a part."""
    fd, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make renames and new names in a folder survive a power cut."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _usable(folder: str) -> bool:
    """Whether a runtime folder is really ours: a stale XDG_RUNTIME_DIR after su or sudo is common."""
    try:
        found = os.stat(folder)
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077


def _short_enough(choices: list[Path]) -> Path:
    for path in choices:
        if len(os.fsencode(path)) <= MAX_SOCKET_PATH:
            return path
    raise UnsafePath(
        f"no path for the engine's socket is short enough: {choices[-1]}", hint="set TMPDIR to a short path"
    )


def _make(path: Path) -> None:
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        return


def _check_folder(path: Path, *, others: int) -> None:
    _check(path, os.lstat(path), stat.S_ISDIR, "a folder", others, "700")


def _check(path: Path, found: os.stat_result, kind: object, word: str, others: int, mode: str) -> None:
    if stat.S_ISLNK(found.st_mode):
        raise UnsafePath(f"{path} is a symbolic link", hint="set LAZARUS_STATE to the real path")
    if not callable(kind) or not kind(found.st_mode):
        raise UnsafePath(f"{path} is not {word}", hint=f"move it away: mv {path} {path}.old")
    if found.st_uid != os.getuid():
        raise UnsafePath(
            f"{path} belongs to uid {found.st_uid}, not to you", hint="set LAZARUS_STATE to a folder of your own"
        )
    if found.st_mode & others:
        raise UnsafePath(f"{path} is open to others (mode {found.st_mode & 0o777:o})", hint=f"chmod {mode} {path}")
