"""What nobody could look for is not known: it is never "nothing is left", and the missing right is named."""

from __future__ import annotations

from typing import Any

import pytest

from lazarus_tui.kube.errors import Forbidden
from lazarus_tui.model.resources import CONFIGMAPS, NAMESPACES, REPLICATION_CONTROLLERS, VOLUMES
from lazarus_tui.model.steps import Outcome
from lazarus_tui.prove.proof.verdict import left_behind
from lazarus_tui.prove.quarantine import names
from lazarus_tui.prove.quarantine.steps import Clean, ShownClean
from lazarus_tui.prove.quarantine.sweep import SPACE_GOES, sweep
from tests.prove.quarantine.grounds import OP, QUARANTINE, VELERO
from tests.velero.lab import Lab, World

PARAMS = {"op": OP, "velero": VELERO, "restore": {"name": "back"}, "modifiers": {"name": "rules"}}


class Guarded(World):
    """Kinds in ``closed`` may not be listed."""

    def __init__(self, *closed: str) -> None:
        super().__init__()
        self.closed = set(closed)

    async def list(self, resource: Any, *args: Any, label_selector: str = "", **more: Any) -> Any:
        if resource.plural in self.closed:
            raise Forbidden(f"{resource.plural} is forbidden: User lazarus", status=403)
        if " in (" in label_selector:  # no cluster-scoped object of this world was restored
            return []
        return await super().list(resource, *args, label_selector=label_selector, **more)


async def shown(*closed: str) -> tuple[dict[str, Any], Lab]:
    lab = Lab(Guarded(*closed))
    await lab.run(ShownClean(PARAMS))
    return lab.facts["prove.cleaned"], lab


async def test_with_everything_listed_nothing_is_left() -> None:
    cleaned, _ = await shown()
    assert (cleaned["clean"], cleaned["words"], cleaned["unseen"]) == (True, "nothing is left", [])


@pytest.mark.parametrize(
    "kind",
    [
        "clusterroles", "clusterrolebindings", "mutatingwebhookconfigurations", "apiservices", "priorityclasses",
        "customresourcedefinitions", "persistentvolumes", "volumesnapshotcontents", "restores", "configmaps",
        "downloadrequests",
    ],
)  # fmt: skip
async def test_a_kind_that_may_not_be_listed_makes_it_unknown_with_the_right_named(kind: str) -> None:
    cleaned, _ = await shown(kind)
    assert cleaned["clean"] is None
    (unseen,) = cleaned["unseen"]
    assert unseen["resource"].startswith(kind)
    assert unseen["why"].startswith(f"missing right: list {unseen['resource']}")
    assert "nothing is left" not in cleaned["words"]
    assert f"is not known of {unseen['kind']}: missing right: list {kind}" in cleaned["words"]
    (told,) = left_behind({"quarantine": QUARANTINE}, {"prove.cleaned": cleaned})
    assert told == f"whether a {unseen['kind']} is left is not known: {unseen['why']}"


async def test_what_is_seen_to_be_left_is_told_beside_what_is_not_known() -> None:
    lab = Lab(Guarded("clusterroles"))
    labels = {names.OPERATION: OP, "lazarus.io/op": OP[:8]}
    lab.world.put(CONFIGMAPS, "rules", VELERO, metadata={"labels": labels})
    await lab.run(ShownClean(PARAMS))
    cleaned = lab.facts["prove.cleaned"]
    assert cleaned["clean"] is False
    assert cleaned["words"].startswith("left behind: ConfigMap rules; whether anything is left is not known")
    assert len(left_behind({}, {"prove.cleaned": cleaned})) == 2


async def test_snapshots_nobody_may_list_are_not_called_gone() -> None:
    lab = Lab(Guarded("volumesnapshotcontents"))
    lab.facts["prove.points"] = ["snap-1"]
    await lab.run(ShownClean({**PARAMS, "volumes": [{"claim": "data", "handle": "snap-1"}]}))
    cleaned = lab.facts["prove.cleaned"]
    assert (cleaned["clean"], cleaned["lost"]) == (None, [])


def space(world: World) -> None:
    world.put(NAMESPACES, QUARANTINE, "", metadata={"labels": {names.OPERATION: OP}})


async def test_one_kind_that_may_not_be_listed_keeps_nothing_else_from_going() -> None:
    lab = Lab(Guarded("cronjobs", "volumesnapshots"))
    space(lab.world)
    notes = await sweep(lab, names.quarantine(PARAMS))  # type: ignore[arg-type]
    assert [one.split(" may")[0] for one in notes] == [
        f"cronjobs.batch of {QUARANTINE}", f"volumesnapshots.snapshot.storage.k8s.io of {QUARANTINE}",
    ]  # fmt: skip
    assert [(one.verb, one.name) for one in lab.world.writes] == [("delete", QUARANTINE)]


async def test_where_volumes_may_not_be_listed_no_claim_and_no_namespace_is_deleted() -> None:
    """Nobody could see whether one of them is the storage of production."""
    lab = Lab(Guarded(VOLUMES.plural))
    space(lab.world)
    with pytest.raises(Forbidden):
        await sweep(lab, names.quarantine(PARAMS))  # type: ignore[arg-type]
    assert lab.world.writes == []


async def test_a_deletion_that_never_arrived_is_asked_for_again() -> None:
    lab = Lab(World())
    space(lab.world)
    lab.world.outcomes = [Outcome.AMBIGUOUS, Outcome.CONFLICT]
    assert await sweep(lab, names.quarantine({"op": OP})) == []  # type: ignore[arg-type]
    assert [(one.verb, one.name) for one in lab.world.writes] == [("delete", QUARANTINE)] * 3
    assert lab.clock.monotonic() < SPACE_GOES / 10


async def test_a_deletion_whose_answer_was_lost_is_not_sent_twice() -> None:
    lab = Lab(World())
    space(lab.world)
    lab.world.outcomes = [Outcome.AMBIGUOUS]

    def carried_out(write: Any) -> None:
        if write.name == QUARANTINE:
            found = lab.world.at(NAMESPACES, QUARANTINE)
            found["metadata"]["deletionTimestamp"] = "2026-06-01T12:00:00Z"
            lab.clock.seconds += SPACE_GOES - 5

    lab.world.after_write = carried_out
    (note,) = await sweep(lab, names.quarantine({"op": OP}))  # type: ignore[arg-type]
    assert note == f"Namespace {QUARANTINE} is still there after 300 s: being deleted"
    assert len(lab.world.writes) == 1


async def test_a_snapshot_kind_nobody_may_list_does_not_keep_the_copy_running() -> None:
    lab = Lab(Guarded("volumesnapshotcontents"))
    space(lab.world)
    lab.world.put(REPLICATION_CONTROLLERS, "old", QUARANTINE)
    with pytest.raises(Forbidden):
        await Clean({**PARAMS, "volumes": [{"claim": "data", "handle": "snap-1"}]}).act(lab)  # type: ignore[arg-type]
    assert [(one.verb, one.resource.plural) for one in lab.world.writes] == [("delete", "replicationcontrollers")]
