"""What the link may ask about proof policies and the queue of proofs."""

from __future__ import annotations

import heapq
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any

import msgspec

from lazarus_tui.engine.errors import Refused
from lazarus_tui.engine.proof_book import ProofBook, Stored
from lazarus_tui.engine.proof_runs import ProofRuns
from lazarus_tui.engine.proof_watch import age
from lazarus_tui.kube.cluster import Cluster
from lazarus_tui.kube.errors import KubeError
from lazarus_tui.model.clock import Clock, rfc3339
from lazarus_tui.model.objects import Backup
from lazarus_tui.model.policies import WRITES, upcoming
from lazarus_tui.model.proof_policies import (
    Entry,
    ProofPolicy,
    ProofPolicyRow,
    QueueRow,
    State,
    Subject,
    by_subject,
    entry_id,
    standing,
)
from lazarus_tui.model.resources import BACKUPS
from lazarus_tui.prove import policies as files
from lazarus_tui.prove.mistakes import near

# Ended entries that a look at the queue shows beside the open ones.
SHOWN = 50


class ApplyParams(msgspec.Struct):
    """``text``: the file as it is; ``shipped``: instead of it, the name of one that comes along. ``writes``: consent
    given beside it."""

    context: str
    text: str = ""
    shipped: str = ""
    writes: str = ""


class ContextParams(msgspec.Struct):
    context: str


class NameParams(msgspec.Struct):
    context: str
    name: str


class EnableParams(msgspec.Struct):
    context: str
    name: str
    enabled: bool = True


class RunParams(msgspec.Struct):
    context: str
    name: str
    control: bool = False


