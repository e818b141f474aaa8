"""MySQL and MariaDB by PyMySQL in a thread: one read-only transaction over a consistent snapshot.

A statement that is given up ends with the bridge it goes through, so no thread outlives its check by much.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

from lazarus_tui.model.counting import how_many
from lazarus_tui.prove.checks.bridge import LOOPBACK
from lazarus_tui.prove.checks.database import CONNECT, LOCK_WAIT_MS, About, Address, absent, late, refused, single
from lazarus_tui.prove.checks.outcome import CouldNot, Wrong, hashed
from lazarus_tui.prove.wanted_data import DataCheck

if TYPE_CHECKING:
    from pymysql.connections import Connection

METHOD = "mysql-sha256-1"
_COLUMNS = """select column_name, data_type from information_schema.columns
 where table_schema = %s and table_name = %s order by ordinal_position"""
_BINARY = frozenset({"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob", "bit", "geometry"})
# Error numbers of the servers: refused logins; no such database; not allowed; timed out (MySQL, MariaDB, lock, client).
_LOGIN, _NO_DATABASE, _DENIED = (1045, 1698, 1251, 2059), 1049, (1044, 1142, 1143, 1227)
_LATE, _LOST = (3024, 1969, 1205), (2003, 2006, 2013)


@asynccontextmanager
async def opened(where: Address) -> AsyncIterator[Mysql]:
    """No option file of this machine is read; files of this machine are sent to nobody."""
    try:
        import pymysql
    except ImportError:
        raise absent("mysql", "PyMySQL") from None

    def connect() -> Connection[Any]:
        return pymysql.connect(
            host=LOOPBACK, port=where.port, user=where.login.username or "root", password=where.login.password,
            database=where.database or None, connect_timeout=int(CONNECT), read_timeout=where.timeout + 1,
            write_timeout=where.timeout + 1, charset="utf8mb4", local_infile=False, autocommit=True,
            ssl=where.tls, ssl_disabled=where.tls is None,
        )  # fmt: skip

    with _told(where):
        session = await asyncio.to_thread(connect)
    found = Mysql(session, where)
    try:
        await found.begin()
        yield found
    finally:
        session._force_close()  # type: ignore[attr-defined]


@contextmanager
def _told(where: Address, what: str = "") -> Iterator[None]:
    """The driver's errors as ours, by their numbers; ``what`` names the statement."""
    from pymysql import err

    named = f"{what}: " if what else ""
    try:
        yield
    except err.MySQLError as error:
        number = error.args[0] if error.args and isinstance(error.args[0], int) else 0
        if number in _LOGIN:
            if where.login.given:
                raise Wrong(f"it refuses the restored credentials ({number})") from None
            raise refused(where.login, str(number)) from None
        if number == _NO_DATABASE:
            raise Wrong(f"there is no database {where.database}") from None
        if number in _DENIED:
            raise CouldNot(f"{named}{where.login.username or 'root'} may not read it ({number})") from None
        if number in _LATE:
            raise CouldNot(f"{named}not within {where.timeout:g} s ({number})") from None
        if number in _LOST:
            if isinstance(error.__context__, TimeoutError):  # the driver's own word for it is a lost connection
                raise late(what, where.timeout) from None
            raise Wrong(f"{named}it does not answer, or closed the connection ({number})") from None
        raise Wrong(f"{named}the server refuses it ({number} {type(error).__name__})") from None
    except (OSError, RuntimeError, ValueError, IndexError) as error:  # what answers speaks something else
        raise Wrong(f"{named}it does not answer as MySQL does ({type(error).__name__})") from None


