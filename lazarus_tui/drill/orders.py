"""The shop's order book, read through the API server: how many orders there are, and which."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lazarus_tui.kube.errors import AuthError, Forbidden, KubeError
from lazarus_tui.model.steps import Reader

SERVICE, PORT = "orders", 8080
_IDS_LIMIT = 64 * 1024 * 1024


class NoAnswer(Exception):
    """The order book did not answer, or not with what was asked for."""


@dataclass(frozen=True, slots=True)
class Stats:
    orders: int
    last_id: int


async def stats(reader: Reader, namespace: str) -> Stats:
    """Raises ``NoAnswer``, and what only a person can mend: ``AuthError``, ``Forbidden``."""
    found = await _json(reader, namespace, "/stats", 65536)
    if not isinstance(found, dict) or not all(isinstance(found.get(key), int) for key in ("orders", "last_id")):
        raise NoAnswer("the order book's figures are not what was expected")
    return Stats(found["orders"], found["last_id"])


async def ids(reader: Reader, namespace: str, until: datetime | None = None) -> frozenset[int]:
    """All order ids, or those of orders placed until a moment; raises ``NoAnswer``."""
    path = f"/until/{int(until.timestamp() * 1000)}/ids" if until else "/orders/ids"
    found = await _json(reader, namespace, path, _IDS_LIMIT)
    if not isinstance(found, list) or not all(isinstance(number, int) for number in found):
        raise NoAnswer("the order book did not answer with a list of ids")
    return frozenset(found)


async def _json(reader: Reader, namespace: str, path: str, limit: int) -> Any:
    try:
        status, body = await reader.service_proxy(namespace, SERVICE, PORT, path, timeout=10.0, limit=limit)
    except (AuthError, Forbidden):
        raise
    except (KubeError, OSError) as error:
        raise NoAnswer(f"the order book does not answer: {error}") from None
    if status != 200:
        raise NoAnswer(f"the order book answered {status}")
    try:
        return json.loads(body)
    except ValueError:
        raise NoAnswer("the order book did not answer with JSON") from None


def ranges(numbers: Iterable[int]) -> list[list[int]]:
    """Numbers as inclusive ranges: what the journal keeps of a hundred thousand ids."""
    found: list[list[int]] = []
    for number in sorted(set(numbers)):
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return found


def count(found: Iterable[Iterable[int]]) -> int:
    return sum(last - first + 1 for first, last in found)


def missing(before: Iterable[Iterable[int]], after: Iterable[int]) -> int:
    """How many numbers of the ranges ``before`` are not in ``after``."""
    kept = set(after)
    return sum(1 for first, last in before for number in range(first, last + 1) if number not in kept)
