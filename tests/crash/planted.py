"""The fifteen bugs of reliability §4.5, planted one by one: a harness that misses one of them proves nothing.

Each is caught by the bytes and the objects that a restore leaves (``restored``, ``meddled``), by the cut harness, or by
the test that is named. None is left out; where several guards stand behind each other, all of them are taken away.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import msgspec

from lazarus_tui.engine.gate import Gate
from lazarus_tui.engine.lease import Lease
from lazarus_tui.journal import Journal, file
from lazarus_tui.journal.records import Transaction
from lazarus_tui.journal.schema import SETTINGS
from lazarus_tui.kube.cluster import Cluster
from lazarus_tui.kube.errors import Ambiguous
from lazarus_tui.model.operation import OpState
from lazarus_tui.model.resources import CLAIMS
from lazarus_tui.model.steps import Observation, Outcome, Seen, WriteResult
from lazarus_tui.sandbox.clock import VirtualClock
from lazarus_tui.snapshots.beside import steps as beside
from lazarus_tui.snapshots.beside.copies import alias_content
from lazarus_tui.snapshots.claimspec import restored as claim_from
from lazarus_tui.snapshots.claimspec import snapshot_of
from lazarus_tui.snapshots.inplace import parachute, part, plan, replace, start
from lazarus_tui.snapshots.inplace.stop import scale
from lazarus_tui.snapshots.names import safety_id
from tests.crash import branch
from tests.crash.lives import ACTORS, NEVER, SCENES, Case
from tests.crash.sweep import sweep
from tests.engine import test_gate, test_lease
from tests.engine.world import fast_folder
from tests.snapshots import test_beside
from tests.snapshots.stage import SPACE, Stage, staged

# Seconds after which a test that waits for ever because of a bug has seen it.
_PATIENCE = 20.0
# A few cuts are enough to see a bug.
_STRIDE = 90
Probe = Callable[[], Awaitable[list[str]]]


@dataclass(frozen=True)
class Planted:
    """``plant`` replaces what it must on the stack; ``probe`` says what it saw, [] when the bug went unseen.

    ``cuts``: the operation whose cuts must see it as well, told by the branches of the sweep.
    """

    name: str
    plant: Callable[[ExitStack], None]
    probe: Probe
    cuts: str = ""


# --- probes


def restored(scene: str = "one replica") -> Probe:
    """A whole restore, judged by the invariants, by its end, and by the ways back it promised."""

    async def probe() -> list[str]:
        async with staged(**SCENES[scene].stage) as (stage, engine):
            case = Case(SCENES[scene], NEVER, ACTORS[0], stage, engine)
            life = await case.run()
            breaches = list(life.breaches)
            if life.state != SCENES[scene].end.value:
                breaches.append(f"it ended {life.state}")
            every = await case.engine.passing(case.engine.runner.operations())
            if every and safety_id(every[0].id) not in [one.id for one in stage.sets() if one.usable]:
                breaches.append("no safety set, though the plan promised one")
            return breaches

    return probe


def meddled(when: str, *, source: bool) -> Probe:
    """Somebody else makes a claim of a replaced one's name: it is neither taken for ours nor deleted.

    ``when``: right before our delete arrives, or right before our create. ``source``: with the set's own data.
    """

    async def probe() -> list[str]:
        async with staged(replicas=1) as (stage, engine):
            stage.write("before")
            await stage.cut("s1")
            stage.write("after")
            found = await stage.plan(engine)
            theirs: list[str] = []

            async def meddle(request: Any) -> None:
                real = "/persistentvolumeclaims" in request.path and not dict(request.query).get("dryRun")
                if not theirs and request.method == when and real:
                    theirs.append(await _replace(stage, source=source))

            engine.wire.before = meddle
            ended = await engine.run(found, found.target)
            now = stage.get(CLAIMS, "data-db-0")
            if now is None or now["metadata"]["uid"] != theirs[0]:
                return [f"somebody else's claim was deleted ({ended.state.value})"]
            if ended.state is OpState.DONE:
                return [f"somebody else's claim was taken for its own; the volumes say {stage.data()}"]
            return []

    return probe


async def _replace(stage: Stage, *, source: bool) -> str:
    stage.api.delete(CLAIMS, "data-db-0", SPACE)
    await stage.quiet()
    body = {"labels": {}, "annotations": {}, "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "standard"}}
    made = claim_from("data-db-0", SPACE, body, snapshot="s1-data-db-0", set_name="s1", size="64Mi", op="")
    made["metadata"].pop("annotations")
    if not source:
        made["spec"].pop("dataSourceRef")
    return str(stage.api.create(CLAIMS, made, SPACE)["metadata"]["uid"])


def named(test: Callable[..., Awaitable[None]], **given: Any) -> Probe:
    """An existing test that must fail with the bug."""

    async def probe() -> list[str]:
        wants = inspect.signature(test).parameters
        with fast_folder() as folder:
            more: dict[str, Path] = {"folder": folder} if "folder" in wants else {}
            try:
                async with asyncio.timeout(_PATIENCE):
                    await test(**given, **more)
            except Exception as error:
                return [f"{test.__name__}: {type(error).__name__}"]
        return []

    return probe


async def durable() -> list[str]:
    """SQLite's own word for it: 3 is EXTRA, with which an acknowledged row survives a power cut."""

    async def read(transaction: Transaction) -> int:
        return int(next(iter(await transaction.db.execute_fetchall("PRAGMA synchronous")))[0])

    with fast_folder() as folder:
        journal = await Journal.open(folder / "engine.db", clock=VirtualClock())
        try:
            found = await journal.run(read)
        finally:
            await journal.close()
    return [] if found == 3 else [f"synchronous is {found}"]


