"""Taking a quarantine down in the one order that loses nothing (data §1.4, requirements.md S20, reliability V6).

The Restore has ended; then workloads, until their pods have; then whatever storage is not the copy's own is made to
stay, and read back; only then claims, snapshots and the namespace go. Everything is found by labels and deleted by uid,
so whoever begins again after a crash finds what is left. What does not go is told, never forced.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from lazarus_tui.kube.errors import Forbidden
from lazarus_tui.model.resources import (
    CLAIMS,
    CONFIGMAPS,
    CRONJOBS,
    DAEMONSETS,
    DEPLOYMENTS,
    DOWNLOAD_REQUESTS,
    JOBS,
    NAMESPACES,
    PODS,
    REPLICASETS,
    REPLICATION_CONTROLLERS,
    RESTORES,
    STATEFULSETS,
    VOLUMES,
    Resource,
)
from lazarus_tui.model.snapshots import CONTENTS, SNAPSHOTS
from lazarus_tui.model.stepping import carry_out
from lazarus_tui.model.steps import Halted, Outcome, StepContext, StepStopped, Write
from lazarus_tui.prove.places import identity, same
from lazarus_tui.prove.quarantine import census, custom, ending, storage
from lazarus_tui.prove.quarantine.cancelling import cancel
from lazarus_tui.prove.quarantine.names import OPERATION, Quarantine

Object = dict[str, Any]
Things = list[tuple[Resource, Object]]

# Seconds that each part gets to go before the next one is begun.
RESTORE_ENDS, PODS_END, CLAIMS_GO, SPACE_GOES, REST_GOES = 600.0, 180.0, 180.0, 300.0, 90.0
# Pods that may take longer to end get what they were promised and this much more, up to a limit.
PODS_MORE, PODS_LAST = 30.0, 900.0
PAUSE = 1.0
# Phases of a Restore after which Velero makes nothing more (velero §1.3).
_ENDED = frozenset({"Completed", "PartiallyFailed", "Failed", "FailedValidation"})
# Who starts pods: they go, or are stopped, before the pods.
STARTERS = (CRONJOBS, JOBS, DEPLOYMENTS, STATEFULSETS, DAEMONSETS, REPLICASETS, REPLICATION_CONTROLLERS)
_RECLAIM = "persistentVolumeReclaimPolicy"
# Conditions of a namespace that say why it does not go: what holds it, and what the API server cannot look at.
_HOLDING = (
    "NamespaceFinalizersRemaining", "NamespaceDeletionDiscoveryFailure", "NamespaceDeletionGroupVersionParsingFailure",
    "NamespaceDeletionContentFailure",
)  # fmt: skip
# How a deletion ended that is not tried again: it is under way, or nothing is there.
_ASKED = (Outcome.APPLIED, Outcome.GONE)


@dataclass(frozen=True, slots=True)
class Holding:
    """An object that stands for storage; ``field`` holds its policy, which has to be ``policy``.

    ``orphan`` is the storage's own name where it stays when the object goes, and nothing else tells of it. One that is
    not ``ours`` was there before, took a claim of the copy, and stays when that goes.
    """

    resource: Resource
    found: Object
    field: str
    policy: str
    orphan: str = ""
    ours: bool = True


async def sweep(context: StepContext, wanted: Quarantine) -> list[str]:
    """Remove everything; a sentence for each thing that stays and why. Raises ``StepStopped`` for a missing right."""
    return await Sweep(context, wanted).run()


class Sweep:
    """One run; ``notes`` says what did not go."""

    def __init__(self, context: StepContext, wanted: Quarantine) -> None:
        self.context, self.wanted, self.reader = context, wanted, context.reader
        self.notes: list[str] = []
        self._unlisted: set[Resource] = set()
        self._space_uid = ""  # of the namespace whose objects are deleted; "" for any that is this operation's
        self._refused = set[Resource]()  # kinds that may not be deleted by themselves

    async def run(self) -> list[str]:
        if not await self._restores_ended():
            return self.notes
        space = await census.namespace(self.reader, self.wanted)
        self._space_uid = str(space["metadata"]["uid"]) if space is not None else ""
        if space is not None:
            await self._gone(self._workloads, await self._patience(), needed=False)
            if not await self._ended() or not await self._secured() or not await self._let_go(space=True):
                return self.notes
            await self._gone(self._claims, CLAIMS_GO, needed=False)
            await self._gone(self._snapshots, REST_GOES, needed=False)
            await self._gone(self._space, SPACE_GOES)
        if await self._secured():
            await self._let_go(space=False)
            await self._gone(self._custom, REST_GOES, needed=False)
            await self._gone(self._storage, REST_GOES)
            await self._gone(self._papers, REST_GOES)
        return self.notes

    # --- what there is

    async def _workloads(self) -> Things:
        kinds = (*STARTERS, PODS) if await self._still_ours() else ()
        return [thing for kind in kinds for thing in await self._inside(kind)]

    async def _pods(self) -> list[Object]:
        """Those of the copy, not the probes."""
        found = await self._inside(PODS) if await self._still_ours() else []
        return [one for _, one in found if not self.wanted.owns(one)]

    async def _patience(self) -> float:
        """As long as pods may take to end, by what they say themselves."""
        return min(max(PODS_END, ending.promised(await self._pods()) + PODS_MORE), PODS_LAST)

    async def _ended(self) -> bool:
        """A namespace's policies can go before its pods (CVE-2024-7598; in order only from Kubernetes 1.34, KEP-5080):
        what runs on in it would be let out."""
        pods = await self._pods()
        if PODS in self._unlisted:
            self._note(f"{self.wanted.name} stays, closed: whether its pods have ended is not known")
            return False
        left = ending.ending(pods)
        if left:
            told = f"{self.wanted.name} stays, closed, until pods have ended that may run still: {ending.words(left)}"
            self._note(f"{told}; see kubectl -n {self.wanted.name} get pods, and whether their nodes answer")
        return not left

    async def _still_ours(self) -> bool:
        """Whether the namespace is the one that was found: objects in another one of its name are somebody else's."""
        space = await census.namespace(self.reader, self.wanted)
        return space is not None and self._space_uid in ("", space["metadata"]["uid"])

    async def _inside(self, kind: Resource) -> Things:
        """Objects of a kind that go with the namespace in any case: one that may not be listed is told once."""
        try:
            return [(kind, one) for one in await census.listed(self.reader, kind, self.wanted.name)]
        except Forbidden as error:
            self._unlisted.add(kind)
            self._note(f"{kind.group_resource} of {self.wanted.name} may not be listed: {error.message}")
            return []

    async def _claims(self) -> Things:
        if not await self._still_ours():
            return []
        return [(CLAIMS, one) for one in await census.listed(self.reader, CLAIMS, self.wanted.name)]

    async def _snapshots(self) -> Things:
        return await self._inside(SNAPSHOTS) if await self._still_ours() else []

    async def _space(self) -> Things:
        found = await census.namespace(self.reader, self.wanted)
        return [(NAMESPACES, found)] if found is not None else []

    async def _storage(self) -> Things:
        """Volumes and contents whose claims and snapshots are gone.

        Without the namespace there is no claim, whatever a volume says: its controller may not have looked at it yet.
        """
        volumes, _ = await census.volumes(self.reader, self.wanted, {}, None)
        there = await self.reader.get(NAMESPACES, self.wanted.name, type=dict)
        found: Things = [(VOLUMES, one) for one in volumes if there is None or _unbound(one)]
        if not self.wanted.owns(there):
            found += [(CONTENTS, one) for one in await census.contents(self.reader, self.wanted, space=False)]
        return found

    async def _custom(self) -> Things:
        """Custom resources of the whole cluster that the restore made, and that nothing outside goes with."""
        seen = await custom.known(self.context, self.wanted, space=False)
        return [(resource, one) for kind, resource, one in seen.found if custom.harmless(kind, one)]

    async def _papers(self) -> Things:
        """Last of all: while its Restore is there, its label says what was made for it."""
        found: Things = [(RESTORES, one) for one in await census.restores(self.reader, self.wanted)]
        for kind in (CONFIGMAPS, DOWNLOAD_REQUESTS):
            found += [(kind, one) for one in await census.papers(self.reader, self.wanted, kind)]
        return found

    # --- how it goes

    async def _gone(self, what: Callable[[], Awaitable[Things]], patience: float, *, needed: bool = True) -> None:
        """Delete by uid what ``what`` finds, until it finds nothing or the time is up.

        A request whose answer was lost is sent again only when the next look shows that it had no effect. ``needed``
        False: what may not be deleted is told and left to the namespace, which takes it along. The last look begins
        when the time is up: what an engine that was held up saw before says nothing.
        """
        clock, done = self.context.clock, set[str]()
        end = clock.monotonic() + patience
        while True:
            over = clock.monotonic() >= end
            if not (left := await what()):
                return
            for resource, found in left:
                meta = found["metadata"]
                if meta["uid"] in done or meta.get("deletionTimestamp") or _goes_by_itself(resource, found):
                    continue
                if await self._deleted(resource, meta, needed=needed):
                    done.add(meta["uid"])
            if not needed and self._refused.issuperset(resource for resource, _ in left):
                return
            if over:
                for resource, found in left:
                    words = f"{resource.kind} {found['metadata']['name']} is still there after {patience:.0f} s"
                    self._note(f"{words}: {held_by(found)}")
                return
            await clock.sleep(PAUSE)

    async def _deleted(self, resource: Resource, meta: Object, *, needed: bool) -> bool:
        """Whether it need not be asked for again."""
        if not needed and resource in self._refused:
            return True
        where = meta.get("namespace") if resource.namespaced else None
        try:
            result = await carry_out(self.context, Write("delete", resource, where, meta["name"], uid=meta["uid"]))
        except StepStopped as refused:
            if needed or isinstance(refused, Halted):
                raise
            self._refused.add(resource)
            self._note(f"{resource.group_resource} go with the namespace only: {refused.what}")
            return True
        return result.outcome in _ASKED

    def _note(self, words: str) -> None:
        if words not in self.notes:
            self.notes.append(words)

    async def _restores_ended(self) -> bool:
        """Velero cannot be stopped: it would make an open namespace of the same name where the closed one was."""
        clock, asked = self.context.clock, set[str]()
        end = clock.monotonic() + RESTORE_ENDS
        while True:
            over = clock.monotonic() >= end
            every = await census.restores(self.reader, self.wanted)
            if not (running := [one for one in every if _phase(one) not in _ENDED]):
                return True
            for one in running:
                await self._withdraw(one)
                self.notes += await cancel(self.context, one, asked)
            if over:
                names = ", ".join(one["metadata"]["name"] for one in running)
                self.notes.append(f"Velero still works on restore {names}: the quarantine stays, closed, until it ends")
                return False
            await clock.sleep(PAUSE * 5)

    async def _withdraw(self, restore: Object) -> None:
        """One that Velero has not looked at can be taken back; the revision says whether it still has not."""
        meta = restore["metadata"]
        if _phase(restore) in ("", "New") and not meta.get("deletionTimestamp"):
            write = Write(
                "delete", RESTORES, meta["namespace"], meta["name"],
                uid=meta["uid"], resource_version=meta["resourceVersion"], expect="it never begins",
            )  # fmt: skip
            await carry_out(self.context, write)

    # --- what must not go along

    async def _secured(self) -> bool:
        """Mark volumes and contents as this operation's with the policy they need, and read both back."""
        for attempt in range(3):
            if attempt > 1:  # others write to them too: their controllers, and whoever else cleans
                await self.context.clock.sleep(PAUSE)
            wrong = await self._unsecured()
            if not wrong:
                return True
            await self._remember(wrong)
            for one in wrong:
                await self._secure(one)
        wrong = await self._unsecured()
        self.notes += [
            f"{one.resource.kind} {one.found['metadata']['name']} cannot be made {one.policy}: nothing more is deleted"
            for one in wrong
        ]
        return not wrong

    async def _let_go(self, *, space: bool) -> bool:
        """Whether no custom resource in the quarantine would take something outside along with it."""
        safe, notes = await custom.let_go(self.context, self.wanted, space=space)
        for one in notes:
            self._note(one)
        return safe

    async def _secure(self, one: Holding) -> None:
        meta = one.found["metadata"]
        body: Object = {"spec": {one.field: one.policy}}
        before, expect = one.found["spec"].get(one.field), one.policy
        if one.ours:
            body["metadata"], expect = {"labels": {OPERATION: self.wanted.op}}, f"ours, {one.policy}"
        else:
            told = f"{one.resource.kind} {meta['name']} was there before the quarantine and took a claim of the copy"
            self._note(f"{told}: its policy was {before} and is {one.policy} now, so that its data stays")
        write = Write(
            "merge-patch", one.resource, None, meta["name"], body, uid=meta["uid"],
            resource_version=meta["resourceVersion"], expect=expect, undo={"spec": {one.field: before}},
        )  # fmt: skip
        await carry_out(self.context, write)

    async def _unsecured(self) -> list[Holding]:
        """What is not marked, or would go or stay wrongly."""
        space = await census.namespace(self.reader, self.wanted)
        held = await census.listed(self.reader, CLAIMS, self.wanted.name) if space is not None else []
        claims = {str(one["metadata"]["uid"]): str(one["metadata"]["name"]) for one in held}
        volumes, live = await census.volumes(self.reader, self.wanted, claims, space)
        moved = {one["metadata"]["uid"] for one in held if storage.moved_into(one)}
        contents = await census.contents(self.reader, self.wanted, space=space is not None)
        older = await census.older(self.reader, self.wanted, space) if space is not None else []
        found = [self._volume(one, live, moved) for one in volumes] + [_content(one) for one in contents]
        found += [Holding(VOLUMES, one, _RECLAIM, storage.RETAIN, ours=False) for one in older]
        return [one for one in found if not self._right(one)]

    def _volume(self, found: Object, live: frozenset[str], moved: Collection[str]) -> Holding:
        """``moved``: uids of claims that take what the data mover fills for them alone."""
        made, where = storage.provisioned(found), identity(found["spec"])
        mover = made and found["spec"]["claimRef"].get("uid") in moved
        here = made or census.restored(found, self.wanted)
        policy = storage.policy_for(found, live, made_here=here, moved=mover)
        orphan = "" if policy == storage.DELETE or same(where, live) else where
        return Holding(VOLUMES, found, _RECLAIM, policy, orphan)

    def _right(self, one: Holding) -> bool:
        return (not one.ours or self.wanted.owns(one.found)) and one.found["spec"].get(one.field) == one.policy

    async def _remember(self, wrong: Sequence[Holding]) -> None:
        known = list(self.context.facts.get("prove.storage") or ())
        told = {one["name"] for one in known}
        known += [
            {"kind": f"storage of a {one.resource.kind}", "name": one.orphan, "of": one.found["metadata"]["name"]}
            for one in wrong
            if one.orphan and one.orphan not in told
        ]
        await self.context.remember(**{"prove.storage": known})


