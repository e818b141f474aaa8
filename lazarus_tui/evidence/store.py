"""Evidence records: canonical JSON, 0600, each naming the hash of the one before it, listed in the journal.

The journal's event is the anchor: a record that is changed, missing or cut off no longer matches it.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec

from lazarus_tui.evidence.documents import Documents
from lazarus_tui.model.clock import Clock, rfc3339
from lazarus_tui.model.paths import private_folder, write_private
from lazarus_tui.model.plan import canonical
from lazarus_tui.model.redact import redact_value

SCHEMA = 1
EVENT = "evidence"

# The ``previous`` of the first record.
FIRST = "0" * 64


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
    """One record as the journal lists it. ``sha256`` is of the file's bytes, ``previous`` of the record before it."""

    id: str
    operation: str
    at: str
    file: str
    sha256: str
    previous: str


class EvidenceStore:
    """Records in ``folder``. One writer: the engine that holds the journal."""

    def __init__(self, folder: Path, chain: Chain, clock: Clock) -> None:
        self._folder, self._chain, self._clock = folder, chain, clock
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
            data = canonical({**redact_value(record), **own, "journal_head": self._chain.head}) + b"\n"
            await asyncio.to_thread(self._put, name, data)
            found = Evidence(id=name, operation=op, at=at, file=f"{name}.json", sha256=_sha(data), previous=previous)
            await self._chain.append(op, (EVENT, msgspec.to_builtins(found)))
            return found

    def _put(self, name: str, data: bytes) -> None:
        write_private(private_folder(self._folder) / f"{name}.json", data)

    def path(self, found: Evidence) -> Path:
        return self._folder / found.file

    async def list(self) -> list[Evidence]:
        """All records the journal knows, oldest first."""
        return [msgspec.convert(entry.body, Evidence) for entry in await self._chain.events_of(EVENT)]

    async def get(self, prefix: str) -> dict[str, Any]:
        """The record whose id begins with ``prefix`` (the newest of several). Raises ``LookupError`` when there is none
        and ``ValueError`` when the file is not what was written."""
        found = [row for row in await self.list() if row.id.startswith(prefix)]
        if not found:
            raise LookupError(f"no evidence {prefix!r}")
        data = await asyncio.to_thread(self._read, found[-1])
        value: dict[str, Any] = msgspec.json.decode(data)
        return value

    def _read(self, row: Evidence) -> bytes:
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
                record = msgspec.json.decode(await asyncio.to_thread(self._read, row))
                if record["previous"] != previous or row.previous != previous:
                    wrong.append(f"evidence {row.id} does not follow the record before it")
            except (ValueError, KeyError, TypeError) as error:
                wrong.append(str(error))
            previous = row.sha256
        return wrong


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
