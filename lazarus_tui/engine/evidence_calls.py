"""What the link may ask about evidence beyond reading a record: take it away as a bundle, and whether it is signed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec

from lazarus_tui import __version__
from lazarus_tui.engine.errors import Refused
from lazarus_tui.evidence import EvidenceStore
from lazarus_tui.evidence.bundle import Exported, NotExported, export
from lazarus_tui.evidence.signing import Unsigned, public_key
from lazarus_tui.evidence.verifier import fingerprint
from lazarus_tui.model.operation import Operation
from lazarus_tui.model.topics import Finding


class ExportParams(msgspec.Struct):
    """``out`` is absolute: the engine works in another folder than whoever asks."""

    out: str
    ids: tuple[str, ...] = ()


class LateParams(msgspec.Struct):
    """``id``: the beginning of a proof's."""

    id: str


class EvidenceCalls:
    """``late`` writes the evidence of a proof that could not be kept when it ended; ``told`` is called after that."""

    def __init__(
        self, store: EvidenceStore, late: Callable[[str], Awaitable[Operation]],
        told: Callable[[], Awaitable[None]] | None = None,
    ) -> None:  # fmt: skip
        self._store, self._late, self._told, self._turn = store, late, told, asyncio.Lock()

    @property
    def methods(self) -> dict[str, tuple[type[Any], Callable[[Any, Any], Awaitable[Any]]]]:
        return {"evidence.export": (ExportParams, self._export), "evidence.write": (LateParams, self._write)}

    async def findings(self) -> list[Finding]:
        """For the doctor: whether the key that the settings name signs; nothing where none is named."""
        signer = self._store.signer
        if not signer.configured:
            return []
        try:
            signature = await asyncio.to_thread(signer.sign, b"")
        except Unsigned as error:
            return [Finding("error", f"new evidence is not signed: {error.why}", error.hint)]
        return [Finding("info", f"new evidence is signed by {fingerprint(public_key(signature))}")]

    async def _write(self, peer: Any, wanted: LateParams) -> Operation:
        async with self._turn:  # two at once would write it twice
            found = await self._late(wanted.id)
        if self._told is not None:
            await self._told()
        return found

    async def _export(self, peer: Any, wanted: ExportParams) -> Exported:
        folder = Path(wanted.out)
        if not folder.is_absolute():
            raise Refused(f"{wanted.out!r} is not an absolute path", code="usage")
        rows = await self._store.list()
        try:
            return await asyncio.to_thread(export, self._store, rows, folder, wanted.ids, __version__)
        except NotExported as error:
            raise Refused(error.what, where="evidence.export", hint=error.hint) from None
