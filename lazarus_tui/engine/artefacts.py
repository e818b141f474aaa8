"""What Velero keeps in object storage: logs, results, lists, as the console and the command line show them.

The request is an object in the cluster, so it goes through the gate, is journalled, and needs an armed context. The
signed address is a credential: it is used once and never kept, shown or logged.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import io
import secrets
import tarfile
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

import msgspec

from lazarus_tui.engine.errors import Refused
from lazarus_tui.kube.cluster import Cluster
from lazarus_tui.model.clock import Clock
from lazarus_tui.model.plan import Danger, Plan, PlannedStep
from lazarus_tui.model.redact import redact_text, redact_value
from lazarus_tui.model.resources import BACKUPS, LOCATIONS, RESTORES
from lazarus_tui.model.steps import Gate, Reader, StepStopped
from lazarus_tui.velero.artefacts import ArtefactError, download, unpack
from lazarus_tui.velero.progress import TERMINAL

# Bytes fetched at most, after unpacking.
TEXT_LIMIT, JSON_LIMIT, TAR_LIMIT = 8 * 1024 * 1024, 16 * 1024 * 1024, 256 * 1024 * 1024
MAX_NAMES = 50_000
# Artefacts of finished backups and restores do not change; this many are kept in memory.
CACHED = 32

KINDS: Mapping[str, str] = {
    "BackupLog": "text",
    "BackupResults": "json",
    "BackupResourceList": "json",
    "BackupVolumeInfos": "json",
    "BackupContents": "names",
    "RestoreLog": "text",
    "RestoreResults": "json",
    "RestoreResourceList": "json",
    "RestoreVolumeInfo": "json",
}
_LIMITS = {"text": TEXT_LIMIT, "json": JSON_LIMIT, "names": TAR_LIMIT}


class Where(Protocol):
    """What must be known of the context. ``writable`` is asked at every write."""

    cluster: Cluster
    cluster_uid: str
    context: str
    velero: str

    def writable(self) -> bool: ...


Fetch = Callable[[str, str, int, str], Awaitable[bytes]]  # context, url, limit, PEM
GateMaker = Callable[[Where, str, Plan], Gate]


class Artefacts:
    """``get`` fetches one; ``gate`` makes the gate a small operation writes through."""

    def __init__(self, clock: Clock, *, fetch: Fetch, gate: GateMaker, ca: str = "") -> None:
        self._clock, self._fetch, self._gate, self._ca = clock, fetch, gate, ca
        self._cache: OrderedDict[tuple[str, ...], Any] = OrderedDict()

    async def get(self, where: Where, kind: str, name: str) -> dict[str, Any]:
        """``{"text": …}`` or ``{"json": …}``; raises ``Refused`` (with a hint) or ``KubeError``."""
        if kind not in KINDS:
            raise Refused(f"no artefact {kind[:64]!r}", code="usage", hint=f"there are: {', '.join(KINDS)}")
        found: dict[str, Any] = await self._cached(where, kind, name, "shown", lambda body: present(kind, body))
        return found

    async def raw(self, where: Where, kind: str, name: str) -> bytes:
        """The bytes of an artefact that is no text, for the engine's own use; raises as ``get`` does.

        BackupContents is a tarball of at most ``TAR_LIMIT`` bytes with Secrets in it: fetched each time, never kept.
        """
        if KINDS.get(kind, "text") == "text":
            raise Refused(f"{kind[:64]!r} is not read whole", code="usage")
        found: bytes = await self._cached(where, kind, name, "raw", bytes, keep=KINDS[kind] == "json")
        return found

    async def _cached(
        self, where: Where, kind: str, name: str, form: str, made: Callable[[bytes], Any], *, keep: bool = True
    ) -> Any:
        resource = BACKUPS if kind.startswith("Backup") else RESTORES
        subject = await where.cluster.get(resource, name, where.velero, type=dict[str, Any])
        if subject is None:
            what = f"there is no {resource.kind.lower()} {name}"
            raise Refused(what, code="not-found", where=where.velero, hint="it may have expired")
        phase = str((subject.get("status") or {}).get("phase") or "")
        if phase in ("", "New", "Queued", "ReadyToStart"):
            what = f"{resource.kind.lower()} {name} has not begun ({phase or 'New'}): it has no {kind} yet"
            raise Refused(what, code="not-found", where=where.velero)
        cached = (where.cluster_uid, kind, str(subject["metadata"].get("uid", "")), form)
        if cached not in self._cache:
            body = await self._download(where, kind, name, subject)
            # Seconds for a log of megabytes, in which the loop would renew no lease and thaw nothing.
            found = made(body) if form == "raw" else await asyncio.to_thread(made, body)
            if phase not in TERMINAL or not keep:  # Velero writes some of them again while it finalizes
                return found
            self._cache[cached] = found
            while len(self._cache) > CACHED:
                self._cache.popitem(last=False)
        return self._cache[cached]

    async def _download(self, where: Where, kind: str, name: str, subject: Mapping[str, Any]) -> bytes:
        if not where.writable():
            raise Refused(
                f"context {where.context} is read-only, and fetching {kind} creates a DownloadRequest in the cluster",
                code="read-only",
                where=name,
                hint=f"lazarus context arm --context {where.context}",
            )
        op = secrets.token_hex(8)
        ca = self._ca + await self._location_ca(where, subject)
        reach = _Reach(self._gate(where, op, _plan(where, kind, name)), where, self._clock, self._fetch)
        try:
            return await download(reach, where.velero, kind, name, owner=op, limit=_LIMITS[KINDS[kind]], ca=ca)
        except ArtefactError as error:
            code = {"absent": "not-found", "refused": "forbidden"}.get(error.code, "unreachable")
            storage = str((subject.get("spec") or {}).get("storageLocation") or "")
            raise Refused(error.what, code=code, where=storage or name, hint=error.hint) from None
        except StepStopped as error:
            raise Refused(error.what, where=name, hint=error.hint) from None

    async def _location_ca(self, where: Where, subject: Mapping[str, Any]) -> str:
        """The private CA that the storage location carries, as PEM."""
        name = str((subject.get("spec") or {}).get("storageLocation") or "")
        if not name and (backup := str((subject.get("spec") or {}).get("backupName") or "")):
            found = await where.cluster.get(BACKUPS, backup, where.velero, type=dict[str, Any])
            name = str(((found or {}).get("spec") or {}).get("storageLocation") or "")
        location = await where.cluster.get(LOCATIONS, name, where.velero, type=dict[str, Any]) if name else None
        text = str((((location or {}).get("spec") or {}).get("objectStorage") or {}).get("caCert") or "")
        try:
            return base64.b64decode(text, validate=True).decode("ascii")
        except (binascii.Error, UnicodeDecodeError):
            return ""


class _Reach:
    """What a download needs of its surroundings (``velero.artefacts.Reach``)."""

    def __init__(self, gate: Gate, where: Where, clock: Clock, fetch: Fetch) -> None:
        self.gate, self.clock = gate, clock
        self.reader: Reader = where.cluster
        self._context, self._fetch = where.context, fetch

    async def fetch(self, url: str, *, limit: int, ca: str = "") -> bytes:
        return await self._fetch(self._context, url, limit, ca)


def _plan(where: Where, kind: str, name: str) -> Plan:
    return Plan(
        kind="download",
        context=where.context,
        cluster_uid=where.cluster_uid,
        target=name,
        title=f"Fetch {kind} of {name}",
        danger=Danger.SAFE,
        params={"kind": kind, "name": name},
        steps=(PlannedStep("request", 1, "Ask Velero for a signed address", mutates=True),),
    )


def present(kind: str, body: bytes) -> dict[str, Any]:
    """The artefact as the link carries it, without secrets; raises ``Refused`` when it is not what it should be."""
    form = KINDS[kind]
    if form == "text":
        return {"text": redact_text(body.decode("utf-8", "replace"))}
    try:
        if form == "names":
            return {"json": names_in(body)}
        return {"json": redact_value(msgspec.json.decode(body or b"null"))}
    except ArtefactError as error:
        raise Refused(error.what, code="unreachable", where=kind, hint=error.hint) from None
    except (msgspec.DecodeError, tarfile.TarError, UnicodeDecodeError, EOFError, RecursionError) as error:
        raise Refused(f"{kind} cannot be read: {type(error).__name__}", code="unreachable", where=kind) from None


def names_in(body: bytes) -> list[str]:
    """Names of the files in a tarball, read as a stream; nothing is ever extracted."""
    names = []
    with tarfile.open(fileobj=io.BytesIO(unpack(body)), mode="r|") as archive:
        for member in archive:
            if member.isfile():
                names.append(member.name)
            if len(names) >= MAX_NAMES:
                break
    return sorted(names)
