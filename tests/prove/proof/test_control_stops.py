"""Controls that need the copy still: what belongs to nobody is stopped where nothing may run, never spoiled under."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from lazarus_tui.kube.exec import ExecResult
from lazarus_tui.model.resources import PODS, STATEFULSETS
from lazarus_tui.model.steps import Outcome, Seen, Write
from lazarus_tui.prove.proof.control import NoWorkload, Still, command
from lazarus_tui.prove.proof.verdict import SABOTAGED
from lazarus_tui.prove.quarantine.names import OPERATION
from tests.velero.lab import OP, Lab, World

Q = "lazarus-q-01234567"
PARAMS = {"op": OP, "quarantine": Q, "namespace": "shop"}
DATA = {"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data-db-0"}}]}


@pytest.fixture
def lab() -> Lab:
    world = World()
    owner = world.put(STATEFULSETS, "db", Q, spec={"replicas": 1})
    reference = {"kind": "StatefulSet", "name": "db", "uid": owner["metadata"]["uid"], "controller": True}
    world.put(PODS, "db-0", Q, spec=DATA, status={"phase": "Running"}, metadata={"ownerReferences": [reference]})
    world.put(PODS, "web", Q, spec={}, status={"phase": "Running"})
    world.put(PODS, "migrated", Q, spec=DATA, status={"phase": "Succeeded"})
    world.put(
        PODS, "lazarus-probe-dialer", Q, spec={}, metadata={"labels": {OPERATION: OP, "lazarus.io/probe": "dialer"}}
    )
    return Lab(world)


def ends(lab: Lab, name: str) -> None:
    del lab.world.objects[(PODS.plural, Q, name)]


async def test_nothing_runs_also_no_pod_of_nobody(lab: Lab) -> None:
    step: Any = NoWorkload(PARAMS)
    assert (await step.observe(lab)).seen is Seen.ABSENT
    await step.act(lab)
    assert {(one.verb, one.name) for one in lab.world.writes} == {("merge-patch", "db"), ("delete", "web")}
    seen = await step.observe(lab)
    assert (seen.seen, seen.detail) == (Seen.WAITING, "1 pod is ending")
    ends(lab, "db-0")
    seen = await step.observe(lab)
    assert (seen.seen, seen.facts) == (Seen.DONE, {SABOTAGED: "nothing was started"})


async def test_what_has_no_volume_goes_on_while_volumes_are_spoiled(lab: Lab) -> None:
    step: Any = Still(PARAMS)
    assert (await step.observe(lab)).seen is Seen.ABSENT
    await step.act(lab)
    assert [(one.verb, one.name) for one in lab.world.writes] == [("merge-patch", "db")]
    assert (await step.observe(lab)).seen is Seen.WAITING
    ends(lab, "db-0")
    seen = await step.observe(lab)
    assert (seen.seen, seen.facts) == (Seen.DONE, {})
    assert lab.world.at(PODS, "web", Q)


async def test_a_pod_of_nobody_with_volumes_is_not_spoiled_under(lab: Lab) -> None:
    lab.world.put(PODS, "web", Q, spec=DATA, status={"phase": "Running"})
    step: Any = Still(PARAMS)
    await step.act(lab)
    ends(lab, "db-0")
    seen = await step.observe(lab)
    assert seen.seen is Seen.FAILED
    assert seen.detail == "pod web has volumes and no workload that could be stopped and started again"
    assert seen.hint == "use --control withhold"


async def test_a_list_of_files_that_was_cut_ends_with_its_last_whole_line() -> None:
    """Half a path is the name of another file, and writing there would make it."""

    async def announce(write: Write) -> int:
        return 1

    async def settled(intent: int, outcome: Outcome) -> None:
        return None

    async def run(*place: Any, **options: Any) -> ExecResult:
        return ExecResult(0, b"9 /claims/data/base\n8 /claims/data/ba", b"", cut=cut)

    gate = SimpleNamespace(announce=announce, settled=settled)
    context: Any = SimpleNamespace(gate=gate, reader=SimpleNamespace(exec=run))
    pod = {"metadata": {"namespace": Q, "name": "lazarus-saboteur", "uid": "u"}}
    found = {}
    for cut in (True, False):
        found[cut] = await command(context, pod, "saboteur", ["find"])
    assert found == {True: "9 /claims/data/base\n", False: "9 /claims/data/base\n8 /claims/data/ba"}
