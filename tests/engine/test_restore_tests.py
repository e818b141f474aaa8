"""LazarusRestoreTests that stand on a cluster: each is proven once by its uid, told how it went, by one engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from lazarus_tui.engine.object_status import Telling
from lazarus_tui.engine.policies import Policies
from lazarus_tui.engine.policy_objects import GONE, Objects
from lazarus_tui.engine.policy_restores import Restores
from lazarus_tui.engine.proof_objects import TESTS, ProofObjects
from lazarus_tui.kube.errors import Invalid, NotFound
from lazarus_tui.model.proof_policies import State
from lazarus_tui.model.resources import CRDS, EVENTS, NAMESPACES
from lazarus_tui.model.verdict import Verdict
from tests.engine.proofs import Answers, Proofs, proofs
from tests.engine.world import CONTEXT
from tests.prove.test_policies import RIGHT

CRD = Path(__file__).parents[2] / "deploy" / "crds" / "lazarus.io_lazarusrestoretests.yaml"
SPACE, BACKUP = "lazarus-system", "my-app-backup-20251231"


class Reading:
    """The real cluster, with the backups of the desk."""

    def __init__(self, desk: Proofs) -> None:
        self._inner, self._answers = desk.engine.cluster, Answers(desk)
        self.gone = ""  # a kind that is not served

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def get(self, resource: Any, name: str, namespace: Any = None, *, type: Any) -> Any:
        if resource.plural == "backups":
            return await self._answers.get(resource, name, type=type)
        return await self._inner.get(resource, name, namespace, type=type)

    async def list(self, resource: Any, namespace: Any = None, **asked: Any) -> Any:
        if resource.plural == self.gone:
            raise NotFound("the server could not find the requested resource", status=404)
        return await self._inner.list(resource, namespace, **asked)


class Tests:
    """The objects of one engine; a new one after ``dies``."""

    __test__ = False

    def __init__(self, desk: Proofs, *, beside: bool = False) -> None:
        self.desk = desk
        if beside:  # another engine on the same cluster
            self.born()
            return
        desk.world.api.create(CRDS, yaml.safe_load(CRD.read_text()))
        desk.world.api.create(NAMESPACES, {"metadata": {"name": SPACE}})
        self.born()

    def born(self) -> None:
        desk, journal, clock = self.desk, self.desk.engine.journal, self.desk.world.clock
        telling, policies = Telling(journal, clock), Policies(journal, clock)
        around: dict[str, Any] = {"plan": desk._plan}
        restores = Restores(desk.engine.runner, journal, clock, telling, in_place=(), **around)
        self.proofs = ProofObjects(
            desk.book, journal, clock, telling, velero=lambda context: "velero", posts=desk.posts
        )  # fmt: skip
        self.reading = Reading(desk)
        self.objects = Objects(
            policies, restores, telling, clock, contexts=(CONTEXT,), clusters=self._cluster, wake=lambda: None,
            proofs=self.proofs,
        )  # fmt: skip

    async def _cluster(self, context: str) -> Any:
        return self.reading

    async def look(self, times: int = 1) -> None:
        for _ in range(times):
            await self.desk.engine.passing(self.objects.look())
            await self.desk.look()
        await self.desk.engine.passing(self.objects.look())

    async def dies(self) -> None:
        await self.desk.dies()
        self.born()
        await self.objects.load()

    def put(self, name: str = "my-first-test", **spec: Any) -> dict[str, Any]:
        body = yaml.safe_load(RIGHT)
        body["metadata"]["name"] = name
        body["spec"] |= spec
        return self.desk.world.api.create(TESTS, body, SPACE)

    def now(self, name: str = "my-first-test") -> dict[str, Any]:
        found = self.desk.world.api.get(TESTS, name, SPACE)
        assert found is not None
        return dict(found.get("status") or {})

    def conditions(self) -> dict[str, str]:
        return {one["type"]: one["status"] for one in self.now()["conditions"]}

    def message(self) -> str:
        return next(str(one["message"]) for one in self.now()["conditions"] if one["type"] == "RunByLazarus")

    def events(self) -> list[tuple[str, str]]:
        return [(one["type"], one["reason"]) for one in self.desk.world.api.list(EVENTS, SPACE)]


async def test_the_example_of_the_source_document_is_proven_once_and_told() -> None:
    async with proofs() as desk:
        it = Tests(desk)
        made = it.put()
        assert made["spec"]["healthChecks"]["http"]["endpoints"][0]["expectedStatus"] == 200
        await it.look()
        assert (it.now()["phase"], desk.entries()) == ("Pending", [])
        assert "there is no backup" in it.message()
        desk.completed(BACKUP, namespace="my-app")
        await it.look()
        await it.look(2)
        assert (it.now()["phase"], it.conditions()["Passed"]) == ("Running", "Unknown")
        await it.look(6)
        found = it.now()
        assert (found["phase"], found["verdict"], it.conditions()) == (
            "Passed", "PASSED", {"Passed": "True", "RunByLazarus": "True"},
        )  # fmt: skip
        assert found["startTime"] < found["completionTime"]
        assert (len(desk.ran), it.events()) == (1, [("Normal", "ProofPassed")])
        [entry] = desk.entries()
        assert (str(entry.subject), entry.object, found["operation"]) == (
            "my-app",
            made["metadata"]["uid"],
            entry.operation,
        )
        await it.dies()
        await it.look(3)
        assert len(desk.ran) == 1


async def test_red_and_unclear_are_told_apart() -> None:
    async with proofs() as desk:
        it = Tests(desk)
        desk.completed(BACKUP, namespace="my-app")
        desk.verdicts[BACKUP] = Verdict.FAILED
        it.put()
        await it.look(8)
        assert (it.now()["phase"], it.conditions()["Passed"], it.events()) == (
            "Failed", "False", [("Warning", "ProofFailed")],
        )  # fmt: skip
        desk.verdicts[BACKUP] = Verdict.INCONCLUSIVE
        it.put("again")
        await it.look(8)
        assert it.now("again")["phase"] == "Inconclusive"


@pytest.mark.parametrize("moment", ["claimed", "queued", "running"])
async def test_an_engine_that_is_killed_anywhere_is_followed_by_one_that_runs_it_once(moment: str) -> None:
    async with proofs() as desk:
        it = Tests(desk)
        desk.completed(BACKUP, namespace="my-app")
        it.put()
        if moment == "claimed":

            async def killed(*_: Any, **__: Any) -> None:
                raise RuntimeError("the power went")

            desk.book.queue = killed  # type: ignore[method-assign]
            await desk.engine.passing(it.objects.look())
            assert "taken up" in it.message()
        else:
            await desk.engine.passing(it.objects.look())
            assert [one.state for one in desk.entries()] == [State.WAITING]
        if moment == "running":
            await desk.look()
        await it.dies()
        await it.look(9)
        assert (it.now()["phase"], len(desk.ran)) == ("Passed", 1)


async def test_what_another_lazarus_took_up_is_left_to_it() -> None:
    async with proofs() as desk:
        it = Tests(desk)
        desk.completed(BACKUP, namespace="my-app")
        it.put()
        await desk.engine.passing(it.objects.look())
        other = ProofObjects(
            type(desk.book)(desk.engine.journal, desk.world.clock), desk.engine.journal, desk.world.clock,
            Telling(desk.engine.journal, desk.world.clock), velero=lambda context: "velero",
        )  # fmt: skip
        found = desk.world.api.get(TESTS, "my-first-test", SPACE)
        assert found is not None
        place = type("Place", (), {"context": CONTEXT, "cluster": Reading(desk), "cluster_uid": desk.world.uid})()
        assert await desk.engine.passing(other.one(place, found)) == "another Lazarus took it up"


async def test_a_test_that_cannot_be_run_says_why() -> None:
    async with proofs() as desk:
        it = Tests(desk)
        desk.completed(BACKUP, namespace="*")
        it.put()
        await it.look()
        assert "every namespace; add spec.namespace" in it.message()
        it.put("wrong", namespace="my-app", workload="db")
        await it.look()
        assert it.now("wrong")["phase"] == "Invalid"
        it.put("named", namespace="my-app")
        await it.look(8)
        assert it.now("named")["phase"] == "Passed"


async def test_a_cluster_refuses_what_cannot_be_meant_and_every_change() -> None:
    async with proofs() as desk:
        it = Tests(desk)
        cluster = desk.engine.cluster
        body = yaml.safe_load(RIGHT)
        with pytest.raises(Invalid, match="backupName"):
            await cluster.create(TESTS, {**body, "spec": {}}, SPACE)
        it.put()
        patch = {"spec": {"backupName": "another"}}
        with pytest.raises(Invalid, match="make another one"):
            await cluster.merge_patch(TESTS, "my-first-test", patch, SPACE)


async def test_what_waits_of_a_deleted_object_is_not_proven() -> None:
    async with proofs() as desk:
        it = Tests(desk)
        desk.completed(BACKUP, namespace="my-app")
        it.put()
        await desk.engine.passing(it.objects.look())
        desk.world.api.delete(TESTS, "my-first-test", SPACE)
        await it.look(2)
        assert desk.told() == [f"{BACKUP} skipped: its object was deleted"]
        assert desk.ran == []


async def test_a_definition_that_is_not_served_for_a_moment_ends_nothing_and_one_that_is_gone_does() -> None:
    async with proofs() as desk:
        it = Tests(desk)
        desk.completed(BACKUP, namespace="my-app")
        it.put()
        await desk.engine.passing(it.objects.look())
        [waiting] = desk.entries()
        it.reading.gone = TESTS.plural
        for seconds in (0.0, GONE / 2, GONE / 2 - 2.0):
            await desk.world.clock.advance(seconds)
            await desk.engine.passing(it.objects.look())
        it.reading.gone = ""
        await desk.engine.passing(it.objects.look())
        assert desk.entries() == [waiting], "it came back: whatever was there is there still"
        it.reading.gone = TESTS.plural
        await desk.engine.passing(it.objects.look())
        await desk.world.clock.advance(GONE - 2.0)
        await desk.engine.passing(it.objects.look())
        assert desk.entries() == [waiting], "time is counted from the last answer on"
        await desk.world.clock.advance(2.0)
        await desk.engine.passing(it.objects.look())
        assert desk.told() == [f"{BACKUP} skipped: its object was deleted"]
        assert desk.ran == []
