"""The fsfreeze recipe on a real file system of its own: ext4 in a file, mounted by the kernel of this machine.

Where the machine cannot mount one (no root, no loop devices) the same words are judged against a recording ``fsfreeze``
by tests/snapshots/test_hook_watchdog.py; here the test then says that this is all that was checked.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from lazarus_tui.snapshots.hooks.fsfreeze import fsfreeze
from lazarus_tui.snapshots.hooks.spec import STILL
from lazarus_tui.snapshots.hooks.watchdog import LATER

# Seconds after which the watchdog thaws in these tests; how long a test waits for what has to come.
LIMIT, PATIENCE = 3, 90.0
# The watchdog's clock: it writes down for how long it was asked to wait, and waits until the test lets that be over.
SLEEP = """\
#!/bin/sh
echo "$1" >>"${0%/*}/asked"
read -r over <"${0%/*}/over"
"""
# Appends and syncs a row, then says so: what it has said is on the disk, and a frozen file system stops it.
WRITER = """\
import os, sys, time
rows = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
n = 0
while True:
    n += 1
    os.write(rows, b"%d\\n" % n)
    os.fsync(rows)
    print(n, flush=True)
    time.sleep(0.005)
"""


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=PATIENCE)


@dataclass
class Disk:
    """``file`` holds the file system that is mounted at ``place``; "" for ``trouble``: it is."""

    file: Path
    place: Path
    trouble: str = ""

    def hook(self, words: Sequence[str], place: Path | None = None) -> tuple[int, str]:
        """As the engine runs it: by ``timeout``, with the mount point as the last word."""
        pid = f"{self.file.parent}/.lazarus"
        argv = [word.replace("/tmp/.lazarus", pid) for word in (*words, str(place or self.place))]
        done = run("timeout", "-k", "5", "30", *argv)
        return done.returncode, done.stdout + done.stderr

    def held(self, said: Callable[[], int]) -> int:
        """The number of rows on the frozen disk, once the last is said too: that is done after it was written."""
        count = len((self.place / "rows").read_text().split())
        until(lambda: said() >= count, "what was written is said")
        return count

    def rows_in_a_copy(self, name: str) -> tuple[int, list[int]]:
        """What a copy of the disk, made now, is like: the exit code of its check without any repair, and its rows."""
        copy = self.file.with_name(name)
        shutil.copyfile(self.file, copy)
        clean = run("e2fsck", "-f", "-n", str(copy)).returncode
        where = self.file.with_name(f"{name}.mounted")
        where.mkdir()
        assert run("mount", "-o", "loop,ro,noload", str(copy), str(where)).returncode == 0
        try:
            return clean, [int(row) for row in (where / "rows").read_text().split()]
        finally:
            run("umount", str(where))


@pytest.fixture
def disk(tmp_path: Path, record_property: Callable[[str, object], None]) -> Iterator[Disk]:
    found = Disk(tmp_path / "disk", tmp_path / "mounted")
    found.place.mkdir()
    with found.file.open("wb") as file:
        file.truncate(32 << 20)
    made = run("mkfs.ext4", "-q", str(found.file))
    mounted = run("mount", "-o", "loop", str(found.file), str(found.place)) if made.returncode == 0 else made
    if mounted.returncode:
        found.trouble = (mounted.stderr or mounted.stdout).strip()
        record_property("counts", f"fsfreeze: not tried on a file system: {found.trouble}; its words were")
    try:
        yield found
    finally:
        run("fsfreeze", "--unfreeze", str(found.place))
        run("umount", str(found.place))


class Waits:
    """Stands for ``sleep`` in a folder that comes first where commands are looked for."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.env = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
        self._asked = folder / "asked"
        (folder / "sleep").write_text(SLEEP)
        (folder / "sleep").chmod(0o755)
        os.mkfifo(folder / "over")
        self._over = os.open(folder / "over", os.O_RDWR)

    def asked(self) -> list[str]:
        return self._asked.read_text().split() if self._asked.exists() else []

    def let_go(self) -> None:
        os.write(self._over, b"\n")

    def close(self) -> None:
        os.close(self._over)


