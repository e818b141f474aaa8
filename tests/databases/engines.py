"""What the tests say to each server: to write a row and be told, to give back all rows, and to look at itself."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

Words = Sequence[str]
# Runs a command in the pod: its output, and an assertion that its exit code is 0.
Run = Callable[[Words], Awaitable[str]]


def content(table: str, n: int) -> str:
    """What row ``n`` holds: nothing but the row itself gives it."""
    return hashlib.sha256(f"{table} {n}".encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Engine:
    """``workload`` is its StatefulSet in the scenario, ``session`` a client that reads statements from its input."""

    name: str
    workload: str
    session: tuple[str, ...]
    begin: str
    insert: str
    select: str

    def statement(self, table: str, n: int) -> bytes:
        """One row; answered with ``ack<n>;`` once it is committed."""
        return (self.insert.format(t=table, n=n, v=content(table, n)) + "\n").encode()

    def ask(self, statement: str) -> list[str]:
        if self.name == "postgresql":
            return ["psql", "-qAt", "-F", " ", "-v", "ON_ERROR_STOP=1", "-c", statement]
        if self.name == "mariadb":
            return ["mariadb", "-N", "-B", "app", "-e", statement]
        return ["redis-cli", "-e", *statement.split("|")]

    def rows(self, output: str) -> dict[int, str]:
        pairs = [re.split(r"[ \t]", line) for line in output.splitlines() if line]
        found = {int(n): text for n, text in pairs}
        assert len(found) == len(pairs), "a row came twice"
        return found


POSTGRESQL = Engine(
    "postgresql", "pg", ("psql", "-qAt"),
    begin="create table {t} (n int primary key, v text not null unique)",
    insert="insert into {t} values ({n}, '{v}') returning 'ack' || n || ';';",
    select="select n, v from {t} order by n",
)  # fmt: skip
MARIADB = Engine(
    "mariadb", "maria", ("mariadb", "-n", "-N", "-B", "--skip-reconnect", "app"),
    begin="create table {t} (n int primary key, v varchar(64) not null unique) engine=InnoDB",
    insert="insert into {t} values ({n}, '{v}'); select 'ack{n};';",
    select="select n, v from {t} order by n",
)  # fmt: skip
REDIS = Engine(
    "redis", "redis", ("redis-cli",),
    begin="flushall",
    # One command: this client goes on after a lost connection, and would have a later one answered.
    insert="eval \"redis.call('set', KEYS[1], ARGV[1]) return ARGV[2]\" 1 {t}:{n} {v} ack{n};",
    select="eval|local found = {{}} for _, key in ipairs(redis.call('keys', ARGV[1])) do"
    " table.insert(found, string.match(key, '%d+$') .. ' ' .. redis.call('get', key)) end return found|0|{t}:*",
)  # fmt: skip
ENGINES = (POSTGRESQL, MARIADB, REDIS)


async def look_at_itself(engine: Engine, run: Run, table: str, count: int) -> None:
    """The engine's own checks of its files and indexes, and that each way to count finds ``count`` rows."""
    await {"postgresql": _postgresql, "mariadb": _mariadb, "redis": _redis}[engine.name](engine, run, table, count)


async def _postgresql(engine: Engine, run: Run, table: str, count: int) -> None:
    assert await run(["pg_amcheck", "--heapallindexed", "app"]) == ""
    by_scan = f"set enable_indexonlyscan = off; set enable_indexscan = off; select count(v) from {table}"
    by_index = f"set enable_seqscan = off; select count(n) from {table} where n > 0"
    for statement in (by_scan, by_index):
        assert int(await run(engine.ask(statement))) == count


async def _mariadb(engine: Engine, run: Run, table: str, count: int) -> None:
    told = (await run(engine.ask(f"check table {table} extended"))).split()
    assert told == [f"app.{table}", "check", "status", "OK"]
    for index in ("primary", "v"):
        assert int(await run(engine.ask(f"select count(*) from {table} force index ({index})"))) == count


async def _redis(engine: Engine, run: Run, table: str, count: int) -> None:
    assert int(await run(engine.ask("dbsize"))) == count
    folder = "/data/redis/appendonlydir"
    told = await run(["redis-check-aof", f"{folder}/appendonly.aof.manifest"])
    assert "All AOF files and manifest are valid" in told
    bases = [name for name in (await run(["ls", folder])).split() if name.endswith(".base.rdb")]
    assert bases
    for name in bases:
        assert "RDB looks OK" in await run(["redis-check-rdb", f"{folder}/{name}"])
