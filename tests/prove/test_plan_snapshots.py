"""Proofs of snapshot sets: what is planned from live objects, and how those get into the quarantine."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from lazarus_tui.model.plan import PlanRefused
from lazarus_tui.model.resources import CLAIMS, CONFIGMAPS, SECRETS, SERVICEACCOUNTS, SERVICES, STATEFULSETS
from lazarus_tui.model.sets import SetAbout
from lazarus_tui.model.snapshots import CONTENTS, SNAPSHOTS
from lazarus_tui.model.steps import Seen, StepStopped
from lazarus_tui.prove.dressing import Dress
from lazarus_tui.snapshots.members import member
from tests.prove.hostile.build import mounting
from tests.prove.site import Site
from tests.velero.lab import Lab

CANARY = "c2VjcmV0LWNhbmFyeQ=="
DB = {"app": "db"}


def take(site: Site, name: str, *claims: str, of: tuple[str, ...] = (), ready: bool = True) -> None:
    about = SetAbout(workload="StatefulSet/db", replicas=2, claims=of or claims)
    for claim in claims:
        one = member(name, "shop", claim, about, class_name="", role="backup", schedule="")
        key = one["metadata"]["name"]
        status = {"readyToUse": ready, "boundVolumeSnapshotContentName": f"c-{key}", "restoreSize": "1Gi",
                  "creationTime": "2026-06-01T11:00:00Z"}  # fmt: skip
        made = site.put(SNAPSHOTS, key, "shop", metadata=one["metadata"], spec=one["spec"], status=status)
        ref = {"name": key, "namespace": "shop", "uid": made["metadata"]["uid"]}
        spec = {"deletionPolicy": "Retain", "driver": "d", "volumeSnapshotRef": ref, "source": {}}
        site.put(CONTENTS, f"c-{key}", "", spec=spec, status={"snapshotHandle": f"h-{claim}", "readyToUse": ready})


@pytest.fixture
def site() -> Site:
    site = Site()
    pod = {
        "serviceAccountName": "db", "hostNetwork": True, "volumes": [{"name": "conf", "configMap": {"name": "conf"}}],
        "containers": [{"name": "db", "image": "db:1", "envFrom": [{"secretRef": {"name": "key"}}]}],
    }  # fmt: skip
    meta = {"labels": DB, "annotations": {"argocd.argoproj.io/tracking-id": "shop"}}
    template = {"metadata": {"labels": DB}, "spec": pod}
    claims = [{"metadata": {"name": "data"}}]
    spec = {"replicas": 5, "serviceName": "db", "selector": {"matchLabels": DB}, "template": template}
    spec |= {"volumeClaimTemplates": claims}
    site.put(STATEFULSETS, "db", "shop", metadata=meta, spec=spec, status={"replicas": 5})
    notes = {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/db"}
    site.put(SERVICEACCOUNTS, "db", "shop", metadata={"annotations": notes}, secrets=[{"name": "db-token"}])
    site.put(SECRETS, "key", "shop", data={"token": CANARY}, type="Opaque")
    site.put(SECRETS, "unrelated", "shop", data={"token": CANARY})
    site.put(CONFIGMAPS, "conf", "shop", data={"a": "1"})
    site.put(SERVICES, "db", "shop", spec={"selector": DB, "clusterIP": "10.96.0.7", "type": "NodePort",
                                           "ports": [{"port": 5432, "nodePort": 30432}]})  # fmt: skip
    site.put(SERVICES, "web", "shop", spec={"selector": {"app": "web"}})
    for claim in ("data-db-0", "data-db-1"):
        asks = {"requests": {"storage": "1Gi"}}
        body = {"storageClassName": "standard", "accessModes": ["ReadWriteOnce"], "resources": asks}
        site.put(CLAIMS, claim, "shop", spec=body, status={"phase": "Bound", "capacity": {"storage": "1Gi"}})
    return site


SET: dict[str, Any] = {"source": "snapshots", "workload": "StatefulSet/db"}


async def test_the_copy_is_the_set_with_the_workload_and_what_it_names(site: Site) -> None:
    take(site, "older", "data-db-0", "data-db-1")
    plan = await site.plan(**SET)
    params = plan.params
    assert [(one["resource"], one["name"]) for one in params["dressing"]] == [
        ("serviceaccounts", "db"), ("configmaps", "conf"), ("secrets", "key"), ("services", "db"),
        ("statefulsets.apps", "db"),
    ]  # fmt: skip
    assert params["held"] == [{"kind": "StatefulSet", "name": "db", "replicas": 2}], (
        "as many as the set has volumes for"
    )
    volumes = [(one["claim"], one["held"], one["handle"], one["frozen_at"]) for one in params["volumes"]]
    assert volumes == [
        ("data-db-0", "captured", "h-data-db-0", "2026-06-01T11:00:00Z"),
        ("data-db-1", "captured", "h-data-db-1", "2026-06-01T11:00:00Z"),
    ]
    assert params["beside"]["namespace"] == params["quarantine"]
    assert (params["beside"]["new"], params["beside"]["copy"], len(params["beside"]["parts"])) == (False, {}, 2)
    assert params["modifiers"] == {}
    assert "restore" not in params
    assert CANARY not in msgspec.json.encode(plan).decode()
    assert ("S3", "change", "statefulsets.apps/db") in {(e.detail[:2], e.verb, e.what) for e in plan.effects}
    assert site.fetched == [], "nothing of Velero's is asked for"


async def test_the_newest_usable_set_is_proven_and_an_incomplete_one_never(site: Site) -> None:
    take(site, "whole", "data-db-0", "data-db-1")
    take(site, "half", "data-db-0", of=("data-db-0", "data-db-1"))
    assert (await site.plan(**SET)).params["point"] == "whole"
    with pytest.raises(PlanRefused, match="data-db-1 has no snapshot"):
        await site.plan(**SET, point="half")
    with pytest.raises(PlanRefused, match="no point nowhere"):
        await site.plan(**SET, point="nowhere")


async def test_a_mounted_claim_that_is_not_of_the_set_can_never_be_green(site: Site) -> None:
    take(site, "whole", "data-db-0", "data-db-1")
    pod = site.at(STATEFULSETS, "db", "shop")["spec"]["template"]["spec"]
    pod["volumes"] += mounting("shared")
    plan = await site.plan(**SET)
    assert any("Claim shared is named by the workload and is not there" in warning for warning in plan.warnings)
    body = {"storageClassName": "standard", "resources": {"requests": {"storage": "1Gi"}}}
    site.put(CLAIMS, "shared", "shop", spec=body)
    green = (await site.plan(**SET)).params["not_green"]
    assert green == ["persistentvolumeclaims/shared: no data in this point: not in set whole"]


async def test_without_the_statefulset_there_is_nothing_to_start(site: Site) -> None:
    take(site, "whole", "data-db-0", "data-db-1")
    site.drop(STATEFULSETS, "db", "shop")
    with pytest.raises(PlanRefused, match="holds its volumes, not what runs on them"):
        await site.plan(**SET)


async def dressed(site: Site) -> tuple[Lab, str]:
    take(site, "whole", "data-db-0", "data-db-1")
    params = (await site.plan(**SET)).params
    lab = Lab(site)
    seen = await lab.run(Dress(params))
    assert (seen.seen, seen.detail) == (Seen.DONE, "5 objects")
    return lab, params["quarantine"]


async def test_live_objects_come_under_the_rules_and_without_what_ties_them_to_the_original(site: Site) -> None:
    _, quarantine = await dressed(site)
    copy = site.at(STATEFULSETS, "db", quarantine)
    assert copy["spec"]["replicas"] == 0
    assert "hostNetwork" not in copy["spec"]["template"]["spec"]
    assert "argocd.argoproj.io/tracking-id" not in (copy["metadata"].get("annotations") or {})
    assert "status" not in copy
    account = site.at(SERVICEACCOUNTS, "db", quarantine)
    assert "eks.amazonaws.com/role-arn" not in (account["metadata"].get("annotations") or {})
    assert "secrets" not in account
    way = site.at(SERVICES, "db", quarantine)["spec"]
    assert way == {"selector": DB, "type": "ClusterIP", "ports": [{"port": 5432}]}
    secret = site.at(SECRETS, "key", quarantine)
    assert (secret["data"], secret["type"]) == ({"token": CANARY}, "Opaque")
    assert site.at(STATEFULSETS, "db", "shop")["spec"]["replicas"] == 5, "the original is only read"
    assert {write.namespace for write in site.writes} == {quarantine}


async def test_a_copied_secret_comes_without_the_values_that_were_asked_to_stay_out(site: Site) -> None:
    take(site, "whole", "data-db-0", "data-db-1")
    params = (await site.plan(**SET, placeholders=["key/token"])).params
    await Lab(site).run(Dress(params))
    assert site.at(SECRETS, "key", params["quarantine"])["data"]["token"] != CANARY
    params = (await site.plan(**SET, placeholders=["key/tokn"])).params
    with pytest.raises(StepStopped, match="no Secret that is copied has key/tokn"):
        await Lab(site).run(Dress(params))


async def test_dressing_goes_on_where_it_was_cut_and_takes_over_nothing_of_others(site: Site) -> None:
    lab, quarantine = await dressed(site)
    params = {**(await site.plan(**SET)).params, "op": lab.op, "quarantine": quarantine}
    mine = {"labels": {"lazarus.io/operation": lab.op}}
    for resource, name in ((SERVICEACCOUNTS, "db"), (CONFIGMAPS, "conf"), (SECRETS, "key"), (SERVICES, "db")):
        site.put(resource, name, quarantine, metadata=mine)
    site.drop(STATEFULSETS, "db", quarantine)
    before = len(site.writes)
    assert (await lab.run(Dress(params))).seen is Seen.DONE
    assert [write.name for write in site.writes[before:]] == ["db"]
    site.put(SECRETS, "key", quarantine, data={})
    assert (await Dress(params).observe(lab)).seen is Seen.DIVERGED  # type: ignore[arg-type]


async def test_what_has_gone_since_the_plan_stops_it(site: Site) -> None:
    take(site, "whole", "data-db-0", "data-db-1")
    params = (await site.plan(**SET)).params
    site.drop(SECRETS, "key", "shop")
    with pytest.raises(StepStopped, match="Secret shop/key is gone since the plan was made"):
        await Lab(site).run(Dress(params))
    assert site.writes == []
