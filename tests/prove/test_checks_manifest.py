"""A manifest of a live workload, kept by the backup it was taken for, and a restored copy against it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lazarus_tui.evidence.documents import Documents
from lazarus_tui.model.plan import PlanRefused
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.prove import taking
from lazarus_tui.prove.definitions import parse
from lazarus_tui.prove.steps import Run
from tests.prove.doors import NAMESPACE, SOURCE, Doors
from tests.prove.mongo_wire import MongoWire
from tests.velero.lab import Lab

CHECK = {
    "kind": "mongodb", "service": "mongo", "port": 8080, "database": "app", "timeout": 60, "manifest": {},
    "tables": ["orders"],
}  # fmt: skip


@pytest.fixture
def server() -> MongoWire:
    found = MongoWire()
    found.collections["orders"] = [{"_id": n} for n in range(10)]
    return found


@pytest.fixture
async def lab(server: MongoWire) -> AsyncIterator[Lab]:
    doors = Doors()
    async with doors.serving("mongo", server.serve):
        yield Lab(doors)


def params(**check: Any) -> dict[str, Any]:
    """The lab's doors are those of the quarantine alone, so the live workload is behind them too."""
    return {"backup": "daily-1", "namespaces": [NAMESPACE], "checks": {"checks": [{**CHECK, **check}]}}


async def taken(lab: Lab) -> dict[str, Any]:
    plan = await taking.plan(lab.reader, params(), lab.clock)
    lab.plan = plan
    (step,) = taking.steps(plan, None)  # type: ignore[arg-type]
    await lab.run(step)
    return lab.documents["daily-1.lab"]


async def proven(lab: Lab, backup: str = "daily-1", **check: Any) -> tuple[Verdict, str]:
    lab.plan = msgspec.structs.replace(lab.plan, context="lab", params={"point": backup})
    given = {"checks": [{**CHECK, **check}], "checkSeconds": 0.1}
    await lab.run(Run(parse({"sources": {NAMESPACE: SOURCE}, "checks": given}, "lab")))
    return lab.checks[-1].verdict, lab.checks[-1].summary


async def test_a_copy_is_as_its_manifest_says_or_red(lab: Lab, server: MongoWire) -> None:
    manifest = await taken(lab)
    assert manifest["checks"]["mongodb mongo"]["tables"]["orders"]["rows"] == 10
    assert (manifest["backup"], manifest["schema"], lab.facts["manifest.tables"]) == ("daily-1", 1, 1)
    assert (await proven(lab))[0] is Verdict.PASSED
    assert lab.checks[-1].evidence["manifest"]["taken"] == manifest["taken"]
    server.collections["orders"].append({"_id": 11})
    verdict, words = await proven(lab)
    assert (verdict, "orders has 11 rows, the manifest 10" in words) == (Verdict.FAILED, True)
    room = {"manifest": {"rows": 0.9, "fingerprints": False}}
    assert (await proven(lab, **room))[0] is Verdict.PASSED
    del server.collections["orders"][2:]
    assert (await proven(lab, **room))[0] is Verdict.FAILED


async def test_without_a_manifest_nothing_is_compared_and_nothing_is_green(lab: Lab) -> None:
    assert await proven(lab) == (
        Verdict.INCONCLUSIVE, "backup daily-1 has no manifest of mongodb mongo: nothing to compare with",
    )  # fmt: skip
    await taken(lab)
    for spoilt in ({"schema": 2}, {"checks": {"mongodb mongo": {"kind": "redis", "tables": {}}}}, {"checks": 3}):
        whole = dict(lab.documents["daily-1.lab"])
        lab.documents["daily-1.lab"] = {**whole, **spoilt}
        assert (await proven(lab))[0] is Verdict.INCONCLUSIVE
        lab.documents["daily-1.lab"] = whole
    assert (await proven(lab, backup=""))[1].startswith("this is about no backup")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"backup": ""}, "which backup"),
        ({"namespaces": []}, "of one namespace"),
        ({"checks": {"checks": [{"kind": "tcp", "service": "a", "port": 1}]}}, "no check has a manifest"),
        ({"checks": {"checks": [{**CHECK, "tables": []}]}}, "records the tables of its check"),
    ],
)
async def test_what_cannot_be_recorded_is_refused(lab: Lab, change: dict[str, Any], words: str) -> None:
    with pytest.raises(PlanRefused, match=words):
        await taking.plan(lab.reader, {**params(), **change}, lab.clock)


async def test_a_table_that_is_not_there_stops_it(lab: Lab, server: MongoWire) -> None:
    server.collections.clear()
    lab.plan = await taking.plan(lab.reader, params(), lab.clock)
    (step,) = taking.steps(lab.plan, None)  # type: ignore[arg-type]
    stop = await lab.stopped(step)
    assert "there is no table orders" in stop.what
    assert lab.documents == {}


async def test_documents_are_private_whole_and_named_safely(tmp_path: Path) -> None:
    documents = Documents(tmp_path / "manifests")
    name = "../../etc/passwd\n.prod"
    assert await documents.get(name) is None
    path = await documents.put(name, {"a": 1, "password": "hunter2"})
    assert path.parent == tmp_path / "manifests"
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    found = await documents.get(name)
    assert found is not None
    assert (found["a"], "hunter2" in str(found)) == (1, False)
    assert documents.path("a.b") != documents.path("a_b")
    path.write_text("[]")
    with pytest.raises(ValueError, match="Expected"):
        await documents.get(name)


async def test_what_the_manifest_does_not_tell_is_not_passed_over(lab: Lab, server: MongoWire) -> None:
    """A check that grew since, or a manifest without fingerprints: nothing was compared, and nothing is green."""
    manifest = await taken(lab)
    server.collections["customers"] = [{"_id": 1}]
    verdict, words = await proven(lab, tables=["orders", "customers"])
    assert (verdict, "customers: the manifest has nothing of it" in words) == (Verdict.INCONCLUSIVE, True)
    table = manifest["checks"]["mongodb mongo"]["tables"]["orders"]
    lab.documents["daily-1.lab"]["checks"]["mongodb mongo"]["tables"]["orders"] = {"rows": table["rows"]}
    verdict, words = await proven(lab)
    assert (verdict, "orders: the manifest has no fingerprint of it" in words) == (Verdict.INCONCLUSIVE, True)
    assert (await proven(lab, manifest={"fingerprints": False}))[0] is Verdict.PASSED
    server.collections["orders"].pop()
    assert (await proven(lab))[0] is Verdict.FAILED, "what is known to be wrong is told all the same"


@pytest.mark.parametrize("whose", [{"backup": "daily"}, {"context": "1.lab"}])
async def test_another_manifest_under_the_same_name_is_not_compared_with(lab: Lab, whose: dict[str, str]) -> None:
    """daily-1 in context lab, and daily in context 1.lab, would be kept under names that are alike."""
    await taken(lab)
    lab.documents["daily-1.lab"] |= whose
    verdict, words = await proven(lab)
    assert (verdict, "what is kept as the manifest of daily-1 is that of" in words) == (Verdict.INCONCLUSIVE, True)


async def test_a_manifest_without_tables_compares_nothing(lab: Lab) -> None:
    await taken(lab)
    lab.documents["daily-1.lab"]["checks"]["mongodb mongo"]["tables"] = {}
    assert (await proven(lab))[0] is Verdict.INCONCLUSIVE
