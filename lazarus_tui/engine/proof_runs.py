"""Runs the queue of proofs: so many at once, each once, each to its end, whatever happens to the engine in between."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from lazarus_tui.engine.election import Posts
from lazarus_tui.engine.errors import Refused
from lazarus_tui.engine.late_evidence import WRITTEN
from lazarus_tui.engine.proof_arrivals import ProofArrivals, Schedules
from lazarus_tui.engine.proof_book import ProofBook, Stored
from lazarus_tui.engine.proof_overdue import overdue
from lazarus_tui.engine.proof_sharing import SharedPolicies
from lazarus_tui.engine.proof_watch import Backups, ProofWatch
from lazarus_tui.engine.runner import Runner
from lazarus_tui.journal import Journal, JournalError
from lazarus_tui.kube.cluster import Cluster
from lazarus_tui.kube.errors import KubeError
from lazarus_tui.link.codec import LinkFault
from lazarus_tui.model.clock import Clock, parse_rfc3339
from lazarus_tui.model.cron import CronError
from lazarus_tui.model.operation import Operation, OpState
from lazarus_tui.model.plan import Danger, Plan, PlanRefused
from lazarus_tui.model.policies import GRACE
from lazarus_tui.model.proof_policies import Entry, State, Subject, may_begin, proven_already, standing
from lazarus_tui.model.proofs import view
from lazarus_tui.model.retrying import made_up_for, outside
from lazarus_tui.model.verdict import Verdict

log = logging.getLogger(__name__)

KIND = "prove.run"
# Proofs at once of one context, whatever its policies say: each holds a copy of an application.
AT_ONCE = 4
# Characters of what kept a proof from a verdict that its next try is shown with.
_MOST_CAUSE = 300

Planning = Callable[[str, str, Mapping[str, Any]], Awaitable[Plan]]  # kind, context, params


class ProofRuns:
    """``plan`` plans under the policies' consent; ``clusters`` connects a context; ``backups``: as last seen of it."""

    def __init__(
        self, book: ProofBook, runner: Runner, journal: Journal, clock: Clock, *, plan: Planning,
        clusters: Callable[[str], Awaitable[Cluster]], backups: Backups,
        schedules: Schedules = lambda context: ((), "velero"), posts: Posts | None = None,
    ) -> None:  # fmt: skip
        self.book, self._runner, self._journal, self._clock = book, runner, journal, clock
        self._plan, self._clusters = plan, clusters
        self._watch = ProofWatch(book, clock, backups)
        self.arrivals = ProofArrivals(book, journal, clock, schedules)
        self._shared = SharedPolicies(book, posts)
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._tried: dict[str, datetime] = {}  # since when an entry cannot be planned
        self._beginning = asyncio.Lock()
        self._followed = 0  # how far the journal was read for evidence that was written late

    @property
    def awake(self) -> bool:
        """Whether there is anything to look at."""
        return bool(self.book.open()) or self.arrivals.standing or any(one.runs for one in self.book.policies())

    @property
    def contexts(self) -> set[str]:
        """Those that have to be connected."""
        running = {one.context for one in self.book.policies() if one.runs}
        return running | {one.context for one in self.book.open()}

    @property
    def tasks(self) -> list[asyncio.Task[None]]:
        return [*self._busy.values(), *self._shared.tasks]

    async def load(self) -> None:
        """Once, before the first look."""
        await self.book.load()
        await self.arrivals.load()
        await self.follow()

    async def look(self) -> None:
        """Queue what is owed, then begin what may begin; returns as soon as it is under way."""
        self._watch.keep(self.book.policies())
        for stored in self.book.policies():
            if stored.runs:
                await self._owed(stored)
        with contextlib.suppress(JournalError):  # with the next look
            await self._shared.settle()
        waiting = self.book.open()
        self._tried = {one.id: self._tried[one.id] for one in waiting if one.id in self._tried}
        for entry in waiting:
            if entry.id not in self._busy and (entry.state is State.RUNNING or self._may(entry)):
                task = asyncio.create_task(self._carry(entry), name=f"proof {entry.id}")
                self._busy[entry.id] = task
                task.add_done_callback(partial(self._over, entry.id))
        for stored in self.book.policies():
            if stored.runs and self.book.find(stored.context, stored.policy.name) is stored:
                await self._overdue(stored)
        with contextlib.suppress(JournalError):  # with the next look
            await self.arrivals.settle()
            await self.follow()
        self.book.news()  # what each waits for is found out anew, and so is how old a control is

    async def follow(self) -> None:
        """Proofs whose evidence was written after their end stand as their records say now. Raises ``JournalError``."""
        newest = self._journal.newest
        for event in await self._journal.events_after(self._followed, WRITTEN):
            for entry in [one for one in self.book.entries() if one.operation == event.op and one.judged]:
                found = await self._known(entry)
                if found is not None and (stands := _judged(found))[0] is not entry.verdict:
                    await self.book.judge(entry, *stands)
        self._followed = newest

    async def by_hand(self, stored: Stored, control: str = "") -> list[Entry]:
        """Put a proof of each workload of a policy into the queue now. Raises ``Refused``."""
        if why := self.elsewhere(stored):
            raise Refused(
                f"policy {stored.policy.name} is {why}", code="elsewhere", where="policy", hint="ask that one"
            )
        try:
            return await self._watch.by_hand(stored, await self._reach(stored.context, stored.cluster_uid), control)
        except (_NotYet, KubeError) as error:
            raise Refused(str(error), code="unreachable", where=stored.policy.name) from error

    def _over(self, id: str, task: asyncio.Task[None]) -> None:
        self._busy.pop(id, None)

    async def _owed(self, stored: Stored) -> None:
        try:
            cluster = await self._reach(stored.context, stored.cluster_uid)
            leads = await self._shared.leads(stored, cluster)
            await self._watch.look(stored, cluster, leads=leads)
            if not leads:
                await self._follows(stored, cluster)
                return
            matched = await self._watch.matched(stored, cluster)
            await self.arrivals.look(stored, matched, self._watch.seen(stored.context))
            stored.waiting = ""
        except _NotYet as error:
            stored.waiting = str(error)
        except (KubeError, CronError) as error:
            stored.waiting = str(error)
        except JournalError as error:
            stored.waiting = error.what
        except Exception:  # one policy must not keep the others, and what is overdue, from being looked at
            log.exception("proofs of %s in %s", stored.policy.name, stored.context)
            stored.waiting = "something unexpected failed; see engine.log"
        if stored.waiting and stored.waiting != stored.told:
            log.warning("proofs of %s in %s: %s", stored.policy.name, stored.context, stored.waiting)
        stored.told = stored.waiting
        stored.waits_since = (stored.waits_since or self._clock.now()) if stored.waiting else None

    async def _follows(self, stored: Stored, cluster: Cluster) -> None:
        """Another engine runs it, and tells what is overdue and lacking. Raises ``_NotYet`` where that is not known."""
        if not self._shared.taken(stored):
            raise _NotYet(self.elsewhere(stored))
        stored.waiting, stored.waits_since = "", None
        if self.arrivals.leave(stored):
            matched = await self._watch.matched(stored, cluster)
            await self.arrivals.follow(stored, matched, self._watch.seen(stored.context))

    async def _reach(self, context: str, uid: str) -> Cluster:
        try:
            cluster = await self._clusters(context)
            found = await cluster.cluster_uid()
        except KubeError as error:
            raise _NotYet(f"the cluster of {context} does not answer: {error.message}") from error
        except (LinkFault, Refused) as error:
            raise _NotYet(f"context {context} cannot be used: {error}") from error
        if uid and found != uid:
            raise _NotYet(f"context {context} leads to another cluster than the policy was stored for")
        return cluster

    # --- whose turn it is

    def _may(self, entry: Entry) -> bool:
        try:
            why = self._held_up(entry)
        except CronError as error:
            why = f"its times cannot be read: {error}"
        self.book.wait(entry, why)
        return not why

    def _held_up(self, entry: Entry) -> str:
        """Why it does not begin now."""
        stored = self.book.find(entry.context, entry.policy) if entry.policy else None
        if stored is not None and not stored.runs:
            return f"its policy is not enabled: lazarus policy enable {entry.policy}"
        if why := self._shared.held_up(entry):
            return why
        if stored is not None and (why := may_begin(stored.policy, self._clock.now())):
            return why
        if entry.after and (after := parse_rfc3339(entry.after)) > self._clock.now():
            return f"it is tried again from {after:%Y-%m-%d %H:%M} UTC on"
        at_work = [one for one in self.book.open(entry.context) if one.state is State.RUNNING or one.id in self._busy]
        ahead = [one for one in at_work if one.policy == entry.policy]
        most = stored.policy.at_once if stored is not None else AT_ONCE
        if len(ahead) >= most:
            return f"{len(ahead)} of this policy at once (atOnce); Velero restores one after the other"
        if len(at_work) >= AT_ONCE:
            return f"{len(at_work)} proofs at once in this context; Velero restores one after the other"
        if any(one.subject == entry.subject and one.control != entry.control for one in at_work):
            return f"another proof of {entry.subject} comes first"
        return ""

    # --- one proof

    async def _carry(self, entry: Entry) -> None:
        """An entry to its end; what fails on the way is tried again with the next look."""
        why = ""
        try:
            await self._run(entry)
        except _NotYet as error:
            why = str(error)
        except JournalError as error:
            why = error.what
        except Exception:
            log.exception("proof %s of %s", entry.id, entry.policy)
            why = "something unexpected failed; see engine.log"
        if why:
            self.book.wait(entry, why)

    async def _run(self, entry: Entry) -> None:
        if entry.state is State.RUNNING:
            operation = await self._known(entry)
            if operation is None:
                await self.book.back(entry, "the engine ended before it was started")
                return
        else:
            operation = await self._begun(entry)
            if operation is None:
                return
        ended = await self._runner.wait(operation.id)
        if ended.state.open:
            what = "waits for a person" if ended.state is OpState.PARKED else f"is {ended.state.value}"
            raise _NotYet(f"operation {ended.id[:8]} {what}")
        verdict, words = _judged(ended)
        found = {"verdict": verdict, "figures": _figures(ended), "cause": outside(ended)[:_MOST_CAUSE]}
        await self._end(entry, State.DONE, words, **found)

    async def _end(self, entry: Entry, state: State, words: str, **more: Any) -> None:
        """Those who share its policy are told first: they do not run it again, whatever happens to this engine."""
        stored = self.book.find(entry.context, entry.policy) if entry.policy else None
        if stored is not None and not (more.get("cause") and entry.attempt < stored.policy.retries):
            await self._shared.did(entry, str(more.get("verdict") or state))
        await self.book.end(entry, state, words, **more)

    async def _known(self, entry: Entry) -> Operation | None:
        found = await self._journal.find(entry.operation)
        return found[0] if found else None

    async def _begun(self, entry: Entry) -> Operation | None:
        """Plan it, write down under which id it will run, start it; None when it ended here."""
        stored = self.book.find(entry.context, entry.policy) if entry.policy else None
        if stored is not None and (why := self._nobodys(stored, entry)):
            await self._end(entry, State.SKIPPED, why)
            return None
        cluster = await self._reach(entry.context, stored.cluster_uid if stored else "")
        try:
            plan = await self._planned(entry, stored)
        except (PlanRefused, Refused) as error:
            await self._refused(entry, error)
            return None
        self._tried.pop(entry.id, None)
        now = self.book.entry(entry.id)
        if now is None or now.state is not State.WAITING:
            return None  # its policy went while it was planned
        point, start = str(plan.params.get("point") or entry.point), str(plan.params.get("point_start") or "")
        if stored is not None:
            if self.book.find(entry.context, entry.policy) is not stored:
                raise _NotYet("its policy was changed just now")
            if not await self._shared.leads(stored, cluster):
                raise _NotYet(self.elsewhere(stored))
        async with self._beginning:  # of two that were planned at once the second one sees that the first has begun
            if not (why := self._again(stored, entry, point, start)):
                await self.book.begin(entry, str(plan.params["op"]), point, start)
        if why:
            await self._end(entry, State.SKIPPED, why, point=point)
            return None
        try:
            return await self._runner.start(plan, plan.digest(), plan.target, by=_by(entry))
        except Refused as error:
            await self.book.back(entry, error.what)
            raise _NotYet(error.what) from error

    def _again(self, stored: Stored | None, entry: Entry, point: str, start: str) -> str:
        """Why a point is not proven once more."""
        if stored is None or entry.control:
            return ""
        among = self.book.entries(entry.context, entry.policy)
        return proven_already(stored.policy, among, entry, point, self._clock.now(), start)

    def _nobodys(self, stored: Stored, entry: Entry) -> str:
        """Why its policy, as it is now, does not want it any more."""
        if not stored.policy.names(entry.subject):
            return "its policy does not name the workload any more"
        if entry.control and not stored.policy.control:
            return "its policy has no control any more"
        if entry.attempt and made_up_for(stored.policy, self.book.entries(entry.context, entry.policy), entry):
            return "a later proof of it came to a verdict meanwhile"
        return ""

    async def _planned(self, entry: Entry, stored: Stored | None) -> Plan:
        """As its policy says it now: it may have been changed while this waited."""
        params, point = entry.params, str(entry.params.get("point") or entry.point)
        if stored is not None:
            params = stored.policy.wants(entry.subject, point, entry.control and stored.policy.control)
        try:
            plan = await self._plan(KIND, entry.context, {**params, **self._controls(entry)})
        except KubeError as error:
            raise _NotYet(f"it cannot be planned: {error.message}") from error
        except LinkFault as error:
            raise _NotYet(f"it cannot be planned: {error.fault.what}") from error
        if plan.danger is Danger.DESTROYS:
            raise Refused(f"a policy starts nothing that destroys, and this plan is {plan.danger.value}")
        return plan

    def _controls(self, entry: Entry) -> dict[str, Any]:
        """How the policy's controls stand now: a part of the proof's evidence."""
        stored = self.book.find(entry.context, entry.policy) if entry.policy else None
        if stored is None or not stored.policy.control or entry.control:
            return {}
        among = self.book.entries(entry.context, entry.policy)
        found = standing(stored.policy, entry.subject, among, self._clock.now())
        return {"negative_control": {"state": found.control, "at": found.control_at}}

    async def _refused(self, entry: Entry, error: PlanRefused | Refused) -> None:
        """What cannot be planned is tried for some minutes: a location that is validated anew is back by then."""
        first = self._tried.setdefault(entry.id, self._clock.now())
        if self._clock.now() - first <= GRACE:
            raise _NotYet(f"it cannot be planned: {error.what}") from error
        self._tried.pop(entry.id, None)
        await self._end(entry, State.REFUSED, f"{error.what}; {error.hint}" if error.hint else error.what)

    # --- what should have run and did not

    async def _overdue(self, stored: Stored) -> None:
        with contextlib.suppress(JournalError, CronError):
            if self._shared.taken(stored):
                await self.book.overdue(stored, "", "", self.elsewhere(stored))
                return
            await self.book.overdue(stored, *overdue(stored, self.book, self._clock.now()))

    # --- for lists

    def elsewhere(self, stored: Stored) -> str:
        """Which other engine runs it, in words; "" when this one does."""
        return self._shared.elsewhere(stored.context, stored.policy.name)

    def named(self, stored: Stored) -> list[Subject] | None:
        """What a policy named when that was looked at last; None where nobody has looked."""
        return self._watch.named(stored)

    def arriving(self, stored: Stored) -> list[str]:
        """Backups of which it is not settled yet whether they are proven, by name. Raises ``KubeError``."""
        return self._watch.arriving(stored)

    def without(self, stored: Stored) -> str:
        """Why it is not known whether another engine runs it too, in words."""
        return self._shared.without(stored)

    def behind(self, entry: Entry) -> str:
        """What a running proof waits for, in words: Velero restores one at a time, in the order they were asked for."""
        ahead = 0
        for operation in sorted(self._runner.open, key=lambda one: one.started):
            if operation.kind != KIND or operation.context != entry.context or "restore.verdict" in operation.facts:
                continue
            if operation.id == entry.operation:
                before = f"{ahead} restore{'s are' if ahead > 1 else ' is'} before its own"
                return f"{before}: Velero restores one at a time" if ahead else ""
            ahead += 1
        return ""


class _NotYet(Exception):
    """It cannot go on now and will be tried again: why, in words."""


def _by(entry: Entry) -> str:
    return f"policy {entry.policy}" if entry.policy else f"LazarusRestoreTest {entry.why}"


def _judged(ended: Operation) -> tuple[Verdict, str]:
    """What counts of a proof that has ended, with its words: green is only what came to its end, and can be read."""
    seen = view(ended)
    words = ended.message or ended.state.value
    if seen is not None and seen.record is not None:
        return seen.record.verdict, seen.record.words or words
    return (Verdict.INCONCLUSIVE if ended.verdict is Verdict.PASSED else ended.verdict), words


def _figures(ended: Operation) -> dict[str, float]:
    found = ended.figures
    given = {"rta_seconds": found.rta_seconds, "rpa_seconds": found.rpa_seconds} if found else {}
    return {key: value for key, value in given.items() if value is not None}
