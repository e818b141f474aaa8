"""MongoDB by pymongo's own async client, to this one server alone: through a tunnel the addresses that a replica set
advertises lead nowhere."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

from lazarus_tui.prove.checks import certificates
from lazarus_tui.prove.checks.bridge import LOOPBACK
from lazarus_tui.prove.checks.database import APPLICATION, CONNECT, PATIENCE, About, Address, absent, late, refused
from lazarus_tui.prove.checks.outcome import CouldNot, Wrong, hashed
from lazarus_tui.prove.checks.values import MISSING, at
from lazarus_tui.prove.wanted_data import DataCheck

if TYPE_CHECKING:
    from pymongo.asynchronous.mongo_client import AsyncMongoClient

METHOD = "mongodb-dbhash"
# Error codes of the server: Unauthorized, AuthenticationFailed, MaxTimeMSExpired, InterruptedAtShutdown.
_UNAUTHORIZED, _LOGIN, _LATE = (13,), (18, 11), (50, 24)


@asynccontextmanager
async def opened(where: Address) -> AsyncIterator[Mongodb]:
    try:
        from pymongo import AsyncMongoClient
    except ImportError:
        raise absent("mongodb", "pymongo") from None
    milliseconds = int(where.timeout * 1000)
    options: dict[str, Any] = {}
    if where.login.username:
        options = {"username": where.login.username, "password": where.login.password}
    distrust, listener = _distrust()
    with _authority(where) as tls:
        client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
            LOOPBACK, where.port, directConnection=True, appname=APPLICATION, retryReads=False, maxPoolSize=2,
            # The driver tries again until then, whatever is wrong: some of the time is left to say what.
            serverSelectionTimeoutMS=int(min(CONNECT, where.timeout / 2) * 1000), connectTimeoutMS=int(CONNECT * 1000),
            socketTimeoutMS=int(milliseconds * PATIENCE), timeoutMS=None, event_listeners=[listener], **options, **tls,
        )  # fmt: skip
        try:
            with _told(where):
                await _answers(client, distrust)
            yield Mongodb(client, where)
        finally:
            await client.close()


def _distrust() -> tuple[asyncio.Future[Exception], Any]:
    """What the driver did not take the server's certificate with, once that is known, and the listener that tells."""
    from pymongo.monitoring import ServerHeartbeatFailedEvent, ServerHeartbeatListener

    found: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()

    class Heartbeats(ServerHeartbeatListener):
        def started(self, event: object) -> None: ...

        def succeeded(self, event: object) -> None: ...

        def failed(self, event: ServerHeartbeatFailedEvent) -> None:
            if certificates.refused(event.reply) and not found.done():
                found.set_result(event.reply)

    return found, Heartbeats()


async def _answers(client: AsyncMongoClient[Any], distrust: asyncio.Future[Exception]) -> None:
    """Raises what is wrong with the certificate at once: the driver tries again until its time is up, leaves the
    connection of every try open, and in the end tells of the first one that found no place any more."""
    ping = asyncio.ensure_future(client.admin.command("ping"))
    try:
        await asyncio.wait((ping, distrust), return_when=asyncio.FIRST_COMPLETED)
        if distrust.done() and (not ping.done() or ping.exception()):  # both, when this process was held up meanwhile
            raise distrust.result()
        await ping
    finally:
        ping.cancel()
        if not ping.done():  # the wait for a server heeds no cancelling, but the end of the client
            await client.close()
        await asyncio.gather(ping, return_exceptions=True)


@contextmanager
def _authority(where: Address) -> Iterator[dict[str, Any]]:
    """The driver takes certificates from files alone; this one is ours for as long as the session."""
    if where.tls is None:
        yield {"tls": False}
        return
    tls = {"tls": True, "tlsAllowInvalidHostnames": True, "tlsAllowInvalidCertificates": where.tls.verify_mode == 0}
    if not where.authority:
        yield tls
        return
    handle, path = tempfile.mkstemp(prefix="lazarus-ca-")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(where.authority)
        yield {**tls, "tlsCAFile": path}
    finally:
        os.unlink(path)


