"""``lazarus evidence``: what the engine answers, what is printed, and the exit codes that others rely on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest
from click.testing import CliRunner
from msgspec import structs

from lazarus_tui.cli.evidence import evidence
from lazarus_tui.engine.errors import Refused
from lazarus_tui.engine.evidence_calls import EvidenceCalls, ExportParams
from lazarus_tui.engine.service import Service
from lazarus_tui.evidence import EvidenceStore
from lazarus_tui.evidence.signing import Signer
from lazarus_tui.evidence.verifier import fingerprint
from lazarus_tui.journal import Journal
from lazarus_tui.link.codec import LinkFault
from lazarus_tui.link.protocol import exit_code
from lazarus_tui.model.operation import Operation, OpState
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.sandbox.clock import VirtualClock
from tests.evidence.keys import public_line, write_key
from tests.evidence.records import HOSTILE, proof
from tests.notify.office import operation


class Answers:
    """A session whose engine answers from what is given."""

    def __init__(self, **answers: Any) -> None:
        self.answers, self.asked = answers, list[tuple[str, dict[str, Any]]]()

    def call(self, method: str, params: dict[str, Any], type: Any, **_: Any) -> Any:
        self.asked.append((method, params))
        return self.answers[method.replace(".", "_")]


DONE = operation(1, OpState.DONE, verdict=Verdict.PASSED, facts={"evidence": "/state/evidence/1-1.json"})


async def late(prefix: str) -> Operation:
    return structs.replace(DONE, id=prefix)


async def test_missing_evidence_is_asked_for_by_its_proof(place: Path, journal: Journal) -> None:
    calls = EvidenceCalls(EvidenceStore(place / "evidence", journal, VirtualClock()), late)
    kind, ask = calls.methods["evidence.write"]
    found = await ask(None, kind(id="ab"))
    answers = Answers(evidence_write=found)
    told = CliRunner().invoke(evidence, ["write", "ab"], obj=answers)
    assert (told.exit_code, told.output) == (0, "PASSED  evidence /state/evidence/1-1.json\n")
    assert answers.asked == [("evidence.write", {"id": "ab"})]


async def test_who_stands_by_a_proof_is_told_once_its_evidence_is_there_and_not_before(
    place: Path, journal: Journal
) -> None:
    news: list[str] = []

    async def writing(prefix: str) -> Operation:
        if prefix == "full":
            raise Refused("the evidence could not be kept: No space left on device")
        news.append("written")
        return DONE

    async def told() -> None:
        news.append("told")

    store = EvidenceStore(place / "evidence", journal, VirtualClock())
    kind, ask = EvidenceCalls(store, writing, told).methods["evidence.write"]
    with pytest.raises(Refused, match="No space left"):
        await ask(None, kind(id="full"))
    assert news == []
    await ask(None, kind(id="ab"))
    assert news == ["written", "told"]


async def test_what_cannot_be_exported_is_refused_with_5(place: Path, journal: Journal) -> None:
    store = EvidenceStore(place / "evidence", journal, VirtualClock())
    calls = EvidenceCalls(store, late)
    for wanted, what in (
        (ExportParams("out"), "is not an absolute path"),
        (ExportParams(str(place / "x")), "no evidence yet"),
    ):
        with pytest.raises(Refused, match=what) as refused:
            await calls._export(None, wanted)
        assert exit_code(refused.value.code) == (64 if "absolute" in what else 5)
    await store.write("op1", proof())
    with pytest.raises(Refused, match="is not empty") as refused:
        await calls._export(None, ExportParams(str(place)))
    assert exit_code(refused.value.code) == 5


async def test_a_record_that_is_not_what_was_written_is_refused_with_5_and_not_shown(
    place: Path, journal: Journal
) -> None:
    store, other = EvidenceStore(place / "evidence", journal, VirtualClock()), cast(Any, None)
    service = Service(other, other, other, other, store, other, stats=other, stop=other, others=other)
    changed, gone = await store.write("op1", proof()), await store.write("op2", proof())
    assert b"op1-1" in await service.answer(None, "evidence.get", {"id": "op1"})
    store.path(changed).write_bytes(store.path(changed).read_bytes().replace(b"PASSED", b"FAILED"))
    store.path(gone).unlink()
    for id, what in (("op1", "evidence op1-1 was changed after it was written"), ("op2", "evidence op2-1 is missing")):
        with pytest.raises(LinkFault) as refused:
            await service.answer(None, "evidence.get", {"id": id})
        assert refused.value.fault.what.startswith(what)
        assert exit_code(refused.value.fault.code) == 5


async def test_the_doctor_says_whether_the_key_of_the_settings_signs(
    place: Path, keygen: None, journal: Journal
) -> None:
    key = write_key(place)

    async def told(signer: Signer) -> list[tuple[str, str]]:
        store = EvidenceStore(place / "evidence", journal, VirtualClock(), signer)
        return [(found.severity, found.what) for found in await EvidenceCalls(store, late).findings()]

    assert await told(Signer(None)) == []
    assert await told(Signer(key)) == [("info", f"new evidence is signed by {fingerprint(public_line())}")]
    key.chmod(0o640)
    assert await told(Signer(key)) == [("error", f"new evidence is not signed: {key} is open to others (mode 640)")]


async def test_export_and_verify_on_the_command_line(place: Path, keygen: None, journal: Journal) -> None:
    store = EvidenceStore(place / "evidence", journal, VirtualClock(), Signer(write_key(place)))
    for op in ("aa", "bb"):
        await store.write(op, proof())
    folder, run = place / "out", CliRunner().invoke
    found = await EvidenceCalls(store, late)._export(None, ExportParams(str(folder), ("aa",)))
    answers = Answers(evidence_export={"folder": str(folder), "records": ["aa-1"], "count": 2, "head": found.head,
                                       "keys": list(found.keys), "verifier": found.verifier, "unsigned": "",
                                       "unsigned_records": 0})  # fmt: skip
    told = run(evidence, ["export", "--out", "some/where", "aa"], obj=answers)
    assert told.exit_code == 0, told.output
    assert f"chain: head {found.head}" in told.output
    assert answers.asked == [("evidence.export", {"out": str(Path.cwd() / "some/where"), "ids": ["aa"]})]
    good = run(evidence, ["verify", str(folder), "--head", found.head])
    assert (good.exit_code, good.output.splitlines()[-1]) == (0, "intact and signed")
    (folder / "manifest.json.sig").unlink()
    assert run(evidence, ["verify", str(folder)]).exit_code == 4
    assert run(evidence, ["verify", str(folder), "--allow-unsigned"]).exit_code == 0
    (folder / "index.html").write_text("")
    assert run(evidence, ["verify", str(folder), "--allow-unsigned"]).exit_code == 2
    assert run(evidence, ["verify", str(folder), "--signers", str(place / "none")]).exit_code == 64


async def test_the_list_says_what_is_signed_and_shows_hostile_text_as_text(place: Path, journal: Journal) -> None:
    store = EvidenceStore(place / "evidence", journal, VirtualClock())
    record = proof(say=HOSTILE)
    record["proof"]["namespace"] = HOSTILE
    await store.write("aa", record)
    rows = [
        {"id": row.id, "kind": row.kind, "about": row.about, "verdict": row.verdict, "at": row.at}
        for row in await store.list()
    ]
    told = CliRunner().invoke(evidence, ["list"], obj=Answers(evidence_list=rows))
    header, line = told.output.splitlines()
    assert header.split() == ["ID", "KIND", "ABOUT", "VERDICT", "SIGNED", "AT"]
    assert [word for word in ("aa-1", "prove.run", "FAILED", "no") if word not in line.split()] == []
    assert "\x1b" not in line
    assert "\u202e" not in line
    assert (
        json.loads(CliRunner().invoke(evidence, ["list", "-o", "json"], obj=Answers(evidence_list=rows)).output) == rows
    )
