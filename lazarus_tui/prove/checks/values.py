"""Values in documents, and times as services, databases and files write them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Any, Final

from lazarus_tui.model.clock import parse_rfc3339

MISSING: Final = object()
_PART = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
_NUMBER = re.compile(r"\d{9,19}(\.\d+)?")
_LATEST = 1e11  # seconds since 1970; a larger number counts milli-, micro- or nanoseconds


def at(document: Any, path: str) -> Any:
    """The value at ``items[0].id`` of plain JSON data, or ``MISSING``."""
    for name, index in _PART.findall(path.removeprefix("$").removeprefix(".")):
        if name:
            document = document.get(name, MISSING) if isinstance(document, dict) else MISSING
        else:
            position = int(index[:9])
            document = document[position] if isinstance(document, list) and position < len(document) else MISSING
    return document


def moment(value: Any) -> datetime:
    """A time: a date or time of a database (UTC where it has no zone), RFC 3339, or a number since 1970.

    Raises ``ValueError``.
    """
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    text = text.strip()
    if _NUMBER.fullmatch(text):
        number = float(text)
        while number > _LATEST:
            number /= 1000
        return datetime.fromtimestamp(number, UTC)
    return parse_rfc3339(text)