class Mysql:
    """See ``database.Database``."""

    def __init__(self, session: Connection[Any], where: Address) -> None:
        self._session, self._where = session, where
        self._version = str(session.get_server_info())  # type: ignore[no-untyped-call]
        self._maria = "mariadb" in self._version.lower()

    async def _ask(self, statement: str, values: Sequence[Any] = (), what: str = "") -> list[tuple[Any, ...]]:
        """All rows of the answer: what a person wrote is limited by ``value``."""

        def ask() -> list[tuple[Any, ...]]:
            with self._session.cursor() as cursor:
                cursor.execute(statement, values or None)
                return [tuple(row) for row in cursor.fetchall()]

        with _told(self._where, what or "its state"):
            return await asyncio.to_thread(ask)

    async def begin(self) -> None:
        seconds = self._where.timeout
        limit = f"max_statement_time = {seconds:g}" if self._maria else f"max_execution_time = {int(seconds * 1000)}"
        for statement in (
            f"set session {limit}, lock_wait_timeout = {LOCK_WAIT_MS // 1000}, time_zone = '+00:00', sql_mode = ''",
            "set session transaction isolation level repeatable read, read only",
            "start transaction with consistent snapshot, read only",
        ):
            await self._ask(statement)

    async def about(self, check: DataCheck) -> About:
        found = About({"server": self._version[:40]})
        ((read_only,),) = await self._ask("select @@global.read_only")
        found.evidence["read_only"] = bool(read_only)
        if check.role or check.max_lag is not None:
            await self._replica(check, found)
        if check.looks:
            await self._looks(check, found)
        return found

    async def _replica(self, check: DataCheck, found: About) -> None:
        def ask() -> dict[str, Any]:
            import pymysql.cursors

            with self._session.cursor(pymysql.cursors.DictCursor) as cursor:
                cursor.execute("show replica status")
                return dict(cursor.fetchone() or {})

        with _told(self._where, "its replication"):
            status = await asyncio.to_thread(ask)
        replica = bool(status)
        found.evidence["replica"] = replica
        if check.role and replica != (check.role == "replica"):
            found.wrong.append(f"it is a {'replica' if replica else 'primary'}, not a {check.role}")
        if check.max_lag is not None:
            lag = status.get("Seconds_Behind_Source", status.get("Seconds_Behind_Master"))
            found.evidence["lag_seconds"] = lag
            if lag is None or lag > check.max_lag:
                found.wrong.append("no lag is known: it replicates nothing" if lag is None else f"it lags by {lag} s")

    async def _looks(self, check: DataCheck, found: About) -> None:
        """CHECK TABLE ends a transaction, so it comes before the one that everything else is read in."""
        broken = 0
        for table in check.tables:
            name = table if isinstance(table, str) else table.name
            told = await self._ask(f"check table {self.quoted(name)} quick", what=name)
            missing = any("doesn't exist" in str(row[3]) for row in told)  # said by the look at the table itself
            broken += not missing and any(str(row[2]) == "error" for row in told)
        found.evidence["corrupt_tables"] = broken
        if broken:
            found.wrong.append(f"{how_many(broken, 'table is', 'tables are')} corrupt")
        await self._ask("start transaction with consistent snapshot, read only")

    def quoted(self, table: str) -> str:
        schema, _, name = table.rpartition(".")
        return ".".join("`" + part.replace("`", "``") + "`" for part in (schema, name) if part)

    async def _columns(self, table: str) -> list[tuple[str, str]]:
        schema, _, name = table.rpartition(".")
        rows = await self._ask(_COLUMNS, (schema or self._where.database, name), table)
        return [(str(column), str(kind).lower()) for column, kind in rows]

    async def rows(self, table: str) -> int | None:
        if not await self._columns(table):
            return None
        return int(single(table, await self._ask(f"select count(*) from {self.quoted(table)}", what=table)))

    async def fingerprint(self, table: str, without: tuple[str, ...]) -> tuple[str, str]:
        """As for PostgreSQL (MySQL 9.7 knows MD5 no more); a row too long for the server to join is not passed over."""
        kept = [(name, kind) for name, kind in await self._columns(table) if name not in without]
        parts = []
        for name, kind in kept:
            column = self.quoted(name)
            parts.append(f"quote({f'hex({column})' if kind in _BINARY else column})")
        row = f"concat_ws(',', {', '.join(parts)})"
        half = f"cast(conv(left(sha2({row}, 256), 16), 16, 10) as decimal(20))"
        statement = f"select coalesce(sum({half}), 0), coalesce(sum({row} is null), 0) from {self.quoted(table)}"
        ((total, unread),) = await self._ask(statement.replace("%", "%%"), what=table)
        if unread:
            raise CouldNot(f"{table}: {how_many(unread, 'row is', 'rows are')} longer than max_allowed_packet")
        return hashed(f"{kept} {total}"), METHOD

    async def value(self, query: Any) -> Any:
        """``query`` is (name, statement): one statement, because the session takes no more."""
        name, statement = query
        await self._ask("set session sql_select_limit = 2", what=name)  # a second one is wrong, however many there are
        rows = await self._ask(statement, what=name)
        await self._ask("set session sql_select_limit = default", what=name)
        return single(name, rows)
