"""Evidence records: canonical JSON, 0600, each naming the hash of the one before it, listed in the journal.

The journal's event is the anchor: a record that is changed, missing or cut off no longer matches it. With a key each
record is signed as it is written; its signature lies beside it.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec

from lazarus_tui.evidence.documents import Documents
from lazarus_tui.evidence.signing import NO_KEY, Signer, Unsigned, public_key
from lazarus_tui.evidence.verifier import FIRST
from lazarus_tui.model.clock import Clock, rfc3339
from lazarus_tui.model.paths import private_folder, write_private
from lazarus_tui.model.plan import canonical
from lazarus_tui.model.redact import redact_value

SCHEMA = 1
EVENT = "evidence"


class Entry(Protocol):
    """An event of the journal."""

    @property
    def op(self) -> str: ...
    @property
    def at(self) -> str: ...
    @property
    def body(self) -> dict[str, Any]: ...


class Chain(Protocol):
    """What the store needs of the journal."""

    @property
    def head(self) -> str: ...

    async def append(self, op: str, *entries: tuple[str, Mapping[str, Any]]) -> int: ...

    async def events_of(self, kind: str) -> Sequence[Entry]: ...


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """One record as the journal lists it. ``sha256`` is of the file's bytes, ``previous`` of the record before it.

    ``signed_by`` is the public key of the signature beside the file, ``unsigned`` why there is none.
    """

    id: str
    operation: str
    at: str
    file: str
    sha256: str
    previous: str
    number: int = 0  # 1 is the first; 0: written before records were numbered
    kind: str = ""
    verdict: str = ""
    about: str = ""  # what was proven or worked on: a namespace, a workload
    signed_by: str = ""
    unsigned: str = NO_KEY


class EvidenceStore:
    """Records in ``folder``. One writer: the engine that holds the journal."""

    def __init__(self, folder: Path, chain: Chain, clock: Clock, signer: Signer | None = None) -> None:
        self._folder, self._chain, self._clock = folder, chain, clock
        self.signer = signer or Signer(None)
        self.documents = Documents(folder.parent / "manifests")
        self._turn = asyncio.Lock()

    async def write(self, op: str, record: Mapping[str, Any]) -> Evidence:
        """Keep ``record`` for operation ``op``. Secrets are taken out; the chain's own fields cannot be overwritten.

        A crash before the journal knows the record leaves a file that the next one replaces.
        """
        async with self._turn:
            rows = await self.list()
            name = f"{op}-{1 + sum(1 for row in rows if row.operation == op)}"
            previous = rows[-1].sha256 if rows else FIRST
            at = rfc3339(self._clock.now(), micro=True)
            own = {"schema": SCHEMA, "id": name, "operation": op, "written": at, "previous": previous}
            own |= {"number": len(rows) + 1, "journal_head": self._chain.head}
            kept = {**redact_value(record), **own}
            data = canonical(kept) + b"\n"
            signature, unsigned = await asyncio.to_thread(self._put, name, data)
            said = {key: str(kept.get(key) or "") for key in ("kind", "verdict")}
            found = Evidence(
                id=name, operation=op, at=at, file=f"{name}.json", sha256=_sha(data), previous=previous,
                number=len(rows) + 1, about=_about(kept), signed_by=public_key(signature), unsigned=unsigned, **said,
            )  # fmt: skip
            await self._chain.append(op, (EVENT, msgspec.to_builtins(found)))
            return found

    async def said(self, op: str, part: Mapping[str, Any]) -> Evidence | None:
        """The newest record of an operation that holds all of ``part``, which a step says once: after a crash before
        the step was done it is there already. What was changed since it was written says nothing."""
        wanted: dict[str, Any] = msgspec.json.decode(canonical(redact_value(part)))
        for row in reversed([row for row in await self.list() if row.operation == op]):
            try:
                record = msgspec.json.decode(await asyncio.to_thread(self.read, row))
            except ValueError:
                continue
            if all(record.get(key) == value for key, value in wanted.items()):
                return row
        return None

    def _put(self, name: str, data: bytes) -> tuple[bytes, str]:
        """The file and its signature; the signature, or "" and why there is none."""
        path = private_folder(self._folder) / f"{name}.json"
        write_private(path, data)
        try:
            signature, unsigned = self.signer.sign(data), ""
        except Unsigned as error:
            signature, unsigned = b"", error.why
        if signature:
            write_private(_beside(path), signature)
        else:
            _beside(path).unlink(missing_ok=True)
        return signature, unsigned

    def path(self, found: Evidence) -> Path:
        return self._folder / found.file

    def signature(self, found: Evidence) -> bytes:
        """The signature beside a record; b"" when it was written unsigned. Raises ``ValueError`` when it is gone."""
        if not found.signed_by:
            return b""
        try:
            return _beside(self.path(found)).read_bytes()
        except OSError as error:
            raise ValueError(f"the signature of evidence {found.id} is missing: {error.strerror}") from error

    def kept_signature(self, sha256: str) -> Path:
        """Where the signature of what has this hash and is no record lies, if it was ever made."""
        return self._folder.parent / "signatures" / f"{sha256}.sig"

    async def list(self) -> list[Evidence]:
        """All records the journal knows, oldest first."""
        return [msgspec.convert(entry.body, Evidence) for entry in await self._chain.events_of(EVENT)]

    async def get(self, prefix: str) -> dict[str, Any]:
        """The record whose id begins with ``prefix`` (the newest of several). Raises ``LookupError`` when there is none
        and ``ValueError`` when the file is not what was written."""
        found = [row for row in await self.list() if row.id.startswith(prefix)]
        if not found:
            raise LookupError(f"no evidence {prefix!r}")
        data = await asyncio.to_thread(self.read, found[-1])
        value: dict[str, Any] = msgspec.json.decode(data)
        return value

    def read(self, row: Evidence) -> bytes:
        """The record's bytes; raises ``ValueError`` when they are not what was written."""
        try:
            data = self.path(row).read_bytes()
        except OSError as error:
            raise ValueError(f"evidence {row.id} is missing: {error.strerror}") from error
        if _sha(data) != row.sha256:
            raise ValueError(f"evidence {row.id} was changed after it was written")
        return data

    async def verify(self) -> Sequence[str]:
        """What is wrong with the records, one sentence each; empty when all are as they were written."""
        wrong, previous = [], FIRST
        for row in await self.list():
            try:
                record = msgspec.json.decode(await asyncio.to_thread(self.read, row))
                if record["previous"] != previous or row.previous != previous:
                    wrong.append(f"evidence {row.id} does not follow the record before it")
            except (ValueError, KeyError, TypeError) as error:
                wrong.append(str(error))
            previous = row.sha256
        return wrong


def _about(record: Mapping[str, Any]) -> str:
    """A proof's target is its quarantine; what it is about is where the data came from."""
    proof = record.get("proof")
    if not isinstance(proof, Mapping):
        return str(record.get("target") or "")
    return "/".join(filter(None, (str(proof.get("namespace") or ""), str(proof.get("workload") or ""))))


def _beside(path: Path) -> Path:
    return path.with_name(path.name + ".sig")


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
