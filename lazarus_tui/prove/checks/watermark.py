"""The watermark: the newest data really found, from which the recovery point actual is computed.

What was written after the restore began is not restored data; where the service can answer as of a moment it is asked
to, otherwise a newer watermark than the restore's start makes the check INCONCLUSIVE.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lazarus_tui.kube.errors import KubeError
from lazarus_tui.model.clock import Clock, rfc3339
from lazarus_tui.model.counting import how_many
from lazarus_tui.model.quantities import size
from lazarus_tui.model.steps import Reader, StepContext
from lazarus_tui.prove.checks import newest
from lazarus_tui.prove.checks.outcome import Attempt, CouldNot, Found, Wrong
from lazarus_tui.prove.checks.place import place_of
from lazarus_tui.prove.checks.values import MISSING, at, moment
from lazarus_tui.prove.checks.wire import Ask, exchange
from lazarus_tui.prove.wanted_data import AnyWatermark, WatermarkCheck

LIMIT, IDS_LIMIT = 64 * 1024, 64 * 1024 * 1024
_SECONDS = 15.0


class NotReadable(Exception):
    """The service did not give what was asked for."""


@dataclass(frozen=True, slots=True)
class Watermark:
    """``at`` None: there is no data at all. ``count`` is the number of records, where the service tells it."""

    at: datetime | None = None
    count: int | None = None


async def read_ids(reader: Reader, clock: Clock, wanted: WatermarkCheck, until: datetime) -> frozenset[int | str]:
    """The ids of all records not after ``until``; raises ``NotReadable``."""
    path = _path(wanted.ids_path, until)
    try:
        document = await _json(reader, wanted, path, IDS_LIMIT, Attempt(clock))
    except (Wrong, CouldNot, KubeError, OSError) as error:
        raise NotReadable(f"{wanted.service} could not be asked: {error}") from None
    if not isinstance(document, list):
        raise NotReadable(f"{wanted.service} did not answer with a list of ids")
    return frozenset(item for item in document if isinstance(item, (int, str)))


async def look(
    context: StepContext, wanted: AnyWatermark, until: datetime, attempt: Attempt
) -> tuple[Found, Watermark]:
    """The newest data not after ``until``, the moment the restore was asked for."""
    found = await _read(context, wanted, until, attempt)
    if found.at is None:
        raise Wrong("the restored copy holds no data", {"records": found.count})
    if found.at > until:
        words = "the newest data was written after the restore began: what was restored cannot be told from it"
        raise CouldNot(words)
    records = f", {how_many(found.count, 'record')}" if found.count is not None else ""
    evidence = {"watermark": rfc3339(found.at, milli=True), "records": found.count}
    return Found(f"newest data of {rfc3339(found.at, milli=True)}{records}", evidence), found


async def _read(context: StepContext, wanted: AnyWatermark, until: datetime, attempt: Attempt) -> Watermark:
    if not isinstance(wanted, WatermarkCheck):
        value = await newest.value(context, wanted, attempt)
        return Watermark(_moment(value, wanted.where) if value not in (None, "", b"") else None)
    path = _path(wanted.until_path, until) if wanted.until_path else wanted.path
    document = await _json(context.reader, wanted, path, LIMIT, attempt)
    value = at(document, wanted.field)
    count = at(document, wanted.count_field) if wanted.count_field else None
    records = count if isinstance(count, int) else None
    if value in ("", None, MISSING):
        return Watermark(None, records)
    return Watermark(_moment(value, f"{wanted.field} of {wanted.service}"), records)


def _moment(value: Any, what: str) -> datetime:
    try:
        return moment(value)
    except (ValueError, OverflowError):
        raise Wrong(f"{what} is not a time") from None


def _path(template: str, until: datetime) -> str:
    return template.replace("{until_ms}", str(int(until.timestamp() * 1000)))


async def _json(reader: Reader, wanted: WatermarkCheck, path: str, limit: int, attempt: Attempt) -> Any:
    place = await place_of(reader, wanted.namespace, wanted.port, service=wanted.service)
    host = f"{wanted.service}:{place.asked}"
    answer = await exchange(reader, place, Ask(host, path, timeout=_SECONDS, limit=limit), attempt)
    if answer.status != 200:
        raise Wrong(f"{wanted.service} answered {answer.status} to {path}")
    if answer.cut:
        raise CouldNot(f"{wanted.service} answered with more than {size(limit)}: too much to be read")
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        raise Wrong(f"{wanted.service} did not answer with JSON") from None
