"""Pods that were told to end run on until they have: nothing that closes the quarantine goes before them."""

from __future__ import annotations

from typing import Any

import pytest

from lazarus_tui.kube.errors import Forbidden
from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.resources import CLAIMS, NAMESPACES, PODS, RESTORES
from lazarus_tui.model.stepping import OPERATION_LABEL
from lazarus_tui.model.steps import Seen
from lazarus_tui.prove.proof import halting
from lazarus_tui.prove.proof.compare import Compare
from lazarus_tui.prove.proof.identity import IDENTITY, Identity
from lazarus_tui.prove.proof.meanwhile import StillClosed
from lazarus_tui.prove.quarantine import ending, names
from lazarus_tui.prove.quarantine.leftovers import leftovers
from lazarus_tui.prove.quarantine.sweep import PODS_END, PODS_LAST, RESTORE_ENDS, sweep
from tests.prove.quarantine.grounds import OP, QUARANTINE
from tests.velero.lab import VELERO, Lab, World

Object = dict[str, Any]
WANTED = names.quarantine({"op": OP})


def pod(grace: int | None = None, **more: Any) -> Object:
    spec = {"nodeName": "a"} | ({} if grace is None else {"terminationGracePeriodSeconds": grace})
    return {"spec": spec, "status": {"phase": "Running"}, **more}


def slow(*, grace: int, ends: float) -> Lab:
    """A quarantine with a claim and a pod that is gone ``ends`` seconds after it was told to end."""
    lab = Lab(World())
    world = lab.world
    world.put(NAMESPACES, QUARANTINE, "", metadata={"labels": {names.OPERATION: OP}})
    world.put(CLAIMS, "data", QUARANTINE)
    found = world.put(PODS, "db-0", QUARANTINE, **pod(grace))
    asked: list[float] = []

    def told(write: Any) -> None:
        if write.resource is PODS and not asked:
            asked.append(world.clock.seconds)
            found["metadata"] |= {"deletionTimestamp": rfc3339(world.clock.now()), "deletionGracePeriodSeconds": grace}
            world.objects[(PODS.plural, QUARANTINE, "db-0")] = found

    rest = world.clock.sleep

    async def sleep(seconds: float) -> None:
        await rest(seconds)
        if asked and world.clock.seconds - asked[0] >= ends:
            world.objects.pop((PODS.plural, QUARANTINE, "db-0"), None)

    world.after_write, world.clock.sleep = told, sleep  # type: ignore[method-assign]
    return lab


def deleted(lab: Lab) -> list[str]:
    return [one.resource.plural for one in lab.world.writes if one.verb == "delete"]


async def test_a_pod_gets_as_long_as_it_was_promised() -> None:
    lab = slow(grace=600, ends=500)
    assert await sweep(lab, WANTED) == []  # type: ignore[arg-type]
    assert deleted(lab) == ["pods", "persistentvolumeclaims", "namespaces"]
    assert lab.clock.seconds >= 500


async def test_an_engine_that_was_held_up_looks_once_more_before_it_says_that_something_stays() -> None:
    lab = slow(grace=30, ends=1)
    told = lab.world.after_write

    def held_up(write: Any) -> None:
        told(write)
        lab.world.clock.seconds += 1000 if write.resource is PODS else 0

    lab.world.after_write = held_up
    assert await sweep(lab, WANTED) == []  # type: ignore[arg-type]
    assert deleted(lab) == ["pods", "persistentvolumeclaims", "namespaces"]


async def test_a_restore_that_ended_while_the_engine_was_held_up_has_ended() -> None:
    class HeldUp(World):
        async def list(self, resource: Any, *args: Any, **more: Any) -> Any:
            found = await super().list(resource, *args, **more)
            if resource is RESTORES:
                restore["status"] = {"phase": "Completed"}
                self.clock.seconds += RESTORE_ENDS
            return found

    lab = Lab(HeldUp())
    restore = lab.world.put(
        RESTORES, "back", VELERO, metadata={"labels": {OPERATION_LABEL: OP[:8]}}, status={"phase": "InProgress"},
        spec={"namespaceMapping": {"shop": QUARANTINE}},
    )  # fmt: skip
    notes = await sweep(lab, names.quarantine({"op": OP, "velero": VELERO, "quarantine": QUARANTINE}))  # type: ignore[arg-type]
    assert not [one for one in notes if "Velero still works" in one]


@pytest.mark.parametrize(("grace", "patience"), [(30, PODS_END), (400, 430.0), (86400, PODS_LAST)])
async def test_what_still_ends_keeps_the_namespace_with_the_policies_that_close_it(grace: int, patience: float) -> None:
    lab = slow(grace=grace, ends=1e9)
    notes = await sweep(lab, WANTED)  # type: ignore[arg-type]
    assert deleted(lab) == ["pods"], "neither its claims nor the namespace"
    assert patience <= lab.clock.seconds < patience + 5
    assert notes[-1].startswith(
        f"{QUARANTINE} stays, closed, until pods have ended that may run still: db-0 ({grace} s); see kubectl"
    )
    await lab.remember(**{"prove.clean": {"kept_until": "", "notes": notes}})
    (told,) = [one for one in (await leftovers(lab, WANTED)).found if one["kind"] == "Namespace"]  # type: ignore[arg-type]
    assert "may run still: db-0" in told["why"], "what is left behind says why"


