"""A stage whose engine runs the cluster's own StatefulSetBackups and StatefulSetRestores, driven look by look."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from lazarus_tui.engine.object_status import Telling
from lazarus_tui.engine.policies import Policies
from lazarus_tui.engine.policy_calls import PolicyCalls
from lazarus_tui.engine.policy_objects import Objects
from lazarus_tui.engine.policy_restores import Restores
from lazarus_tui.engine.scheduler import Scheduler
from lazarus_tui.model.objects import record
from lazarus_tui.model.operation import Operation
from lazarus_tui.model.resources import CLAIMS, CRDS, EVENTS, NAMESPACES, STATEFULSETS, VOLUMES
from lazarus_tui.model.sets import SnapshotSet, sets
from lazarus_tui.model.snapshots import CONTENTS, SNAPSHOT_CLASSES, SNAPSHOTS, Content, Snapshot
from lazarus_tui.snapshots.policies import status
from tests.engine.world import CONTEXT, Engine
from tests.snapshots.lockapp import Answer
from tests.snapshots.stage import Object, Stage, StageEngine, staged, stateful_set

FOLDER = Path(__file__).parents[2] / "deploy" / "crds"
KINDS = {kind.kind: kind for kind in (status.BACKUPS, status.RESTORES)}
NOTHING: Mapping[str, str] = {}
CLASS = "csi-hostpath-snapclass"


class Commands:
    """Every command in every container ends well; ``ran``: (namespace/pod, argv)."""

    def __init__(self, stage: Stage) -> None:
        self.ran: list[tuple[str, tuple[str, ...]]] = []
        stage.cluster.kubelet.exec = self.exec  # type: ignore[method-assign]

    async def exec(self, namespace: str, pod: str, container: str, argv: Sequence[str], **_: Any) -> Any:
        if argv[0] != "true":
            self.ran.append((f"{namespace}/{pod}", tuple(argv[4:] if argv[0] == "timeout" else argv)))
        return Answer(0)


class Ward:
    """One engine that nobody armed; ``in_place``: its settings let restores replace volumes."""

    def __init__(self, stage: Stage, engine: Engine, *, in_place: bool = True, run: bool = True) -> None:
        self.stage, self.engine, self.in_place = stage, engine, in_place
        journal, clock = engine.journal, stage.clock
        engine.runner._make_id = lambda: (
            f"{next(stage.ids):08x}{0:08x}"
        )  # several at once, told apart by eight characters
        self.policies, telling = Policies(journal, clock), Telling(journal, clock)
        around: dict[str, Any] = {"plan": self._plan}
        self.scheduler = Scheduler(self.policies, engine.runner, journal, clock, clusters=self._cluster, **around)
        allowed = (CONTEXT,) if in_place else ()
        restores = Restores(engine.runner, journal, clock, telling, in_place=allowed, **around)
        self.objects = Objects(
            self.policies, restores, telling, clock, contexts=(CONTEXT,) if run else (), clusters=self._cluster,
            wake=self.scheduler.wake,
        )  # fmt: skip

    async def _plan(self, kind: str, context: str, params: Any) -> Any:
        return await self.engine.registry.plan(kind, self.engine.cluster, params, self.stage.clock)

    async def _cluster(self, context: str) -> Any:
        return self.engine.cluster

    async def load(self) -> None:
        await self.policies.load()
        await self.objects.load()

    async def begin(self) -> None:
        """One look at the objects, and one at what is due."""
        await self.engine.passing(self.objects.look())
        await self.engine.passing(self.scheduler.look())

    async def look(self) -> None:
        """What is owed now to its end, and told."""
        await self.begin()
        await self.engine.passing(asyncio.gather(*self.scheduler._busy.values()))
        for operation in self.engine.runner.open:
            await self.engine.finish(operation.id)
        await self.engine.passing(self.objects.look())

    async def reborn(self, **settings: Any) -> Ward:
        """kill -9 of the engine, and the next one on the same journal."""
        assert isinstance(self.engine, StageEngine)
        self.engine.sever()
        await self.engine.close()
        ward = Ward(self.stage, await self.stage.boot(), **{"in_place": self.in_place, **settings})
        await ward.load()
        await ward.engine.passing(ward.engine.runner.recover())
        return ward

    # --- the cluster

    async def deploy(self, namespace: str, name: str, replicas: int = 1) -> None:
        """A StatefulSet that is ready, and whose volumes hold ``first`` and their names."""
        api = self.stage.api
        if api.get(NAMESPACES, namespace) is None:
            api.create(NAMESPACES, {"metadata": {"name": namespace}})
        api.create(STATEFULSETS, _renamed(namespace, name, replicas), namespace)
        await self.stage.until(lambda: self._ready(namespace, name) == replicas, f"{namespace}/{name} is ready")
        self.write(namespace, "first")

    def _ready(self, namespace: str, name: str) -> int:
        found = self.stage.api.get(STATEFULSETS, name, namespace)
        return int(((found or {}).get("status") or {}).get("readyReplicas") or 0)

    def _files(self, namespace: str) -> dict[str, Path]:
        api, found = self.stage.api, {}
        for claim in api.list(CLAIMS, namespace):
            volume = api.get(VOLUMES, claim["spec"]["volumeName"])
            assert volume is not None
            found[claim["metadata"]["name"]] = self.stage.cluster.volumes.path(volume) / "data"
        return found

    def write(self, namespace: str, text: str) -> None:
        for claim, path in self._files(namespace).items():
            path.write_text(f"{text} {claim}")

    def data(self, namespace: str) -> set[str]:
        """The first words of all volumes of a namespace; each names its own claim after it."""
        texts = {claim: path.read_text() for claim, path in self._files(namespace).items()}
        assert all(text.endswith(f" {claim}") for claim, text in texts.items())
        return {text.split()[0] for text in texts.values()}

    def put(self, wanted: str | Object, metadata: Mapping[str, str] = NOTHING) -> Object:
        """Create an object as the manual writes it, in the namespace of its StatefulSet where it names none."""
        body: Object = yaml.safe_load(wanted) if isinstance(wanted, str) else wanted
        body["metadata"] |= metadata
        space = body["metadata"].setdefault("namespace", body["spec"]["statefulSetRef"].get("namespace"))
        return self.stage.api.create(KINDS[body["kind"]], body, space)

    def now(self, made: Object) -> Object:
        """An object as it stands now."""
        found = self.stage.api.get(KINDS[made["kind"]], made["metadata"]["name"], made["metadata"]["namespace"])
        assert found is not None
        return found

    def say(self, made: Object, **fields: Any) -> None:
        """Write its status as somebody else."""
        meta = made["metadata"]
        kind, body = KINDS[made["kind"]], {"status": fields}
        self.stage.api.patch(kind, meta["name"], body, meta["namespace"], subresource="status")

    def annotate(self, made: Object, key: str, value: str) -> None:
        self._patch(made, {"metadata": {"annotations": {key: value}}})

    def change(self, made: Object, **spec: Any) -> None:
        self._patch(made, {"spec": spec})

    def _patch(self, made: Object, body: Object) -> None:
        meta = made["metadata"]
        self.stage.api.patch(KINDS[made["kind"]], meta["name"], body, meta["namespace"])

    def why(self, made: Object) -> str:
        """Why nothing is done for it, as lists show it."""
        return str(self.objects.why(made["metadata"]["uid"]))

    def calls(self) -> PolicyCalls:
        return PolicyCalls(
            self.policies, reader=lambda context: self.engine.cluster, plan=self._plan, wake=self.scheduler.wake,
            why=self.objects.why,
        )  # fmt: skip

    def told(self, made: Object) -> tuple[str, str, str]:
        """Phase, and reason and message of Lazarus's condition."""
        found = self.now(made)
        ours = status.condition(found)
        return str((found.get("status") or {}).get("phase")), str(ours.get("reason")), str(ours.get("message"))

    def events(self, namespace: str) -> list[str]:
        """What was told on the objects themselves, as Warnings."""
        return sorted(one["reason"] for one in self.stage.api.list(EVENTS, namespace)
                      if one["involvedObject"]["kind"] in KINDS)  # fmt: skip

    async def operations(self) -> list[Operation]:
        """Every one that was ever begun, newest first."""
        return await self.engine.passing(self.engine.runner.operations())

    def sets(self, namespace: str) -> list[SnapshotSet]:
        found = [record(one, Snapshot) for one in self.stage.api.list(SNAPSHOTS, namespace)]
        return sets(found, [record(one, Content) for one in self.stage.api.list(CONTENTS)])


def _renamed(namespace: str, name: str, replicas: int) -> Object:
    body = stateful_set(replicas, ("data",))
    labels = {"app": name}
    body["metadata"] = {"name": name, "namespace": namespace}
    body["spec"] |= {"serviceName": name, "selector": {"matchLabels": labels}}
    body["spec"]["template"]["metadata"] = {"labels": labels}
    return body


@contextlib.asynccontextmanager
async def ward(**settings: Any) -> AsyncIterator[Ward]:
    async with staged(replicas=1) as (stage, engine):
        stage.armed = False
        for path in sorted(FOLDER.glob("*.yaml")):
            stage.api.create(CRDS, yaml.safe_load(path.read_text()))
        standard = stage.api.list(SNAPSHOT_CLASSES)[0]
        known = {"driver": standard["driver"], "deletionPolicy": "Delete"}
        stage.api.create(SNAPSHOT_CLASSES, {"metadata": {"name": CLASS}, **known})
        yield Ward(stage, engine, **settings)
