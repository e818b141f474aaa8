"""Checks of real servers behind forwarded connections: green when all is right, red for each thing that is not."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lazarus_tui.model.operation import CheckResult
from lazarus_tui.model.resources import SECRETS
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.prove.checks import database, mysql
from lazarus_tui.prove.steps import Run

from .checking import Context, verdict, written
from .engines import MARIADB, POSTGRESQL, REDIS, Engine
from .house import SPACE, House

pytestmark = pytest.mark.timeout(200)
PASSED, FAILED, INCONCLUSIVE = Verdict.PASSED, Verdict.FAILED, Verdict.INCONCLUSIVE
CANARY = "row-value-canary-1734"

PG: dict[str, Any] = {
    "kind": "postgresql", "service": "pg", "database": "app", "credentials": {"username": "app"}, "timeout": 60,
}  # fmt: skip
MARIA: dict[str, Any] = {
    "kind": "mariadb", "workload": "StatefulSet/maria", "database": "app", "credentials": {"username": "app"},
    "timeout": 60,
}  # fmt: skip
REDIS_CHECK: dict[str, Any] = {"kind": "redis", "service": "redis", "port": "redis", "timeout": 60}

_BOOK = (
    "drop table if exists checked",
    "create table checked (id int primary key, item varchar(64), price decimal(8,2), at timestamp null)",
    f"insert into checked values (1, '{CANARY}', 9.99, '2026-05-01 10:00:00'), (2, null, 1.50, '2026-05-02 11:30:00')",
    "insert into checked values (3, 'a''b,\"c', 0.00, null)",
)


async def told(house: House, engine: Engine, *statements: str) -> None:
    await house.ready(f"{engine.workload}-0")
    for statement in statements:
        await house.run(f"{engine.workload}-0", engine.ask(statement))


def sealed(result: CheckResult) -> str:
    """All that is kept of a result; no row is in it."""
    text = f"{result.summary} {result.evidence}"
    assert CANARY not in text
    return text


SQL = pytest.mark.parametrize(("engine", "check"), [(POSTGRESQL, PG), (MARIADB, MARIA)], ids=["postgresql", "mariadb"])


@SQL
async def test_tables_and_single_values(house: House, engine: Engine, check: dict[str, Any]) -> None:
    await told(house, engine, *_BOOK)
    queries = [
        {"sql": "select count(*) from checked", "equals": 3, "count": True},
        {"sql": "select sum(price) from checked", "between": [11, 12]},
        {"sql": "select item from checked where id = 1", "matches": "^row-value"},
        {"sql": "select max(price) from checked", "atLeast": 9.99, "name": "dearest"},
    ]
    good = await verdict(house.cluster, **check, tables=["checked"], queries=queries)
    assert good.verdict is PASSED, good.summary
    assert good.evidence["tables"] == {"checked": {"rows": 3}}
    assert good.evidence["values"]["query 1"] == {"count": 3}
    assert set(good.evidence["values"]["query 3"]) == {"type", "sha256"}
    sealed(good)


@SQL
@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"tables": ["gone"]}, "there is no table gone"),
        ({"tables": [{"name": "checked", "minRows": 4}]}, "checked has 3 rows, fewer than 4"),
        ({"tables": [{"name": "checked", "rows": {"below": 3}}]}, "is not below 3"),
        ({"queries": [{"sql": "select item from checked where id = 1", "equals": "else"}]}, "query 1 is not 'else'"),
        ({"queries": [{"sql": "select item from checked where id = 2"}]}, "query 1 is null"),
        ({"queries": [{"sql": "select id from checked"}]}, "reads more than one row"),
        ({"queries": [{"sql": "select id, item from checked where id = 1"}]}, "reads 2 columns"),
        ({"queries": [{"sql": "select id from checked where id = 9"}]}, "reads no row"),
        ({"queries": [{"sql": "select nothing from checked"}]}, "the server refuses it"),
        ({"queries": [{"sql": "insert into checked values (4, 'x', 1, null)"}]}, "the server refuses it"),
        ({"database": "gone"}, ""),
        ({"role": "replica"}, "replica"),
        ({"tables": [{"name": "checked", "fingerprint": "0" * 16}]}, "fingerprint of checked is not"),
    ],
)  # fmt: skip
async def test_what_is_not_right_is_red(
    house: House, engine: Engine, check: dict[str, Any], wrong: dict[str, Any], words: str
) -> None:
    await told(house, engine, *_BOOK)
    result = await verdict(house.cluster, **{**check, **wrong})
    if engine is MARIADB and "role" in wrong:
        assert (result.verdict, "app may not read it" in result.summary) == (INCONCLUSIVE, True), result.summary
        return
    assert result.verdict is FAILED, result.summary
    assert words in sealed(result)
    rows = await house.run(f"{engine.workload}-0", engine.ask("select count(*) from checked"))
    assert int(rows) == 3, "nothing was written"


@SQL
async def test_fingerprints_see_every_change_and_no_order(house: House, engine: Engine, check: dict[str, Any]) -> None:
    await told(house, engine, *_BOOK)
    manifest = {"tables": {"checked": {"rows": 3, "fingerprint": "0" * 16, "method": f"{_method(engine)}"}}}
    first = await verdict(house.cluster, **check, against=manifest)
    assert (first.verdict, "content of checked" in first.summary) == (FAILED, True)
    manifest["tables"]["checked"]["fingerprint"] = first.evidence["tables"]["checked"]["fingerprint"]
    assert (await verdict(house.cluster, **check, against=manifest)).verdict is PASSED
    await told(house, engine, "delete from checked where id = 1", f"insert into checked values (1, '{CANARY}', 9.99,"
               " '2026-05-01 10:00:00')")  # fmt: skip
    assert (await verdict(house.cluster, **check, against=manifest)).verdict is PASSED, "the order does not matter"
    for change in (
        "update checked set item = '' where id = 2", "update checked set price = 0.01 where id = 3",
        "insert into checked values (7, 'x', 1, null)", "delete from checked where id = 2",
    ):  # fmt: skip
        await told(house, engine, *_BOOK, change)
        assert (await verdict(house.cluster, **check, against=manifest)).verdict is FAILED, change
    await told(house, engine, *_BOOK, "insert into checked values (7, 'x', 1, null)")
    loose = {**manifest, "rows": 0.9, "fingerprints": False}
    assert (await verdict(house.cluster, **check, against=loose)).verdict is PASSED, "rows came after the manifest"
    other = {"tables": {"checked": {**manifest["tables"]["checked"], "rows": 4, "method": "somebody's"}}}
    assert (await verdict(house.cluster, **check, against=other)).verdict is INCONCLUSIVE


def _method(engine: Engine) -> str:
    return {"postgresql": "postgresql-sha256-1", "mariadb": "mysql-sha256-1"}[engine.name]


@SQL
async def test_the_newest_row_is_the_watermark(house: House, engine: Engine, check: dict[str, Any]) -> None:
    await told(house, engine, *_BOOK)
    place = {key: check[key] for key in ("service", "workload", "database", "credentials") if key in check}
    port = {"postgresql": 5432, "mariadb": 3306}[engine.name]
    mark = {"kind": check["kind"], **place, "port": port, "sql": "select max(at) from checked"}
    context: Any = Context(house.cluster)
    step = Run(written(watermark=mark, readiness=False, stableSeconds=0.001))
    await step.observe(context)
    seen = await step.observe(context)
    assert seen.facts["checks.watermark"] == "2026-05-02T11:30:00.000000Z", seen
    context.facts["restore.t4"] = (datetime(2026, 5, 2, 11, tzinfo=UTC)).isoformat()
    seen = await Run(written(watermark=mark, readiness=False, checkSeconds=0.01)).observe(context)
    assert context.checks[0].verdict is INCONCLUSIVE, "written after the restore began"


async def test_a_statement_that_takes_too_long_says_nothing_of_the_copy(house: House) -> None:
    """The server's limit of a statement, four fifths of the check's; to get as far as that may take what it likes."""
    for engine, check, statement in (
        (POSTGRESQL, PG, "select pg_sleep(60)"), (MARIADB, MARIA, "select sleep(60) from checked"),
    ):  # fmt: skip
        await told(house, engine, *_BOOK)
        slow = {**check, "timeout": 5, "queries": [{"sql": statement}]}
        result = await verdict(house.cluster, **slow)
        assert (result.verdict, "not within 4 s" in result.summary) == (INCONCLUSIVE, True), result.summary


async def test_an_index_that_is_invalid_is_seen(house: House) -> None:
    await told(house, POSTGRESQL, "drop table if exists twice", "create table twice (n int)",
               "insert into twice values (1), (1)")  # fmt: skip
    assert (await verdict(house.cluster, **PG)).evidence["invalid_indexes"] == 0
    broken = ["psql", "-qAt", "-c", "create unique index concurrently unsound on twice (n)"]
    assert (await house.cluster.exec(SPACE, "pg-0", "", broken, timeout=30)).exit_code != 0
    try:
        result = await verdict(house.cluster, **PG)
        assert (result.verdict, "1 indexes are invalid" in result.summary) == (FAILED, True)
        assert (await verdict(house.cluster, **{**PG, "looks": False})).verdict is PASSED
    finally:
        await told(house, POSTGRESQL, "drop table twice")


async def test_redis_keys_and_their_sizes(house: House) -> None:
    await told(house, REDIS, "flushall", f"set|greeting|{CANARY}", "rpush|queue|a|b|c", "set|at|1777629600")
    keys = [
        {"key": "greeting", "contains": "canary"}, {"key": "queue", "size": True, "equals": 3, "type": "list"},
    ]  # fmt: skip
    good = await verdict(house.cluster, **REDIS_CHECK, keys=keys, minKeys=3)
    assert good.verdict is PASSED, good.summary
    assert good.evidence["values"]["queue"] == {"count": 3}
    sealed(good)
    for wrong, words in (
        ({"keys": [{"key": "gone"}]}, "there is no key gone"), ({"minKeys": 4}, "3 keys, fewer than 4"),
        ({"keys": [{"key": "greeting", "equals": "x"}]}, "greeting is not 'x'"), ({"role": "replica"}, "is a primary"),
        ({"keys": [{"key": "queue", "size": True, "above": 3}]}, "queue is not above 3 (it is 3)"),
        ({"keys": [{"key": "queue", "type": "set", "size": True}]}, "queue is a list, not a set"),
        ({"keys": [{"key": "queue"}]}, "only its size"), ({"against": {"tables": {"db0": {"rows": 9}}}}, "manifest 9"),
    ):  # fmt: skip
        result = await verdict(house.cluster, **REDIS_CHECK, **wrong)
        assert (result.verdict, words in sealed(result)) == (FAILED, True), result.summary
    await told(house, REDIS, "setrange|long|1048576|x")
    long = await verdict(house.cluster, **REDIS_CHECK, keys=[{"key": "long"}])
    assert (long.verdict, "1048577 bytes, too many to be read" in long.summary) == (INCONCLUSIVE, True), long.summary
    sized = await verdict(house.cluster, **REDIS_CHECK, keys=[{"key": "long", "size": True, "equals": 1048577}])
    assert sized.verdict is PASSED
    mark = {"kind": "redis", "service": "redis", "port": 6379, "key": "at"}
    context: Any = Context(house.cluster)
    await Run(written(watermark=mark, readiness=False)).observe(context)
    assert context.checks[0].evidence["watermark"] == "2026-05-01T10:00:00.000Z"


async def test_credentials_come_from_a_secret_of_the_namespace_and_stay_nowhere(house: House) -> None:
    await told(house, REDIS, "flushall")
    good = {"metadata": {"name": "redis-login"}, "stringData": {"password": CANARY, "stale": "older-one"}}
    await house.cluster.create(SECRETS, good, SPACE)
    await told(house, REDIS, f"config|set|requirepass|{CANARY}")
    try:
        secret = {"secret": "redis-login"}
        result = await verdict(house.cluster, **REDIS_CHECK, credentials=secret)
        assert result.verdict is PASSED, result.summary
        sealed(result)
        stale = await verdict(house.cluster, **REDIS_CHECK, credentials={**secret, "passwordKey": "stale"})
        assert (stale.verdict, "refuses the restored credentials" in sealed(stale)) == (FAILED, True)
        for none, words in (({}, "asks for credentials"), ({"secret": "gone"}, "no credentials")):
            found = await verdict(house.cluster, **REDIS_CHECK, credentials=none)
            assert (found.verdict, words in found.summary) == (INCONCLUSIVE, True), found.summary
    finally:
        await house.run("redis-0", ["redis-cli", "-a", CANARY, "--no-auth-warning", "config", "set", "requirepass", ""])


@pytest.mark.parametrize("check", [PG, MARIA, REDIS_CHECK], ids=["postgresql", "mariadb", "redis"])
async def test_a_manifest_is_taken_kept_and_compared(house: House, tmp_path: Path, check: dict[str, Any]) -> None:
    """By the commands, as a person would: the copy here is the live one, before and after it changes."""
    engine = {"postgresql": POSTGRESQL, "mariadb": MARIADB, "redis": REDIS}[check["kind"]]
    begin = ("flushall", "set|a|1") if engine is REDIS else _BOOK
    change = "set|b|2" if engine is REDIS else "update checked set price = 7 where id = 1"
    await told(house, engine, *begin)
    file, backup = tmp_path / "checks.yaml", f"daily-{engine.name}"
    tables = {} if engine is REDIS else {"tables": ["checked"]}
    file.write_text(
        json.dumps({"checks": [{**check, **tables, "manifest": {}}], "readiness": False, "checkSeconds": 5})
    )
    where = ("-n", SPACE, "-f", str(file), "--backup", backup)
    taken = await house.lazarus("prove", "manifest", *where)
    assert (taken["state"], taken["facts"]["manifest.tables"]) == ("done", 1)
    kept = Path(taken["facts"]["manifest"]).read_text()
    assert (CANARY in kept, '"rows":' in kept) == (False, True)
    assert (await house.lazarus("prove", "checks", *where))["verdict"] == "PASSED"
    await told(house, engine, change)
    changed = await house.lazarus("prove", "checks", *where, code=2)
    assert changed["verdict"] == "FAILED", changed["checks"]


async def test_a_user_the_server_does_not_know_is_told_apart(house: House) -> None:
    await told(house, POSTGRESQL, "select 1")
    stranger = await verdict(house.cluster, **{**PG, "credentials": {"username": "nobody"}})
    assert (stranger.verdict, "asks for credentials" in stranger.summary) == (INCONCLUSIVE, True)


async def test_a_server_that_is_gone_and_one_that_is_another(house: House) -> None:
    for pod in ("pg-0", "redis-0"):
        await house.ready(pod)
    for port, check in ((6379, PG), (5432, REDIS_CHECK), (6379, MARIA)):
        name = "redis" if port == 6379 else "pg"
        other = {key: value for key, value in check.items() if key != "workload"}
        result = await verdict(house.cluster, **{**other, "service": name, "port": port, "timeout": 10})
        assert result.verdict is FAILED, result.summary
    closed = {**{k: v for k, v in PG.items() if k != "service"}, "pod": "pg-0", "port": 5999}
    result = await verdict(house.cluster, **closed)
    assert (result.verdict, "takes no connections" in result.summary) == (FAILED, True), result.summary


async def test_a_table_that_may_not_be_read_says_nothing_and_leaves_the_others_to_be_seen(house: House) -> None:
    """An error ends a transaction of PostgreSQL: without a point to come back to, what comes after it would be red."""
    await told(house, POSTGRESQL, *_BOOK, "drop table if exists hidden", "create table hidden (n int)",
               "revoke all on hidden from app")  # fmt: skip
    seen = await verdict(house.cluster, **PG, tables=["hidden", "checked"])
    assert (seen.verdict, seen.summary) == (INCONCLUSIVE, "hidden: app may not read it (42501)")
    wrong = [{"name": "hidden", "fingerprint": "0"}, {"name": "checked", "fingerprint": "0"}]
    told_of = await verdict(house.cluster, **PG, tables=wrong)
    assert told_of.verdict is FAILED
    assert "the fingerprint of checked is not the expected one; hidden: app may not read it (42501)" in told_of.summary
    await told(house, POSTGRESQL, "drop table hidden")


async def test_a_query_that_reads_a_whole_table_takes_two_rows_of_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await told(house, MARIADB, *_BOOK)
    taken: list[int] = []

    def single(name: str, rows: Any) -> Any:
        taken.append(len(rows))
        return database.single(name, rows)

    monkeypatch.setattr(mysql, "single", single)
    queries = [{"sql": "select seq from seq_1_to_50000"}, {"sql": "select count(*) from checked", "equals": 3}]
    result = await verdict(house.cluster, **MARIA, queries=queries)
    assert (result.verdict, "query 1: it must read exactly one value" in result.summary) == (FAILED, True)
    assert "query 2" not in result.summary
    assert taken == [2, 1]
