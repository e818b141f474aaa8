"""PostgreSQL by asyncpg: one read-only transaction that sees one state of all tables.

Session settings and the fingerprint's expression: reference data, measured against PostgreSQL 15 and 17.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

from lazarus_tui.prove.checks.bridge import LOOPBACK
from lazarus_tui.prove.checks.database import (
    APPLICATION,
    CONNECT,
    LOCK_WAIT_MS,
    PATIENCE,
    About,
    Address,
    absent,
    late,
    refused,
    single,
)
from lazarus_tui.prove.checks.outcome import CouldNot, Wrong, hashed
from lazarus_tui.prove.wanted_data import DataCheck

if TYPE_CHECKING:
    import asyncpg

METHOD = "postgresql-sha256-1"
_COLUMNS = """select attname, format_type(atttypid, atttypmod) from pg_attribute
 where attrelid = $1::oid and attnum > 0 and not attisdropped order by attnum"""
_FAILURES = "select coalesce(sum(checksum_failures), 0)::bigint from pg_stat_database"
_INVALID = "select count(*) from pg_index where not indisvalid"
_LAG_HERE = "select extract(epoch from now() - pg_last_xact_replay_timestamp())::float8"
_LAG_THERE = "select max(extract(epoch from replay_lag))::float8 from pg_stat_replication"


@asynccontextmanager
async def opened(where: Address) -> AsyncIterator[Postgresql]:
    """Nothing of this machine's settings (PGPASSWORD, service files) is used: every parameter is given."""
    try:
        import asyncpg
        from asyncpg.connect_utils import SessionAttribute
    except ImportError:
        raise absent("postgresql", "asyncpg") from None
    milliseconds = str(int(where.timeout * 1000))
    settings = {
        "application_name": APPLICATION, "default_transaction_read_only": "on", "statement_timeout": milliseconds,
        "lock_timeout": str(LOCK_WAIT_MS), "idle_in_transaction_session_timeout": milliseconds, "TimeZone": "UTC",
        "DateStyle": "ISO, YMD", "IntervalStyle": "iso_8601", "extra_float_digits": "3", "bytea_output": "hex",
    }  # fmt: skip
    user = where.login.username or "postgres"
    with _told(where):
        session = await asyncpg.connect(
            host=LOOPBACK, port=where.port, user=user, password=where.login.password, database=where.database or user,
            ssl=where.tls or False, timeout=CONNECT, command_timeout=where.timeout * PATIENCE, server_settings=settings,
            target_session_attrs=SessionAttribute.any,
        )  # fmt: skip
    try:
        with _told(where):
            await session.execute("begin isolation level repeatable read read only")
        yield Postgresql(session, where)
    finally:
        session.terminate()


@contextmanager
def _told(where: Address, what: str = "") -> Iterator[None]:
    """The driver's errors as ours; ``what`` names the statement."""
    import asyncpg
    from asyncpg import exceptions as said

    named = f"{what}: " if what else ""
    try:
        yield
    except (said.InvalidPasswordError, said.InvalidAuthorizationSpecificationError) as error:
        if where.login.given:
            raise Wrong(f"it refuses the restored credentials ({error.sqlstate})") from None
        raise refused(where.login, str(error.sqlstate)) from None
    except said.CannotConnectNowError:
        raise Wrong("it takes no connections yet: starting up or recovering (57P03)") from None
    except said.InvalidCatalogNameError:
        raise Wrong(f"there is no database {where.database}") from None
    except said.InsufficientPrivilegeError as error:
        raise CouldNot(f"{named}{where.login.username or 'the user'} may not read it ({error.sqlstate})") from None
    except (said.QueryCanceledError, said.LockNotAvailableError) as error:
        raise CouldNot(f"{named}not within {where.timeout:g} s ({error.sqlstate})") from None
    except asyncpg.PostgresError as error:
        raise Wrong(f"{named}the server refuses it ({error.sqlstate} {type(error).__name__})") from None
    except asyncpg.InterfaceError as error:
        raise Wrong(f"{named}it cannot be asked ({type(error).__name__})") from None
    except TimeoutError:
        raise late(what, where.timeout) from None
    except OSError as error:
        raise Wrong(f"{named}it does not answer as PostgreSQL does ({type(error).__name__})") from None


