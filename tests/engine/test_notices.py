"""Notifications in an engine: workloads at zero with their beats, where sinks may be, what the link and doctor say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lazarus_tui.config import NotifySettings, SinkSettings
from lazarus_tui.engine.errors import Refused
from lazarus_tui.engine.notices import BEAT, TOO_LONG, Notices, SinkParams
from lazarus_tui.kube.errors import NotSent
from lazarus_tui.link.codec import LinkFault
from lazarus_tui.model.objects import Workload, WorkloadSpec, WorkloadStatus
from lazarus_tui.model.operation import Operation, OpState
from lazarus_tui.notify.outgoing import Answer, Outcome
from tests.console import sets
from tests.engine.scene import SANDBOX, Scene
from tests.engine.world import fast_folder
from tests.notify.office import LATER, Office, notice, sink
from tests.notify.receiver import receiving


class Watch(Office):
    """An office whose desk belongs to an engine: ``operations`` it knows, ``seen``: what the cluster shows."""

    def __init__(self, folder: Path, *sinks: SinkSettings) -> None:
        super().__init__(folder, *sinks)
        self.operations: list[Operation] = []
        self.seen: dict[str, tuple[int, int]] = {}
        self.names: dict[str, Sequence[str]] = {}
        self.in_use: dict[str, Any] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def boot(self) -> Any:
        await super().boot()
        await self.close_desk()
        contexts: Any = SimpleNamespace(in_use=self.in_use, cluster_for=self._cluster)
        mirror: Any = SimpleNamespace(records=lambda kind: {k: self._workload(*v) for k, v in self.seen.items()})
        self.notices = Notices(
            self.journal, self.clock, NotifySettings(sinks=tuple(self.sinks)), contexts, sandbox=False,
            known=lambda: self.operations, mirrors={"prod": mirror}, find=self._find,
        )  # fmt: skip
        self.real = self.notices.desk._courier
        self.notices.desk._courier = self.notices._courier = self.post  # type: ignore[assignment]
        await self.notices.load()
        self.desk = self.notices.desk
        self._tasks = [asyncio.create_task(work()) for work in self.notices.work().values()]
        await self.settle()
        return self.desk

    async def close_desk(self) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await super().close()

    async def changes(self, *operations: Operation) -> None:
        self.operations[:] = operations
        self.notices.wake()
        await self.settle()

    @property
    def told(self) -> list[tuple[str, str]]:
        return [(str(one.told), str(one.action)) for one in self.post.notices]

    def _workload(self, ready: int, desired: int) -> Workload:
        return Workload(spec=WorkloadSpec(replicas=desired), status=WorkloadStatus(ready_replicas=ready))

    async def _cluster(self, context: str) -> Any:
        raise NotSent(f"context {context} has not answered yet")

    async def _find(self, host: str, port: int) -> Sequence[str]:
        if host in self.names:
            return self.names[host]
        raise OSError("no such name")


@pytest.fixture
async def watch() -> AsyncIterator[Watch]:
    with fast_folder() as folder:
        found = Watch(folder, sink(), sink("ops", kind="slack", url="env:URL", secret=""))
        yield found
        await found.close()


def restore(at: str = "create", state: OpState = OpState.RUNNING, **more: Any) -> Operation:
    return sets.restore(at, state, context="prod", **more)


async def test_a_workload_at_zero_is_told_each_minute_until_it_is_back(watch: Watch) -> None:
    await watch.boot()
    await watch.changes(restore("retain"))
    assert watch.told == [], "nothing was stopped yet"
    await watch.changes(restore("create"))
    assert watch.told == [("at-zero", "trigger")] * 2
    assert watch.post.notices[0].title == "prod/db IS AT 0 of 3 REPLICAS"
    await watch.pass_(3 * BEAT)
    beats = watch.post.handed[2:]
    assert [name for name, _ in beats] == ["siem"] * 3, "beats go to webhooks; people are told once"
    assert {id for _, id in beats} == {watch.post.handed[0][1]}
    await watch.changes(restore("close", OpState.DONE))
    assert watch.told[5:] == [("back-from-zero", "resolve")] * 2
    assert watch.post.notices[-1].title == "prod/db is back from zero"
    await watch.pass_(3 * BEAT)
    assert len(watch.told) == 7, "the beat ends with the trouble"


async def test_a_restore_that_goes_on_warns_and_one_that_stops_or_takes_too_long_is_critical(watch: Watch) -> None:
    pager = sink("oncall", kind="pagerduty", url="", severities=("critical",))
    watch.sinks = (sink(), pager)
    await watch.boot()
    await watch.changes(restore("create"))
    assert [
        (name, str(one.severity)) for (name, _), one in zip(watch.post.handed, watch.post.notices, strict=True)
    ] == [("siem", "warning")]
    await watch.pass_(TOO_LONG)
    assert not [name for name, _ in watch.post.handed if name == "oncall"], "ten minutes are not yet too long"
    await watch.pass_(BEAT)
    assert [name for name, _ in watch.post.handed].count("oncall") == 1
    assert watch.post.notices[-1].severity == "critical"
    await watch.changes(restore("create", OpState.PARKED))
    assert [name for name, _ in watch.post.handed].count("oncall") == 1, "critical already"
    await watch.changes(restore("close", OpState.DONE))
    assert [name for name, _ in watch.post.handed].count("oncall") == 2, "who was paged hears that it is over"


async def test_one_that_stops_at_zero_is_critical_at_once(watch: Watch) -> None:
    await watch.boot()
    await watch.changes(restore("create"))
    await watch.changes(restore("create", OpState.PARKED))
    assert [str(one.severity) for one in watch.post.notices] == ["warning"] * 2 + ["critical"] * 2
    assert len({one.key for one in watch.post.notices}) == 1


async def test_an_engine_that_dies_at_zero_goes_on_with_the_same_trouble(watch: Watch) -> None:
    await watch.boot()
    await watch.changes(restore("create"))
    await watch.kill()
    await watch.boot()
    await watch.pass_(BEAT)
    assert len({id for _, id in watch.post.handed}) == 1
    assert sorted(name for name, _ in watch.post.handed[:2]) == ["ops", "siem"]
    assert [name for name, _ in watch.post.handed[2:]] == ["siem"], "nobody is told anew; the beat goes on"
    await watch.changes(restore("close", OpState.UNDONE))
    assert watch.told[-1] == ("back-from-zero", "resolve")
    assert watch.post.notices[-1].title == "No restore keeps prod/db at zero any more", "nobody saw replicas"


async def test_parked_at_zero_says_what_to_type(watch: Watch) -> None:
    await watch.boot()
    await watch.changes(restore("create", OpState.PARKED))
    first = watch.post.notices[0]
    assert first.commands == ("lazarus --context prod resume 9f3c12ab", "lazarus --context prod undo 9f3c12ab")
    assert (first.severity, first.subject) == ("critical", "prod/db")


async def test_left_changed_counts_by_what_the_cluster_shows(watch: Watch) -> None:
    await watch.boot()
    await watch.changes(restore("create", OpState.LEFT_CHANGED))
    assert watch.told == [], "the cluster was not seen: nothing is claimed"
    watch.seen["prod/db"] = (0, 0)
    await watch.changes(restore("create", OpState.LEFT_CHANGED))
    assert watch.told == [("at-zero", "trigger")] * 2
    watch.seen.clear()
    await watch.changes(restore("create", OpState.LEFT_CHANGED))
    assert len(watch.told) == 2, "a cluster out of sight is not a workload that is back"
    watch.seen["prod/db"] = (0, 3)
    await watch.changes(restore("create", OpState.LEFT_CHANGED))
    assert watch.told[2:] == [("back-from-zero", "resolve")] * 2
    assert "back from zero" not in watch.post.notices[-1].title, "none of the three is ready"


async def test_one_that_is_older_than_all_that_is_listed_is_looked_at_for_as_long_as_it_stands(watch: Watch) -> None:
    await watch.boot()
    left = restore("create", OpState.LEFT_CHANGED)
    watch.seen["prod/db"] = (0, 0)
    await watch.happens(left, "op.closed", {})
    watch.post.notices.clear()
    await watch.changes(left)
    assert [told for told in watch.told if told[0] == "at-zero"] == [("at-zero", "trigger")] * 2
    await watch.changes()
    await watch.pass_(2 * BEAT)
    assert len([told for told in watch.told if told[0] == "at-zero"]) == 4, "newer operations do not end its beat"
    watch.seen["prod/db"] = (0, 3)
    await watch.changes()
    assert watch.told[-2:] == [("back-from-zero", "resolve")] * 2


async def test_without_a_sink_nothing_runs_and_nothing_is_kept(watch: Watch) -> None:
    watch.sinks = ()
    await watch.boot()
    assert watch._tasks == []
    before = watch.journal.newest
    await watch.changes(restore("create"))
    assert (watch.journal.newest, watch.notices.busy) == (before, False)


async def test_an_engine_with_something_to_tell_does_not_end(watch: Watch) -> None:
    watch.post.script = {"siem": [LATER]}
    await watch.boot()
    assert not watch.notices.busy
    await watch.desk.tell([notice()])
    await watch.settle()
    assert watch.notices.busy


async def test_loopback_is_the_sandboxs_and_api_servers_are_nobodys(watch: Watch) -> None:
    await watch.boot()
    watch.names["api.prod.example"] = ["10.1.2.3"]
    server = SimpleNamespace(server="https://api.prod.example:6443", cluster=None)
    local = SimpleNamespace(server="https://127.0.0.1:6443", cluster=None)
    watch.in_use.update(prod=SimpleNamespace(context=server), kind=SimpleNamespace(context=local))
    inside = sink(networks=("10.0.0.0/8",))
    policy = await watch.notices._addresses(inside)
    assert "never reached" in policy.refusal("10.1.2.3")
    assert policy.refusal("10.1.2.4") == ""
    assert policy.refusal("127.0.0.1") != ""
    watch.notices.outside._sandbox = True
    assert (await watch.notices._addresses(inside)).refusal("127.0.0.1") == ""


async def test_a_secret_of_a_cluster_that_does_not_answer_is_said(watch: Watch) -> None:
    watch.sinks = (sink(secret="secret:lazarus/hook/key", secret_context="prod"),)
    await watch.boot()
    answer = await watch.real.send(watch.sinks[0], notice())
    assert answer.outcome is Outcome.REFUSED
    assert "context prod has not answered yet" in answer.words


async def test_the_list_says_what_waits_and_why(watch: Watch) -> None:
    watch.post.script = {"siem": [LATER], "ops": [Answer(Outcome.NEVER, "answered 400")]}
    await watch.boot()
    await watch.desk.tell([notice()])
    await watch.settle()
    rows = await watch.notices._list(None, SinkParams())
    assert [(row.sink, row.state, row.tries, row.why) for row in sorted(rows, key=lambda row: row.sink)] == [
        ("ops", "given up", 1, "answered 400"), ("siem", "waiting", 1, "answered 503"),
    ]  # fmt: skip
    assert next(row.next_seconds for row in rows if row.sink == "siem") == 5
    with pytest.raises(Refused, match="no sink is called 'nobody'"):
        await watch.notices._list(None, SinkParams("nobody"))


async def test_the_doctor_has_a_line_for_each_sink(watch: Watch) -> None:
    watch.names["alerts.example"] = ["198.51.100.9"]
    watch.post.script = {"siem": [LATER]}
    await watch.boot()

    async def look(sink: SinkSettings) -> str:
        return "there is no environment variable URL" if sink.kind == "slack" else ""

    watch.post.look = look  # type: ignore[attr-defined]
    siem, ops = await watch.notices.findings()
    assert (siem.severity, siem.what) == ("info", "siem (webhook): 0 told, 0 waiting")
    assert (ops.severity, ops.what) == ("error", "ops (slack): there is no environment variable URL")
    await watch.desk.tell([notice()])
    await watch.pass_(400)
    siem, _ = await watch.notices.findings()
    assert (siem.severity, siem.what) == ("warning", "siem (webhook): 1 waiting: answered 503")
    watch.post.script = {"siem": [Answer(Outcome.NEVER, "answered 413")]}
    await watch.pass_(400)
    siem, _ = await watch.notices.findings()
    assert (siem.severity, siem.what) == ("error", "siem (webhook): its newest notice was given up: answered 413")


async def test_over_the_link_of_a_whole_engine(tmp_path: Path, cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiving() as hook:
        settings = tmp_path / "config.toml"
        settings.write_text(
            f'[[notify.sinks]]\nname = "siem"\nkind = "webhook"\nurl = "{hook.url}/lazarus"\nsecret = "env:LZ_KEY"\n'
        )
        monkeypatch.setenv("LAZARUS_CONFIG", str(settings))
        monkeypatch.setenv("LZ_KEY", "Canary9zQ4LmXw7Kp2")
        async with Scene(tmp_path, cluster, sandbox=True) as scene:
            [tested] = await scene.call("notify.test")
            assert (tested["outcome"], tested["words"]) == ("delivered", "answered 204")
            assert (hook.posts[0].path, hook.posts[0].json["told"]) == ("/lazarus", "test")
            with pytest.raises(LinkFault) as caught:
                await scene.call("notify.test", sink="nobody")
            assert (caught.value.fault.code, caught.value.fault.hint) == ("not-found", "there are: siem")
            await scene.use()
            begun = await scene.backup()
            await scene.call("operation.park", id=begun.id)
            async with asyncio.timeout(60):
                while len(hook.posts) < 2:
                    hook.arrived.clear()
                    await hook.arrived.wait()
            rows = await scene.call("notify.list")
            doctor = [one for one in await scene.call("doctor", context=SANDBOX) if one["check"] == "notify"]
        log = b"".join(part.read_bytes() for part in (tmp_path / "state").rglob("engine.*") if part.is_file())
    told = hook.posts[1].json
    assert (told["told"], told["operation"]) == ("operation-parked", begun.id)
    assert told["commands"][0] == f"lazarus --sandbox operation show {begun.id[:8]}"
    assert rows[0]["title"] == told["title"]
    assert [one["severity"] for one in doctor] == ["info"]
    assert b"Canary9zQ4LmXw7Kp2" not in log
