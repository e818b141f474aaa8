"""Velero's log of a restore outlives Velero's own: bounded, without secrets, under the hash of the whole."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from lazarus_tui.kube.errors import Forbidden, NotSent
from lazarus_tui.model.steps import Halted, StepStopped
from lazarus_tui.prove.proof.restore_log import HEAD, LOG, TAIL, capture, excerpt, forget, of_record

CANARY = "Canary9zQ4LmXw7Kp2"
PARAMS = {"source": "velero", "velero": "velero"}
ENDED = {"restore.name": "lazarus-proof-1", "restore.phase": "Completed"}


class Context:
    """``log``: what Velero gives, or what it does instead."""

    def __init__(self, log: bytes | Exception, full: bool = False, **facts: Any) -> None:
        self.op, self.log, self.full = "op", log, full
        self.facts: dict[str, Any] = {**ENDED, **facts}
        self.documents: dict[str, Any] = {}
        self.asked: list[tuple[str, str, str]] = []

    async def artefact(self, velero: str, kind: str, name: str) -> bytes:
        self.asked.append((velero, kind, name))
        if isinstance(self.log, Exception):
            raise self.log
        return self.log

    async def keep(self, name: str, record: Any) -> str:
        if self.full:
            raise OSError(28, "No space left on device")
        self.documents[name] = record
        return name

    async def kept(self, name: str) -> Any:
        return self.documents.get(name)

    async def forget(self, name: str) -> None:
        self.documents.pop(name, None)


async def test_a_log_is_kept_whole_under_its_hash_until_the_record_has_it() -> None:
    log = f'level=info msg="restoring"\nlevel=info msg="token={CANARY}"\n'.encode()
    context: Any = Context(log)
    context.facts |= await capture(context, PARAMS)
    assert context.asked == [("velero", "RestoreLog", "lazarus-proof-1")]
    found = await of_record(context)
    assert found is not None
    assert found.pop("text").splitlines()[0] == 'level=info msg="restoring"'
    assert found == {
        "restore": "lazarus-proof-1", "sha256": hashlib.sha256(log).hexdigest(), "bytes": len(log), "lines": 2,
        "cut": False,
    }  # fmt: skip
    assert CANARY not in str(context.documents) + str(context.facts)
    await forget(context)
    assert context.documents == {}


@pytest.mark.parametrize("lines", [5_000, 25_000])
def test_of_a_long_one_the_first_and_the_last_lines_are_kept_and_no_secret(lines: int) -> None:
    log = "".join(f'level=info msg="item {n} of all" password={CANARY} at=here\n' for n in range(lines)).encode()
    text, cut = excerpt(log)
    assert cut
    assert len(text.encode()) <= HEAD + TAIL + 100
    assert text.startswith('level=info msg="item 0 of all"')
    assert text.endswith(f'msg="item {lines - 1} of all" password=[redacted] at=here\n')
    [between] = [line for line in text.splitlines() if "left out" in line]
    assert between.startswith("[about ")
    assert between.endswith(f" of {len(log)} bytes are left out]")
    assert all(line.startswith("level=info msg=") for line in text.splitlines() if line != between)
    assert CANARY not in text


@pytest.mark.parametrize(
    ("log", "words"),
    [
        (StepStopped("RestoreLog of r could not be read: there is no RestoreLog in the bucket"), "in the bucket"),
        (Forbidden("no", status=403), "no"),
    ],
)
async def test_a_log_that_cannot_be_had_is_said_and_keeps_nothing_from_going_on(log: Exception, words: str) -> None:
    context: Any = Context(log)
    found = await capture(context, PARAMS)
    assert words in found[LOG]["unread"]
    context.facts |= found
    assert await of_record(context) is None


async def test_a_disk_without_room_is_said() -> None:
    found = await capture(Context(b"x", full=True), PARAMS)  # type: ignore[arg-type]
    assert found[LOG]["unread"] == "it could not be kept: No space left on device"


@pytest.mark.parametrize("error", [NotSent("away"), Halted("the gate is closed")])
async def test_what_may_pass_is_waited_for(error: Exception) -> None:
    with pytest.raises(type(error)):
        await capture(Context(error), PARAMS)  # type: ignore[arg-type]


async def test_nothing_is_asked_for_where_there_was_no_restore_that_ended() -> None:
    for params, facts in (
        ({"source": "snapshots"}, {}),
        (PARAMS, {"restore.name": ""}),
        (PARAMS, {"restore.phase": None}),
    ):
        context: Any = Context(b"x", **facts)
        assert await capture(context, params) == {}
        assert context.asked == []


@pytest.mark.parametrize("closed", [True, False])
def test_a_key_that_begins_before_the_last_part_that_is_looked_at_is_hidden_to_its_end(closed: bool) -> None:
    key = b"-----BEGIN PRIVATE KEY-----\n" + b"SECRET0123\n" * 60_000
    end = b"-----END PRIVATE KEY-----\n" + b"restored\n" * 9 if closed else b""
    text, cut = excerpt(b"line\n" * 240_000 + key + end)
    assert cut
    assert "SECRET" not in text
    assert ("restored" in text) is closed
