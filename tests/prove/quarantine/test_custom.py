"""Custom resources that stand for something outside: a copy is removed only when that leaves the real thing alone."""

from __future__ import annotations

import re
from typing import Any

import pytest

from lazarus_tui.kube.errors import Forbidden, NotFound, ServerFault
from lazarus_tui.model.http import HttpRequest, HttpResponse
from lazarus_tui.model.resources import CLAIMS, CRDS, NAMESPACES, Resource
from lazarus_tui.model.steps import Outcome, Write, WriteResult
from lazarus_tui.prove.custom import warnings
from lazarus_tui.prove.proof.compare import _Look
from lazarus_tui.prove.proof.kinds import Kinds
from lazarus_tui.prove.quarantine import names, rights
from lazarus_tui.prove.quarantine.leftovers import leftovers
from lazarus_tui.prove.quarantine.sweep import sweep
from lazarus_tui.sandbox.api.answers import error_answer
from lazarus_tui.sandbox.api.errors import forbidden
from tests.prove.hostile.build import definition, service, thing, workload
from tests.prove.quarantine.grounds import OP, QUARANTINE, VELERO, Grounds
from tests.prove.quarantine.test_cleaning import left, meddled
from tests.prove.site import Site
from tests.velero.lab import Lab, World

Json = dict[str, Any]
BUCKETS = Resource("s3.aws.upbound.io", "v1beta1", "buckets", "Bucket", namespaced=False)
TABLES = Resource("dynamodb.services.k8s.aws", "v1alpha1", "tables", "Table")
POOLS = Resource("karpenter.sh", "v1", "nodepools", "NodePool", namespaced=False)
GADGETS = Resource("gadgets.example.com", "v1", "gadgets", "Gadget", namespaced=False)
ORPHAN = {"spec": {"deletionPolicy": "Orphan"}}
RETAIN = {"metadata": {"annotations": {"services.k8s.aws/deletion-policy": "retain"}}}
OURS = {"labels": {"velero.io/restore-name": "back"}}


def planned(kind: Resource, keep: Json, *, outside: bool = True, allowed: bool = True) -> Json:
    return {
        "group": kind.group, "version": kind.version, "plural": kind.plural, "kind": kind.kind,
        "namespaced": kind.namespaced, "keep": keep, "outside": outside, "allowed": allowed,
    }  # fmt: skip


class Wide(World):
    """Selectors with a set of values; ``broken``: errors of kinds."""

    def __init__(self) -> None:
        super().__init__()
        self.broken: dict[str, Exception] = {}

    async def list(self, resource: Any, namespace: Any = None, *, label_selector: str = "", **more: Any) -> Any:
        if resource.plural in self.broken:
            raise self.broken[resource.plural]
        among = re.fullmatch(r"(\S+) in \((.*)\)", label_selector)
        if among is None:
            return await super().list(resource, namespace, label_selector=label_selector, **more)
        found = await super().list(resource, namespace, **more)
        values = among[2].split(",")
        return [one for one in found if (one["metadata"].get("labels") or {}).get(among[1]) in values]


def lab_with(*custom: Json) -> tuple[Lab, names.Quarantine]:
    lab = Lab(Wide())
    lab.world.put(NAMESPACES, QUARANTINE, "", metadata={"labels": {names.OPERATION: OP}})
    params = {"op": OP, "velero": VELERO, "restore": {"name": "back"}, "custom": list(custom)}
    return lab, names.quarantine(params)


def writes(lab: Lab) -> list[tuple[str, str]]:
    return [(one.verb, one.name) for one in lab.world.writes]


async def test_it_gets_its_policy_first_and_goes_by_uid_and_the_original_is_left_alone() -> None:
    lab, wanted = lab_with(planned(BUCKETS, ORPHAN))
    lab.world.put(BUCKETS, "copy", "", spec={"deletionPolicy": "Delete"}, metadata=OURS)
    lab.world.put(BUCKETS, "original", "", spec={"deletionPolicy": "Delete"})
    lab.world.put(BUCKETS, "theirs", "", metadata={"labels": {"velero.io/restore-name": "other"}})
    assert await sweep(lab, wanted) == []  # type: ignore[arg-type]
    assert writes(lab) == [("merge-patch", "copy"), ("delete", QUARANTINE), ("delete", "copy")]
    assert lab.world.writes[0].body == ORPHAN
    assert all(one.uid for one in lab.world.writes)
    assert (await leftovers(lab, wanted)).found == []  # type: ignore[arg-type]