# --- bugs


def replaced(*places: tuple[Any, str, Any]) -> Callable[[ExitStack], None]:
    def plant(stack: ExitStack) -> None:
        for owner, name, value in places:
            stack.enter_context(patch.object(owner, name, value))

    return plant


async def done(step: Any, context: Any) -> Observation:
    return Observation(Seen.DONE, "as the bug has it")


async def send_first(gate: Any, write: Any) -> WriteResult:
    result, _ = await gate._send_until_known(write)
    intent = await gate._keep("gate.intent", gate._intent(write))
    await gate._keep("gate.result", {"intent": intent, "step": gate.step, "outcome": result.outcome.value})
    return result  # type: ignore[no-any-return]


async def send_again(gate: Any, write: Any, ordinary: Any = Gate._send) -> Any:
    result, error = await ordinary(gate, write)
    return await ordinary(gate, write) if isinstance(error, Ambiguous) else (result, error)


async def swallow(gate: Any, write: Any, ordinary: Any = Gate._send) -> Any:
    try:
        return await ordinary(gate, write)
    except asyncio.CancelledError:
        return WriteResult(Outcome.NOT_SENT, reason="never mind"), None


async def generate(cluster: Any, resource: Any, obj: Any, namespace: Any = None, ordinary: Any = Cluster.create) -> Any:
    meta = {key: value for key, value in obj["metadata"].items() if key != "name"}
    unnamed = {**obj, "metadata": {**meta, "generateName": f"{obj['metadata']['name']}-"}}
    return await ordinary(cluster, resource, unnamed, namespace)


async def delete_any(cluster: Any, resource: Any, name: str, namespace: Any = None, ordinary: Any = Cluster.delete,
                     **options: Any) -> Any:  # fmt: skip
    return await ordinary(cluster, resource, name, namespace)


async def read_once(cluster: Any, resource: Any, name: str, namespace: Any = None, ordinary: Any = Cluster.get,
                    **options: Any) -> Any:  # fmt: skip
    if resource is not CLAIMS:
        return await ordinary(cluster, resource, name, namespace, **options)
    cache = vars(cluster).setdefault("stale", {})
    if name not in cache:
        cache[name] = await ordinary(cluster, resource, name, namespace, **options)
    return cache[name]


def not_the_old_one(step: Any, one: Any, claim: Any, context: Any) -> bool:
    """The old claim answered 404 once, so whatever has its name now is the new one."""
    return claim is not None and claim["metadata"]["uid"] != one.uid


def unmarked(step: Any, one: Any, claim: Any, context: Any) -> bool:
    return claim is not None and snapshot_of(claim) == one.snapshot