@contextlib.contextmanager
def writing(disk: Disk) -> Iterator[Callable[[], int]]:
    """Rows are written all the while; what is given says how many are on the disk by now."""
    said = disk.file.with_name("said")
    with said.open("wb") as out:
        one = subprocess.Popen([sys.executable, "-c", WRITER, str(disk.place / "rows")], stdout=out)

    def rows() -> int:
        lines = said.read_text().split("\n")[:-1]
        return int(lines[-1]) if lines else 0

    try:
        until(lambda: rows() > 10, "rows are written")
        yield rows
    finally:
        one.kill()
        one.wait(30)


def until(seen: Callable[[], bool], what: str) -> None:
    began = time.monotonic()
    while not seen():
        assert time.monotonic() - began < PATIENCE, f"never: {what}"
        time.sleep(0.02)


def test_what_is_cut_while_it_is_frozen_is_whole_and_holds_every_row_until_then(
    disk: Disk, record_property: Callable[[str, object], None]
) -> None:
    if disk.trouble:
        return assert_words(disk)
    hooks = fsfreeze(30, 60)
    with writing(disk) as rows:
        code, said = disk.hook(hooks.pre)
        assert code == 0, said
        before = disk.held(rows)
        clean, found = disk.rows_in_a_copy("frozen")
        assert rows() == before, "nobody writes while it is frozen"
        code, said = disk.hook(hooks.post)
        assert (code, STILL in said) == (0, True), said
        until(lambda: rows() > before, "rows are written again")
    assert clean == 0, "nothing had to be repaired"
    assert found[:before] == list(range(1, before + 1))
    assert len(found) <= before + 1
    assert disk.hook(hooks.post) == (0, ""), "whoever thaws it again gets no error, and proves nothing"
    record_property("counts", f"fsfreeze: a copy of the frozen ext4 is clean, {len(found)} rows of {before} answered")
    return None


def test_the_watchdog_thaws_when_whoever_froze_it_is_killed(
    disk: Disk, record_property: Callable[[str, object], None]
) -> None:
    if disk.trouble:
        return assert_words(disk)
    hooks = fsfreeze(1, LIMIT - LATER)
    with contextlib.closing(Waits(disk.file.with_name("waits"))) as waits, writing(disk) as rows:
        # Whoever began it is killed with everything of its process group, as soon as it is frozen.
        text = hooks.pre[2].replace("/tmp/.lazarus", f"{disk.file.parent}/.lazarus") + "\necho frozen\nread -r over\n"
        words = ["sh", "-c", text, *hooks.pre[3:], str(disk.place)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with subprocess.Popen(words, **pipes, start_new_session=True, text=True, env=waits.env) as engine:
            assert engine.stdout is not None
            assert engine.stdout.readline() == "frozen\n"
            os.killpg(engine.pid, signal.SIGKILL)
        before = disk.held(rows)
        until(lambda: bool(waits.asked()), "the watchdog waits")
        assert waits.asked() == [str(LIMIT)], "seconds"
        time.sleep(LIMIT - 1)
        assert rows() == before, "nobody thaws it sooner"
        waits.let_go()
        until(lambda: rows() > before, "rows are written again")
    code, said = disk.hook(hooks.post)
    assert (code, STILL in said) == (0, False), "that it was thawed before is not hidden"
    record_property("counts", f"fsfreeze: rows again after its limit of {LIMIT} s, by the watchdog alone")
    return None


def test_a_folder_of_a_larger_file_system_is_not_frozen(disk: Disk) -> None:
    if disk.trouble:
        return assert_words(disk)
    hooks, part = fsfreeze(30, 60), disk.file.with_name("part")
    (disk.place / "sub").mkdir()
    part.mkdir()
    assert run("mount", "--bind", str(disk.place / "sub"), str(part)).returncode == 0
    try:
        code, said = disk.hook(hooks.pre, part)
        assert (code, "is a folder (/sub) of a file system that holds more" in said) == (1, True), said
        (disk.place / "still").write_text("writable")
        assert disk.hook(hooks.post, part)[0] == 0
    finally:
        run("umount", str(part))
    return None


def assert_words(disk: Disk) -> None:
    """What is left to check without a mount: nothing that is no mount point is frozen."""
    code, said = disk.hook(fsfreeze(30, 60).pre)
    assert (code, f"{disk.place} is no mount point in this container" in said) == (1, True), said
    disk.hook(fsfreeze(30, 60).post)
