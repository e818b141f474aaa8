"""The newest data in a database or on a volume, as one value that is a time."""

from __future__ import annotations

from typing import Any

from lazarus_tui.model.steps import StepContext
from lazarus_tui.prove.checks import command, data
from lazarus_tui.prove.checks.outcome import Attempt, Wrong
from lazarus_tui.prove.checks.place import pod_of
from lazarus_tui.prove.wanted_data import (
    AnyWatermark,
    DataWatermark,
    FileWatermark,
    MongodbWatermark,
    MysqlWatermark,
    PostgresqlWatermark,
    RedisWatermark,
)


async def value(context: StepContext, wanted: AnyWatermark, attempt: Attempt) -> Any:
    """None where there is no data; raises ``Wrong`` and ``CouldNot``."""
    if isinstance(wanted, FileWatermark):
        return await _file(context, wanted, attempt)
    assert isinstance(wanted, DataWatermark)
    async with data.session(context, wanted, attempt) as (database, _):
        return await database.value(_query(wanted))


def _query(wanted: DataWatermark) -> Any:
    if isinstance(wanted, PostgresqlWatermark | MysqlWatermark):
        return (wanted.name, wanted.sql)
    if isinstance(wanted, MongodbWatermark):
        return (wanted.collection, None, wanted.field)
    assert isinstance(wanted, RedisWatermark)
    return (wanted.key, "string", False)


async def _file(context: StepContext, wanted: FileWatermark, attempt: Attempt) -> str:
    """``stat`` and ``cat`` are the container's own."""
    pod = await pod_of(context.reader, wanted.namespace, pod=wanted.pod, workload=wanted.workload)
    argv = ("cat", "--", wanted.path) if wanted.sentinel else ("stat", "-c", "%Y", "--", wanted.path)
    done = await command.run(context, pod, wanted.container, argv, wanted.timeout, attempt)
    if done.exit_code != 0:
        raise Wrong(f"{argv[0]} {wanted.path} ended with exit code {done.exit_code}")
    return done.stdout[:64].decode("utf-8", "replace").strip()
