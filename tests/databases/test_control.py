"""The control that drops a table, on real servers: the largest goes, nothing else does, and a check of it goes red."""

from __future__ import annotations

from typing import Any

import pytest

from lazarus_tui.model.steps import StepStopped
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.prove.proof.clients import Client, client_of
from lazarus_tui.prove.proof.control import DropTable
from lazarus_tui.prove.proof.verdict import SABOTAGED

from .checking import Context, verdict
from .engines import MARIADB, POSTGRESQL, REDIS, Engine
from .house import SPACE, House
from .test_checks import MARIA, PG, REDIS_CHECK, told

pytestmark = pytest.mark.timeout(200)
SQL = pytest.mark.parametrize(("engine", "check"), [(POSTGRESQL, PG), (MARIADB, MARIA)], ids=["postgresql", "mariadb"])
FILL = {
    "postgresql": "insert into much select n, repeat('x', 200) from generate_series(1, 30000) n",
    "mariadb": "insert into much select seq, repeat('x', 200) from seq_1_to_30000; analyze table much",
}
LISTED = "select table_name from information_schema.tables where table_schema in ('public', 'app')"


class Running(Context):
    async def remember(self, **facts: Any) -> None:
        self.facts |= facts


async def sabotage(house: House, engine: Engine) -> Running:
    """The control, on the pod of ``engine``."""
    context: Any = Running(house.cluster)
    pod = await house.ready(f"{engine.workload}-0")
    client = client_of(pod)
    assert client is not None
    await DropTable({"op": context.op, "quarantine": SPACE})._drop(context, pod, client)
    return context  # type: ignore[no-any-return]


async def tables(house: House, engine: Engine) -> set[str]:
    return set((await house.run(f"{engine.workload}-0", engine.ask(LISTED))).split())


@SQL
async def test_the_largest_table_is_gone_and_a_check_of_it_is_red(
    house: House, engine: Engine, check: dict[str, Any]
) -> None:
    await told(
        house, engine, "drop table if exists much", "drop table if exists little",
        "create table little (id int primary key)", "create table much (id int primary key, item varchar(200))",
        "insert into little values (1)", FILL[engine.name],
    )  # fmt: skip
    before = await tables(house, engine)
    assert (await verdict(house.cluster, **check, tables=["much", "little"])).verdict is Verdict.PASSED
    context = await sabotage(house, engine)
    assert before - await tables(house, engine) == {"much"}
    assert context.facts[SABOTAGED].startswith(f"dropped the largest table in {engine.workload}-0")
    red = await verdict(house.cluster, **check, tables=["much", "little"])
    assert red.verdict is Verdict.FAILED
    assert "there is no table much" in red.summary
    assert {write.verb for write in context.announced} == {"exec"}, "each command was announced to the gate"


async def test_the_keys_of_redis_are_gone(house: House) -> None:
    await told(house, REDIS, "set|kept|1")
    assert (await verdict(house.cluster, **REDIS_CHECK, minKeys=1)).verdict is Verdict.PASSED
    await sabotage(house, REDIS)
    assert (await verdict(house.cluster, **REDIS_CHECK, minKeys=1)).verdict is Verdict.FAILED


async def test_a_client_that_cannot_do_it_breaks_nothing_and_says_so(house: House) -> None:
    pod = await house.ready("pg-0")
    context: Any = Running(house.cluster)
    wrong = Client("postgresql", (("psql", "-v", "ON_ERROR_STOP=1", "-c", "drop table nobody_made"),), "did it")
    with pytest.raises(StepStopped, match="ended with"):
        await DropTable({"op": context.op, "quarantine": SPACE})._drop(context, pod, wrong)
    assert SABOTAGED not in context.facts


async def test_a_redis_that_refuses_is_not_taken_for_flushed(house: House) -> None:
    """redis-cli ends with 0 also when the server says NOAUTH."""
    await told(house, REDIS, "set|kept|1", "config|set|requirepass|of-the-test")
    login = ["redis-cli", "-a", "of-the-test", "--no-auth-warning"]
    try:
        with pytest.raises(StepStopped, match="refused it: NOAUTH"):
            await sabotage(house, REDIS)
        assert await house.run("redis-0", [*login, "exists", "kept"]) == "1"
    finally:
        await house.run("redis-0", [*login, "config", "set", "requirepass", ""])
