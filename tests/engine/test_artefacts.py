"""Artefacts as they are shown: bounded, redacted, never extracted, and damage is a sentence."""

from __future__ import annotations

import gzip
import io
import tarfile
import threading
from typing import Any

import pytest

from lazarus_tui.engine import artefacts
from lazarus_tui.engine.artefacts import KINDS, Artefacts, names_in, present
from lazarus_tui.engine.errors import Refused
from lazarus_tui.sandbox.clock import VirtualClock


def tarball(*names: str) -> bytes:
    out = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=out, mode="wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as archive,
    ):
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = 2
            archive.addfile(info, io.BytesIO(b"{}"))
        folder = tarfile.TarInfo("metadata")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        link = tarfile.TarInfo("evil")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return out.getvalue()


def test_contents_are_names_of_files_alone() -> None:
    assert names_in(tarball("resources/b.json", "../../../etc/cron.d/x", "metadata/version")) == [
        "../../../etc/cron.d/x",
        "metadata/version",
        "resources/b.json",
    ]


def test_a_log_is_text_without_secrets() -> None:
    found = present("BackupLog", b'level=info msg="ok"\npassword=hunter2secret\n\xff\xfe')
    assert "hunter2secret" not in found["text"]
    assert found["text"].count("\n") == 2


def test_results_are_json_without_secrets() -> None:
    found = present("BackupResults", b'{"errors":{"velero":["x"]},"token":"sesame-sesame"}')
    assert found["json"]["errors"] == {"velero": ["x"]}
    assert "sesame-sesame" not in str(found)
    assert present("RestoreResults", b"")["json"] is None


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("BackupResults", b"<html>login</html>"),
        ("BackupResults", b"[" * 100_000),
        ("BackupContents", b"not a tarball at all, but long enough to look like one" * 40),
        ("BackupContents", gzip.compress(b"x" * 600, mtime=0)),
        ("BackupContents", tarball("a")[:60]),
        ("BackupContents", b"\x1f\x8b\x08junk"),
    ],
)
def test_damage_is_a_sentence(kind: str, body: bytes) -> None:
    with pytest.raises(Refused) as caught:
        present(kind, body)
    assert caught.value.code == "unreachable"
    assert len(caught.value.what) < 200


def test_a_bomb_costs_what_the_limit_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artefacts, "MAX_NAMES", 5)
    assert len(names_in(tarball(*(f"f{n}" for n in range(50))))) == 5


class Somewhere:
    """A context with one backup, finished unless ``phase`` says else."""

    cluster_uid, context, velero = "u", "c", "velero"
    phase = "Completed"

    @property
    def cluster(self) -> Somewhere:
        return self

    async def get(self, *_: Any, **__: Any) -> dict[str, Any]:
        return {"metadata": {"uid": "1"}, "status": {"phase": self.phase}}


async def test_what_takes_long_to_read_is_read_beside_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = list[threading.Thread]()

    def shown(kind: str, body: bytes) -> dict[str, Any]:
        threads.append(threading.current_thread())
        return {"text": body.decode()}

    async def downloaded(*_: Any) -> bytes:
        return b"a log"

    monkeypatch.setattr(artefacts, "present", shown)
    monkeypatch.setattr(Artefacts, "_download", downloaded)
    found = Artefacts(VirtualClock(), fetch=downloaded, gate=lambda *_: None)
    assert await found.get(Somewhere(), "BackupLog", "b") == {"text": "a log"}
    assert await found.get(Somewhere(), "BackupLog", "b") == {"text": "a log"}
    [thread] = threads  # the second answer is the first one's
    assert thread is not threading.current_thread()


@pytest.mark.parametrize(
    "phase", ["InProgress", "WaitingForPluginOperations", "WaitingForPluginOperationsPartiallyFailed", "Finalizing",
              "FinalizingPartiallyFailed"],
)  # fmt: skip
async def test_what_is_read_of_an_unfinished_backup_is_not_its_last_word(
    monkeypatch: pytest.MonkeyPatch, phase: str
) -> None:
    bodies = iter((b'{"errors":{}}', b'{"errors":{"velero":["the upload failed"]}}'))

    async def downloaded(*_: Any) -> bytes:
        return next(bodies)

    monkeypatch.setattr(Artefacts, "_download", downloaded)
    found, where = Artefacts(VirtualClock(), fetch=downloaded, gate=lambda *_: None), Somewhere()
    where.phase = phase
    assert await found.get(where, "BackupResults", "b") == {"json": {"errors": {}}}
    where.phase = "PartiallyFailed"
    assert await found.get(where, "BackupResults", "b") == {"json": {"errors": {"velero": ["the upload failed"]}}}


def test_every_kind_has_a_form() -> None:
    assert set(KINDS.values()) == {"text", "json", "names"}
    assert all(kind.startswith(("Backup", "Restore")) for kind in KINDS)
