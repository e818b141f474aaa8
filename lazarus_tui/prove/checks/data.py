"""Checks of a database: what it says of itself, its tables against what is wanted, and assertions on single values.

Everything that does not hold is found in one go and told together. Evidence has counts and hashes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from lazarus_tui.model.counting import how_many
from lazarus_tui.model.steps import StepContext
from lazarus_tui.prove.checks import compare, manifests, mongodb, mysql, postgresql, redis
from lazarus_tui.prove.checks.database import Address, Database, address
from lazarus_tui.prove.checks.outcome import Attempt, CouldNot, Found, Wrong
from lazarus_tui.prove.wanted import Expect
from lazarus_tui.prove.wanted_data import (
    DataCheck,
    DataWatermark,
    Documents,
    MongodbCheck,
    MysqlCheck,
    PostgresqlCheck,
    Recorded,
    RedisCheck,
    Table,
)


class Report:
    """What was seen and what of it is wrong, or could not be seen, in the order of looking."""

    def __init__(self) -> None:
        self.evidence: dict[str, Any] = {}
        self.wrong: list[str] = []
        self.unknown: list[str] = []
        self.looked = 0

    def found(self, words: str) -> Found:
        """Raises ``Wrong`` if anything is; else ``CouldNot`` if anything could not be seen."""
        if self.wrong:
            raise Wrong("; ".join([*self.wrong[:4], *self.unknown[:1]]), self.evidence)
        if self.unknown:
            raise CouldNot("; ".join(self.unknown[:4]))
        return Found(words, self.evidence)


def _driver(kind: str, where: Address) -> AbstractAsyncContextManager[Database]:
    if kind == "postgresql":
        return postgresql.opened(where)
    if kind in ("mysql", "mariadb"):
        return mysql.opened(where)
    return mongodb.opened(where) if kind == "mongodb" else redis.opened(where)


@asynccontextmanager
async def session(
    context: StepContext, wanted: DataCheck | DataWatermark, attempt: Attempt
) -> AsyncIterator[tuple[Database, str]]:
    """A session that can only read, and where it leads to, in words."""
    async with address(context.reader, wanted, attempt) as (where, place), _driver(wanted.kind, where) as database:
        attempt.answers = True
        yield database, f"{place.namespace}/{place.pod}:{place.port}"


async def look(context: StepContext, check: DataCheck, attempt: Attempt) -> Found:
    report = Report()
    if check.manifest is not None and check.against is None:
        check = await manifests.recalled(context, check, report.evidence)
    async with session(context, check, attempt) as (database, where):
        report.evidence["place"] = where
        about = await database.about(check)
        report.evidence |= about.evidence
        report.wrong += about.wrong
        await _tables(database, check, report)
        await _values(database, check, report)
    counted = f"{report.looked} assertions hold" if report.looked else "it answers"
    return report.found(f"{counted}; {where}")


# --- tables


async def _tables(database: Database, check: DataCheck, report: Report) -> None:
    wanted = {one.name: one for one in (Table(name=one) if isinstance(one, str) else one for one in check.tables)}
    recorded = check.against.tables if check.against else {}
    seen: dict[str, Any] = {}
    for name in [*wanted, *(name for name in recorded if name not in wanted)]:
        try:
            seen[name] = await _table(database, check, wanted.get(name), name, report)
        except CouldNot as error:
            report.unknown.append(str(error))
        except Wrong as wrong:
            report.wrong.append(str(wrong))
    if seen:
        report.evidence["tables"] = seen


async def _table(
    database: Database, check: DataCheck, wanted: Table | None, name: str, report: Report
) -> dict[str, Any]:
    report.looked += 1
    rows = await database.rows(name)
    if rows is None:
        raise Wrong(f"there is no table {name}")
    seen: dict[str, Any] = {"rows": rows}
    if wanted is not None:
        if rows < wanted.min_rows:
            report.wrong.append(f"{name} has {how_many(rows, 'row')}, fewer than {wanted.min_rows}")
        if wanted.rows is not None and (wrong := compare.wrong(wanted.rows, rows)):
            report.wrong.append(f"the number of rows of {name}, {rows}, {wrong}")
    recorded = check.against.tables.get(name) if check.against else None
    if recorded is not None and check.against is not None:
        _counted(name, rows, recorded, check.against.rows, report)
    if unrecorded := manifests.lacks(check, recorded):
        report.unknown.append(f"{name}: {unrecorded}")
    if (wanted and wanted.fingerprint) or (recorded and recorded.fingerprint and check.fingerprints):
        seen["fingerprint"], method = await database.fingerprint(name, wanted.without if wanted else ())
        _compared(name, seen["fingerprint"], method, wanted, recorded if check.fingerprints else None, report)
    return seen


def _counted(name: str, rows: int, recorded: Recorded, share: float, report: Report) -> None:
    """All of them means exactly as many; a share leaves room both ways, for what was written around the cut."""
    exact = share >= 1.0
    if (exact and rows != recorded.rows) or rows < recorded.rows * share:
        report.wrong.append(f"{name} has {how_many(rows, 'row')}, the manifest {recorded.rows}")


def _compared(
    name: str, found: str, method: str, wanted: Table | None, recorded: Recorded | None, report: Report
) -> None:
    if wanted is not None and wanted.fingerprint and wanted.fingerprint != found:
        report.wrong.append(f"the fingerprint of {name} is not the expected one")
    if recorded is None or not recorded.fingerprint:
        return
    if recorded.method != method:
        report.unknown.append(
            f"{name}: the manifest's fingerprint was made by {recorded.method or 'an unknown method'}"
        )
    elif recorded.fingerprint != found:
        report.wrong.append(f"the content of {name} is not what the manifest recorded")


# --- single values


async def _values(database: Database, check: DataCheck, report: Report) -> None:
    seen: dict[str, Any] = {}
    for number, (name, query, expect, count) in enumerate(_asked(check), 1):
        report.looked += 1
        try:
            value = await database.value(query)
        except CouldNot as error:
            report.unknown.append(str(error))
            continue
        except Wrong as wrong:
            report.wrong.append(str(wrong))
            continue
        seen[name or f"query {number}"] = compare.evidence_of(value, count=count)
        if wrong_words := compare.wrong(expect, value) or compare.lacking(expect, value, count=count):
            report.wrong.append(f"{name} {wrong_words}{compare.shown(value, count=count)}")
    if seen:
        report.evidence["values"] = seen


def _asked(check: DataCheck) -> list[tuple[str, Any, Expect, bool]]:
    """(name, what the driver is asked, what is expected, whether it is a count) for each single value."""
    if isinstance(check, RedisCheck):
        return [(one.key, (one.key, one.type, one.size), one, one.size) for one in check.keys]
    if isinstance(check, MongodbCheck):
        return [(_documents(one), (one.collection, one.filter), one, True) for one in check.queries]
    if isinstance(check, PostgresqlCheck | MysqlCheck):
        named = [(one.name or f"query {number}", one) for number, one in enumerate(check.queries, 1)]
        return [(name, (name, one.sql), one, one.count) for name, one in named]
    return []


def _documents(one: Documents) -> str:
    return one.name or f"documents of {one.collection}"
