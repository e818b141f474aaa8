"""State folders, journals and kubeconfigs as they should not be: one clear sentence, and nothing is overwritten."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from lazarus_tui.engine.process import ALREADY
from tests.faults.conftest import LAZARUS, PATIENCE, Field, until

NEWER = 9000


def sentences(field: Field, *words: str, code: int) -> list[str]:
    """What a command that is refused says: a sentence and what to do next, no more."""
    done = field.run(*words)
    assert (done.returncode, done.stdout) == (code, ""), done
    lines = done.stderr.splitlines()
    assert all(line.startswith("lazarus: ") for line in lines), lines
    assert len(lines) <= 2, lines
    assert "Traceback" not in done.stderr
    assert "defect" not in done.stderr
    return lines


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def private(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    path.chmod(0o600)
    return path


def test_a_damaged_journal_is_moved_aside_and_said_once(field: Field) -> None:
    junk = os.urandom(20_000)
    private(field.main.ensure().journal, junk)
    first = field.run("operation", "list")
    assert first.returncode == 0
    assert "the journal was damaged" in first.stderr
    assert "does not know earlier operations" in first.stderr
    assert field.run("operation", "list").stderr == ""
    (aside,) = field.main.home.glob("engine.db.corrupt-*")
    assert aside.read_bytes() == junk
    findings = json.loads(field.run("doctor", "-o", "json").stdout)
    assert any("was damaged" in json.dumps(each) for each in findings)
    assert "was damaged" in field.main.log.read_text()


def test_a_journal_of_a_newer_lazarus_is_left_alone(field: Field) -> None:
    assert field.run("operation", "list").returncode == 0
    assert field.run("engine", "stop").returncode == 0
    until(lambda: not field.engine(field.main))
    db = sqlite3.connect(field.main.journal)
    db.execute(f"PRAGMA user_version={NEWER}")
    db.close()
    before = digest(field.main.journal)
    what, following = sentences(field, "operation", "list", code=5)
    assert f"written by a newer Lazarus (format {NEWER}" in what
    assert "update Lazarus" in following
    assert digest(field.main.journal) == before


def test_a_second_engine_on_one_journal_is_told_and_the_first_goes_on(field: Field) -> None:
    assert field.run("operation", "list").returncode == 0
    pid = field.engine(field.main)
    words = [sys.executable, "-m", "lazarus_tui.engine.process", "run"]
    second = subprocess.run(words, env=field.env, capture_output=True, timeout=PATIENCE, check=False)
    assert (second.returncode, second.stderr) == (ALREADY, b"")
    assert "another engine" in field.main.log.read_text()
    assert field.engine(field.main) == pid


def test_a_disk_that_takes_no_journal_starts_nothing(field: Field) -> None:
    def no_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (16384, 16384))

    done = subprocess.run(
        [*LAZARUS, "operation", "list"], env=field.env, preexec_fn=no_room, capture_output=True, text=True,
        stdin=subprocess.DEVNULL, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode == 5
    assert "the engine cannot start: the journal" in done.stderr
    assert "next: look at: df " in done.stderr
    assert not field.main.journal.exists(), "there is no half a journal"
    assert field.run("operation", "list").returncode == 0, "with room it starts"


@pytest.mark.parametrize("sandbox", [False, True])
def test_a_state_folder_that_cannot_be_used_is_named(field: Field, sandbox: bool) -> None:
    words = ("sandbox", "up") if sandbox else ("operation", "list")
    state = field.main.base
    state.write_text("mine")
    assert "is not a folder" in sentences(field, *words, code=5)[0]
    assert state.read_text() == "mine"
    field.env["LAZARUS_STATE"] = str(state / "below")
    assert "cannot be made" in sentences(field, *words, code=5)[0]
    state.unlink()
    field.env["LAZARUS_STATE"] = str(state)
    state.mkdir()
    state.chmod(0o777)
    assert "open to others" in sentences(field, *words, code=5)[0]


KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: prod
contexts: [{name: prod, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: u, user: {token: canary-f00d}}]
"""


def test_a_kubeconfig_that_says_nothing_is_named_with_the_reason(field: Field) -> None:
    cases = {
        "": "names no context",
        "just words": "must be a mapping",
        "a: [": "not YAML",
        "apiVersion: v1\nkind: Config\n": "names no context",
    }
    path = field.folder / "config"
    for text, said in cases.items():
        private(path, text.encode())
        what, following = sentences(field, "--kubeconfig", str(path), "backup", "list", code=5)
        assert said in what, text
        assert str(path) in what, text
        assert "lazarus --sandbox" in following
    assert "no kubeconfig" in sentences(field, "--kubeconfig", str(path) + "-none", "backup", "list", code=5)[0]
    assert "no kubeconfig" in sentences(field, "backup", "list", code=5)[0]


def test_a_cluster_that_is_not_there_is_said_without_the_token(field: Field) -> None:
    path = private(field.folder / "config", KUBECONFIG.encode())
    field.env["LAZARUS_DEBUG"] = "1"
    done = field.run("--kubeconfig", str(path), "backup", "list")
    assert done.returncode == 4
    assert "127.0.0.1" in done.stderr
    assert field.run("--kubeconfig", str(path), "doctor", "--bundle", str(field.folder / "b.tar.gz")).returncode == 4
    for found in (done.stdout, done.stderr, *(p.read_text("latin-1") for p in field.main.home.rglob("*")
                                              if p.is_file())):  # fmt: skip
        assert "canary-f00d" not in found
