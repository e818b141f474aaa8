"""Lies of the copy itself: it runs and answers, and its data is not there, not its own, or not of when it should be."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from lazarus_tui.model.resources import NAMESPACES, SERVICES, SLICES, Resource
from lazarus_tui.model.sets import SetAbout
from lazarus_tui.model.snapshots import CONTENTS, SNAPSHOTS
from lazarus_tui.snapshots.members import member
from tests.prove.liars.liar import (
    FAILED,
    INCONCLUSIVE,
    REFUSED,
    Liar,
    after_the_plan,
    knows,
    ready,
    restoring,
    settled,
)
from tests.prove.liars.orders import CHECKS, CLAIM, COUNTED, WATERMARK, Shop
from tests.prove.liars.restoring import quarantine
from tests.prove.quarantine.grounds import Said
from tests.snapshots.stage import SPACE

ENDPOINTS = Resource("", "v1", "endpoints", "Endpoints")
SET = "s1"
NEVER_ASKED = {key: value for key, value in WATERMARK.items() if key != "untilPath"}
UNSURE = {"checks": {**CHECKS, "watermark": NEVER_ASKED}}
OF_A_SET = {"source": "snapshots", "workload": "StatefulSet/db", "point": SET, "checks": {
    **CHECKS, "checks": [COUNTED]}}  # fmt: skip


def copy_holds(*minutes: float) -> Callable[[Shop], None]:
    """Orders of so many minutes ago are what the copy's file holds; none: it is empty."""

    def lie(ground: Shop) -> None:
        now = ground.clock.now()
        ground.keep(*(now - timedelta(minutes=one) for one in minutes), namespace=quarantine(ground))

    return lie


def no_file(ground: Shop) -> None:
    ground.file(quarantine(ground)).unlink()


def says(path: str, status: int, body: Any) -> Callable[[Shop], None]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()

    def lie(ground: Shop) -> None:
        ground.answers[path] = lambda asked: (status, data)

    return lie


def answers_once(ground: Shop) -> None:
    asked: list[str] = []

    def answer(path: str) -> tuple[int, bytes]:
        asked.append(path)
        return (200, b"ok") if len(asked) == 1 else (503, b"shutting down")

    ground.answers["healthz"] = answer


async def leads_out(ground: Shop) -> None:
    """The service of the copy leads to the original, by a slice that somebody wrote by hand."""
    space = quarantine(ground)
    theirs = next(one for one in ground.api.list(SLICES, SPACE) if _of_db(one))
    ground.api.patch(SERVICES, "db", {"spec": {"selector": None}}, space)
    await ground.quiet()
    for one in ground.api.list(SLICES, space):
        if _of_db(one):
            ground.api.delete(SLICES, one["metadata"]["name"], space)
    ground.api.delete(ENDPOINTS, "db", space)  # they would be mirrored
    meta = {"name": "by-hand", "labels": {"kubernetes.io/service-name": "db"}}
    body = {key: theirs[key] for key in ("addressType", "endpoints", "ports")}
    ground.api.create(SLICES, {**body, "metadata": meta}, space)


def _of_db(one: Any) -> bool:
    return bool(one["metadata"]["labels"].get("kubernetes.io/service-name") == "db")


def no_service(ground: Shop) -> None:
    ground.api.delete(SERVICES, "db", quarantine(ground))


# --- the quarantine


def full(ground: Shop) -> None:
    """The node takes no pod more."""
    ground.patch.setattr("lazarus_tui.sandbox.controllers.node_fit.MAX_PODS", 0)


def opens(ground: Shop) -> None:
    """The network keeps to no policy any more."""
    ground.ways.heed = False


def dead_probes(ground: Shop) -> None:
    """Nothing can be reached at all: a probe that never succeeds shows nothing."""
    ground.ways.strange = lambda argv: Said(1, err=b"timed out") if argv[0] == "nc" else None


def taken(ground: Shop) -> None:
    """Somebody has a namespace of the quarantine's name."""
    ground.api.create(NAMESPACES, {"metadata": {"name": ground.planned_for}})