class ProofCalls:
    """``reader`` gives the cluster of a context in use, ``velero`` the namespace of its Velero; ``sinks``: the
    settings' sinks with the policies that each is told of (none: all); ``wake`` is called when something is new."""

    def __init__(
        self, runs: ProofRuns, clock: Clock, *, reader: Callable[[str], Cluster], velero: Callable[[str], str],
        sinks: Mapping[str, Collection[str]], wake: Callable[[], None],
    ) -> None:  # fmt: skip
        self._runs, self._clock, self._reader, self._velero = runs, clock, reader, velero
        self._sinks, self._wake = sinks, wake

    @property
    def _book(self) -> ProofBook:
        return self._runs.book

    @property
    def methods(self) -> Mapping[str, tuple[type[Any], Callable[[Any, Any], Awaitable[Any]]]]:
        return {
            "proof-policy.apply": (ApplyParams, self._apply),
            "proof-policy.enable": (EnableParams, self._enable),
            "proof-policy.run": (RunParams, self._run),
            "proof-policy.list": (ContextParams, self._list),
            "proof-policy.delete": (NameParams, self._delete),
            "proof.test": (ApplyParams, self._test),
            "proof.queue": (ContextParams, self._queue),
        }

    async def _apply(self, peer: Any, wanted: ApplyParams) -> ProofPolicyRow:
        policy = files.read(wanted.text.encode())
        if not isinstance(policy, ProofPolicy):
            raise Refused("a LazarusRestoreTest is no policy", hint="lazarus prove run -f FILE", code="usage")
        if wanted.writes not in ("", WRITES):
            raise Refused(f"{wanted.writes!r} is no consent", hint=f"--writes {WRITES}", code="usage")
        if wanted.writes:
            policy = msgspec.structs.replace(policy, writes=wanted.writes)
        return await self._stored(policy, wanted.context)

    async def _stored(self, policy: ProofPolicy, context: str) -> ProofPolicyRow:
        for sink in policy.notify:
            if sink not in self._sinks:
                hint = near(sink, self._sinks) or f"settings have: {', '.join(self._sinks) or 'no sinks'}"
                raise Refused(f"there is no sink {sink!r} to notify", where="notify", hint=hint, code="usage")
            if self._sinks[sink] and policy.name not in self._sinks[sink]:
                what = f"the settings tell {sink} of {', '.join(self._sinks[sink])} only"
                raise Refused(what, where="notify", hint=f"add {policy.name} to the policies of the sink")
        uid, found = await self._reader(context).cluster_uid(), self._book.find(context, policy.name)
        if found is not None and (why := _ends(found, policy, uid)):
            await self._book.overdue(found, "", "", why)
        stored = await self._book.store(policy, context, uid)
        self._wake()
        return self.row(stored)

    async def _enable(self, peer: Any, wanted: EnableParams) -> ProofPolicyRow:
        """A stored policy may write on its own from now on, or no more; one that comes along is stored with that."""
        found = self._book.find(wanted.context, wanted.name)
        if found is None and not wanted.enabled:
            self._book.get(wanted.context, wanted.name)  # says so
        policy = found.policy if found is not None else files.read(files.shipped(wanted.name))
        assert isinstance(policy, ProofPolicy)
        writes = WRITES if wanted.enabled else ""
        if found is not None and policy.writes == writes:
            uid = await self._reader(wanted.context).cluster_uid()
            return self.row(found) if uid == found.cluster_uid else await self._stored(policy, wanted.context)
        return await self._stored(msgspec.structs.replace(policy, writes=writes), wanted.context)

    async def _run(self, peer: Any, wanted: RunParams) -> list[Entry]:
        """What a person asks for now, as a part of the policy's queue: it counts for how the policy stands."""
        stored = self._book.get(wanted.context, wanted.name)
        if not stored.runs:
            hint = f"lazarus policy enable {wanted.name}"
            raise Refused(f"policy {wanted.name} is not enabled", where="policy", hint=hint)
        if wanted.control and not stored.policy.control:
            raise Refused(f"policy {wanted.name} has no control", where="control", hint="control: {kind: withhold}")
        made = await self._runs.by_hand(stored, stored.policy.control if wanted.control else "")
        self._wake()
        return made

    async def _list(self, peer: Any, wanted: ContextParams) -> list[ProofPolicyRow]:
        """A gate asks this way: it does not open while a backup has completed that nobody has looked at."""
        found = sorted(self._book.policies(wanted.context), key=lambda one: one.policy.name)
        rows = [(self.row(one), one) for one in found]
        return [msgspec.structs.replace(row, unseen=row.unseen or self._arriving(one)) for row, one in rows]

    def _arriving(self, stored: Stored) -> str:
        try:
            names = self._runs.arriving(stored)
        except KubeError as error:
            return f"backups cannot be listed: {error.message}"
        return f"{names[-1]} has just completed" if names else ""

    async def _delete(self, peer: Any, wanted: NameParams) -> ProofPolicyRow:
        stored = self._book.get(wanted.context, wanted.name)
        row = self.row(stored)
        await self._book.overdue(stored, "", "", "the policy was removed")
        await self._book.remove(stored)
        return row

    # --- single tests

    async def _test(self, peer: Any, wanted: ApplyParams) -> dict[str, Any]:
        """The planner's parameters of a LazarusRestoreTest: its backup says which namespace is meant."""
        wish = files.read(wanted.text.encode())
        if not isinstance(wish, files.ProofWish):
            raise Refused("a ProofPolicy is stored, not run", hint="lazarus policy apply -f FILE", code="usage")
        space = await held_namespace(self._reader(wanted.context), self._velero(wanted.context), wish)
        return {"params": wish.wants(space), "notes": list(wish.notes)}

    # --- the queue

    async def _queue(self, peer: Any, wanted: ContextParams) -> QueueRow:
        return self.queue(wanted.context)

    def queue(self, context: str = "") -> QueueRow:
        """As lists and metrics take it."""
        every, now = self._book.entries(context), self._clock.now()
        waiting = [one for one in every if one.state is State.WAITING]
        running = [one for one in every if one.state is State.RUNNING]
        told = [msgspec.structs.replace(one, waiting=one.waiting or self._runs.behind(one)) for one in running]
        ended = heapq.nlargest(SHOWN, (one for one in every if not one.state.open), key=lambda one: one.ended)
        oldest = max((age(one, now) for one in waiting), default=0.0)
        return QueueRow(
            entries=(*told, *waiting, *ended), waiting=len(waiting), running=len(running),
            oldest_seconds=round(oldest, 1),
        )  # fmt: skip

    def rows(self, context: str = "") -> list[ProofPolicyRow]:
        """All policies, as metrics and screens take them."""
        return [self.row(one) for one in self._book.policies(context)]

    def row(self, stored: Stored) -> ProofPolicyRow:
        policy, now, arrivals = stored.policy, self._clock.now(), self._runs.arrivals
        entries = self._book.entries(stored.context, policy.name)
        without = self._runs.without(stored)
        subjects = dict.fromkeys([Subject(one.namespace, one.workload) for one in policy.workloads if not one.labels])
        named = self._runs.named(stored)
        own = by_subject(entries)
        subjects |= dict.fromkeys(named if named is not None else list(own))
        following = upcoming(policy, stored.since, 1) if policy.schedule else ()
        off = "" if stored.runs else f"not enabled: lazarus policy enable {policy.name}"
        unseen = stored.waiting or self._runs.elsewhere(stored) or off
        return ProofPolicyRow(
            policy=policy, means=tuple(files.words(policy)), stored=stored.at, enabled=stored.runs,
            next=rfc3339(following[0]) if following and stored.runs else "",
            standings=tuple(standing(policy, one, own.get(one, ()), now) for one in subjects),
            waiting=sum(one.state is State.WAITING for one in entries),
            running=sum(one.state is State.RUNNING for one in entries),
            overdue="; ".join(one for one in (stored.overdue, *arrivals.overdue(stored)) if one),
            trouble=stored.waiting or self._runs.elsewhere(stored) or "; ".join(arrivals.pending(stored)) or off,
            unseen=unseen or ("" if named is not None else "nobody has looked since the engine began"),
            expects=arrivals.seen(stored).expects,
            unknown=(*arrivals.seen(stored).unknown, *([without] if without else ())), cluster_uid=stored.cluster_uid,
        )  # fmt: skip