DONE: Object = {"state": {"terminated": {"exitCode": 0}}}


def leaving(**more: Any) -> Object:
    return {"metadata": {"name": "p", "deletionTimestamp": "2026-06-01T12:00:00Z"}, **pod(**more)}


@pytest.mark.parametrize(
    ("found", "runs"),
    [
        (leaving(), True), ({**leaving(), "metadata": {"name": "p"}}, False),
        ({**leaving(), "status": {"phase": "Failed"}}, False), ({**leaving(), "spec": {}}, False),
        ({**leaving(), "status": {"phase": "Running", "containerStatuses": [DONE]}}, False),
        ({**leaving(), "status": {"initContainerStatuses": [{"state": {"running": {}}}], "containerStatuses": [DONE]}},
         True),
    ],
)  # fmt: skip
def test_what_may_run_still(found: Object, runs: bool) -> None:
    assert bool(ending.ending([found])) is runs


def test_as_long_as_the_one_that_may_take_longest() -> None:
    assert ending.promised([pod(), pod(5)]) == 30.0
    assert ending.promised([pod(5), pod(600)]) == 600.0
    assert ending.promised([]) == 0.0


STEPS: list[tuple[Any, Object, str]] = [
    (Identity, {IDENTITY: {"same": ["claim data is nfs:nas:/x"], "compared": 1, "unbound": [], "anew": []}},
     "S9: claim data is nfs:nas:/x"),
    (StillClosed, {"prove.isolation_after": {"closed": False, "words": "a hole"}},
     "isolation not enforced: a hole"),
    (Compare, {"prove.compared": {"violated": ["S6: it runs"], "unexpected": [], "missing": [], "unread": []}},
     "S6: it runs"),
]  # fmt: skip


@pytest.mark.parametrize(("step", "facts", "words"), STEPS)
async def test_a_copy_that_must_not_run_is_stopped_when_it_has_ended(step: Any, facts: Object, words: str) -> None:
    lab = Lab(World())
    lab.facts |= facts
    found = lab.world.put(PODS, "db-0", QUARANTINE, **pod(600))
    found["metadata"] |= {"deletionTimestamp": "2026-06-01T12:00:00Z", "deletionGracePeriodSeconds": 600}
    one = step({"op": OP, "quarantine": QUARANTINE})
    first = await one.observe(lab)
    assert (first.seen, "pods of it are ending: db-0 (600 s)" in first.detail) == (Seen.WAITING, True)
    seen = await lab.run(one, looks=int(halting.ENDS) + 5)
    assert (seen.seen, seen.detail) == (Seen.FAILED, f"{words}; its pods have not all ended: db-0 (600 s)")
    assert lab.clock.seconds == halting.ENDS
    lab.world.drop(PODS, "db-0", QUARANTINE)
    seen = await one.observe(lab)
    assert (seen.seen, seen.detail) == (Seen.FAILED, words), "gone is stopped"


class Blind(World):
    async def list(self, resource: Any, *args: Any, **more: Any) -> Any:
        if resource is PODS:
            raise Forbidden("no", status=403)
        return await super().list(resource, *args, **more)


async def test_who_may_not_see_its_pods_leaves_the_namespace_that_closes_them() -> None:
    lab = Lab(Blind())
    lab.world.put(NAMESPACES, QUARANTINE, "", metadata={"labels": {names.OPERATION: OP}})
    lab.world.put(PODS, "db-0", QUARANTINE, **pod())
    notes = await sweep(lab, WANTED)  # type: ignore[arg-type]
    assert "namespaces" not in deleted(lab)
    assert f"{QUARANTINE} stays, closed: whether its pods have ended is not known" in notes


def test_what_was_just_taken_to_zero_runs_until_its_controller_has_seen_it() -> None:
    found = {"metadata": {"name": "db-0"}, **pod()}
    assert (ending.ending([found]), ending.running([found])) == ([], [found])
    assert ending.running([{**found, "status": {"phase": "Succeeded"}}, {**found, "spec": {}}]) == []


async def test_who_may_not_look_does_not_say_that_it_is_stopped() -> None:
    lab = Lab(Blind())
    step, facts, words = STEPS[1]
    lab.facts |= facts
    seen = await lab.run(step({"op": OP, "quarantine": QUARANTINE}))
    assert seen.seen is Seen.FAILED
    assert seen.detail == f"{words}; whether its pods have ended is not known (missing right: list pods: no)"
