"""Velero's log of a restore, kept while it is there: Velero removes it with the Restore, which the cleaning deletes.

Fact: ``prove.restore_log`` {restore, sha256, bytes, lines, cut, unread}: the hash and the sizes are of the whole log as
Velero gave it, ``unread`` says why there is none. Its text waits for the record in a document of this machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Mapping
from typing import Any

from lazarus_tui.kube.errors import Forbidden, NotFound
from lazarus_tui.model.redact import redact_text
from lazarus_tui.model.steps import Halted, StepContext, StepStopped

LOG = "prove.restore_log"
# Bytes that are kept of the begin and of the end; a log of some hundred objects is there whole.
HEAD, TAIL = 64 * 1024, 192 * 1024
# Bytes from each end that are looked through for secrets before anything is cut.
_LOOKED = 512 * 1024


async def capture(context: StepContext, params: Mapping[str, Any]) -> dict[str, Any]:
    """The fact, once its text is kept; {} where there is no restore of which there could be a log.

    Raises what may pass, and ``Halted``.
    """
    name = str(context.facts.get("restore.name") or "")
    if params.get("source") != "velero" or not name or not context.facts.get("restore.phase"):
        return {}
    try:
        data = await context.artefact(str(params["velero"]), "RestoreLog", name)
    except Halted:
        raise
    except StepStopped as error:
        return {LOG: {"restore": name, "unread": error.what}}
    except (Forbidden, NotFound) as error:
        return {LOG: {"restore": name, "unread": str(error)}}
    text, cut = await asyncio.to_thread(excerpt, data)
    try:
        await context.keep(_document(context.op), {"text": text})
    except OSError as error:
        return {LOG: {"restore": name, "unread": f"it could not be kept: {error.strerror or error}"}}
    sizes = {"bytes": len(data), "lines": data.count(b"\n"), "cut": cut}
    return {LOG: {"restore": name, "sha256": hashlib.sha256(data).hexdigest(), **sizes, "unread": ""}}


async def of_record(context: StepContext) -> dict[str, Any] | None:
    """What the record has of it: the fact with the text; None where there is none."""
    fact = context.facts.get(LOG)
    if not fact or fact["unread"]:
        return None
    try:
        found = await context.kept(_document(context.op))
    except (OSError, ValueError):
        found = None
    return {**{key: value for key, value in fact.items() if key != "unread"}, "text": (found or {}).get("text")}


async def forget(context: StepContext) -> None:
    """The record has it; a file that cannot be removed harms nobody."""
    if context.facts.get(LOG):
        with contextlib.suppress(OSError):
            await context.forget(_document(context.op))


def excerpt(data: bytes) -> tuple[str, bool]:
    """The log without secrets, and whether it was cut: then its first and last lines, the rest counted between them."""
    if len(data) <= 2 * _LOOKED:
        first = last = _redacted(data)
    else:
        first, last = _redacted(data[:_LOOKED]), _redacted(data[_after_keys(data, len(data) - _LOOKED) :])
    if first is last and len(first) <= HEAD + TAIL:
        return first.decode(), False
    head, tail = first[:HEAD].rpartition(b"\n")[0], last[-TAIL:].partition(b"\n")[2]
    left_out = f"\n[about {len(data) - len(head) - len(tail)} of {len(data)} bytes are left out]\n"
    return head.decode("utf-8", "replace") + left_out + tail.decode("utf-8", "replace"), True


def _after_keys(data: bytes, start: int) -> int:
    """Where to begin at ``start`` or behind it: not within a key, which is known by its first line."""
    if data.rfind(b"-----BEGIN ", 0, start) <= data.rfind(b"-----END ", 0, start):
        return start
    end = data.find(b"-----END ", start)
    return len(data) if end < 0 else end


def _redacted(data: bytes) -> bytes:
    return redact_text(data.decode("utf-8", "replace")).encode()


def _document(op: str) -> str:
    return f"restore-log-{op}"
