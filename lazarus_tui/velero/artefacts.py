"""Artefacts in object storage: through a DownloadRequest, its signed URL, and away again (reference: velero §2.6).

The URL is a credential: it is never logged, journalled or shown, and the request is deleted when it has served.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import socket
import ssl
import zlib
from typing import Any, Protocol

from lazarus_tui.kube.errors import KubeError
from lazarus_tui.model.clock import Clock
from lazarus_tui.model.resources import DOWNLOAD_REQUESTS
from lazarus_tui.model.steps import Gate, Outcome, Reader, Write, WriteResult

KINDS = (
    "BackupLog", "BackupContents", "BackupResults", "BackupResourceList", "BackupVolumeInfos", "BackupItemOperations",
    "RestoreLog", "RestoreResults", "RestoreResourceList", "RestoreVolumeInfo", "RestoreItemOperations",
)  # fmt: skip
URL_SECONDS = 30.0  # two tries of this length: one re-issue, then the artefact counts as unavailable
LIMIT = 64 * 1024 * 1024  # compressed bytes fetched
UNPACKED_LIMIT = 256 * 1024 * 1024  # bytes after decompression; the archive is untrusted


class Reach(Protocol):
    """What a download needs; a step's context is one."""

    gate: Gate
    reader: Reader
    clock: Clock

    async def fetch(self, url: str, *, limit: int, ca: str = "") -> bytes: ...


class ArtefactError(Exception):
    """``code`` is absent, unreachable, expired, untrusted, unanswered, refused or damaged; ``hint``: what to do."""

    def __init__(self, what: str, *, hint: str = "", code: str = "unreachable") -> None:
        super().__init__(what)
        self.what, self.hint, self.code = what, hint, code


async def download(
    reach: Reach, velero: str, kind: str, name: str, *, owner: str, limit: int = LIMIT, ca: str = ""
) -> bytes:
    """The unpacked artefact ``kind`` of Backup or Restore ``name`` (BackupContents stays packed).

    ``owner`` makes the request's name: the same owner finds its own request again. Raises ``ArtefactError``.
    """
    error = ArtefactError("no try was made")
    for attempt in (1, 2):
        seed = hashlib.sha256(f"{owner}/{kind}/{name}/{attempt}".encode()).hexdigest()[:16]
        request = f"lazarus-{seed}"
        try:
            url = await _url(reach, velero, request, kind, name)
            data = await _fetched(reach, url, kind, limit, ca)
            return data if kind == "BackupContents" else unpack(data)
        except ArtefactError as failure:
            error = failure
            if failure.code not in ("unanswered", "expired"):
                break
        finally:
            await asyncio.shield(_remove(reach, velero, request))
    raise error


async def _url(reach: Reach, velero: str, request: str, kind: str, name: str) -> str:
    body = {
        "apiVersion": DOWNLOAD_REQUESTS.api_version,
        "kind": DOWNLOAD_REQUESTS.kind,
        "metadata": {"name": request, "namespace": velero},
        "spec": {"target": {"kind": kind, "name": name}},
    }
    write = Write("create", DOWNLOAD_REQUESTS, velero, request, body, expect=f"the server signs a URL for {kind}")
    result = await reach.gate.write(write)
    _refused(result, "create")
    end = reach.clock.monotonic() + URL_SECONDS
    wait = 0.1
    while True:
        found = await reach.reader.get(DOWNLOAD_REQUESTS, request, velero, type=dict)
        status = (found or {}).get("status") or {}
        if status.get("downloadURL"):
            return str(status["downloadURL"])
        if status.get("phase") == "Failed":
            raise ArtefactError(f"Velero refused {kind} of {name}: {status.get('message', '')}", code="refused")
        if reach.clock.monotonic() >= end:
            raise ArtefactError(
                f"Velero did not answer the request for {kind} of {name}",
                hint="check that the Velero server runs and that the backup's storage location is available",
                code="unanswered",
            )
        await reach.clock.sleep(wait)
        wait = min(wait * 1.6, 2.0)


