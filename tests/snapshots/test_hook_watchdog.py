"""Freezes that outlive their client: what really runs in a container, with programs that record what they are told.

The shell is the machine's own. ``sleep`` ends when the test says so, so no test waits for a watchdog's seconds.
"""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lazarus_tui.model.plan import PlanRefused
from lazarus_tui.snapshots.hooks.fsfreeze import placed
from lazarus_tui.snapshots.hooks.recipes import recipe
from lazarus_tui.snapshots.hooks.spec import STILL

PROGRAMS = {
    # As the kernel: one that is frozen cannot be frozen, one that is not cannot be thawed.
    "fsfreeze": """\
echo "$@" >>"$BOX/said"
frozen="$BOX/frozen$(echo "$2" | tr / _)"
case "$1" in
  --freeze) [ ! -e "$frozen" ] || { echo "fsfreeze: $2: freeze failed: Device or resource busy" >&2; exit 1; }
            : >"$frozen" ;;
  --unfreeze) [ ! -e "$BOX/stuck" ] || { echo "fsfreeze: $2: unfreeze failed: Operation not permitted" >&2; exit 1; }
              rm "$frozen" 2>/dev/null || { echo "fsfreeze: $2: unfreeze failed: Invalid argument" >&2; exit 1; } ;;
esac
""",
    # As mongosh on a mongod: the lock counts, and one that is not there cannot be taken away.
    "mongosh": """\
[ "$1 $2 $3" = "--quiet --nodb --eval" ] || exit 64
count=$(cat "$BOX/count" 2>/dev/null || echo 0)
case "$4" in
  *'adminCommand({fsync: 1, lock: true})'*)
    count=$((count+1))
    echo "lock $count" >>"$BOX/said"
    echo "lockCount $count" ;;
  *'adminCommand({fsyncUnlock: 1})'*)
    echo "unlock $count" >>"$BOX/said"
    if [ -e "$BOX/stuck" ]; then echo "MongoServerError: not authorized on admin to execute command" >&2; exit 1; fi
    if [ "$count" -gt 0 ]; then echo LAZARUS_STILL_LOCKED; fi
    count=0 ;;
esac
echo "$count" >"$BOX/count"
""",
    # A pause of a second is over at once.
    "sleep": '[ "$1" != 1 ] || exit 0; echo "sleep $1" >>"$BOX/said"; read line <"$BOX/time"; : "$line"\n',
}
# A program that reads files, and finds nothing in a process's words as often as a file ``blank`` has lines.
READER = """\
#!/bin/sh
for word; do
  case "$word" in
    /proc/*/cmdline) if [ -s "$BOX/blank" ]; then PATH=/usr/bin:/bin sed -i 1d "$BOX/blank"; exit 1; fi ;;
  esac
done
PATH=/usr/bin:/bin
exec "${0##*/}" "$@"
"""
# Real seconds after which something that should happen is taken for lost.
PATIENCE = 90
PLACES = {"fsfreeze": ("/proc",), "mongodb": ()}  # /proc: a whole file system wherever there is a Linux


class Box:
    """A container as far as hooks concern it."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        os.mkfifo(folder / "time")
        (folder / "bin").mkdir()
        for program, text in PROGRAMS.items():
            (folder / "bin" / program).write_text(f"#!/bin/sh\n{text}")
            (folder / "bin" / program).chmod(0o755)
        hooks, places = recipe(name, 30, 60), PLACES[name]
        self.pre, self.post = (self._here((*words, *places)) for words in (hooks.pre, hooks.post))

    def _here(self, words: tuple[str, ...]) -> list[str]:
        return [word.replace("/tmp/.lazarus", f"{self.folder}/.lazarus") for word in words]

    def run(self, words: list[str]) -> tuple[int, str]:
        env = {"PATH": f"{self.folder / 'bin'}:/usr/bin:/bin", "BOX": str(self.folder)}
        done = subprocess.run(words, capture_output=True, env=env, check=False, timeout=PATIENCE, text=True)
        return done.returncode, done.stdout + done.stderr

    @property
    def locked(self) -> bool:
        count = self.folder / "count"
        return bool(list(self.folder.glob("frozen*"))) or (count.exists() and count.read_text().strip() != "0")

    @property
    def watchdog(self) -> int:
        """Its process; 0 when none is at work."""
        found = self.folder / ".lazarus-watchdog"
        pid = int(found.read_text()) if found.exists() else 0
        return pid if pid and b"lazarus-watchdog" in _command(pid) else 0

    @contextmanager
    def ends(self) -> Iterator[None]:
        """The watchdog that is at work now is gone after what is done here. It is no child of ours."""
        pid = os.pidfd_open(self.watchdog)
        try:
            yield
            assert select.select([pid], [], [], PATIENCE)[0], "the watchdog never ended"
        finally:
            os.close(pid)

    def waits(self) -> None:
        """The watchdog is at its ``sleep``; it may only just have been begun."""
        said, deadline = self.folder / "said", time.monotonic() + PATIENCE
        while "sleep" not in said.read_text():
            assert time.monotonic() < deadline, "the watchdog never began to wait"
            time.sleep(0.005)

    def time_is_up(self) -> None:
        """The watchdog's ``sleep`` ends, and the watchdog with it; nobody else ran anything."""
        with self.ends():
            (self.folder / "time").write_text("over\n")


