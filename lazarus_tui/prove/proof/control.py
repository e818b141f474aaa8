"""Negative controls: the copy is broken on purpose, so that a check that never goes red is found out.

Only the copy in the quarantine is touched. Facts: ``prove.sabotaged``, what was done, in words: without it nothing was
broken and the control says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lazarus_tui.model.counting import how_many
from lazarus_tui.model.resources import PODS
from lazarus_tui.model.stepping import BaseStep, carry_out
from lazarus_tui.model.steps import Observation, Outcome, Seen, Step, StepContext, StepStopped, Write
from lazarus_tui.prove.proof import halting, stillness
from lazarus_tui.prove.proof.clients import Client, client_of
from lazarus_tui.prove.proof.identity import compared
from lazarus_tui.prove.proof.verdict import SABOTAGED
from lazarus_tui.prove.quarantine import census
from lazarus_tui.prove.quarantine.names import PROBE, quarantine

Object = dict[str, Any]
POD, MOUNT = "lazarus-saboteur", "/claims"
# Files that are spoiled of each volume, and bytes at the begin of each: headers and first pages.
_FILES, _BLOCK = 3, 4096
_BLOCKS = 16
_SECONDS = 60.0
# Whose pods end when workloads are taken to zero.
_STOPPED = ("StatefulSet", "ReplicaSet", "DaemonSet")


def before_start(params: Mapping[str, Any]) -> list[Step]:
    """The steps of a control that come before the copy is started."""
    match params.get("control"):
        case "withhold":
            return [Withhold(params)]
        case "no-workload":
            return [NoWorkload(params)]
        case "flip":
            return [Still(params), Flip(params)]
    return []


def after_start(params: Mapping[str, Any]) -> list[Step]:
    """Those that need it running."""
    return [DropTable(params)] if params.get("control") == "drop-table" else []


class ControlStep(BaseStep):
    mutates = True
    poll, limit = 1.0, 300.0

    def __init__(self, params: Mapping[str, Any]) -> None:
        self.params, self.wanted = params, quarantine(params)
        self.quarantine = str(params["quarantine"])

    async def pods(self, context: StepContext) -> list[Object]:
        """Pods of the copy: neither probes nor the saboteur."""
        found = await context.reader.list(PODS, self.quarantine, type=dict)
        marked = [pod for pod in found if PROBE not in (pod["metadata"].get("labels") or {})]
        return [pod for pod in marked if pod["metadata"]["name"] != POD]


class Withhold(ControlStep):
    """The restore was asked to leave its volumes out: the copy starts on empty ones."""

    name, title, mutates = "prove.sabotage", "See that the volumes were withheld", False

    async def observe(self, context: StepContext) -> Observation:
        left_out = [str(one) for one in context.facts.get("restore.left_out") or ()]
        if not left_out:
            return Observation(Seen.FAILED, "the point has no volume that could be withheld")
        if filled := int(context.facts.get("restore.copies") or 0):
            what = f"{how_many(filled, 'volume was', 'volumes were')} filled all the same: Velero leaves out snapshots"
            return Observation(Seen.FAILED, f"{what}, and no copies of files", hint="use --control flip")
        words = f"withheld the data of {', '.join(left_out)}"
        return Observation(Seen.DONE, words, facts={SABOTAGED: words})


class NoWorkload(ControlStep):
    """Nothing of the copy runs, pods that no workload owns among it: they are not started again."""

    name, title = "prove.sabotage", "Leave the workloads at zero"

    async def observe(self, context: StepContext) -> Observation:
        if await halting.alive(context, self.quarantine):
            return Observation(Seen.ABSENT)
        if pods := [pod for pod in await self.pods(context) if not _over(pod)]:
            return Observation(Seen.WAITING, how_many(len(pods), "pod is ending", "pods are ending"))
        words = "nothing was started"
        return Observation(Seen.DONE, words, facts={SABOTAGED: words})

    async def act(self, context: StepContext) -> None:
        await halting.stop(context, self.quarantine)


class Still(ControlStep):
    """Nobody has the files open while they are spoiled; what has none open goes on."""

    name, title = "prove.still", "Stop the copy"

    async def observe(self, context: StepContext) -> Observation:
        if await stillness.running(context.reader, self.quarantine):
            return Observation(Seen.ABSENT)
        using = [pod for pod in await self.pods(context) if _mounts(pod) and not _over(pod)]
        for pod in using:
            if _owner(pod) not in _STOPPED and not pod["metadata"].get("deletionTimestamp"):
                what = (
                    f"pod {pod['metadata']['name']} has volumes and no workload that could be stopped and started again"
                )
                return Observation(Seen.FAILED, what, hint="use --control withhold")
        if using:
            return Observation(Seen.WAITING, how_many(len(using), "pod is ending", "pods are ending"))
        return Observation(Seen.DONE, "no pod has its volumes")

    async def act(self, context: StepContext) -> None:
        await stillness.to_zero(context, self.quarantine)


class Flip(ControlStep):
    """A pod of our own overwrites bytes of the largest files of each volume, and goes."""

    name, title = "prove.sabotage", "Spoil the volumes"

    async def observe(self, context: StepContext) -> Observation:
        claims = self._claims(context)
        if not claims:
            return Observation(Seen.FAILED, "the copy has no volume that could be spoiled")
        done = context.facts.get(SABOTAGED)
        pod = await context.reader.get(PODS, POD, self.quarantine, type=dict)
        if pod is None:
            return Observation(Seen.DONE, str(done)) if done else Observation(Seen.ABSENT)
        if not self.wanted.owns(pod):
            return Observation(Seen.DIVERGED, f"a pod {POD} exists that this proof did not make")
        if pod["metadata"].get("deletionTimestamp"):
            return Observation(Seen.WAITING, "the pod is ending")
        phase = str((pod.get("status") or {}).get("phase") or "new")
        if done or phase == "Running":
            return Observation(Seen.ABSENT)
        return Observation(Seen.WAITING, f"the pod is {phase}", hint="see the events of the pod")

    async def act(self, context: StepContext) -> None:
        pod = await context.reader.get(PODS, POD, self.quarantine, type=dict)
        if pod is None:
            body = self._pod(self._claims(context))
            await carry_out(context, Write("create", PODS, self.quarantine, POD, body, expect="it can write"))
        elif context.facts.get(SABOTAGED):
            uid = pod["metadata"]["uid"]
            await carry_out(context, Write("delete", PODS, self.quarantine, POD, uid=uid, expect="it is gone"))
        else:
            await self._own(context)
            spoiled = [await self._spoil(context, pod, claim) for claim in self._claims(context)]
            await context.remember(**{SABOTAGED: f"overwrote bytes of {', '.join(filter(None, spoiled))}"})

    async def _own(self, context: StepContext) -> None:
        """Claims that bind when they are used are bound only now: to volumes made for them, or to somebody's."""
        found = await compared(context.reader, self.quarantine, self.params.get("handles") or ())
        space = await census.namespace(context.reader, self.wanted)
        claims = await census.claims(context.reader, self.wanted)
        mine, _ = await census.volumes(context.reader, self.wanted, claims, space)
        uids = {one["metadata"]["uid"] for one in mine}
        strange = [one["metadata"]["name"] for one in await census.strangers(context.reader, self.wanted, uids)]
        wrong = [*found["same"], *(f"volume {name} was there before the quarantine" for name in strange)]
        if wrong:
            raise StepStopped(f"nothing is spoiled: {'; '.join(wrong)}", hint="use --control withhold")

    def _claims(self, context: StepContext) -> list[str]:
        workloads: Sequence[Mapping[str, Any]] = context.facts.get("prove.workloads") or ()
        return sorted({str(claim) for one in workloads for claim in one["claims"]})

    async def _spoil(self, context: StepContext, pod: Object, claim: str) -> str:
        """What was overwritten; raises ``StepStopped`` when there is nothing to overwrite."""
        argv = ["find", f"{MOUNT}/{claim}", "-type", "f", "-exec", "stat", "-c", "%s %n", "{}", "+"]
        listed = await command(context, pod, "saboteur", argv)
        files = sorted(_sizes(listed), reverse=True)[:_FILES]
        if not files:
            raise StepStopped(f"claim {claim} holds no file that could be spoiled")
        for size, path in files:
            count = max(1, min(_BLOCKS, size // _BLOCK))
            argv = ["dd", "if=/dev/urandom", f"of={path}", f"bs={min(size, _BLOCK)}", f"count={count}", "conv=notrunc"]
            await command(context, pod, "saboteur", argv)
        return f"{claim} ({how_many(len(files), 'file')})"

    def _pod(self, claims: Sequence[str]) -> Object:
        volumes = [{"name": f"v{n}", "persistentVolumeClaim": {"claimName": c}} for n, c in enumerate(claims)]
        mounts = [{"name": f"v{n}", "mountPath": f"{MOUNT}/{c}"} for n, c in enumerate(claims)]
        container = {
            "name": "saboteur", "image": self.wanted.image, "command": ["sleep", "3600"], "volumeMounts": mounts,
            "resources": {
                "requests": {"cpu": "5m", "memory": "8Mi", "ephemeral-storage": "1Mi"},
                "limits": {"cpu": "200m", "memory": "64Mi", "ephemeral-storage": "16Mi"},
            },
        }  # fmt: skip
        meta = {"name": POD, "namespace": self.quarantine, "labels": self.wanted.labels}
        spec = {
            "restartPolicy": "Never", "terminationGracePeriodSeconds": 0, "automountServiceAccountToken": False,
            "containers": [container], "volumes": volumes, **self.wanted.placement.fields,
        }  # fmt: skip
        return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


class DropTable(ControlStep):
    """The database's own client drops the largest table, where the image is one that is known."""

    name, title = "prove.sabotage", "Drop a table"

    async def observe(self, context: StepContext) -> Observation:
        done = context.facts.get(SABOTAGED)
        return Observation(Seen.DONE, str(done)) if done else Observation(Seen.ABSENT)

    async def act(self, context: StepContext) -> None:
        for pod in await self.pods(context):
            found = client_of(pod)
            if found is not None:
                await self._drop(context, pod, found)
                return
        raise StepStopped("no pod runs a database that is known", hint="use --control flip or withhold")

    async def _drop(self, context: StepContext, pod: Object, found: Client) -> None:
        """By the first way that works; the words of the last one say why none did."""
        said = ""
        for n, argv in enumerate(found.ways, 1):
            try:
                said = (await command(context, pod, found.container, argv)).strip()
                if found.says and found.says not in said.splitlines():
                    raise StepStopped(f"{found.container} in {pod['metadata']['name']} refused it: {said[:200]}")
                break
            except StepStopped:
                if n == len(found.ways):
                    raise
        words = f"{found.did} in {pod['metadata']['name']}" + (f" ({said.splitlines()[-1]})" if said else "")
        await context.remember(**{SABOTAGED: words})


async def command(context: StepContext, pod: Object, container: str, argv: Sequence[str]) -> str:
    """What a command printed; announced to the gate before it runs. Raises ``StepStopped`` when it fails."""
    meta = pod["metadata"]
    body = {"container": container, "argv": list(argv)}
    intent = await context.gate.announce(
        Write("exec", PODS, meta["namespace"], meta["name"], body, uid=meta["uid"], subresource="exec",
              expect="the copy is broken on purpose")
    )  # fmt: skip
    outcome = Outcome.AMBIGUOUS
    try:
        done = await context.reader.exec(meta["namespace"], meta["name"], container, argv, timeout=_SECONDS)
        outcome = Outcome.APPLIED
    finally:
        await context.gate.settled(intent, outcome)
    if done.exit_code:
        said = done.stderr.decode(errors="replace").strip()
        raise StepStopped(f"{argv[0]} in {meta['name']} ended with {done.exit_code}: {said}")
    whole = done.stdout[: done.stdout.rfind(b"\n") + 1] if done.cut else done.stdout  # half a path is another path
    return whole.decode(errors="replace")


def _over(pod: Object) -> bool:
    """A pod that ended by itself stays to be looked at, and nothing of it runs."""
    phase = (pod.get("status") or {}).get("phase")
    return phase in ("Succeeded", "Failed") and not pod["metadata"].get("deletionTimestamp")


def _mounts(pod: Object) -> bool:
    return any("persistentVolumeClaim" in one for one in (pod.get("spec") or {}).get("volumes") or ())


def _owner(pod: Object) -> str:
    """The kind of what makes it again, "" for a pod of nobody."""
    owners = pod["metadata"].get("ownerReferences") or ()
    return next((str(one["kind"]) for one in owners if one.get("controller")), "")


def _sizes(listed: str) -> list[tuple[int, str]]:
    """Lines "SIZE PATH" of files that hold something."""
    found = [line.partition(" ") for line in listed.splitlines()]
    return [(int(size), path) for size, _, path in found if size.isdigit() and int(size) and path]
