"""Bundles: the same records give the same bytes, and whatever was done to one afterwards shows."""

from __future__ import annotations

import ast
import asyncio
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lazarus_tui.evidence import EvidenceStore, verifier
from lazarus_tui.evidence.bundle import Exported, NotExported, export
from lazarus_tui.evidence.signing import Signer
from lazarus_tui.journal import Journal
from lazarus_tui.model.plan import canonical
from lazarus_tui.sandbox.clock import VirtualClock
from tests.engine.world import fast_folder
from tests.evidence.conftest import provide
from tests.evidence.keys import private, public_line, sign, write_key
from tests.evidence.records import proof

MINE, THEIRS = 1, 2


class Shelf:
    """A store with four records and what is done with it."""

    def __init__(self, store: EvidenceStore, folder: Path) -> None:
        self.store, self.folder = store, folder

    async def out(self, name: str = "out", *ids: str) -> Path:
        await self.exported(name, *ids)
        return self.folder / name

    async def exported(self, name: str, *ids: str) -> Exported:
        return export(self.store, await self.store.list(), self.folder / name, ids, "0.1.0")


async def shelf(journal: Journal, place: Path, key: Path | None) -> Shelf:
    store = EvidenceStore(place / "evidence", journal, VirtualClock(), Signer(key))
    for n in range(4):
        await store.write(f"op{n}", proof(fields=n))
    return Shelf(store, place)


@pytest.fixture
async def signed(journal: Journal, place: Path, keygen: None) -> Shelf:
    return await shelf(journal, place, write_key(place, MINE))


@pytest.fixture
async def unsigned(journal: Journal, place: Path) -> Shelf:
    return await shelf(journal, place, None)


@pytest.fixture(scope="module")
def original() -> Iterator[Path]:
    """A signed bundle of four records, made once."""

    async def make(folder: Path) -> None:
        journal = await Journal.open(folder / "engine.db", clock=VirtualClock())
        await (await shelf(journal, folder, write_key(folder, MINE))).out()
        await journal.close()

    with fast_folder() as folder, pytest.MonkeyPatch.context() as patch:
        provide(folder, patch)
        asyncio.run(make(folder))
        yield folder / "out"


@pytest.fixture
def folder(original: Path, place: Path, keygen: None) -> Path:
    """A copy of it, to be harmed."""
    return Path(shutil.copytree(original, place / "bundle"))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def put(path: Path, value: Any) -> None:
    path.write_bytes(canonical(value) + b"\n")


def rehash(folder: Path) -> None:
    """What somebody who covers his tracks does: the manifest fits the files again."""
    manifest = json.loads((folder / "manifest.json").read_bytes())
    files = contents(folder)
    kept = [name for name in files if not name.startswith("manifest.json")]
    manifest["files"] = {
        name: {"sha256": hashlib.sha256(files[name]).hexdigest(), "bytes": len(files[name])} for name in kept
    }
    chain = json.loads(files["chain.json"])
    manifest |= {"count": chain["count"], "head": chain["head"]}
    manifest["records"] = sorted(name[8:-5] for name in kept if name.startswith("records/") and name.endswith(".json"))
    put(folder / "manifest.json", manifest)


def resign(folder: Path, seed: int) -> None:
    for name in contents(folder):
        if name.endswith(".sig"):
            data = (folder / name.removesuffix(".sig")).read_bytes()
            (folder / name).write_bytes(sign(private(seed), b"lazarus-evidence", data))


def run(folder: Path, *words: str) -> tuple[int, str]:
    """The verifier that lies in the bundle, as an auditor runs it: no packages, no environment."""
    program = [sys.executable, "-I", "-S", str(folder / "verify.py"), *words]
    done = subprocess.run(program, capture_output=True, text=True, timeout=100, env={"PATH": os.environ["PATH"]})
    assert done.stderr == ""
    return done.returncode, done.stdout


def said(folder: Path, **how: Any) -> tuple[int, str]:
    report = verifier.verify(str(folder), **how)
    return report.code(), "\n".join(verifier.lines(report))