def early(params: Any, ordinary: Any = plan._steps) -> Any:
    """The start goes before the claims, and asks nobody."""
    steps = ordinary(params)
    names = [step.name for step in steps]
    at, first = names.index("create"), names.index("first")
    return [*steps[:at], *steps[first : first + 2], *steps[at:first], *steps[first + 2 :]]


async def start_at_once(step: Any, context: Any) -> None:
    await scale(step, context, step.count)


async def wait_for_all(step: Any, context: Any, ordinary: Any = replace.Bind.observe) -> Observation:
    step.parts = tuple(msgspec.structs.replace(one, waits=False) for one in step.parts)
    return await ordinary(step, context)  # type: ignore[no-any-return]


def deleting(*given: Any, ordinary: Any = alias_content) -> Any:
    made = ordinary(*given)
    return {**made, "spec": {**made["spec"], "deletionPolicy": "Delete"}}


_CARELESS = tuple(line.replace("synchronous=EXTRA", "synchronous=NORMAL") for line in SETTINGS)
_BESIDE = test_beside.test_the_copy_runs_on_the_sets_data_and_undo_leaves_nothing_of_it
_LOST = {"verb": "create", "applied": True, "how": "reset"}
BUGS = (
    Planted(
        "skip Retain",
        replaced(
            (parachute.Retain, "observe", done), (replace, "safe", lambda volume: True), (part, "safe", lambda v: True)
        ),
        restored(),
        "one replica",
    ),
    Planted("act before intent", replaced((Gate, "write", send_first)), restored(), "one replica"),
    Planted(
        "blind POST retry",
        replaced((Gate, "_send", send_again)),
        named(test_gate.test_a_lost_answer_is_ambiguous_and_never_resent, **_LOST),
    ),
    Planted(
        "404 = success without UID",
        replaced((part.RestoreStep, "made", not_the_old_one)),
        meddled("POST", source=False),
    ),
    Planted("ignore whenScaled", replaced((parachute.Policy, "observe", done)), restored("deleting policy")),
    Planted("generateName", replaced((Cluster, "create", generate)), restored()),
    Planted("synchronous NORMAL", replaced((file, "SETTINGS", _CARELESS)), durable),
    Planted("delete without UID", replaced((Cluster, "delete", delete_any)), meddled("DELETE", source=False)),
    Planted(
        "scale-up before gate",
        replaced((plan, "_steps", early), (start.Start, "act", start_at_once)),
        restored(),
        "one replica",
    ),
    Planted(
        "renew without deadline",
        replaced((Lease, "fresh", property(lambda lease: not lease.lost))),
        named(test_lease.test_writes_stop_long_before_anybody_may_take_over),
    ),
    Planted(
        "swallow CancelledError",
        replaced((Gate, "_send", swallow)),
        named(test_gate.test_a_cancelled_write_is_an_open_question_for_the_next_run),
    ),
    Planted("stale cache read", replaced((Cluster, "get", read_once)), restored(), "one replica"),
    Planted(
        "wait Bound on WFFC",
        replaced((replace.Bind, "observe", wait_for_all), (replace.Bind, "limit", 60.0)),
        restored("deleting policy"),
        "deleting policy",
    ),
    Planted(
        "adopt unmarked object", replaced((part.RestoreStep, "made", unmarked)), meddled("POST", source=True)
    ),
    Planted(
        "clean-up with VSC Delete", replaced((beside, "alias_content", deleting)), named(_BESIDE, storage="immediate")
    ),
)  # fmt: skip


async def seen(bug: Planted) -> list[str]:
    """What the harness sees of one bug; an error of its own is seen too."""
    with ExitStack() as stack:
        bug.plant(stack)
        try:
            return await bug.probe()
        except Exception as error:
            return [f"{type(error).__name__}: {error}"]


def cut(bug: Planted) -> list[str]:
    """What the cuts of an operation see of one bug."""
    with ExitStack() as stack:
        bug.plant(stack)
        return [line for case in sweep(bug.cuts, _STRIDE)["cases"] for line in case["breaches"]]


def run_planted(name: str) -> dict[str, list[str]]:
    """What is seen of one bug, in the world that the sweep branches in and by its cuts; [] if one of them missed it."""
    bug = next(bug for bug in BUGS if bug.name == name)
    found = branch.run(lambda: seen(bug))
    cuts = cut(bug) if bug.cuts and found else found
    return {"seen": found if cuts else []}