async def test_one_whose_policy_is_refused_is_not_deleted_and_told_with_what_to_do() -> None:
    lab, wanted = lab_with(planned(BUCKETS, ORPHAN))
    lab.world.put(BUCKETS, "copy", "", spec={"deletionPolicy": "Delete"}, metadata=OURS)
    whole = lab.world.write

    async def refusing(write: Write) -> WriteResult:
        return WriteResult(Outcome.FORBIDDEN, reason="no") if write.name == "copy" else await whole(write)

    lab.world.write = refusing  # type: ignore[method-assign]
    notes = await sweep(lab, wanted)  # type: ignore[arg-type]
    assert ("delete", "copy") not in writes(lab)
    assert ("delete", QUARANTINE) in writes(lab), "it is of the whole cluster: the namespace can go"
    assert any('Bucket copy could not be given {"spec": {"deletionPolicy": "Orphan"}}' in one for one in notes)
    (told,) = (await leftovers(lab, wanted)).found  # type: ignore[arg-type]
    assert (told["kind"], told["name"]) == ("Bucket", "copy")
    assert told["why"].endswith("give it that, then delete it")


async def test_actions_that_name_deletion_come_before_the_policy_to_orphan() -> None:
    """Crossplane removes the real resource where its actions name Delete, whatever deletionPolicy says."""
    actions = ["Observe", "Create", "Update", "Delete"]  # all but LateInitialize, as many have it
    for keep in (ORPHAN, {}):
        lab, wanted = lab_with(planned(BUCKETS, keep, outside=False))
        spec = {"deletionPolicy": "Orphan", "managementPolicies": actions}
        lab.world.put(BUCKETS, "copy", "", spec=spec, metadata=OURS)
        assert await sweep(lab, wanted) == []  # type: ignore[arg-type]
        assert writes(lab) == [("merge-patch", "copy"), ("delete", QUARANTINE), ("delete", "copy")]
        assert lab.world.writes[0].body == {"spec": {**keep.get("spec", {}), "managementPolicies": ["Observe"]}}
    lab, wanted = lab_with(planned(BUCKETS, ORPHAN))
    lab.world.put(BUCKETS, "copy", "", spec={"deletionPolicy": "Orphan", "managementPolicies": ["*"]}, metadata=OURS)
    assert await sweep(lab, wanted) == []  # type: ignore[arg-type]
    assert writes(lab) == [("delete", QUARANTINE), ("delete", "copy")], "all of them leave it to the policy"


async def test_what_destroys_with_itself_is_told_not_to_before_the_namespace_goes() -> None:
    stacks = Resource("infra.contrib.fluxcd.io", "v1alpha2", "terraforms", "Terraform")
    lab, wanted = lab_with(planned(stacks, {}))
    lab.world.put(stacks, "network", QUARANTINE, spec={"destroyResourcesOnDeletion": True})
    lab.world.put(stacks, "other", QUARANTINE, spec={"destroyResourcesOnDeletion": False})
    assert await sweep(lab, wanted) == []  # type: ignore[arg-type]
    assert writes(lab) == [("merge-patch", "network"), ("delete", QUARANTINE)]
    assert lab.world.writes[0].body == {"spec": {"destroyResourcesOnDeletion": False}}


def test_what_goes_with_the_quarantine_at_a_risk_is_said_before() -> None:
    machines = Resource("infrastructure.cluster.x-k8s.io", "v1beta2", "awsclusters", "AWSCluster")
    (said,) = warnings([planned(machines, {}), planned(machines, {}, allowed=False), planned(TABLES, RETAIN)])
    assert said == (
        "awsclusters.infrastructure.cluster.x-k8s.io: nothing is known that makes deleting a copy harmless: it goes"
        " with the quarantine, and its controller may delete what it stands for (S10)"
    )


