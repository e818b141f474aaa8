"""State below the root is private, and a planted or loose path is refused with the way out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lazarus_tui.model.paths import (
    MAX_SOCKET_PATH,
    StateRoot,
    UnsafePath,
    check_private_file,
    private_open,
    state_base,
    write_private,
)


def root(tmp_path: Path, sandbox: bool = False, **env: str) -> StateRoot:
    return StateRoot(sandbox, env={"LAZARUS_STATE": str(tmp_path / "state"), **env})


def mode(path: Path) -> int:
    return path.lstat().st_mode & 0o777


def test_the_two_engines_share_a_base_and_nothing_else(tmp_path: Path) -> None:
    main, sandbox = root(tmp_path).ensure(), root(tmp_path, sandbox=True).ensure()
    assert main.base == sandbox.base
    assert main.cluster == sandbox.cluster == main.base / "sandbox" / "cluster"
    for name in ("journal", "log", "socket", "evidence"):
        assert getattr(main, name) != getattr(sandbox, name)


def test_folders_are_made_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        found = root(tmp_path).ensure()
    finally:
        os.umask(before)
    assert {mode(p) for p in (found.base, found.home, found.evidence)} == {0o700}


def test_base_follows_xdg_and_ignores_relative_values() -> None:
    assert state_base({"XDG_STATE_HOME": "/x/state"}) == Path("/x/state/lazarus")
    assert state_base({"XDG_STATE_HOME": "state"}) == Path.home() / ".local" / "state" / "lazarus"
    assert state_base({"LAZARUS_STATE": "/a/../b"}) == Path("/b")


def test_an_open_folder_is_refused_with_the_command_that_mends_it(tmp_path: Path) -> None:
    found = root(tmp_path).ensure()
    found.home.chmod(0o750)
    with pytest.raises(UnsafePath) as refused:
        found.ensure()
    assert refused.value.hint == f"chmod 700 {found.home}"
    assert mode(found.home) == 0o750, "nothing is changed behind the owner's back"


def test_a_planted_symlink_is_never_followed(tmp_path: Path) -> None:
    found = root(tmp_path).ensure()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("untouched")
    elsewhere.chmod(0o600)
    found.journal.symlink_to(elsewhere)
    with pytest.raises(UnsafePath, match="symbolic link"):
        os.close(private_open(found.journal, os.O_RDWR | os.O_CREAT))
    with pytest.raises(UnsafePath, match="symbolic link"):
        check_private_file(found.journal)
    assert elsewhere.read_text() == "untouched"


def test_a_file_readable_by_others_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "engine.db"
    path.write_bytes(b"x")
    path.chmod(0o640)
    with pytest.raises(UnsafePath, match="open to others"):
        check_private_file(path)


def test_write_private_replaces_the_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    write_private(path, b"old and long")
    write_private(path, b"new")
    assert path.read_bytes() == b"new"
    assert mode(path) == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["record.json"]


def test_socket_prefers_the_runtime_folder_only_if_it_is_ours(tmp_path: Path) -> None:
    runtime = tmp_path / "r"
    runtime.mkdir(mode=0o700)
    assert root(tmp_path, XDG_RUNTIME_DIR=str(runtime)).socket.parent == runtime / "lazarus"
    runtime.chmod(0o755)
    assert root(tmp_path, XDG_RUNTIME_DIR=str(runtime)).socket.parent != runtime / "lazarus"


@pytest.mark.parametrize("length", [1, 60, 200])
def test_socket_path_fits_any_unix(tmp_path: Path, length: int) -> None:
    deep = StateRoot(False, env={"LAZARUS_STATE": str(tmp_path / ("d" * length))})
    assert len(os.fsencode(deep.socket)) <= MAX_SOCKET_PATH