# --- snapshot sets


async def of_a_set(ground: Shop) -> None:
    await ground.cut(SET)


def snapshots_gone(ground: Shop) -> None:
    for kind, space in ((SNAPSHOTS, SPACE), (CONTENTS, None)):
        for one in ground.api.list(kind, space):
            ground.api.patch(kind, one["metadata"]["name"], {"metadata": {"finalizers": None}}, space)
            ground.api.delete(kind, one["metadata"]["name"], space)


async def never_ready(ground: Shop) -> str:
    """A later set whose snapshot the storage has begun and not ended."""
    ground.patch.setattr(ground.cluster.driver, "is_ready", lambda stored: False)
    about = SetAbout(workload="StatefulSet/db", replicas=1, claims=(CLAIM,))
    ground.api.create(SNAPSHOTS, member("s2", SPACE, CLAIM, about, class_name="", role="backup"), SPACE)
    await ground.quiet()
    return "s2"


def storage_gone(ground: Shop) -> None:
    """The objects are there; what they stand for is not on storage any more."""
    for path in (ground.cluster.root / "snapshots").iterdir():
        path.rename(ground.cluster.root / f"gone-{path.name}")


LIARS = (
    Liar("200 from an empty database", copy_holds(), "orders counted", FAILED, settled),
    Liar("the file is not there", no_file, "orders counted", FAILED, settled),
    Liar("an order is missing", copy_holds(30, 31), "orders is not at least 3", FAILED, settled),
    Liar("newer data than can be", copy_holds(-1, -2, -3), "written after the restore began", INCONCLUSIVE, settled,
         params=UNSURE),
    Liar("newer data than can be, asked as of then", copy_holds(-1, -2, -3), "holds no data", FAILED, settled),
    Liar("its times are no times", says("stats", 200, {"orders": 3, "last_at": "soon"}), "not a time", FAILED, settled),
    Liar("200 and a page instead of data", says("stats", 200, b"<html>welcome</html>"), "JSON", FAILED, settled),
    Liar("it answers 500", says("healthz", 500, b"ok"), "500", FAILED, settled),
    Liar("it answers 200 and says it is broken", says("healthz", 200, b"database is locked"), "answers", FAILED,
         settled),
    Liar("it answered once", answers_once, "answered 503", FAILED, settled),
    Liar("it answers no count", says("stats", 200, {}), "orders counted", FAILED, settled),
    Liar("the service leads to the original", leads_out, "no pods of it", FAILED, knows("prove.identity")),
    Liar("the service is gone", no_service, "v1/Service/db", FAILED, settled),
    Liar("no node has room for the copy", full, "no node has room for pod db-0 (Too many pods)", INCONCLUSIVE,
         restoring),
    Liar("a network without policies", opens, "isolation not enforced", INCONCLUSIVE, after_the_plan),
    Liar("a network that forgets its policies", opens, "isolation", INCONCLUSIVE, knows("restore.uid")),
    Liar("probes that see nothing", dead_probes, "isolation", INCONCLUSIVE, after_the_plan),
    Liar("the name of the quarantine is taken", taken, "did not make", INCONCLUSIVE, after_the_plan,
         stays=True),
    Liar("the set's contents are gone", snapshots_gone, "set s1 is gone", FAILED, after_the_plan, OF_A_SET, of_a_set),
    Liar("the set's snapshots are gone", snapshots_gone, "there is no point", REFUSED, truth=of_a_set,
         params=OF_A_SET),
    Liar("a snapshot of the set is not ready", never_ready, "not ready", REFUSED, truth=of_a_set, params=OF_A_SET),
    Liar("a snapshot's storage is gone", storage_gone, "can not find snapshot", INCONCLUSIVE, after_the_plan,
         OF_A_SET, of_a_set),
    Liar("a set of an empty volume", copy_holds(), "orders counted", FAILED, ready, OF_A_SET, of_a_set),
)  # fmt: skip