async def test_one_in_the_quarantine_holds_it_until_it_has_its_policy() -> None:
    """Velero's modifiers fail open: what came back with Delete would take the real table along with the namespace."""
    lab, wanted = lab_with(planned(TABLES, RETAIN))
    lab.world.put(TABLES, "orders", QUARANTINE)
    lab.world.put(CLAIMS, "data", QUARANTINE)
    lab.world.outcomes = [Outcome.CONFLICT]
    assert await sweep(lab, wanted) == []  # type: ignore[arg-type]
    assert writes(lab) == [("merge-patch", "orders")] * 2 + [("delete", "data"), ("delete", QUARANTINE)]

    lab, wanted = lab_with(planned(TABLES, RETAIN))
    lab.world.put(TABLES, "orders", QUARANTINE)
    lab.world.outcomes = [Outcome.PERMANENT] * 9
    (note,) = await sweep(lab, wanted)  # type: ignore[arg-type]
    assert note.startswith("Table orders could not be given")
    assert {verb for verb, _ in writes(lab)} == {"merge-patch"}, "neither a claim nor the namespace goes"


async def test_a_copy_that_was_to_stay_out_is_made_harmless_too() -> None:
    lab, wanted = lab_with(planned(TABLES, RETAIN, allowed=False))
    lab.world.put(TABLES, "orders", QUARANTINE)
    assert await sweep(lab, wanted) == []  # type: ignore[arg-type]
    assert writes(lab) == [("merge-patch", "orders"), ("delete", QUARANTINE)]


@pytest.mark.parametrize(
    ("error", "allowed", "goes"),
    [
        (Forbidden("no", status=403), True, False), (ServerFault("its webhook is down", status=500), True, False),
        (NotFound("its definition was removed", status=404), True, True), (Forbidden("no", status=403), False, True),
    ],
)  # fmt: skip
async def test_a_kind_nobody_can_look_at_holds_the_quarantine_if_it_was_let_in(
    error: Exception, allowed: bool, goes: bool
) -> None:
    lab, wanted = lab_with(planned(TABLES, RETAIN, allowed=allowed))
    assert isinstance(lab.world, Wide)
    lab.world.broken["tables"] = error
    notes = await sweep(lab, wanted)  # type: ignore[arg-type]
    assert (("delete", QUARANTINE) in writes(lab)) is goes
    assert [one.partition(":")[0] for one in notes] == ([] if goes else ["Table"])


async def test_what_acts_outside_and_has_no_policy_is_told_and_what_nobody_knows_goes() -> None:
    lab, wanted = lab_with(planned(POOLS, {}), planned(GADGETS, {}, outside=False))
    lab.world.put(POOLS, "spot", "", metadata=OURS)
    lab.world.put(GADGETS, "rocket", "", metadata=OURS)
    lab.world.put(GADGETS, "bomb", "", metadata=OURS, spec={"deletionPolicy": "Delete"})
    notes = await sweep(lab, wanted)  # type: ignore[arg-type]
    assert writes(lab) == [("merge-patch", "bomb"), ("delete", QUARANTINE), ("delete", "bomb"), ("delete", "rocket")]
    assert notes == [
        "NodePool spot is of the whole cluster and acts outside it: see what deleting it would do, then delete it"
    ]
    (told,) = (await leftovers(lab, wanted)).found  # type: ignore[arg-type]
    assert (told["kind"], told["name"]) == ("NodePool", "spot")


async def test_a_kind_of_the_cluster_that_may_not_be_listed_makes_clean_unknown() -> None:
    lab, wanted = lab_with(planned(BUCKETS, ORPHAN))
    assert isinstance(lab.world, Wide)
    lab.world.broken["buckets"] = Forbidden("no", status=403)
    seen = await leftovers(lab, wanted)  # type: ignore[arg-type]
    assert [one["resource"] for one in seen.unseen] == ["buckets.s3.aws.upbound.io"]


def test_the_rights_for_it_are_asked_for_before() -> None:
    _, wanted = lab_with(planned(BUCKETS, ORPHAN), planned(TABLES, RETAIN), planned(POOLS, {}, allowed=False))
    asked = [(verb, kind.plural, where) for verb, kind, where, _ in rights.needed(wanted) if "." in kind.group]
    custom = [one for one in asked if one[1] in ("buckets", "tables", "nodepools")]
    assert custom == [
        ("list", "buckets", ""), ("patch", "buckets", ""), ("delete", "buckets", ""),
        ("list", "tables", QUARANTINE), ("patch", "tables", QUARANTINE),
    ]  # fmt: skip