async def test_a_signed_bundle_is_verified_by_itself_on_another_machine(signed: Shelf, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere"
    shutil.copytree(await signed.out(), moved)
    code, text = run(moved)
    assert (code, text.splitlines()[-1]) == (0, "intact and signed")
    fingerprint = verifier.fingerprint(public_line(MINE))
    assert f"signed by {fingerprint}: 5 files" in text
    assert "records in the bundle: 4 of 4" in text
    assert run(moved, "--signers", str(moved / "allowed_signers"))[0] == 0
    head = (await signed.store.list())[-1].sha256
    assert f"chain: 4 records, head {head}" in text
    assert run(moved, "--head", head)[0] == 0


async def test_the_same_records_give_the_same_bytes(signed: Shelf) -> None:
    first = await signed.exported("a")
    second = await signed.exported("b")
    assert contents(signed.folder / "a") == contents(signed.folder / "b")
    assert (first.head, first.keys, first.unsigned) == (second.head, (verifier.fingerprint(public_line(MINE)),), "")
    assert (signed.folder / "a" / "records" / "op0-1.json").stat().st_mode & 0o777 == 0o600
    names = set(contents(signed.folder / "a"))
    assert {"manifest.json", "manifest.json.sig", "chain.json", "allowed_signers", "verify.py", "index.html"} <= names
    assert {
        f"{kind}/op3-1.{end}" for kind, end in (("records", "json"), ("records", "json.sig"), ("pages", "html"))
    } <= names


def field(folder: Path) -> None:
    path = folder / "records" / "op1-1.json"
    path.write_bytes(path.read_bytes().replace(b'"verdict":"FAILED"', b'"verdict":"PASSED"'))


def order(folder: Path) -> None:
    path = folder / "records" / "op1-1.json"
    path.write_bytes(json.dumps(dict(reversed(json.loads(path.read_bytes()).items()))).encode())


def missing(folder: Path) -> None:
    (folder / "records" / "op1-1.json").unlink()


def swapped(folder: Path) -> None:
    first, second = (folder / "records" / f"op{n}-1.json" for n in (1, 2))
    a, b = first.read_bytes(), second.read_bytes()
    first.write_bytes(b)
    second.write_bytes(a)


def page(folder: Path) -> None:
    path = folder / "pages" / "op1-1.html"
    path.write_text(path.read_text().replace("FAILED", "PASSED"))


def more(folder: Path) -> None:
    (folder / "records" / "op9-1.json").write_text("{}")


def link(folder: Path) -> None:
    path = folder / "records" / "op1-1.json"
    shutil.move(path, folder.parent / "aside.json")
    path.symlink_to(folder.parent / "aside.json")


def one_bit(name: str) -> Callable[[Path], None]:
    def flip(folder: Path) -> None:
        path = folder / name
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(bytes(data))

    flip.__name__ = f"bit of {name}"
    return flip


BITS = [
    one_bit(name)
    for name in (
        "records/op0-1.json", "records/op3-1.json.sig", "pages/op0-1.html", "chain.json", "manifest.json",
        "manifest.json.sig", "allowed_signers", "verify.py", "index.html",
    )
]  # fmt: skip


@pytest.mark.parametrize("harm", [field, order, missing, swapped, page, more, link, *BITS], ids=lambda h: h.__name__)
def test_what_was_changed_is_found(folder: Path, harm: Callable[[Path], None]) -> None:
    harm(folder)
    code, text = said(folder)
    assert code == 2, text
    assert "NOT INTACT" in text


def drop(folder: Path, *which: int) -> None:
    """Records and their rows gone, the rest renumbered and linked as if they had never been."""
    chain = json.loads((folder / "chain.json").read_bytes())
    for n in which:
        for name in (f"records/op{n}-1.json", f"records/op{n}-1.json.sig", f"pages/op{n}-1.html"):
            (folder / name).unlink()
    chain["rows"] = [row for row in chain["rows"] if int(row["id"][2]) not in which]
    chain |= {"count": len(chain["rows"]), "head": chain["rows"][-1]["sha256"]}
    put(folder / "chain.json", chain)


@pytest.mark.parametrize("which", [(0,), (1,), (1, 2), (3,), (2, 3)])
def test_a_cut_chain_is_found_although_the_manifest_was_made_to_fit(folder: Path, which: tuple[int, ...]) -> None:
    drop(folder, *which)
    rehash(folder)
    code, text = said(folder)
    assert code == 2
    assert "manifest.json.sig: it is not the signature of an allowed key" in text
    if 3 not in which:
        assert "the chain is cut at" in text


def test_signed_again_by_somebody_else(folder: Path) -> None:
    drop(folder, 3)
    rehash(folder)
    resign(folder, THEIRS)
    assert said(folder)[0] == 2
    (folder / "allowed_signers").write_text(f"lazarus {public_line(THEIRS)}\n")
    rehash(folder)
    resign(folder, THEIRS)
    code, text = said(folder)
    assert (code, verifier.fingerprint(public_line(MINE)) in text) == (0, False), "it names the other key"
    mine = f'lazarus namespaces="lazarus-evidence" {public_line(MINE)}\n'.encode()
    code, text = said(folder, signers=mine)
    assert code == 2
    assert text.count("not the signature of an allowed key") == 4


def test_a_signature_for_another_purpose_does_not_count(folder: Path) -> None:
    data = (folder / "manifest.json").read_bytes()
    (folder / "manifest.json.sig").write_bytes(sign(private(MINE), b"git", data))
    assert said(folder)[0] == 2


async def test_an_older_bundle_does_not_have_the_head_that_is_known(signed: Shelf) -> None:
    older = await signed.out("older")
    await signed.store.write("op4", proof())
    newest = (await signed.store.list())[-1].sha256
    assert said(older)[0] == 0
    code, text = said(older, head=newest)
    assert code == 2
    assert "the chain does not have the record with the hash" in text
    assert said(await signed.out("newer"), head=newest)[0] == 0


async def test_without_a_key_the_bundle_says_so_and_a_cut_still_shows(unsigned: Shelf) -> None:
    exported = await unsigned.exported("out")
    assert exported.unsigned == "no key is configured (evidence.key)"
    folder = unsigned.folder / "out"
    assert "allowed_signers" not in contents(folder)
    code, text = run(folder)
    assert code == 4
    assert "not everything is signed: whoever could write here could have made it all" in text
    assert run(folder, "--allow-unsigned")[0] == 0
    missing(folder)
    assert run(folder, "--allow-unsigned")[0] == 2


def test_taking_the_signatures_away_is_not_enough(folder: Path) -> None:
    (folder / "manifest.json.sig").unlink()
    assert said(folder)[0] == 4
    (folder / "records" / "op1-1.json.sig").unlink()
    assert said(folder)[0] == 2, "the manifest names it"


def test_signatures_that_cannot_be_checked_are_never_green(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(folder))
    for words in ((), ("--allow-unsigned",)):
        code, text = run(folder, *words)
        assert code == 4
        assert "there is no ssh-keygen here" in text


async def test_some_records_are_a_sample_of_a_named_population(signed: Shelf) -> None:
    folder = await signed.out("some", "op1", "op3-1")
    code, text = said(folder)
    assert (code, "records in the bundle: 2 of 4" in text) == (0, True)
    index = (folder / "index.html").read_text()
    assert 'href="pages/op1-1.html"' in index
    assert "op2-1" in index
    assert 'href="pages/op2-1.html"' not in index
    drop(folder, 3)
    rehash(folder)
    assert said(folder)[0] == 2


async def test_records_from_before_there_were_signatures_are_exported_too(journal: Journal, place: Path) -> None:
    store = EvidenceStore(place / "evidence", journal, VirtualClock())
    data = canonical({"id": "old-1", "operation": "old", "previous": "0" * 64, "kind": "rehearse", "verdict": "PASSED"})
    (place / "evidence").mkdir(mode=0o700)
    (place / "evidence" / "old-1.json").write_bytes(data)
    row = {"id": "old-1", "operation": "old", "at": "2026-01-01T00:00:00Z", "file": "old-1.json", "previous": "0" * 64}
    await journal.append("old", ("evidence", {**row, "sha256": hashlib.sha256(data).hexdigest()}))
    await store.write("new", proof())
    found = Shelf(store, place)
    code, text = said(await found.out())
    assert (code, "records in the bundle: 2 of 2" in text) == (4, True)


async def test_what_cannot_be_exported_is_refused_and_nothing_is_written(unsigned: Shelf) -> None:
    folder = unsigned.folder / "full"
    folder.mkdir()
    (folder / "x").touch()
    with pytest.raises(NotExported, match="is not empty"):
        await unsigned.out("full")
    with pytest.raises(NotExported, match="there is no folder"):
        await unsigned.out("no/where")
    with pytest.raises(NotExported, match="there is no evidence 'zz'"):
        await unsigned.out("out", "op1", "zz")
    row = (await unsigned.store.list())[1]
    path = unsigned.store.path(row)
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(NotExported, match="op1-1 was changed") as refused:
        await unsigned.out()
    assert "ID" in refused.value.hint
    assert not (unsigned.folder / "out").exists()
    assert said(await unsigned.out("rest", "op0"))[0] == 4


async def test_a_disk_that_fills_up_leaves_no_bundle_that_verifies(
    unsigned: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, left = os.open, [7]

    def full(path: Any, *how: Any, **more: Any) -> int:
        left[0] -= "out" in str(path)
        if left[0] < 0:
            raise OSError(28, "No space left on device")
        return real(path, *how, **more)

    with monkeypatch.context() as patch:
        patch.setattr("lazarus_tui.evidence.bundle.os.open", full)
        with pytest.raises(NotExported, match="cannot be written: No space left on device"):
            await unsigned.out()
    assert said(unsigned.folder / "out") == (2, "CHANGED: manifest.json is missing\nNOT INTACT")


async def test_a_signature_that_went_away_is_not_passed_over(signed: Shelf) -> None:
    (signed.folder / "evidence" / "op2-1.json.sig").unlink()
    with pytest.raises(NotExported, match="the signature of evidence op2-1 is missing"):
        await signed.out()


def test_a_bundle_cannot_name_files_outside_of_it(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_bytes())
    for name in ("../engine.db", "/etc/hostname", "records/../../engine.db", "records/x\n"):
        put(folder / "manifest.json", {**manifest, "files": {**manifest["files"], name: {"sha256": "0" * 64}}})
        assert said(folder) == (2, "CHANGED: manifest.json does not list files\nNOT INTACT")


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"{", b'{"files": 3}', b'{"files":{},"files":{}}', b"[" * 100_000, b"\xff"]
)
def test_a_manifest_that_is_none(folder: Path, text: bytes) -> None:
    (folder / "manifest.json").write_bytes(text)
    code, words = said(folder)
    assert (code, words.startswith("CHANGED: ")) == (2, True)


def test_the_verifier_needs_nothing_but_an_old_python() -> None:
    source = Path(verifier.__file__).read_text()
    tree = ast.parse(source, feature_version=(3, 8))
    modules = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    modules |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert modules <= sys.stdlib_module_names | {"__future__"}
