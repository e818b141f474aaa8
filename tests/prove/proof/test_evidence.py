"""What a real proof leaves for an auditor: its record is exported, verified, and its page has what was asked for."""

from __future__ import annotations

import hashlib
import re
from html import unescape

import msgspec
import pytest

from lazarus_tui.evidence import verifier
from lazarus_tui.evidence.bundle import export
from tests.prove.proof.trial import trial
from tests.snapshots.stage import SPACE


def cells(page: str) -> dict[str, str]:
    """The two-column tables of a page."""
    rows = re.findall(r"<tr><th>([^<]*)</th><td>(.*?)</td></tr>", page)
    return {unescape(key): unescape(re.sub(r"<[^>]+>", "", value)) for key, value in rows}


async def test_the_record_of_a_proof_on_its_way_to_an_auditor(monkeypatch: pytest.MonkeyPatch) -> None:
    async with trial(monkeypatch) as ground:
        done = await ground.proven(policy="nightly", rto_seconds=3600)
        assert ground.engine is not None
        store = ground.engine.around.evidence
        rows = await store.list()
        [row] = rows
        assert (row.operation, row.kind, row.verdict, row.about) == (done.id, "prove.run", "PASSED", SPACE)
        record = msgspec.json.decode(store.read(row))
        assert record["not_captured"] == []
        log = record["restore_log"]
        assert (log["bytes"], log["lines"], log["cut"]) == (len(log["text"].encode()), log["text"].count("\n"), False)
        assert log["sha256"] == hashlib.sha256(log["text"].encode()).hexdigest()
        assert "starting restore" in log["text"]
        assert not list((ground.folder / "manifests").glob("*"))
        assert record["facts"]["restore.phase"] == "Completed"
        folder = ground.folder / "bundle"
        exported = export(store, rows, folder, (), "test")
        report = verifier.verify(str(folder), head=exported.head)
        assert (report.code(), report.code(allow_unsigned=True), report.wrong) == (4, 0, [])
        page = (folder / "pages" / f"{row.id}.html").read_text()
        told = cells(page)
        silent = {key for key, value in told.items() if unknown(value)}
        assert silent <= {"reviewed by", "watermark", "measured to", "measured", "hash of the policy"}, silent
        assert told["policy"] == "nightly"
        assert told["shown clean"] == "yes"
        assert told["objective (RTO)"] == "3600.0 s: met"
        assert told["signature"] == "NOT SIGNED: no key is configured (evidence.key)"
        for words in (
            "shown closed: yes",
            "the API server",
            "every volume was read back",
            "Make the quarantine",
            "<svg",
        ):
            assert words in page, words


def unknown(value: str) -> bool:
    return value.startswith("not recorded")
