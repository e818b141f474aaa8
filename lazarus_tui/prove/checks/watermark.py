"""The watermark: the newest data really found, from which the recovery point actual is computed.

What was written after the restore began is not restored data; where the service can answer as of a moment it is asked
to, otherwise a newer watermark than the restore's start makes the check INCONCLUSIVE.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lazarus_tui.kube.errors import KubeError
from lazarus_tui.model.clock import Clock, parse_rfc3339, rfc3339
from lazarus_tui.model.operation import CheckResult
from lazarus_tui.model.steps import Reader
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.prove.definitions import WatermarkCheck

IDS_LIMIT = 64 * 1024 * 1024
_SECONDS = 15.0


class NotReadable(Exception):
    """The service did not give what was asked for; ``ran`` tells whether it answered at all."""

    def __init__(self, what: str, *, ran: bool) -> None:
        super().__init__(what)
        self.ran = ran


@dataclass(frozen=True, slots=True)
class Watermark:
    """``at`` None: there is no data at all. ``count`` is the number of records, where the service tells it."""

    at: datetime | None
    count: int | None


async def read(reader: Reader, wanted: WatermarkCheck, until: datetime | None = None) -> Watermark:
    """The newest data, or the newest not after ``until``; raises ``NotReadable``."""
    path = _path(wanted.until_path, until) if until and wanted.until_path else wanted.path
    document = await _json(reader, wanted, path, 65536)
    text = _field(document, wanted.field)
    count = _field(document, wanted.count_field) if wanted.count_field else None
    if text in ("", None):
        return Watermark(None, count if isinstance(count, int) else None)
    try:
        return Watermark(parse_rfc3339(str(text)), count if isinstance(count, int) else None)
    except ValueError:
        raise NotReadable(f"{wanted.field} of {wanted.service} is not a time", ran=True) from None


async def read_ids(reader: Reader, wanted: WatermarkCheck, until: datetime) -> frozenset[int | str]:
    """The ids of all records not after ``until``; raises ``NotReadable``."""
    document = await _json(reader, wanted, _path(wanted.ids_path, until), IDS_LIMIT)
    if not isinstance(document, list):
        raise NotReadable(f"{wanted.service} did not answer with a list of ids", ran=True)
    return frozenset(item for item in document if isinstance(item, (int, str)))


async def check(reader: Reader, clock: Clock, wanted: WatermarkCheck, until: datetime) -> tuple[CheckResult, Watermark]:
    """The newest data not after ``until``, the moment the restore was asked for."""
    began = clock.monotonic()
    try:
        found = await read(reader, wanted, until)
    except NotReadable as error:
        verdict = Verdict.FAILED if error.ran else Verdict.INCONCLUSIVE
        return _result(wanted, verdict, clock.monotonic() - began, str(error)), Watermark(None, None)
    seconds = clock.monotonic() - began
    if found.at is None:
        return _result(wanted, Verdict.FAILED, seconds, "the restored copy holds no data"), found
    if found.at > until:
        words = "the newest data was written after the restore began: what was restored cannot be told from it"
        return _result(wanted, Verdict.INCONCLUSIVE, seconds, words), Watermark(None, None)
    records = f", {found.count} records" if found.count is not None else ""
    return _result(
        wanted, Verdict.PASSED, seconds, f"newest data of {rfc3339(found.at, milli=True)}{records}", found
    ), found


def _path(template: str, until: datetime) -> str:
    return template.replace("{until_ms}", str(int(until.timestamp() * 1000)))


async def _json(reader: Reader, wanted: WatermarkCheck, path: str, limit: int) -> Any:
    try:
        status, body = await reader.service_proxy(
            wanted.namespace, wanted.service, wanted.port, path, timeout=_SECONDS, limit=limit
        )
    except (KubeError, OSError) as error:
        raise NotReadable(f"{wanted.service} could not be asked: {error}", ran=False) from None
    if status != 200:
        raise NotReadable(f"{wanted.service} answered {status} to {path}", ran=True)
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise NotReadable(f"{wanted.service} did not answer with JSON", ran=True) from None


def _field(document: Any, path: str) -> Any:
    for part in path.split("."):
        document = document.get(part) if isinstance(document, Mapping) else None
    return document


def _result(
    wanted: WatermarkCheck, verdict: Verdict, seconds: float, words: str, found: Watermark | None = None
) -> CheckResult:
    evidence: dict[str, Any] = {"service": f"{wanted.namespace}/{wanted.service}:{wanted.port}"}
    if found is not None and found.at is not None:
        evidence |= {"watermark": rfc3339(found.at, milli=True), "records": found.count}
    return CheckResult(wanted.name, "watermark", verdict, seconds, words, evidence)