def _ends(stored: Stored, policy: ProofPolicy, cluster_uid: str) -> str:
    """Why nothing of a policy is overdue any more when another one is stored instead, "" where that is not so."""
    if stored.cluster_uid != cluster_uid:
        return "the policy is for another cluster now"
    return "" if policy.allowed else "the policy was disabled"


async def held_namespace(cluster: Cluster, velero: str, wish: files.ProofWish) -> str:
    """The namespace a test proves: the one it names, else the only one its backup holds. Raises ``Refused``."""
    if wish.namespace:
        return wish.namespace
    found = await cluster.get(BACKUPS, wish.backup, velero, type=Backup)
    if found is None:
        raise Refused(f"there is no backup {wish.backup}", where=f"namespace {velero}", code="not-found",
                      hint="lazarus backup list")  # fmt: skip
    names = found.spec.included_namespaces or ["*"]
    if len(names) == 1 and "*" not in names[0]:
        return names[0]
    what = "every namespace" if "*" in names else ", ".join(names)
    raise Refused(f"backup {wish.backup} holds {what}", where="spec", hint="add spec.namespace: which one is tested")


def tested(wish: files.ProofWish, namespace: str, context: str, now: str) -> Entry:
    """The one proof of an object: its id is the object's uid."""
    return Entry(
        id=entry_id("test", wish.uid), context=context, subject=Subject(namespace, wish.workload), point=wish.backup,
        params=wish.wants(namespace), why=f"{wish.home}/{wish.name}", queued=now, object=wish.uid,
    )  # fmt: skip
