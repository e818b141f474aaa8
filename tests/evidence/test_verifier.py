"""Whatever is done to a bundle: the verifier answers with a finding, never with a traceback, never with "intact"."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lazarus_tui.evidence import EvidenceStore, verifier
from lazarus_tui.evidence.bundle import export
from lazarus_tui.journal import Journal
from lazarus_tui.sandbox.clock import VirtualClock
from tests.engine.world import fast_folder
from tests.evidence.records import proof
from tests.evidence.test_bundle import contents, rehash

Files = dict[str, bytes]
quick = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def bundle() -> Iterator[Files]:
    """Three records, and something that stands for a signature beside each and beside the manifest."""

    async def make(folder: Path) -> Files:
        journal = await Journal.open(folder / "engine.db", clock=VirtualClock())
        store = EvidenceStore(folder / "evidence", journal, VirtualClock())
        for n in range(3):
            await store.write(f"op{n}", proof(fields=n))
        rows = await store.list()
        export(store, rows, folder / "out", (), "0.1.0")
        await journal.close()
        for row in rows:
            (folder / "out" / "records" / f"{row.id}.json.sig").write_bytes(b"signed " + row.sha256.encode())
        (folder / "out" / "allowed_signers").write_bytes(b"lazarus ssh-ed25519 AAAA")
        rehash(folder / "out")
        (folder / "out" / "manifest.json.sig").write_bytes(b"signed manifest")
        return contents(folder / "out")

    with fast_folder() as folder:
        yield asyncio.run(make(folder))


@pytest.fixture
def sealed(bundle: Files, monkeypatch: pytest.MonkeyPatch) -> Files:
    """Signatures that hold for exactly the bytes they were made of, without a program for each look."""
    genuine = {(bundle[name.removesuffix(".sig")], data) for name, data in bundle.items() if name.endswith(".sig")}

    def signer(data: bytes, signature: bytes, signers: bytes) -> str:
        if (data, signature) not in genuine or signers != bundle["allowed_signers"]:
            raise verifier.Wrong("it is not the signature of an allowed key")
        return "SHA256:key"

    monkeypatch.setattr(verifier, "signer", signer)
    return bundle


def checked(files: Files, **how: Any) -> verifier.Report:
    with fast_folder() as folder:
        for name, data in files.items():
            (folder / "b" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "b" / name).write_bytes(data)
        return verifier.verify(str(folder / "b"), **how)


def test_nothing_was_done_to_it(sealed: Files) -> None:
    report = checked(sealed)
    assert (report.code(), report.keys) == (0, {"SHA256:key": 4}), report.wrong


@quick
@given(data=st.data())
def test_no_change_of_any_byte_of_any_file_passes(sealed: Files, data: st.DataObject) -> None:
    files = dict(sealed)
    name = data.draw(st.sampled_from(sorted(files)))
    at = data.draw(st.integers(0, len(files[name])))
    cut = data.draw(st.integers(0, 40))
    changed = files[name][:at] + data.draw(st.binary(max_size=8)) + files[name][at + cut :]
    how = data.draw(st.sampled_from(["write", "remove", "move", "add"]))
    if how == "write":
        files[name] = changed
    elif how == "add":
        files[f"records/{data.draw(st.sampled_from(['x.json', 'op0-1', 'op9-1.json']))}"] = changed
    else:
        moved = files.pop(name)
        files |= {f"{name}.old": moved} if how == "move" else {}
    if files == sealed:
        return
    report = checked(files)
    assert report.code() in (2, 4)
    assert report.code() == 2 or "manifest.json.sig" not in files, "what is not signed any more is not signed"
    assert verifier.lines(report)[-1] != "intact and signed"


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=70)
    | st.just("0" * 64)
    | st.just(10**63),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=4,
)


@quick
@given(data=st.data())
def test_whoever_rewrites_the_chain_and_the_manifest_gets_an_answer_in_words(
    sealed: Files, data: st.DataObject
) -> None:
    """The tracks are covered but for the signature: only the structure is left to show it."""
    files = dict(sealed)
    name = data.draw(st.sampled_from(["chain.json", "manifest.json", "records/op1-1.json"]))
    document = json.loads(files[name])
    holder = document
    if name == "chain.json" and data.draw(st.booleans()):
        holder = data.draw(st.sampled_from(document["rows"]))
    elif name == "manifest.json" and data.draw(st.booleans()):
        holder = document["files"]
    key = data.draw(st.sampled_from([*sorted(holder), "new"]))
    if data.draw(st.booleans()):
        holder.pop(key, None)
    else:
        holder[key] = data.draw(JSON)
    files[name] = json.dumps(document).encode()
    if files[name] == sealed[name] or document == json.loads(sealed[name]):
        return
    report = checked(files)
    assert report.code() == 2
    assert all(one.isprintable() for one in verifier.lines(report))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda chain: chain["rows"][1].pop("sha256"), "the chain is broken at 2: there is no hash of record op1-1"),
        (lambda chain: chain["rows"][1].update(sha256=None), "there is no hash of record op1-1"),
        (lambda chain: chain["rows"][2].update(sha256=10**63), "there is no hash of record op2-1"),
        (lambda chain: chain["rows"][1].pop("id"), "the chain is broken at 2: its record has no name of its own"),
        (lambda chain: chain["rows"][1].update(id=["op1-1"]), "its record has no name of its own"),
        (lambda chain: chain["rows"][1].update(number=[[[]]]), "the chain is cut at 2"),
        (lambda chain: chain.update(rows=None), "chain.json does not list records"),
        (lambda chain: chain["rows"].append(7), "chain.json does not list records"),
        (lambda chain: chain["rows"][0].update(number=True), "the chain is cut at 1"),
        (lambda chain: chain["rows"][1].update(number=2.0), "the chain is cut at 2"),
        (lambda chain: chain.update(count=3.0), "the end of the chain is cut"),
        (
            lambda chain: chain["rows"][1].update(signed_by="ssh-ed25519 AAAA"),
            "record op1-1 was signed when it was written, and its signature is gone",
        ),
    ],
)
def test_a_row_that_is_none_is_a_finding_also_where_the_manifest_fits_it(
    bundle: Files, place: Path, change: Callable[[dict[str, Any]], Any], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = place / "bundle"
    for name, data in bundle.items():
        if not name.endswith(".sig"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
    chain = json.loads(bundle["chain.json"])
    change(chain)
    (folder / "chain.json").write_text(json.dumps(chain))
    rehash(folder)
    code = verifier.main([str(folder), "--allow-unsigned"])
    out = capsys.readouterr()
    assert (code, out.err, words in out.out, "NOT INTACT" in out.out) == (2, "", True, True), out.out


@pytest.mark.parametrize(
    "words",
    [b"NaN", b"Infinity", b"-Infinity", b"1e999", b'"\\ud800"', b'{"\\udfff":1}', b"[[NaN]]", b'1,"checks":[]'],
)
def test_what_two_readers_would_not_read_alike_is_in_no_record_although_all_hashes_fit(
    bundle: Files, place: Path, words: bytes
) -> None:
    """The newest record, its row, the head and the manifest are all made anew; nothing is signed."""
    for name, data in bundle.items():
        if not name.endswith(".sig"):
            (place / "b" / name).parent.mkdir(parents=True, exist_ok=True)
            (place / "b" / name).write_bytes(data)

    def with_(value: bytes) -> verifier.Report:
        record = bundle["records/op2-1.json"].replace(b'"fields":2', b'"fields":' + value)
        assert record.count(value)
        (place / "b" / "records" / "op2-1.json").write_bytes(record)
        chain = json.loads(bundle["chain.json"])
        chain["head"] = chain["rows"][-1]["sha256"] = verifier.digest(record)
        (place / "b" / "chain.json").write_text(json.dumps(chain))
        rehash(place / "b")
        return verifier.verify(str(place / "b"))

    assert with_(b"3").code(allow_unsigned=True) == 0, "the hashes do fit"
    report = with_(words)
    assert report.code(allow_unsigned=True) == 2
    assert any("is not canonical JSON" in one or "the same key twice" in one for one in report.wrong), report.wrong


def test_a_folder_that_cannot_be_looked_into_may_hold_anything(sealed: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    scan = os.scandir

    def closed(path: str) -> Any:
        if str(path).endswith("pages"):
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", closed)
    report = checked(sealed)
    assert (report.code(), report.wrong) == (2, ["pages cannot be read: Permission denied"])


@pytest.mark.parametrize("records", [None, 5, "op0-1", {"op0-1": 1}])
def test_a_manifest_whose_list_of_records_is_none_is_a_finding(bundle: Files, records: Any) -> None:
    files = {name: data for name, data in bundle.items() if not name.endswith(".sig")}
    manifest = json.loads(files["manifest.json"])
    files["manifest.json"] = json.dumps({**manifest, "records": records}).encode()
    report = checked(files)
    assert report.code(allow_unsigned=True) == 2
    assert any("does not have the records" in one for one in report.wrong)


def test_a_document_that_is_too_deep_and_a_folder_that_cannot_be_one_are_findings(bundle: Files) -> None:
    deep = "[" * (sys.getrecursionlimit() - 120) + "]" * (sys.getrecursionlimit() - 120)
    rows = f'{{"rows": [{{"id": {deep}, "number": 2}}]}}'
    assert checked({**bundle, "chain.json": rows.encode()}).code() == 2
    assert verifier.verify("no\0folder").code() == 2


def test_it_needs_nothing_but_the_standard_library(place: Path) -> None:
    copy = Path(shutil.copy(verifier.__file__, place / "verify.py"))
    imported = {line.split()[1] for line in copy.read_text().splitlines() if line.startswith(("import ", "from "))}
    assert imported - {"__future__"} <= sys.stdlib_module_names
