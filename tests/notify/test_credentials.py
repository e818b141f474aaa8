"""A secret is where its reference says, readable by nobody else, or it is refused with what mends it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from lazarus_tui.kube.errors import Forbidden
from lazarus_tui.notify.credentials import MAX_BYTES, CredentialMissing, look_up

CANARY = "Canary9zQ4LmXw7Kp2"


async def nothing(namespace: str, name: str, key: str) -> str | None:
    return None


async def refused(reference: str, read: Any = nothing, **environ: str) -> str:
    with pytest.raises(CredentialMissing) as caught:
        await look_up(reference, read, environ)
    said = f"{caught.value.what} {caught.value.hint} {caught.value!r}"
    assert CANARY not in said
    return said


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "key"
    found.write_text(f"{CANARY}\n")
    found.chmod(0o600)
    return found


async def test_of_the_environment_a_file_and_a_secret(file: Path) -> None:
    async def read(namespace: str, name: str, key: str) -> str | None:
        return f"{namespace}/{name}/{key}"

    assert await look_up("env:KEY", nothing, {"KEY": f" {CANARY} "}) == CANARY
    assert await look_up(f"file:{file}", nothing) == CANARY
    assert await look_up("secret:lazarus/hook/hmac", read) == "lazarus/hook/hmac"


async def test_what_is_not_there_says_where_it_was_looked_for(tmp_path: Path) -> None:
    assert "environment variable KEY" in await refused("env:KEY")
    assert f"{tmp_path}/none" in await refused(f"file:{tmp_path}/none")
    assert "key hmac of Secret lazarus/hook" in await refused("secret:lazarus/hook/hmac")


@pytest.mark.parametrize(
    "value", ["", "  ", f"{CANARY}\n{CANARY}", f"{CANARY}\x07", f"{CANARY}é", "x" * (MAX_BYTES + 1)]
)
async def test_what_is_no_single_line_is_not_used(value: str) -> None:
    assert "no single line" in await refused("env:KEY", KEY=value)


async def test_a_file_that_others_can_read_is_not_read(file: Path) -> None:
    file.chmod(0o640)
    assert f"chmod 600 {file}" in await refused(f"file:{file}")


async def test_a_file_behind_a_link_a_folder_and_bytes_are_not_read(file: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    os.symlink(file, link)
    assert "symbolic link" in await refused(f"file:{link}")
    assert "not a regular file" in await refused(f"file:{tmp_path}")
    file.write_bytes(b"\xff\xfe" + CANARY.encode())
    assert "no single line" in await refused(f"file:{file}")


async def test_a_secret_that_may_not_be_read_names_the_right(file: Path) -> None:
    async def forbidden(namespace: str, name: str, key: str) -> str | None:
        raise Forbidden("secrets is forbidden", status=403, hint="ask for get secrets in lazarus")

    said = await refused("secret:lazarus/hook/hmac", forbidden)
    assert "secrets is forbidden" in said
    assert "get secrets" in said