def _content(found: Object) -> Holding:
    """A cut made in the quarantine has no other object; those of the point have their own, or Velero's backup."""
    made_here = bool((found["spec"].get("source") or {}).get("volumeHandle"))
    orphan = str((found.get("status") or {}).get("snapshotHandle") or "") if made_here else ""
    return Holding(CONTENTS, found, "deletionPolicy", storage.RETAIN, orphan)


def _unbound(volume: Object) -> bool:
    return (volume.get("status") or {}).get("phase") != "Bound"


def _goes_by_itself(resource: Resource, found: Object) -> bool:
    """Its driver removes the storage first and the object then; the other way round the storage would be left."""
    return resource is VOLUMES and found["spec"].get("persistentVolumeReclaimPolicy") == storage.DELETE


def held_by(found: Object) -> str:
    """Why an object is still there, as far as it says so itself."""
    meta = found["metadata"]
    if not meta.get("deletionTimestamp"):
        said = (found.get("status") or {}).get("message")
        return f"it is not being deleted: {said}" if said else "it is not being deleted"
    conditions: Sequence[Object] = (found.get("status") or {}).get("conditions") or ()
    said = {one.get("type"): str(one.get("message")) for one in conditions if one.get("status") == "True"}
    if why := [said[kind] for kind in _HOLDING if said.get(kind)]:
        return "; ".join(why)
    held = [*(meta.get("finalizers") or ()), *((found.get("spec") or {}).get("finalizers") or ())]
    return f"being deleted, held by {', '.join(held)}" if held else "being deleted"


def _phase(restore: Object) -> str:
    return str((restore.get("status") or {}).get("phase") or "")