@contextmanager
def _told(where: Address, what: str = "") -> Iterator[None]:
    """The driver's errors as ours, by their codes."""
    from pymongo import errors as said

    named = f"{what}: " if what else ""
    try:
        yield
    except said.OperationFailure as error:
        code = error.code or 0
        if code in _LOGIN and where.login.given:
            raise Wrong(f"it refuses the restored credentials ({code})") from None
        if code in _LOGIN or (code in _UNAUTHORIZED and not where.login.username):
            raise refused(where.login, str(code)) from None
        if code in _UNAUTHORIZED:
            raise CouldNot(f"{named}{where.login.username} may not read it ({code})") from None
        if code in _LATE:
            raise CouldNot(f"{named}not within {where.timeout:g} s ({code})") from None
        raise Wrong(f"{named}the server refuses it ({code})") from None
    except said.NetworkTimeout:
        raise late(what, where.timeout) from None
    except (said.PyMongoError, OSError, ValueError) as error:
        raise Wrong(f"{named}it does not answer as MongoDB does ({type(error).__name__})") from None


class Mongodb:
    """See ``database.Database``. A table is a collection."""

    def __init__(self, client: AsyncMongoClient[dict[str, Any]], where: Address) -> None:
        self._client, self._where = client, where
        self._database = client[where.database or "test"]
        self._milliseconds = int(where.timeout * 1000)

    async def about(self, check: DataCheck) -> About:
        with _told(self._where, "hello"):
            hello = await self._client.admin.command("hello")
            stats = await self._database.command("dbStats")
        replica = not hello.get("isWritablePrimary", False)
        counts = {name: int(stats.get(name, 0)) for name in ("collections", "objects", "indexes")}
        found = About({"server": str(hello.get("maxWireVersion", "")), "replica": replica, **counts})
        if check.role and replica != (check.role == "replica"):
            found.wrong.append(f"it is {'no primary' if replica else 'a primary'}, not a {check.role}")
        if check.max_lag is not None:
            await self._lag(check.max_lag, found)
        return found

    async def _lag(self, most: float, found: About) -> None:
        """Behind the member whose last entry is newest, by this member's own view of its set."""
        with _told(self._where, "replSetGetStatus"):
            status = await self._client.admin.command("replSetGetStatus")
        members = [one for one in status.get("members", ()) if one.get("optimeDate")]
        own = next((one["optimeDate"] for one in members if one.get("self")), None)
        lag = (max(one["optimeDate"] for one in members) - own).total_seconds() if own else None
        found.evidence["lag_seconds"] = lag
        if lag is None or lag > most:
            found.wrong.append("no lag is known" if lag is None else f"it lags by {lag:.1f} s")

    async def rows(self, table: str) -> int | None:
        with _told(self._where, table):
            return await self._count(table, {}) if await self._has(table) else None

    async def _has(self, collection: str) -> bool:
        return collection in await self._database.list_collection_names(filter={"name": collection})

    async def _count(self, collection: str, found: dict[str, Any]) -> int:
        return await self._database[collection].count_documents(found, maxTimeMS=self._milliseconds)

    async def fingerprint(self, table: str, without: tuple[str, ...]) -> tuple[str, str]:
        """The server's own hash of a collection, the same on every member of a set."""
        if without:
            raise CouldNot(f"{table}: dbHash leaves no field out")
        with _told(self._where, table):
            found = await self._database.command({"dbHash": 1, "collections": [table]})
        value = (found.get("collections") or {}).get(table)
        if not value:
            raise CouldNot(f"{table}: the server has no hash of it")
        return hashed(str(value)), METHOD

    async def value(self, query: Any) -> Any:
        """(collection, filter): how many documents it finds; (collection, None, field): the newest value of a field."""
        collection, found, *field = query
        with _told(self._where, collection):
            if not field:
                count = await self._count(collection, dict(found or {}))
                if not count and not await self._has(collection):  # the server counts what is not there, too
                    raise Wrong(f"there is no collection {collection}")
                return count
            newest = self._database[collection].find({field[0]: {"$exists": True}}, {field[0]: 1, "_id": 0})
            async for document in newest.sort(field[0], -1).limit(1).max_time_ms(self._milliseconds):
                value = at(document, field[0])
                return None if value is MISSING else value
            return None
