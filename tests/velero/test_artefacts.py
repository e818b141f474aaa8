"""Downloads: one request, one URL, capped, cleaned up, and every failure in plain words."""

from __future__ import annotations

import gzip
import hashlib
import socket
import ssl
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lazarus_tui.model.estimates import from_runs
from lazarus_tui.model.steps import Outcome, Write
from lazarus_tui.velero import artefacts, estimate, explain, names
from lazarus_tui.velero.artefacts import ArtefactError, download, explain_download, unpack
from tests.velero.lab import VELERO, Lab


async def fetch(lab: Lab, kind: str = "BackupLog") -> bytes:
    return await download(lab, VELERO, kind, "b1", owner="me")


def left(lab: Lab) -> list[Any]:
    return [key for key in lab.world.objects if key[0] == "downloadrequests"]


async def test_it_is_unpacked_and_the_request_is_gone(lab: Lab) -> None:
    lab.world.artefacts[("BackupLog", "b1")] = gzip.compress(b"hello")
    assert await fetch(lab) == b"hello"
    assert left(lab) == []


async def test_contents_stay_packed(lab: Lab) -> None:
    data = gzip.compress(b"tar")
    lab.world.artefacts[("BackupContents", "b1")] = data
    assert await fetch(lab, "BackupContents") == data


async def test_a_server_that_never_answers_is_asked_twice_and_no_more(lab: Lab) -> None:
    lab.world.after_write = lambda write: None
    with pytest.raises(ArtefactError) as caught:
        await fetch(lab)
    assert caught.value.code == "unanswered"
    assert "storage location" in caught.value.hint
    assert 60 <= lab.clock.seconds < 70
    assert len({w.name for w in lab.world.writes if w.verb == "create"}) == 2
    assert left(lab) == []


async def test_the_new_servers_refusal_is_told(lab: Lab) -> None:
    def refuse(write: Write) -> None:
        if write.verb == "create":
            status = {"phase": "Failed", "message": "backup is New"}
            lab.world.objects[("downloadrequests", VELERO, write.name)]["status"] = status

    lab.world.after_write = refuse
    with pytest.raises(ArtefactError, match="backup is New"):
        await fetch(lab)


async def test_a_request_left_by_a_crash_is_used_again(lab: Lab) -> None:
    lab.world.artefacts[("BackupLog", "b1")] = b"plain"
    lab.world.outcomes = [Outcome.CONFLICT]
    lab.world.put(
        artefacts.DOWNLOAD_REQUESTS, _first_name(), spec={"target": {"kind": "BackupLog", "name": "b1"}},
        status={"downloadURL": "signed://BackupLog/b1"},
    )  # fmt: skip
    assert await fetch(lab) == b"plain"
    assert left(lab) == []


def _first_name() -> str:
    return f"lazarus-{hashlib.sha256(b'me/BackupLog/b1/1').hexdigest()[:16]}"


async def test_an_expired_url_is_asked_for_once_more(lab: Lab) -> None:
    lab.world.artefacts[("BackupLog", "b1")] = OSError("store answered 403")
    with pytest.raises(ArtefactError) as caught:
        await fetch(lab)
    assert caught.value.code == "expired"
    assert len(lab.fetched) == 2


@pytest.mark.parametrize(
    ("error", "code", "word"),
    [
        (OSError("store answered 404"), "absent", "no BackupLog"),
        (OSError("store answered 403"), "expired", "refused"),
        (socket.gaierror(-2, "Name or service not known"), "unreachable", "does not resolve"),
        (OSError("minio.velero.svc cannot be resolved from here"), "unreachable", "does not resolve"),
        (ssl.SSLCertVerificationError("self-signed"), "untrusted", "certificate"),
        (TimeoutError(), "unreachable", "in time"),
        (ConnectionRefusedError(111, "refused"), "unreachable", "refuses"),
        (OSError("?"), "unreachable", "cannot be read"),
    ],
)
def test_failed_downloads_in_plain_words(error: OSError, code: str, word: str) -> None:
    found = explain_download(error, "BackupLog")
    assert found.code == code
    assert word in found.what
    assert found.hint


def test_a_bomb_and_a_cut_are_refused() -> None:
    with pytest.raises(ArtefactError, match="larger than"):
        unpack(gzip.compress(b"0" * 100_000), limit=1000)
    with pytest.raises(ArtefactError, match="cut short"):
        unpack(gzip.compress(b"hello" * 100)[:-9])
    assert unpack(gzip.compress(b"a") + gzip.compress(b"b")) == b"ab"


@given(st.binary(max_size=200), st.integers(0, 200))
def test_no_bytes_raise_anything_else(data: bytes, cut: int) -> None:
    for candidate in (data, b"\x1f\x8b" + data, gzip.compress(data)[:cut]):
        try:
            assert len(unpack(candidate, limit=1000)) <= 1000
        except ArtefactError:
            continue


def test_results_are_grouped_by_what_differs_not_by_names() -> None:
    denied = [f'error restoring pods.x/shop/{n}: admission webhook "p" denied the request' for n in ("a1", "b2", "c3")]
    results = {
        "errors": {"velero": ["odd"], "namespaces": {"shop": denied}},
        "warnings": {"namespaces": {"shop": ["could not restore, Deployment:web already exists. Warning: different"]}},
    }
    groups = explain.grouped(results)
    assert [(g.severity, g.scope, g.count) for g in groups] == [
        ("error", "shop", 3), ("error", "velero", 1), ("warning", "shop", 1),
    ]  # fmt: skip
    assert "admission policy" in groups[0].words()
    assert groups[1].explanation is None
    assert groups[1].words() == "odd (in velero)"
    assert explain.kept_objects(results) == ["shop/Deployment/web"]


@pytest.mark.parametrize(
    "junk", [None, [], "x", {"errors": 3}, {"errors": {"namespaces": []}}, {"warnings": {"velero": None}}]
)
def test_results_of_other_shapes_do_no_harm(junk: Any) -> None:
    assert explain.grouped(junk) == []
    assert explain.kept_objects(junk) == []


@given(st.text(alphabet="abcdefghij-", min_size=1, max_size=300), st.text(alphabet="0123456789abcdef", min_size=8))
def test_names_fit_whatever_goes_in(backup: str, op: str) -> None:
    assert len(names.label_value(backup)) <= 63
    assert len(names.restore_name("a" + backup, op)) <= 63
    assert names.restore_name("a" + backup, op) == names.restore_name("a" + backup, op)
    assert names.valid(names.restore_name("a" + backup, op))


def test_no_runs_no_estimate() -> None:
    assert from_runs([], "x") is None
    assert estimate.seconds("2026-01-01T00:00:05Z", "2026-01-01T00:00:00Z") is None
    assert estimate.seconds("soon", "later") is None
