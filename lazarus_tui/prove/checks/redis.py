"""Redis and Valkey by redis.asyncio, without its own retries: those multiply every limit by ten (measured)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

from lazarus_tui.model.counting import how_many
from lazarus_tui.prove.checks.bridge import LOOPBACK
from lazarus_tui.prove.checks.database import CONNECT, About, Address, absent, late, refused
from lazarus_tui.prove.checks.outcome import CouldNot, Wrong
from lazarus_tui.prove.wanted_data import DataCheck, RedisCheck

if TYPE_CHECKING:
    from redis.asyncio import Redis

# Bytes of a value that are read; a key may hold 512 MiB.
_LONGEST = 1024 * 1024
# How many members a key has, by its type.
_SIZES = {"string": "STRLEN", "list": "LLEN", "set": "SCARD", "zset": "ZCARD", "hash": "HLEN", "stream": "XLEN"}


@asynccontextmanager
async def opened(where: Address) -> AsyncIterator[RedisDatabase]:
    try:
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
    except ImportError:
        raise absent("redis", "redis") from None
    options: dict[str, Any] = {}
    if where.tls is not None:
        verify = "none" if where.tls.verify_mode == 0 else "required"
        options = {"ssl": True, "ssl_check_hostname": False, "ssl_cert_reqs": verify}
        options |= {"ssl_ca_data": where.authority} if where.authority else {}
    session = Redis(
        host=LOOPBACK, port=where.port, db=_number(where.database), username=where.login.username or None,
        password=where.login.password or None, retry=Retry(NoBackoff(), 0), socket_timeout=where.timeout,
        socket_connect_timeout=CONNECT, single_connection_client=True, **options,
    )  # fmt: skip
    try:
        with _told(where):
            await session.ping()
        yield RedisDatabase(session, where)
    finally:
        await session.connection_pool.disconnect(inuse_connections=True)
        await session.aclose()


def _number(database: str) -> int:
    if database and not database.isdigit():
        raise Wrong("a database of Redis is a number")
    return int(database or 0)


@contextmanager
def _told(where: Address, what: str = "") -> Iterator[None]:
    """The driver's errors as ours; of a server's error only its first word is kept."""
    from redis import exceptions as said

    named = f"{what}: " if what else ""
    try:
        yield
    except said.AuthenticationError as error:
        if where.login.given:
            raise Wrong("it refuses the restored credentials") from error
        raise refused(where.login, "NOAUTH") from None
    except said.BusyLoadingError:
        raise Wrong("it takes no commands yet: it is loading its data (LOADING)") from None
    except said.TimeoutError:
        raise late(what, where.timeout) from None
    except said.ResponseError as error:
        word = (str(error).split() or ["ERR"])[0][:16]
        if word in ("NOAUTH", "WRONGPASS"):
            raise refused(where.login, word) from None
        if word == "NOPERM":
            raise CouldNot(f"{named}the user may not read it (NOPERM)") from None
        raise Wrong(f"{named}the server refuses it ({word if word.isupper() else 'ERR'})") from None
    except (said.RedisError, OSError) as error:
        raise Wrong(f"{named}it does not answer as Redis does ({type(error).__name__})") from None


class RedisDatabase:
    """See ``database.Database``. A table is the numbered database, its rows are its keys."""

    def __init__(self, session: Redis, where: Address) -> None:
        self._session, self._where = session, where

    async def _ask(self, *words: Any, what: str = "") -> Any:
        with _told(self._where, what or words[0]):
            return await self._session.execute_command(*words)  # type: ignore[no-untyped-call]

    async def about(self, check: DataCheck) -> About:
        with _told(self._where, "INFO"):
            said: dict[str, Any] = await self._session.info()
        replica = said.get("role") == "slave"
        found = About({"server": str(said.get("redis_version", ""))[:20], "replica": replica})
        if check.role and replica != (check.role == "replica"):
            found.wrong.append(f"it is a {'replica' if replica else 'primary'}, not a {check.role}")
        if check.max_lag is not None:
            self._lag(check.max_lag, said, found)
        if check.looks:
            for key, good in (("rdb_last_bgsave_status", "ok"), ("aof_last_write_status", "ok"), ("loading", 0)):
                if (told := said.get(key, good)) != good:
                    found.wrong.append(f"{key} is {str(told)[:16]}")
        keys = await self._ask("DBSIZE")
        found.evidence["keys"] = keys
        if isinstance(check, RedisCheck) and check.min_keys is not None and keys < check.min_keys:
            found.wrong.append(f"it has {how_many(keys, 'key')}, fewer than {check.min_keys}")
        return found

    def _lag(self, most: float, said: dict[str, Any], found: About) -> None:
        """Seconds since the link to the primary carried anything; a link that is down has no lag."""
        lag = said.get("master_last_io_seconds_ago") if said.get("master_link_status") == "up" else None
        found.evidence["lag_seconds"] = lag
        if lag is None or lag > most:
            found.wrong.append("no lag is known: it replicates nothing" if lag is None else f"it lags by {lag} s")

    async def rows(self, table: str) -> int | None:
        return int(await self._ask("DBSIZE"))

    async def fingerprint(self, table: str, without: tuple[str, ...]) -> tuple[str, str]:
        raise CouldNot("Redis has no fingerprint that could be read without blocking it")

    async def value(self, query: Any) -> Any:
        """``query`` is (key, type, size); a key that is not there raises ``Wrong``."""
        key, wanted, size = query
        kind = str(_text(await self._ask("TYPE", key, what=key)))
        if kind == "none":
            raise Wrong(f"there is no key {key}")
        if wanted and kind != wanted:
            raise Wrong(f"key {key} is a {kind}, not a {wanted}")
        if size:
            if kind not in _SIZES:
                raise CouldNot(f"key {key} is a {kind}, which has no size")
            return await self._ask(_SIZES[kind], key, what=key)
        if kind != "string":
            raise Wrong(f"key {key} is a {kind}: only its size can be compared")
        if (length := int(await self._ask("STRLEN", key, what=key))) > _LONGEST:
            raise CouldNot(f"key {key} has {length} bytes, too many to be read: compare its size")
        return _text(await self._ask("GET", key, what=key))


def _text(value: Any) -> Any:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
