"""A bundle: what an auditor takes away and checks on another machine with Python and ssh-keygen.

The same records give the same bytes: no time of the export is in it. The manifest names every file with its hash and
how long the chain was; its signature is what makes a cut at the end, or a record left out, show.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec

from lazarus_tui.evidence import page, verifier
from lazarus_tui.evidence.signing import Unsigned, public_key
from lazarus_tui.evidence.store import Evidence, EvidenceStore
from lazarus_tui.model.paths import private_folder, write_private
from lazarus_tui.model.plan import canonical

SCHEMA = "lazarus.io/evidence-bundle/v1"
INDEX, VERIFIER = "index.html", "verify.py"


class NotExported(Exception):
    """Nothing was written: what was wrong, and what to do next."""

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.what, self.hint = what, hint


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """What was written. ``count`` and ``head`` are the chain's; ``unsigned`` says why the manifest is not signed."""

    folder: str
    records: tuple[str, ...]
    count: int
    head: str
    keys: tuple[str, ...] = ()
    unsigned: str = ""
    unsigned_records: int = 0
    verifier: str = ""


def chosen(rows: Sequence[Evidence], prefixes: Iterable[str]) -> list[Evidence]:
    """The records whose id begins with one of ``prefixes``, all without any; raises ``NotExported``."""
    wanted = list(prefixes)
    for prefix in wanted:
        if not prefix or not any(row.id.startswith(prefix) for row in rows):
            raise NotExported(f"there is no evidence {prefix!r}", "list it: lazarus evidence list")
    found = [row for row in rows if not wanted or row.id.startswith(tuple(wanted))]
    if not found:
        raise NotExported("there is no evidence yet", "prove a backup: lazarus prove run")
    return found


def _taken(store: EvidenceStore, row: Evidence) -> tuple[bytes, bytes]:
    """A record and its signature; raises ``NotExported`` when they are not what was written."""
    try:
        return store.read(row), store.signature(row)
    except ValueError as error:
        raise NotExported(str(error), "name the others: lazarus evidence export --out DIR ID…") from None


def contents(
    store: EvidenceStore, rows: Sequence[Evidence], wanted: Sequence[Evidence]
) -> Iterator[tuple[str, bytes]]:  # fmt: skip
    """Every file but the manifest and the signers, one after the other: a year of records need not fit into memory."""
    for row in wanted:
        data, signature = _taken(store, row)
        yield f"records/{row.id}.json", data
        if signature:
            yield f"records/{row.id}.json{verifier.SIG}", signature
        record: dict[str, Any] = msgspec.json.decode(data)
        yield f"pages/{row.id}.html", page.page(record, row).encode()
    yield INDEX, page.index(rows, {row.id for row in wanted}).encode()
    yield verifier.CHAIN, canonical(chain(rows)) + b"\n"
    yield VERIFIER, resources.files("lazarus_tui.evidence").joinpath("verifier.py").read_bytes()


def chain(rows: Sequence[Evidence]) -> dict[str, Any]:
    """Every record that the journal knows, in order: the population that the bundle's records are taken from."""
    listed = []
    for number, row in enumerate(rows, 1):
        kept = {key: value for key, value in msgspec.to_builtins(row).items() if value != ""}
        listed.append({**kept, "number": number})
    return {"schema": SCHEMA, "count": len(rows), "head": _head(rows), "rows": listed}


def manifest(rows: Sequence[Evidence], wanted: Sequence[Evidence], files: Mapping[str, Any], made_by: str) -> bytes:
    said = {"schema": SCHEMA, "lazarus": made_by, "count": len(rows), "head": _head(rows), "files": files}
    return canonical({**said, "records": sorted(row.id for row in wanted), "newest": rows[-1].at}) + b"\n"


def signers(keys: Iterable[str]) -> bytes:
    """``allowed_signers`` (ssh-keygen(1)) for ``keys``, as they are in an authorized_keys file."""
    found = sorted(set(filter(None, keys)))
    return "".join(f'{verifier.PRINCIPAL} namespaces="{verifier.NAMESPACE}" {key}\n' for key in found).encode()


def export(store: EvidenceStore, rows: Sequence[Evidence], folder: Path, ids: Iterable[str], version: str) -> Exported:
    """Write a bundle into ``folder``, which must be empty or not there. Raises ``NotExported``."""
    wanted = chosen(rows, ids)
    _ready(folder)
    for row in wanted:
        _taken(store, row)  # each is looked at before anything is written
    out = _Folder(folder)
    for name, data in contents(store, rows, wanted):
        out.put(name, data)
    allowed = signers([*(row.signed_by for row in wanted), _key(store)])
    if allowed:
        out.put(verifier.SIGNERS, allowed)
    listing = manifest(rows, wanted, dict(out.written), version)
    signature, unsigned = _signed(store, listing)
    if signature:
        out.put(verifier.MANIFEST + verifier.SIG, signature)
    out.put(verifier.MANIFEST, listing)  # last: a bundle without it was never finished
    prints = sorted({verifier.fingerprint(line) for line in allowed.decode().splitlines()})
    return Exported(
        folder=str(folder), records=tuple(row.id for row in wanted), count=len(rows), head=_head(rows),
        keys=tuple(prints), unsigned=unsigned, unsigned_records=sum(1 for row in wanted if not row.signed_by),
        verifier=out.written[VERIFIER]["sha256"],
    )  # fmt: skip


def _key(store: EvidenceStore) -> str:
    """The public key that signs now, "" when none does."""
    try:
        return public_key(store.signer.sign(b""))
    except Unsigned:
        return ""


def _signed(store: EvidenceStore, listing: bytes) -> tuple[bytes, str]:
    """The manifest's signature, or why there is none. It is kept: some kinds of key sign differently each time."""
    kept = store.kept_signature(_sha(listing))
    try:
        if kept.is_file():
            return kept.read_bytes(), ""
        signature = store.signer.sign(listing)
    except Unsigned as error:
        return b"", error.why
    write_private(private_folder(kept.parent) / kept.name, signature)
    return signature, ""


def _ready(folder: Path) -> None:
    try:
        if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
            raise NotExported(f"{folder} is not a folder", "name one that is empty or not there yet")
        if folder.is_dir() and any(folder.iterdir()):
            raise NotExported(f"{folder} is not empty", "name a folder that is empty or not there yet")
        if not folder.parent.is_dir():
            raise NotExported(f"there is no folder {folder.parent}", f"make it: mkdir -p {folder.parent}")
    except OSError as error:
        raise NotExported(f"{folder} cannot be read: {error.strerror}") from None


class _Folder:
    """Where a bundle is written; ``written``: hash and size of each file, by name. Raises ``NotExported``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.written: dict[str, Any] = {}

    def put(self, name: str, data: bytes) -> None:
        path = self._folder / name
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            path.parent.mkdir(mode=0o700, exist_ok=True)
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as file:
                file.write(data)
        except OSError as error:
            what = f"{path} cannot be written: {error.strerror}"
            raise NotExported(what, f"remove {self._folder} and try again") from None
        self.written[name] = {"sha256": _sha(data), "bytes": len(data)}


def _head(rows: Sequence[Evidence]) -> str:
    return rows[-1].sha256 if rows else verifier.FIRST


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