async def test_the_plan_lists_them_and_says_what_will_not_be_removed() -> None:
    site = Site()
    pool = thing("pools.karpenter.k8s.aws/v1", "Bucket", "spot")  # a kind that the builder knows as cluster-scoped
    bucket = thing("s3.aws.upbound.io/v1beta1", "Bucket", "orders", spec={"deletionPolicy": "Delete"})
    table = thing("dynamodb.services.k8s.aws/v1alpha1", "DBInstance", "orders")
    site.backup("full", [bucket, pool, table, workload(), service()])
    until = {"reason": "a test", "expires": "2999-01-01T00:00:00Z"}
    plan = await site.plan(point="full", allow=[{"rule": "S10", "what": "buckets.*", **until}])
    known = {f"{one['plural']}.{one['group']}": one for one in plan.params["custom"]}
    assert known["buckets.s3.aws.upbound.io"] | {"version": ""} == {
        "group": "s3.aws.upbound.io", "version": "", "plural": "buckets", "kind": "Bucket", "namespaced": False,
        "keep": ORPHAN, "outside": True, "allowed": True,
    }  # fmt: skip
    table_kind = known["dbinstances.dynamodb.services.k8s.aws"]
    assert (table_kind["keep"], table_kind["allowed"]) == (RETAIN, False)
    (told,) = [one for one in plan.warnings if "told as left behind" in one]
    assert told.startswith("buckets.pools.karpenter.k8s.aws are of the whole cluster")


async def test_the_original_of_the_same_name_is_no_violation_and_a_copy_is() -> None:
    world = World()
    look = _Look(world, Kinds.of([BUCKETS]), QUARANTINE)  # type: ignore[arg-type]
    look._restore = "back"
    wanted = {"rule": "S10", "resource": "buckets", "group": BUCKETS.group, "name": "orders",
              "pointer": "/spec/deletionPolicy", "value": "Orphan"}  # fmt: skip
    world.put(BUCKETS, "orders", "", spec={"deletionPolicy": "Delete"})
    assert await look._violation(wanted) == ""
    look._listed.clear()
    world.put(BUCKETS, "orders", "", spec={"deletionPolicy": "Delete"}, metadata=OURS)
    assert (await look._violation(wanted)).startswith("S10: buckets/orders has /spec/deletionPolicy 'Delete'")


async def test_in_a_real_cluster_the_namespace_goes_only_after_the_policy_is_read_back() -> None:
    body = thing("dynamodb.services.k8s.aws/v1alpha1", "DBInstance", "orders")
    kind = Resource("dynamodb.services.k8s.aws", "v1alpha1", "dbinstances", "DBInstance")

    def comes(ground: Grounds) -> Any:
        ground.api.create(CRDS, definition(body))
        return lambda: _made(ground)

    def _made(ground: Grounds) -> bool:
        if kind not in ground.cluster.kinds():
            return False
        if ground.get(kind, "orders", QUARANTINE) is None:
            ground.api.create(kind, body, QUARANTINE)
        return True

    for refused in (False, True):
        async with meddled(comes) as ground:

            async def refusing(request: HttpRequest) -> HttpResponse | None:
                if request.method == "PATCH" and request.path.endswith("/dbinstances/orders"):
                    return error_answer(forbidden("dbinstances", kind.group, "orders", "not for you"))
                return None

            ground.refusals += [refusing] if refused else []
            done = await ground.prove(custom=[planned(kind, RETAIN)])
            patches = [
                n
                for n, one in enumerate(ground.sent)
                if one.path.endswith("/dbinstances/orders") and one.method == "PATCH"
            ]
            assert patches
            if refused:
                assert ("Namespace", QUARANTINE) in left(done)
                assert ground.deletions() == [
                    one for one in ground.deletions() if "/persistentvolumeclaims/" not in one
                ]
                assert ground.get(kind, "orders", QUARANTINE) is not None
                continue
            assert left(done) == []
            ends = [n for n, one in enumerate(ground.sent) if one.method == "DELETE" and one.path.endswith(QUARANTINE)]
            assert patches[0] < ends[0]
