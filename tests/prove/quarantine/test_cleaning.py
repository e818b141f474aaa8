"""Cleaning: the order, what must survive it, what does not go, and a kill after every single write."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from lazarus_tui.kube.errors import ServerFault
from lazarus_tui.model.http import HttpRequest, HttpResponse
from lazarus_tui.model.operation import Operation, OpState
from lazarus_tui.model.resources import (
    CLAIMS,
    CONFIGMAPS,
    NAMESPACES,
    RESTORES,
    VOLUMES,
)
from lazarus_tui.model.snapshots import CONTENTS, SNAPSHOTS
from lazarus_tui.model.steps import Observation, Seen
from lazarus_tui.prove.places import identity
from lazarus_tui.prove.quarantine import names
from lazarus_tui.prove.quarantine.steps import Clean, Isolation, ShownClean, Space
from lazarus_tui.prove.quarantine.sweep import sweep
from lazarus_tui.sandbox.api.answers import error_answer
from lazarus_tui.sandbox.api.errors import forbidden
from tests.prove.quarantine.grounds import OP, QUARANTINE, VELERO, Copy, Grounds, Said, grounds
from tests.snapshots.stage import SPACE
from tests.velero.lab import Lab, World

Object = dict[str, Any]


class Meddled(Copy):
    """After the copy stands, ``deed`` is done to it once; what it gives back has to hold before the proof goes on."""

    def __init__(self, grounds: Grounds, deed: Callable[[], Any]) -> None:
        super().__init__(grounds)
        self.deed, self.done = deed, False
        self.holds: Any = None

    async def observe(self, context: Any) -> Any:
        seen = await super().observe(context)
        if seen.seen is Seen.DONE and not self.done:
            self.done, self.holds = True, self.deed()
        if self.holds is not None and not self.holds():
            return Observation(Seen.WAITING)
        return seen


@contextlib.asynccontextmanager
async def meddled(deed: Callable[[Grounds], Any] = lambda ground: None) -> AsyncIterator[Grounds]:
    async with grounds() as ground:
        ground.steps = lambda params: [  # type: ignore[method-assign]
            Space(params), Meddled(ground, lambda: deed(ground)), Clean(params), ShownClean(params),
        ]  # fmt: skip
        await ground.reboot()
        yield ground


def left(done: Operation) -> list[tuple[str, str]]:
    assert done.state is OpState.DONE, done.message
    return [(one["kind"], one["name"]) for one in done.facts["prove.cleaned"]["leftovers"]]


def aliased(ground: Grounds, policy: str) -> str:
    """A volume over the storage of production, with a claim in the quarantine; the identity of that storage."""
    spec = ground.volume_of(SPACE)["spec"]
    claim = ground.there(CLAIMS, "data-db-0", QUARANTINE)
    volume = {
        "metadata": {"name": "velero-clone-1", "labels": {"velero.io/restore-name": "back"}},
        "spec": {
            **{key: spec[key] for key in ("csi", "capacity", "accessModes")}, "storageClassName": "manual",
            "persistentVolumeReclaimPolicy": policy,
            "claimRef": {"namespace": QUARANTINE, "name": "alias", "apiVersion": "v1", "kind": CLAIMS.kind},
        },
    }  # fmt: skip
    ground.api.create(VOLUMES, volume)
    wanted = {key: claim["spec"][key] for key in ("accessModes", "resources")}
    wanted |= {"storageClassName": "manual", "volumeName": "velero-clone-1"}
    ground.api.create(CLAIMS, {"metadata": {"name": "alias"}, "spec": wanted}, QUARANTINE)
    return identity(spec)


async def test_a_volume_that_is_a_live_one_keeps_its_data_whatever_it_says() -> None:
    """A PV restored as it was, with Delete, over the storage of production: its claim's end would be the data's."""
    source = ""

    def alias(ground: Grounds) -> None:
        nonlocal source
        source = aliased(ground, "Delete")

    async with meddled(alias) as ground:
        ground.write("precious")
        done = await ground.prove()
        assert left(done) == []
        assert source
        assert ground.get(VOLUMES, "velero-clone-1") is None
        assert ground.data() == {"data-db-0": "precious data-db-0"}
        patched = next(one for one in ground.sent if one.path.endswith("/persistentvolumes/velero-clone-1"))
        (claims_end,) = [one for one in ground.sent if one.method == "DELETE" and one.path.endswith("/alias")]
        assert (patched.method, patched.seq < claims_end.seq) == ("PATCH", True)


async def test_what_was_provisioned_for_the_copy_goes_although_its_class_retains() -> None:
    def retaining(ground: Grounds) -> None:
        name = ground.volume_of(QUARANTINE)["metadata"]["name"]
        ground.api.patch(VOLUMES, name, {"spec": {"persistentVolumeReclaimPolicy": "Retain"}})

    async with meddled(retaining) as ground:
        before = ground.handles()
        assert left(await ground.prove()) == []
        assert ground.handles() == before


async def test_snapshots_of_the_point_outlive_their_aliases_with_policy_delete() -> None:
    """V6: an alias in the quarantine on the same snapshot, with Delete, would take the real snapshot along."""

    def alias(ground: Grounds) -> Callable[[], Any]:
        spec = {
            "deletionPolicy": "Delete", "driver": "directory.lazarus.dev", "source": {"snapshotHandle": handle[0]},
            "volumeSnapshotRef": {"name": "alias", "namespace": QUARANTINE},
        }  # fmt: skip
        ground.api.create(CONTENTS, {"metadata": {"name": "alias"}, "spec": spec})
        source = {"source": {"volumeSnapshotContentName": "alias"}}
        ground.api.create(SNAPSHOTS, {"metadata": {"name": "alias"}, "spec": source}, QUARANTINE)
        own = {"source": {"persistentVolumeClaimName": "data-db-0"}, "volumeSnapshotClassName": "directory"}
        ground.api.create(SNAPSHOTS, {"metadata": {"name": "own"}, "spec": own}, QUARANTINE)
        both = lambda: [ground.there(SNAPSHOTS, name, QUARANTINE).get("status") or {} for name in ("own", "alias")]  # noqa: E731
        return lambda: all(one.get("readyToUse") for one in both())

    handle: list[str] = []
    async with meddled(alias) as ground:
        (found,) = (await ground.cut("point")).members.values()
        assert found.content is not None
        handle.append(found.content.status.snapshot_handle)
        done = await ground.prove(volumes=[{"claim": "prod/data-db-0", "handle": handle[0]}])
        cleaned = done.facts["prove.cleaned"]
        assert (cleaned["clean"], cleaned["lost"]) == (False, [])
        assert [one["metadata"]["name"] for one in ground.api.list(CONTENTS)] == [found.content.metadata.name]
        (told,) = cleaned["leftovers"]
        assert told["kind"] == "storage of a VolumeSnapshotContent", "a cut made in the quarantine stays, and is told"
        assert sorted(ground.cluster.driver.storage.handles()) == sorted([handle[0], told["name"]])


async def test_a_volume_that_still_says_it_is_bound_when_its_claim_is_gone_is_removed_too() -> None:
    """The controller of volumes looks at one some time after its claim has gone."""

    def alias(ground: Grounds) -> None:
        aliased(ground, "Retain")

    async with meddled(alias) as ground:

        async def behind(request: HttpRequest) -> HttpResponse | None:
            """Until the volume is deleted, it says what it said while it had a claim."""
            if request.method != "GET" or not request.path.endswith("/persistentvolumes"):
                return None
            if "labelSelector" in dict(request.query):
                return None
            volumes = ground.api.list(VOLUMES)
            for one in volumes:
                if one["metadata"]["name"] == "velero-clone-1":
                    one["status"] = {**one["status"], "phase": "Bound"}
            body = {"kind": "PersistentVolumeList", "apiVersion": "v1", "metadata": {}, "items": volumes}
            return HttpResponse(200, {"content-type": "application/json"}, json.dumps(body).encode())

        ground.refusals.append(behind)
        done = await ground.prove()
        assert left(done) == []
        assert ground.get(VOLUMES, "velero-clone-1") is None


async def test_a_snapshot_of_the_point_that_is_gone_afterwards_is_told() -> None:
    def thief(ground: Grounds) -> None:
        (one,) = ground.api.list(CONTENTS)
        thefts.append(one["metadata"]["name"])

    thefts: list[str] = []
    async with meddled(thief) as ground:
        (found,) = (await ground.cut("point")).members.values()
        assert found.content is not None
        handle = found.content.status.snapshot_handle

        async def steals(request: HttpRequest) -> HttpResponse | None:
            if thefts and request.method == "DELETE" and request.path.endswith(f"/namespaces/{QUARANTINE}"):
                ground.api.delete(SNAPSHOTS, found.snapshot.metadata.name, SPACE)
                thefts.clear()
            return None

        ground.refusals.append(steals)
        done = await ground.prove(volumes=[{"claim": "prod/data-db-0", "handle": handle}])
        cleaned = done.facts["prove.cleaned"]
        assert (cleaned["clean"], cleaned["lost"]) == (False, [handle])
        assert cleaned["words"] == f"snapshots of the point are gone: {handle}"


async def test_a_stuck_finalizer_is_told_and_not_forced() -> None:
    def stick(ground: Grounds) -> None:
        held = {"metadata": {"name": "stuck", "finalizers": ["example.com/never"]}}
        ground.api.create(CONFIGMAPS, held, QUARANTINE)

    async with meddled(stick) as ground:
        done = await ground.prove()
        assert left(done) == [("Namespace", QUARANTINE)]
        cleaned = done.facts["prove.cleaned"]
        (one,) = cleaned["leftovers"]
        assert (cleaned["clean"], one["owner"]) == (False, OP)
        assert "example.com/never in 1 resource instances" in one["why"]
        assert one["age"] > 300
        assert f"Namespace {QUARANTINE} is still there after 300 s" in done.facts["prove.clean"]["notes"][0]
        assert ground.there(CONFIGMAPS, "stuck", QUARANTINE)["metadata"]["finalizers"] == ["example.com/never"]
        assert ground.get(RESTORES, "back", VELERO) is None, "what can go has gone"


async def test_while_velero_still_restores_the_quarantine_stays_closed() -> None:
    def running(ground: Grounds) -> None:
        ground.api.patch(RESTORES, "back", {"status": {"phase": "InProgress"}}, VELERO)

    async with meddled(running) as ground:
        done = await ground.prove()
        volume = ground.volume_of(QUARANTINE)["metadata"]["name"]
        papers = [("Restore", "back"), ("ConfigMap", "rules")]
        assert left(done) == [("Namespace", QUARANTINE), ("PersistentVolume", volume), *papers]
        assert ground.deletions() == []
        assert "Velero still works on restore back" in done.facts["prove.clean"]["notes"][0]
        ground.there(CONFIGMAPS, "rules", VELERO)


async def test_a_restore_that_velero_has_not_seen_is_taken_back() -> None:
    lab = Lab(World())
    spec = {"namespaceMapping": {SPACE: QUARANTINE}}
    lab.world.put(RESTORES, "back", metadata={"labels": {"lazarus.io/op": OP[:8]}}, spec=spec)
    lab.world.put(RESTORES, "theirs", metadata={"labels": {"lazarus.io/op": OP[:8]}}, spec={"namespaceMapping": {}})
    uid = lab.world.at(RESTORES, "back")["metadata"]["uid"]
    wanted = names.quarantine({"op": OP, "velero": VELERO, "restore": {"name": "back"}})
    assert await sweep(lab, wanted) == []  # type: ignore[arg-type]
    (write,) = lab.world.writes
    assert (write.verb, write.name, write.uid, write.resource_version) == ("delete", "back", uid, "1")


async def test_kept_as_asked_with_the_moment_it_ends() -> None:
    async with meddled() as ground:
        done = await ground.prove(keep_minutes=30)
        cleaned = done.facts["prove.cleaned"]
        assert (cleaned["clean"], cleaned["leftovers"]) == (None, [])
        assert cleaned["kept_until"] == done.facts["prove.clean"]["kept_until"]
        label = ground.there(NAMESPACES, QUARANTINE)["metadata"]["labels"][names.EXPIRES]
        until = names.moment(label)
        assert until is not None
        assert 29 * 60 < (until - ground.clock.now()).total_seconds() <= 30 * 60
        assert ground.deletions() == []


@pytest.mark.parametrize(
    "facts",
    [
        {"prove.isolation": {"closed": True}, "prove.isolation_after": {"closed": False}},
        {"prove.isolation": {"closed": None}},
        {"prove.compared": {"violated": ["S3: pods/x has /spec/hostNetwork True"], "unexpected": []}},
        {"prove.identity": {"same": ["claim data is csi:d:old"]}},
        {"prove.isolation": {"closed": True}, "prove.compared": {"violated": [], "unexpected": []}},
    ],
)
async def test_what_is_open_or_not_as_planned_is_not_kept_however_long_was_asked(facts: Object) -> None:
    lab = Lab(World())
    lab.world.put(NAMESPACES, QUARANTINE, "", metadata={"labels": {names.OPERATION: OP}})
    lab.facts |= facts
    await Clean({"op": OP, "keep_minutes": 30}).act(lab)  # type: ignore[arg-type]
    safe = len(facts) == 2 and "prove.compared" in facts
    assert bool(lab.facts["prove.clean"]["kept_until"]) is safe
    assert bool(lab.facts["prove.clean"]["notes"]) is not safe
    assert (await lab.world.get(NAMESPACES, QUARANTINE, type=dict) is not None) is safe


class Began(Copy):
    """The restore was asked for, and the proof ends before the second look."""

    async def observe(self, context: Any) -> Any:
        seen = await super().observe(context)
        if seen.seen is Seen.DONE:
            return Observation(Seen.DONE, facts={"restore.t4": "2026-01-01T00:00:00Z"})
        return seen


@pytest.mark.parametrize("lie", ["", "a hole", "not as planned"])
async def test_what_was_restored_is_looked_at_before_it_is_kept(lie: str) -> None:
    async with grounds() as ground:
        ground.steps = lambda params: [  # type: ignore[method-assign]
            Space(params), Isolation(params), Began(ground), Clean(params), ShownClean(params),
        ]  # fmt: skip
        await ground.reboot()

        def opened(argv: tuple[str, ...]) -> Said | None:
            return Said(0) if lie == "a hole" and argv[0] == "nc" and ground.get(RESTORES, "back", VELERO) else None

        ground.ways.strange = opened
        zero = {"rule": "S9", "resource": "statefulsets", "group": "apps", "name": "db", "pointer": "/spec/replicas"}
        expected = [{**zero, "value": 0 if lie == "not as planned" else 1}]
        done = await ground.prove(keep_minutes=30, expected=expected)
        assert done.facts["prove.isolation"]["closed"] is True
        assert done.facts["prove.isolation_after"]["closed"] is (lie != "a hole")
        assert bool(done.facts["prove.clean"]["kept_until"]) is (not lie)
        assert (ground.get(NAMESPACES, QUARANTINE) is None) is bool(lie)
        why = {"a hole": "it is not shown to be closed", "not as planned": "what came back is not what the plan allows"}
        assert done.facts["prove.clean"]["notes"] == ([f"not kept: {why[lie]}"] if lie else [])
        assert "prove.compared" not in done.facts, "no rung is judged by what was looked at this late"


async def test_what_cannot_be_looked_at_is_not_kept_and_is_cleaned_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def look(self: Isolation, context: Any) -> Any:
        raise ServerFault("error dialing backend", status=500)

    monkeypatch.setattr(Isolation, "look", look)
    lab = Lab(World())
    lab.world.put(NAMESPACES, QUARANTINE, "", metadata={"labels": {names.OPERATION: OP}})
    lab.facts["restore.t4"] = "2026-01-01T00:00:00Z"
    await Clean({"op": OP, "keep_minutes": 30}).act(lab)  # type: ignore[arg-type]
    [note] = lab.facts["prove.clean"]["notes"]
    assert note.startswith("not kept: it could not be looked at: ")
    assert await lab.world.get(NAMESPACES, QUARANTINE, type=dict) is None


async def test_a_missing_right_is_named_and_nothing_is_pretended() -> None:
    async with meddled() as ground:

        async def refusing(request: HttpRequest) -> HttpResponse | None:
            if request.method == "DELETE" and request.path == f"/api/v1/namespaces/{QUARANTINE}":
                return error_answer(forbidden("namespaces", "", QUARANTINE, "not for you"))
            return None

        ground.refusals.append(refusing)
        done = await ground.prove()
        assert done.state is OpState.PARKED
        assert "missing right: delete namespaces" in done.message
        ground.there(NAMESPACES, QUARANTINE)


async def test_a_kill_after_every_third_write_leaves_nothing() -> None:
    """One proof after another in one cluster, each killed after a later write of its own; the next engine ends it."""
    async with grounds() as ground:
        before, n = ground.everything(), -2
        while True:
            n += 3
            done, cut = await killed_after(ground, n)
            assert done.state is OpState.DONE, (n, done.message)
            assert done.facts["prove.cleaned"]["clean"] is True, (n, done.facts["prove.cleaned"])
            assert done.facts["prove.isolation"]["closed"] is True
            assert ground.everything() == before, n
            assert ground.get(RESTORES, "back", VELERO) is None
            if not cut:
                break
        assert n > 18


async def killed_after(ground: Grounds, n: int) -> tuple[Operation, bool]:
    """A proof whose engine dies when its ``n``-th write has arrived; whether it had as many."""
    engine = ground.engine
    assert engine is not None
    ground.sent.clear()
    writes = 0

    async def count(request: HttpRequest) -> None:
        nonlocal writes
        if request.method in ("POST", "PATCH", "DELETE") and not request.path.endswith(("/exec", "reviews")):
            writes += "/leases" not in request.path
            if writes == n:
                engine.sever(lose=bool(n % 2))

    ground.refusals[:] = [count]  # type: ignore[list-item]
    op = f"{n:016x}"
    plan = ground.plan(op=op)
    running = await engine.passing(engine.runner.start(plan, plan.digest(), ""))
    assert running.id == op
    await ground.until(lambda: writes >= n or not engine.runner.open, "it ended or was cut")
    if writes < n:
        return await engine.finish(op), False
    ground.refusals.clear()
    again = await ground.reboot()
    (recovered,) = await again.passing(again.runner.recover())
    return await again.finish(recovered.id), True
