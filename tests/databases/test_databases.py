"""Real servers under load are cut, killed, restored and brought back: judged by every row they hold."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import random
from typing import Any

import pytest

from lazarus_tui.kube.errors import NotFound
from lazarus_tui.model.resources import CLAIMS, PODS, STATEFULSETS
from lazarus_tui.model.snapshots import SNAPSHOTS
from lazarus_tui.sandbox.scenarios.manifests import manifests

from .engines import ENGINES, Engine
from .house import SPACE, House, Writer

pytestmark = pytest.mark.timeout(400)
every_engine = pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
# How often a server is killed, and how often it is cut, in one test.
TIMES = 5


def workload(engine: Engine) -> dict[str, Any]:
    found = [one for one in manifests("databases") if one["metadata"]["name"] == engine.workload]
    return copy.deepcopy(next(one for one in found if one["kind"] == "StatefulSet"))


@every_engine
async def test_a_restore_brings_back_the_rows_of_the_cut_and_undo_all_others(house: House, engine: Engine) -> None:
    pod, where = f"{engine.workload}-0", f"{SPACE}/{engine.workload}"
    claim, name = f"data-{pod}", f"cut-{engine.workload}"
    await house.ready(pod)
    writer = Writer(house, engine, pod, "restored")
    await writer.start()
    await writer.more(50)
    await house.lazarus("snapshot", "create", where, "--name", name, "--confirm", where)
    cut = (await house.cuts(name))[claim]
    await writer.more(50)
    await writer.stop()
    old = await house.folder(claim)

    async def kill_the_first_start() -> bool:
        with contextlib.suppress(NotFound):
            folder = await house.folder(claim)
            return folder != old and await house.kill_if_there(folder)
        return False

    killer = asyncio.create_task(house.until(kill_the_first_start, "the restored server starts"))
    done = await house.lazarus("restore", "statefulset", where, "--from-set", name, "--confirm", where)
    await killer
    assert (done["state"], done["can_undo"]) == ("done", True)
    await house.ready(pod, restarts=1)
    restored = await house.holds(engine, pod, writer.table, writer, cut)
    assert 50 <= restored <= len(writer.acked) - 50
    undone = await house.lazarus("undo", done["id"], "--confirm", where)
    assert undone["state"] == "undone"
    await house.ready(pod)
    assert await house.holds(engine, pod, writer.table, writer) == len(writer.acked)
    house.count(f"{engine.name}: {restored} of {len(writer.acked)} rows restored, killed while it recovered")


@every_engine
async def test_what_was_answered_is_there_after_every_kill(house: House, engine: Engine) -> None:
    pod = f"{engine.workload}-0"
    claim, uid = f"data-{pod}", ""
    writer = Writer(house, engine, pod, "killed")
    for _ in range(TIMES):
        found = await house.ready(pod, other_than=uid)
        uid, restarts = found["metadata"]["uid"], found["status"]["containerStatuses"][0]["restartCount"]
        await writer.start()
        await writer.more(random.randrange(10, 60))
        await house.kill(claim)
        await writer.cut_off()
        await house.ready(pod, restarts=restarts + 1)
        writer.survived(await house.holds(engine, pod, writer.table, writer))
        await house.cluster.delete(PODS, pod, SPACE)  # a clean end, and a back-off that begins anew
    await house.ready(pod, other_than=uid)
    assert await house.holds(engine, pod, writer.table, writer) == len(writer.acked)
    house.count(f"{engine.name}: {len(writer.acked)} rows over {TIMES} kills")


@every_engine
async def test_every_cut_under_load_recovers_to_the_rows_of_its_moment(house: House, engine: Engine) -> None:
    pod = f"{engine.workload}-0"
    await house.ready(pod)
    writer = Writer(house, engine, pod, "cut")
    await writer.start()
    cuts = {}
    for number in range(TIMES):
        name = f"{pod}-{number}"
        await writer.more(random.randrange(10, 60))
        source = {"source": {"persistentVolumeClaimName": f"data-{pod}"}}
        await house.cluster.create(SNAPSHOTS, {"metadata": {"name": name}, "spec": source}, SPACE)
        cuts[name] = await house.cut_of(name)
    await writer.more(10)
    await writer.stop()
    counts = [await _recovered(house, engine, name, writer, cut) for name, cut in cuts.items()]
    assert counts == sorted(set(counts)), "each cut has more rows than the one before"
    house.count(f"{engine.name}: {TIMES} cuts with {counts} rows of {len(writer.acked)}")


async def _recovered(house: House, engine: Engine, name: str, writer: Writer, cut: float) -> int:
    """The number of rows in a copy of the server that starts on a snapshot."""
    given = workload(engine)["spec"]
    spec = {
        **given["template"]["spec"],
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": name}}],
    }
    source = {"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": name}
    claim = {**given["volumeClaimTemplates"][0]["spec"], "dataSource": source}
    await house.cluster.create(CLAIMS, {"metadata": {"name": name}, "spec": claim}, SPACE)
    await house.cluster.create(PODS, {"metadata": {"name": name}, "spec": spec}, SPACE)
    try:
        await house.ready(name)
        return await house.holds(engine, name, writer.table, writer, cut)
    finally:
        await house.cluster.delete(PODS, name, SPACE)
        await house.cluster.delete(CLAIMS, name, SPACE)


@every_engine
async def test_each_replica_of_a_set_is_a_database_of_its_own(house: House, engine: Engine) -> None:
    name, where = f"{engine.workload}-pair", f"{SPACE}/{engine.workload}-pair"
    given = workload(engine)
    given["metadata"]["name"] = name
    given["spec"]["selector"]["matchLabels"] = given["spec"]["template"]["metadata"]["labels"] = {"app": name}
    given["spec"] |= {"replicas": 2, "podManagementPolicy": "Parallel"}
    await house.cluster.create(STATEFULSETS, given, SPACE)
    pods = [f"{name}-0", f"{name}-1"]
    await asyncio.gather(*map(house.ready, pods))
    writers = [Writer(house, engine, pod, f"only{index}") for index, pod in enumerate(pods)]
    for writer in writers:
        await writer.start()
        await writer.more(20)
    await house.lazarus("snapshot", "create", where, "--name", name, "--confirm", where)
    moments = await house.cuts(name)
    cuts = [moments[f"data-{pod}"] for pod in pods]
    for writer in writers:
        await writer.more(20)
        await writer.stop()

    async def counts(*moments: float | None) -> list[int]:
        await asyncio.gather(*map(house.ready, pods))
        four = zip(pods, writers, moments, strict=True)
        return [await house.holds(engine, pod, writer.table, writer, moment) for pod, writer, moment in four]

    whole = [len(writer.acked) for writer in writers]
    one = await house.lazarus("restore", "statefulset", where, "--from-set", name, "--replica", "1", "--confirm", where)
    first, second = await counts(None, cuts[1])
    assert (first, second < whole[1]) == (whole[0], True)
    await house.lazarus("undo", one["id"], "--confirm", where)
    assert await counts(None, None) == whole
    both = await house.lazarus("restore", "statefulset", where, "--from-set", name, "--confirm", where)
    restored = await counts(*cuts)
    assert all(count < all_rows for count, all_rows in zip(restored, whole, strict=True))
    await house.lazarus("undo", both["id"], "--confirm", where)
    assert await counts(None, None) == whole
    await house.cluster.delete(STATEFULSETS, name, SPACE)
    house.count(f"{engine.name}: two replicas, {restored} of {whole} rows restored")
