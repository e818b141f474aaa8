"""Runs the objects of contexts that the settings name (``policies.run_objects``): StatefulSetBackups,
StatefulSetRestores, LazarusRestoreTests.

Level-triggered: every look reads the objects, puts the backups among the stored policies, and tells each object how it
stands. Where their own operator runs, or somebody else writes their status, Lazarus keeps its hands off and says so.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any

import msgspec

from lazarus_tui.engine.errors import Refused
from lazarus_tui.engine.object_status import Place, Telling
from lazarus_tui.engine.policies import FAILED, PARKED, REFUSED, TAKEN, Held, Policies
from lazarus_tui.engine.policy_restores import Restores
from lazarus_tui.engine.proof_objects import TESTS, ProofObjects
from lazarus_tui.journal import JournalError
from lazarus_tui.kube.cluster import Cluster
from lazarus_tui.kube.errors import Forbidden, KubeError, NotFound
from lazarus_tui.link.codec import LinkFault
from lazarus_tui.model.clock import Clock, parse_rfc3339, rfc3339
from lazarus_tui.model.cron import CronError
from lazarus_tui.model.plan import PlanRefused
from lazarus_tui.model.policies import WRITES, SnapshotPolicy
from lazarus_tui.model.resources import Resource
from lazarus_tui.snapshots.names import annotation, set_id
from lazarus_tui.snapshots.policies import read_object, status
from lazarus_tui.snapshots.policies.meaning import WRITES_ANNOTATION
from lazarus_tui.snapshots.policies.rival import rival

log = logging.getLogger(__name__)

# Seconds between two looks at the objects.
LOOK = 10.0
# Seconds for which a kind has to be answered with 404 before its objects are taken to be gone: an API server that comes
# up does not serve a definition yet, and what was deleted is not run any more.
GONE = 60.0
Object = Mapping[str, Any]


class Objects:
    """``contexts``: whose objects are run. ``wake`` is called when there may be something new to run."""

    def __init__(
        self, policies: Policies, restores: Restores, telling: Telling, clock: Clock, *, contexts: Collection[str],
        clusters: Callable[[str], Awaitable[Cluster]], wake: Callable[[], None], proofs: ProofObjects | None = None,
    ) -> None:  # fmt: skip
        self._policies, self._restores, self._telling, self._clock = policies, restores, telling, clock
        self.contexts, self._clusters, self._wake, self._proofs = tuple(contexts), clusters, wake, proofs
        self._why: dict[tuple[str, str], dict[str, str]] = {}  # by context and kind, then by uid
        self._told: dict[str, str] = {}
        self._clusters_seen: dict[str, str] = {}
        self._unserved: dict[tuple[str, str], float] = {}  # by context and kind: since when

    def why(self, uid: str) -> str | None:
        """Why nothing is done for an object, as the last look found; "" when something is; None: not looked at."""
        return next((known[uid] for known in self._why.values() if uid in known), None)

    async def load(self) -> None:
        """Once, after the policies: what the settings no longer name is forgotten; its sets stay."""
        for held in self._policies.all():
            if held.policy.uid and held.context not in self.contexts:
                await self._policies.remove(held)
        await self._restores.load()
        if self._proofs is not None:
            await self._proofs.load()

    async def run(self, connect: Callable[[str], Awaitable[Any]]) -> None:
        """For ever, where there is a context to look at."""
        for context in self.contexts:
            with contextlib.suppress(LinkFault):  # the look says it again
                await connect(context)
        while self.contexts:
            await self.look()
            await self._clock.sleep(LOOK)

    async def look(self) -> None:
        for context in self.contexts:
            trouble = ""
            try:
                trouble = await self._look_at(context)
            except (KubeError, JournalError) as error:
                trouble = str(error)
            except Exception:
                log.exception("objects of %s", context)
            if trouble and trouble != self._told.get(context):
                log.warning("objects of %s: %s", context, trouble)
            self._told[context] = trouble
        self._wake()

    async def _look_at(self, context: str) -> str:
        """What cannot be looked at, in words; each kind by itself."""
        cluster = await self._clusters(context)
        place = Place(context, cluster, await cluster.cluster_uid())
        if self._clusters_seen.setdefault(context, place.cluster_uid) != place.cluster_uid:
            # The consent was for a cluster; another kubeconfig may mean another one by the same name.
            why = "the context leads to another cluster than before; lazarus engine stop forgets the old one"
            self._hold_up(context, why)
            return why
        troubles = []
        for kind, work in ((status.BACKUPS, self._backups), (status.RESTORES, self._wishes)):
            try:
                found = await self._listed(place, kind)
                if found is not None:
                    await work(place, found, await rival(cluster) if found else "")
            except Forbidden as error:
                troubles.append(f"{kind.plural} cannot be run: {error.message}")
                if kind is status.BACKUPS:
                    self._hold_up(context, troubles[-1])
        if self._proofs is not None:
            try:
                tests = await self._listed(place, TESTS)
                if tests is not None:
                    await self._tests(place, self._proofs, tests)
            except Forbidden as error:
                troubles.append(f"{TESTS.plural} cannot be run: {error.message}")
        return "; ".join(troubles)

    async def _listed(self, place: Place, kind: Resource) -> list[dict[str, Any]] | None:
        """The objects of a kind that are not being deleted; None while that is not known, because the kind is not
        served since a moment ago."""
        key, now = (place.context, kind.plural), self._clock.monotonic()
        try:
            found = await _listed(place.cluster, kind)
        except NotFound:
            return [] if now - self._unserved.setdefault(key, now) >= GONE else None
        self._unserved.pop(key, None)
        return found

    def _hold_up(self, context: str, why: str) -> None:
        for held in self._policies.all(context):
            if held.policy.uid:
                held.blocked = why

    async def _backups(self, place: Place, listed: Sequence[Object], other: str) -> None:
        there = {str(found["metadata"]["uid"]) for found in listed}
        for held in self._policies.all(place.context):
            if held.policy.uid and held.policy.uid not in there:
                await self._policies.remove(held)
        known = self._known(place, status.BACKUPS, listed)
        for found in listed:
            known[str(found["metadata"]["uid"])] = await self._backup(place, found, other)

    async def _wishes(self, place: Place, listed: Sequence[Object], other: str) -> None:
        if listed:
            await self._restores.learn(place)
        known = self._known(place, status.RESTORES, listed)
        for found in listed:
            known[str(found["metadata"]["uid"])] = await self._restores.one(place, found, other)

    async def _tests(self, place: Place, proofs: ProofObjects, listed: Sequence[Object]) -> None:
        await proofs.gone(place, listed)
        known = self._known(place, TESTS, listed)
        if listed and (why := await proofs.elsewhere(place)):
            known |= {str(found["metadata"]["uid"]): why for found in listed}
            return
        for found in listed:
            known[str(found["metadata"]["uid"])] = await proofs.one(place, found)

    def _known(self, place: Place, kind: Resource, listed: Sequence[Object]) -> dict[str, str]:
        """Why nothing is done for the objects of a kind, as it was found last of those that are there."""
        there = {str(found["metadata"]["uid"]) for found in listed}
        old = self._why.get((place.context, kind.plural), {})
        found = {uid: why for uid, why in old.items() if uid in there}
        self._why[(place.context, kind.plural)] = found
        return found

    # --- one StatefulSetBackup

    async def _backup(self, place: Place, found: Object, other: str) -> str:
        """Why nothing is done for it; "" once it is among the stored policies."""
        uid = found["metadata"]["uid"]
        known = next((held for held in self._policies.all(place.context) if held.policy.uid == uid), None)
        if why := other or _foreign(found):
            if known is not None:
                known.blocked = why
            return why
        try:
            held = await self._stored(place, _policy(found), found)
        except (PlanRefused, CronError, Refused) as error:
            if known is not None:
                known.blocked = str(error)
            return await self._refuse(place, found, f"it cannot be run: {error}")
        if isinstance(held, str):
            return held
        held.blocked = ""
        wanted, event = self._status(found, held)
        why = await self._telling.status(place, status.BACKUPS, found, wanted, event)
        return f"its status cannot be written: {why}" if why else ""

    async def _refuse(self, place: Place, found: Object, why: str) -> str:
        wanted, event = self._failed(found, status.INVALID, why), ("BackupInvalid", why)
        return await self._telling.status(place, status.BACKUPS, found, wanted, event) or why

    async def _stored(self, place: Place, policy: SnapshotPolicy, found: Object) -> Held | str:
        held = self._policies.find(place.context, policy.key)
        if held is not None and held.policy.uid != policy.uid:
            kind = (
                f"StatefulSetBackup in {held.policy.home}" if held.policy.uid else "policy that was applied as a file"
            )
            return f"{policy.key} is stored already: it is the name of a {kind}"
        if held is None and not policy.schedule and status.condition(found).get("status") == "True":
            return "its set was taken by another Lazarus"
        if held is None or held.policy != policy:
            held = await self._policies.store(policy, place.context, place.cluster_uid)
        return held

    def _status(self, found: Object, held: Held) -> tuple[dict[str, Any], tuple[str, str] | None]:
        row, now = self._policies.row(held), self._telling.now()
        following = f"the next one is due at {row.next}" if row.next else "no other one will be taken"
        if held.pending is not None:
            message = held.waiting or f"the set of {rfc3339(held.pending)} is being taken"
            fields = {"phase": status.IN_PROGRESS}
            return status.told(found, fields, good=None, reason="Running", message=message, now=now), None
        if held.outcome in (FAILED, PARKED, REFUSED):
            seen = f"; see: lazarus operation show {held.operation[:8]}" if held.operation else ""
            message = f"the set of {held.last} was not taken: {held.why or held.outcome}{seen}; {following}"
            return self._failed(found, _REASONS[held.outcome], message), (f"Backup{_REASONS[held.outcome]}", message)
        fields = {"phase": status.READY}
        message, reason = f"no set was due yet; {following}", "Scheduled"
        if held.outcome == TAKEN:
            fields["lastBackupTime"] = held.last
            reason, message = (
                "Taken",
                f"set {set_id(held.policy.name, parse_rfc3339(held.last))} was taken; {following}",
            )
        if row.trouble:
            message += f"; {row.trouble}"
        return status.told(found, fields, good=True, reason=reason, message=message, now=now), None

    def _failed(self, found: Object, reason: str, message: str) -> dict[str, Any]:
        fields = {"phase": status.FAILED}
        return status.told(found, fields, good=False, reason=reason, message=message, now=self._telling.now())


_REASONS = {FAILED: "Failed", PARKED: "Waits", REFUSED: "Refused"}


def _policy(found: Object) -> SnapshotPolicy:
    """Raises ``PlanRefused`` and ``CronError``."""
    policy = read_object(found)
    assert isinstance(policy, SnapshotPolicy)
    return msgspec.structs.replace(policy, writes=WRITES)


def _foreign(found: Object) -> str:
    """Why an object is somebody else's; a person takes it over by the annotation that gives consent."""
    if not (wrote := status.foreign(found)):
        return ""
    if not (found.get("spec") or {}).get("schedule"):
        return f"somebody else has run it: {wrote}"
    if annotation(found, WRITES_ANNOTATION) == WRITES:
        return ""
    return f"somebody else runs it: {wrote}; to take it over annotate it {WRITES_ANNOTATION}={WRITES}"


async def _listed(cluster: Cluster, kind: Resource) -> list[dict[str, Any]]:
    """Those of a kind that are not being deleted. A list's items do not name their kind, so it is put in."""
    found: list[dict[str, Any]] = await cluster.list(kind, type=dict)
    whole = [{"apiVersion": kind.api_version, "kind": kind.kind, **one} for one in found]
    return [one for one in whole if not one["metadata"].get("deletionTimestamp")]