def _command(pid: int) -> bytes:
    """Its words. There are none for a moment while it turns into another program, and none once it has ended."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            found, stat = (Path(f"/proc/{pid}/{name}").read_bytes() for name in ("cmdline", "stat"))
        except OSError:
            return b""
        if found or b") Z " in stat:
            return found
        assert time.monotonic() < deadline, "it neither ends nor becomes another program"
        time.sleep(0.001)


@pytest.fixture(params=["fsfreeze", "mongodb"])
def box(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Box]:
    made = Box(tmp_path, request.param)
    yield made
    (tmp_path / "stuck").unlink(missing_ok=True)
    if made.watchdog:
        with made.ends():
            made.run(made.post)


def test_a_freeze_is_ended_by_its_post_hook_and_the_watchdog_goes(box: Box) -> None:
    code, said = box.run(box.pre)
    assert (code, box.locked) == (0, True), said
    box.waits()
    assert box.watchdog
    with box.ends():
        code, said = box.run(box.post)
        assert code == 0, said
    assert (box.locked, box.watchdog) == (False, 0)
    assert STILL in said
    assert "sleep 75" in (box.folder / "said").read_text(), "60 s of freeze, and a slow engine's 15"


@pytest.mark.parametrize("times", [1, 25])
def test_a_watchdog_that_has_no_words_yet_is_looked_at_again(box: Box, times: int) -> None:
    """The kernel has none for a process that turns into another program, which takes long where the machine is busy."""
    blank = box.folder / "blank"
    for program in ("cat", "grep"):
        (box.folder / "bin" / program).write_text(READER)
        (box.folder / "bin" / program).chmod(0o755)
    box.run(box.pre)
    blank.write_text("again\n" * times)
    with box.ends():
        code, said = box.run(box.post)
        assert code == 0, said
    assert blank.read_text() == "", "it was looked at"
    assert not box.locked


def test_a_watchdog_that_ended_and_was_never_waited_for_is_not_waited_for(box: Box) -> None:
    with subprocess.Popen(["true"]) as ended:
        os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)  # as in a container whose first process reaps nobody
        (box.folder / ".lazarus-watchdog").write_text(f"{ended.pid}\n")
        (box.folder / "bin" / "sleep").write_text('#!/bin/sh\ntouch "$BOX/slept"\n')
        assert box.run(box.post)[0] == 0
    assert not (box.folder / "slept").exists()
    assert not (box.folder / ".lazarus-watchdog").exists()


def test_whoever_thaws_again_is_told_that_it_was_thawed_and_gets_no_error(box: Box) -> None:
    box.run(box.pre)
    box.run(box.post)
    code, said = box.run(box.post)
    assert (code, STILL in said, box.locked) == (0, False, False)


def test_the_watchdog_thaws_when_nobody_else_does(box: Box) -> None:
    box.run(box.pre)
    box.time_is_up()
    assert not box.locked
    code, said = box.run(box.post)
    assert (code, STILL in said) == (0, False), "that the lock was lost must be seen"


def test_a_watchdog_that_an_earlier_freeze_left_does_not_end_the_next_one(box: Box) -> None:
    box.run(box.pre)
    first = box.watchdog
    with box.ends():
        code, _ = box.run(box.pre)  # a file system that is frozen stays so, whatever the second one is told
    assert (code == 0) == (box.name == "mongodb")
    assert box.watchdog not in (0, first)
    code, said = box.run(box.post)
    assert (code, STILL in said, box.locked) == (0, True, False), "every count is taken away"


def test_one_that_cannot_be_thawed_fails_and_keeps_its_watchdog(box: Box) -> None:
    box.run(box.pre)
    (box.folder / "stuck").touch()
    code, said = box.run(box.post)
    assert (code, box.locked, bool(box.watchdog)) == (1, True, True)
    assert "not permitted" in said or "not authorized" in said
    (box.folder / "stuck").unlink()
    assert box.run(box.post)[0] == 0


def test_the_number_of_another_process_in_the_file_is_left_alone(box: Box) -> None:
    (box.folder / ".lazarus-watchdog").write_text(f"{os.getpid()}\n")
    box.run(box.post)
    assert not (box.folder / ".lazarus-watchdog").exists()


@pytest.mark.parametrize(("path", "words"), [
    ("/", "is on the file system of the container itself"),
    ("/nowhere", "is no mount point in this container"),
])  # fmt: skip
def test_no_file_system_is_frozen_that_holds_more_than_the_volume(tmp_path: Path, path: str, words: str) -> None:
    made = Box(tmp_path, "fsfreeze")
    code, said = made.run([*made.pre[:-1], path])
    assert code == 1
    assert f"{path} {words}" in said
    assert not made.locked
    made.run(made.post)


def pod(*mounts: tuple[str, str]) -> dict[str, object]:
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "data-db-0"}}, {"name": "tmp", "emptyDir": {}}]
    found = [{"name": name, "mountPath": path} for name, path in mounts]
    return {"spec": {"volumes": volumes, "containers": [{"name": "db", "volumeMounts": found}]}}


def test_only_the_volumes_of_the_set_are_frozen() -> None:
    one = (pod(("data", "/data/"), ("tmp", "/tmp")), "db", ("data-db-0",))
    assert placed([one]) == ("/data",)
    with pytest.raises(PlanRefused, match="mounts no volume of the set"):
        placed([(pod(("tmp", "/tmp")), "db", ("data-db-0",))])
    with pytest.raises(PlanRefused, match="at different places"):
        placed([one, (pod(("data", "/var")), "db", ("data-db-0",))])