class Postgresql:
    """See ``database.Database``."""

    def __init__(self, session: asyncpg.Connection[Any], where: Address) -> None:
        self._session, self._where = session, where

    async def about(self, check: DataCheck) -> About:
        found = About({"server": str(self._session.get_server_version().major)})
        with _told(self._where, "its state"):
            replica = bool(await self._session.fetchval("select pg_is_in_recovery()"))
            found.evidence["replica"] = replica
            if check.role and replica != (check.role == "replica"):
                found.wrong.append(f"it is a {'replica' if replica else 'primary'}, not a {check.role}")
            if check.max_lag is not None:
                lag = await self._session.fetchval(_LAG_HERE if replica else _LAG_THERE)
                found.evidence["lag_seconds"] = lag
                if lag is None or lag > check.max_lag:
                    found.wrong.append("no lag is known" if lag is None else f"it lags by {lag:.1f} s")
            if check.looks:
                await self._looks(found)
        return found

    async def _looks(self, found: About) -> None:
        failures, invalid = await self._session.fetchval(_FAILURES), await self._session.fetchval(_INVALID)
        found.evidence |= {"checksum_failures": failures, "invalid_indexes": invalid}
        if failures:
            found.wrong.append(f"{failures} pages failed their checksum")
        if invalid:
            found.wrong.append(f"{invalid} indexes are invalid")

    async def rows(self, table: str) -> int | None:
        with _told(self._where, table):
            async with self._apart():
                if await self._oid(table) is None:
                    return None
                return int(await self._session.fetchval(f"select count(*) from {quoted(table)}"))

    @asynccontextmanager
    async def _apart(self) -> AsyncIterator[None]:
        """A point to come back to: an error would end the transaction, and every later answer with it."""
        await self._session.execute("savepoint asked")
        try:
            yield
        except Exception:
            if not self._session.is_closed():
                await self._session.execute("rollback to savepoint asked")
            raise
        await self._session.execute("rollback to savepoint asked")

    async def _oid(self, table: str) -> int | None:
        found: int | None = await self._session.fetchval("select to_regclass($1)::oid", quoted(table))
        return found

    async def fingerprint(self, table: str, without: tuple[str, ...]) -> tuple[str, str]:
        """Sum of the first 64 bits of each row's SHA-256: duplicates count, their order does not, and
        versions agree (a server in FIPS mode refuses MD5)."""
        with _told(self._where, table):
            async with self._apart():
                columns = await self._session.fetch(_COLUMNS, await self._oid(table))
                kept = [(str(name), str(kind)) for name, kind in columns if name not in without]
                row = ", ".join(f"{_name(name)}::text" for name, _ in kept)
                digest = f"encode(sha256(convert_to(row({row})::text, 'UTF8')), 'hex')"
                half = f"('x' || left({digest}, 16))::bit(64)::bigint::numeric"
                total = await self._session.fetchval(f"select coalesce(sum({half}), 0)::text from {quoted(table)}")
        return hashed(f"{kept} {total}"), METHOD

    async def value(self, query: Any) -> Any:
        """``query`` is (name, statement): one statement, because the extended protocol takes no more."""
        name, statement = query
        with _told(self._where, name):
            async with self._apart():
                cursor = await self._session.cursor(statement)
                rows = await cursor.fetch(2)
        return single(name, [tuple(row) for row in rows])


def quoted(table: str) -> str:
    """``schema.table`` as identifiers; without a schema in ``public``."""
    schema, _, name = table.rpartition(".")
    return f"{_name(schema or 'public')}.{_name(name)}"


def _name(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
