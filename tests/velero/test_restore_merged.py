"""What a restore over something merges and overwrites, as its plan says it."""

from __future__ import annotations

from typing import Any

import pytest

from lazarus_tui.model.resources import CONFIGMAPS, NAMESPACES, SERVICEACCOUNTS
from lazarus_tui.velero import restore
from tests.velero.source import Source


@pytest.mark.parametrize(
    ("params", "verb", "danger", "kept"), [({}, "skip", "changes", "1 object exists already and is left as it is"),
                                           ({"existing_policy": "update"}, "change", "destroys", "")],
)  # fmt: skip
async def test_service_accounts_that_exist_are_merged_whatever_happens_to_the_rest(
    source: Source, params: dict[str, Any], verb: str, danger: str, kept: str
) -> None:
    """``mergeServiceAccounts`` of Velero asks no policy, adds what is missing, and keeps what is there."""
    source.contents["BackupResourceList"] = {
        "v1/ServiceAccount": ["shop/default", "shop/robot", "shop/new"], "v1/ConfigMap": ["shop/settings"],
    }  # fmt: skip
    source.put(NAMESPACES, "shop", "")
    for resource, name in ((SERVICEACCOUNTS, "default"), (SERVICEACCOUNTS, "robot"), (CONFIGMAPS, "settings")):
        source.put(resource, name, "shop")
    plan = await restore.plan(source, {"backup": "b1", "namespaces": ["shop"], **params}, source.clock)
    assert [(one.verb, one.what, one.detail) for one in plan.effects if "volume" not in one.what] == [
        (verb, "1 ConfigMap in shop", "settings"),
        ("create", "1 ServiceAccount in shop", "new"),
        ("change", "2 ServiceAccount in shop",
         "default, robot: labels, annotations and secrets they lack are added, and nothing of theirs is overwritten"),
    ]  # fmt: skip
    assert plan.danger == danger
    assert (kept in plan.warnings) is bool(kept)
    assert plan.losses == (() if kept else ("1 existing object is patched back to its state in the backup",))


async def test_merged_service_accounts_alone_lose_nothing(source: Source) -> None:
    source.contents["BackupResourceList"] = {"v1/ServiceAccount": ["shop/default"]}
    source.put(NAMESPACES, "shop", "")
    source.put(SERVICEACCOUNTS, "default", "shop")
    params = {"backup": "b1", "namespaces": ["shop"], "existing_policy": "update"}
    plan = await restore.plan(source, params, source.clock)
    assert (plan.danger, plan.losses) == ("changes", ())


async def test_what_is_there_already_is_told_of_a_backup_whose_objects_are_not_known(source: Source) -> None:
    source.contents.clear()
    source.put(NAMESPACES, "shop", "")
    given = {"backup": "b1", "namespaces": ["shop"]}
    plan = await restore.plan(source, given, source.clock)
    left = "objects already in it are left as they are, but service accounts get what they lack"
    assert f"namespace shop exists: {left}" in plan.warnings
    assert plan.losses == ()
    plan = await restore.plan(source, {**given, "existing_policy": "update"}, source.clock)
    assert plan.losses == ("objects that exist are patched back to their state in the backup; which ones is not known",)
