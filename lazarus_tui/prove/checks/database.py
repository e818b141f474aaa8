"""What the checks need of any database, and how its errors are told: by their code, never by their words.

An error's text can quote a row ("invalid input syntax …"), so it is not kept.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from lazarus_tui.model.steps import Reader
from lazarus_tui.prove.checks import certificates
from lazarus_tui.prove.checks.bridge import bridge
from lazarus_tui.prove.checks.credentials import Login, login
from lazarus_tui.prove.checks.outcome import Attempt, CouldNot, Wrong
from lazarus_tui.prove.checks.place import Place, place_of
from lazarus_tui.prove.wanted_data import DataCheck, DataWatermark

CONNECT = 10.0  # seconds for a driver to connect and log in
STATEMENT = 0.8  # the share of a check's time that one statement gets: the server's own limit comes first
PATIENCE = 1.2  # how much longer than that the driver waits for the server to say so
LOCK_WAIT_MS = 2000
APPLICATION = "lazarus-check"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a driver connects to (a bridge of ours), as whom, and how long one statement may take (seconds)."""

    port: int
    login: Login
    database: str
    timeout: float
    tls: ssl.SSLContext | None = None
    authority: str = ""


@dataclass(slots=True)
class About:
    """What a server says of itself. ``wrong`` are sentences, each about something that is not right."""

    evidence: dict[str, Any] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


class Database(Protocol):
    """A session that can only read. Its methods raise ``Wrong`` and ``CouldNot``."""

    async def about(self, check: DataCheck) -> About:
        """Version, role, lag and what looks like corruption."""
        ...

    async def rows(self, table: str) -> int | None:
        """How many rows a table has; None when there is no such table."""
        ...

    async def fingerprint(self, table: str, without: tuple[str, ...]) -> tuple[str, str]:
        """A hash over all rows, whatever their order, and the method it was made by."""
        ...

    async def value(self, query: Any) -> Any:
        """The one value that a statement reads; what a statement is depends on the database."""
        ...


def absent(extra: str, package: str) -> CouldNot:
    """The driver is not installed."""
    return CouldNot(f"its driver {package} is not installed: pip install 'lazarus-tui[{extra}]'", final=True)


def refused(found: Login, said: str) -> CouldNot:
    """Nobody was named to log in as."""
    return CouldNot(f"it asks for credentials and none are given ({said})", final=not found.given)


def late(what: str, timeout: float) -> CouldNot | Wrong:
    """No answer in time. A statement (``what``) that is late says nothing; a login that is never answered does."""
    return CouldNot(f"{what}: not within {timeout:g} s") if what else Wrong(f"not within {timeout:g} s")


def single(name: str, rows: Sequence[Sequence[Any]]) -> Any:
    """The one value of an answer."""
    if len(rows) == 1 and len(rows[0]) == 1:
        return rows[0][0]
    shape = "no row" if not rows else f"{len(rows[0])} columns" if len(rows) == 1 else "more than one row"
    raise Wrong(f"{name}: it must read exactly one value, and reads {shape}")


@asynccontextmanager
async def address(
    reader: Reader, wanted: DataCheck | DataWatermark, attempt: Attempt
) -> AsyncIterator[tuple[Address, Place]]:
    """A way to the database, open while the block runs; what broke it is raised instead of what the driver says."""
    place = await place_of(
        reader, wanted.namespace, wanted.port, service=wanted.service, pod=wanted.pod, workload=wanted.workload
    )
    who = await login(reader, place, wanted.credentials)
    tls, authority = None, ""
    if wanted.tls is not None:
        tls = await certificates.context(reader, wanted.namespace, wanted.tls, wanted.service or place.pod)
        if wanted.tls.ca:
            authority = await certificates.authority(reader, wanted.namespace, wanted.tls.ca)
    async with bridge(reader, place, attempt) as found:
        try:
            limit = wanted.timeout * STATEMENT
            yield Address(found.port, who, wanted.database, limit, tls, authority), place
        except Exception as error:
            if why := certificates.refused(error):
                raise Wrong(f"its certificate does not verify: {why}") from None
            if found.broken is not None:
                raise found.broken from None
            raise