def _refused(result: WriteResult, verb: str) -> None:
    if result.outcome in (Outcome.FORBIDDEN, Outcome.AUTH):
        raise ArtefactError(
            f"no right to {verb} downloadrequests.velero.io: {result.reason}",
            hint="grant create, get and delete on downloadrequests.velero.io in Velero's namespace",
            code="refused",
        )
    if result.outcome is Outcome.PERMANENT:
        raise ArtefactError(f"the request for an artefact was refused: {result.reason}", code="refused")


async def _remove(reach: Reach, velero: str, request: str) -> None:
    """Delete our request; if that fails the server removes it when it expires."""
    with contextlib.suppress(KubeError):
        found = await reach.reader.get(DOWNLOAD_REQUESTS, request, velero, type=dict)
        uid = str(((found or {}).get("metadata") or {}).get("uid", ""))
        if uid:
            write = Write("delete", DOWNLOAD_REQUESTS, velero, request, uid=uid, expect="the request is gone")
            await reach.gate.write(write)


async def _fetched(reach: Reach, url: str, kind: str, limit: int, ca: str) -> bytes:
    try:
        return await reach.fetch(url, limit=limit, ca=ca)
    except OSError as error:
        raise explain_download(error, kind) from None


def explain_download(error: OSError, kind: str) -> ArtefactError:
    """A failed download in plain words (reference: velero §8.5); the URL never gets into the text."""
    status, text = getattr(error, "status", 0), str(error).lower()
    if status == 404 or "404" in text:
        return ArtefactError(f"there is no {kind} in the bucket", hint="it was never uploaded", code="absent")
    if status == 403 or "403" in text:
        hint = "the signed URL has expired, the clocks differ, or a proxy rewrites the Host header"
        return ArtefactError(f"object storage refused the signed URL of {kind}", hint=hint, code="expired")
    if (
        isinstance(error, socket.gaierror)
        or "no such host" in text
        or "name or service" in text
        or "be resolved" in text
    ):
        hint = "set publicUrl in the storage location's config to an address that resolves from here"
        return ArtefactError("the bucket's host name does not resolve from here", hint=hint)
    if isinstance(error, ssl.SSLCertVerificationError) or "certificate" in text:
        hint = "give the bucket's CA (caCertRef of the storage location, or a CA file)"
        return ArtefactError("the bucket's certificate is not trusted", hint=hint, code="untrusted")
    if isinstance(error, TimeoutError) or "timed out" in text:
        return ArtefactError("the bucket does not answer in time", hint="is it reachable from this machine?")
    if isinstance(error, ConnectionRefusedError):
        return ArtefactError("the bucket's address refuses connections", hint="is it reachable from this machine?")
    return ArtefactError(f"the bucket cannot be read from here ({type(error).__name__})", hint="check the network path")


def unpack(data: bytes, limit: int = UNPACKED_LIMIT) -> bytes:
    """Gunzip at most ``limit`` bytes; data that a proxy has unpacked already is taken as it is."""
    if not data.startswith(b"\x1f\x8b"):
        return data
    out = bytearray()
    rest = data
    try:
        while rest:
            inflater = zlib.decompressobj(31)
            out += inflater.decompress(rest, limit + 1 - len(out))
            if len(out) > limit:
                raise ArtefactError(f"the artefact is larger than {limit} bytes when unpacked", code="damaged")
            if not inflater.eof:
                raise ArtefactError("the artefact is cut short", code="damaged")
            rest = inflater.unused_data
    except zlib.error as error:
        raise ArtefactError(f"the artefact is damaged: {error}", code="damaged") from None
    return bytes(out)


def decode(data: bytes, kind: str) -> Any:
    """The JSON of an artefact; raises ``ArtefactError``."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise ArtefactError(f"{kind} is not JSON", hint="a proxy may have replaced it", code="damaged") from None
