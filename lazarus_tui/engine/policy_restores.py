"""StatefulSetRestores of a cluster: each is carried out once, by whoever takes it up first, and followed to its end.

That it was taken up is written into the journal and into the object's status, with a precondition, before anything
else; the plan names the object, so that an operation begun for it is found again with or without this journal.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import datetime
from typing import Any

from lazarus_tui.engine.errors import Refused
from lazarus_tui.engine.object_status import Place, Telling
from lazarus_tui.engine.runner import Runner
from lazarus_tui.journal import Journal
from lazarus_tui.link.codec import LinkFault
from lazarus_tui.model.clock import Clock
from lazarus_tui.model.operation import Operation, OpState
from lazarus_tui.model.plan import Plan, PlanRefused
from lazarus_tui.model.policies import GRACE
from lazarus_tui.snapshots.policies import RestoreWish, chosen, read_object, status
from lazarus_tui.snapshots.reading import sets_of

KIND = "restore-object"  # of the journal's events
RESTORE = "snapshots.restore-in-place"
Object = Mapping[str, Any]
Planning = Callable[[str, str, Mapping[str, Any]], Awaitable[Plan]]


class Restores:
    """``in_place``: contexts whose StatefulSetRestores may replace volumes although no person agreed to the plan."""

    def __init__(
        self, runner: Runner, journal: Journal, clock: Clock, telling: Telling, *, plan: Planning,
        in_place: Collection[str],
    ) -> None:  # fmt: skip
        self._runner, self._journal, self._clock, self._telling = runner, journal, clock, telling
        self._plan, self._in_place = plan, in_place
        self._marks: dict[str, str] = {}  # by uid: what this engine's claim on an object is known by
        self._operations: dict[str, str] = {}  # id of the operation by uid of the object
        self._known: set[str] = set()  # operations whose plans were looked at
        self._refused: dict[str, datetime] = {}  # since when it cannot be planned

    async def load(self) -> None:
        for event in await self._journal.events_of(KIND):
            self._marks[str(event.body["uid"])] = str(event.body["mark"])

    async def one(self, place: Place, found: Object, other: str) -> str:
        """Carry a restore on by what can be done now; why nothing is, in words, or "". Raises ``KubeError``."""
        uid = str(found["metadata"]["uid"])
        if op := self._operations.get(uid):
            return await self._follow(place, found, await self._runner.get(op))
        if why := other or ("" if self._ours(found) else status.claimed(found)):
            return why
        try:
            wish = read_object(found)
            assert isinstance(wish, RestoreWish)
        except PlanRefused as error:
            return await self._refuse(place, found, status.INVALID, str(error))
        if place.context not in self._in_place:
            return await self._ask(place, found, "it replaces volumes, and a person has to agree to its plan")
        return await self._begin(place, found, wish)

    # --- which operation

    async def learn(self, place: Place) -> None:
        """What was begun for objects: by this engine, one before it, a person, or another Lazarus."""
        for operation in reversed(await self._runner.operations()):
            if operation.kind == RESTORE and operation.id not in self._known:
                plan = await self._journal.plan(operation.id)
                self._known.add(operation.id)
                if plan is not None and plan.cluster_uid == place.cluster_uid and plan.params.get("object"):
                    self._operations[str(plan.params["object"])] = operation.id

    def _ours(self, found: Object) -> bool:
        """Whether the claim in the object's status is this engine's."""
        mark = self._marks.get(str(found["metadata"]["uid"]))
        return mark is not None and mark in str(status.condition(found).get("message"))

    async def _follow(self, place: Place, found: Object, operation: Operation) -> str:
        if operation.foreign:
            return f"operation {operation.id[:8]} is {operation.foreign}"
        plan = await self._journal.plan(operation.id)
        fields = status.restoring(operation, plan.params if plan else {})
        short, state = operation.id[:8], operation.state
        if state is OpState.DONE:
            good, reason, message = True, "Restored", f"operation {short}; {operation.undo or 'it cannot be undone'}"
        elif state is OpState.PARKED:
            way = f"lazarus resume {short}, or lazarus undo {short}"
            good, reason, message = None, "Waits", f"operation {short}: {operation.message}; a person decides: {way}"
        elif state.open:
            good, reason, message = None, "Running", f"operation {short}"
        else:
            good, reason, message = False, "Failed", f"operation {short} is {state.value}: {operation.message}"
        why = await self._tell(place, found, fields, good, reason, message, warn=reason in ("Waits", "Failed"))
        return why or ("" if reason in ("Restored", "Running") else message)

    # --- beginning

    async def _begin(self, place: Place, found: Object, wish: RestoreWish) -> str:
        uid, target = str(found["metadata"]["uid"]), f"{wish.namespace}/{wish.statefulset}"
        for operation in self._runner.open:
            if (operation.context, operation.target) == (place.context, target):
                return f"operation {operation.id[:8]} works on {target}"
        try:
            plan = await self._planned(place, wish)
        except PlanRefused as error:
            if error.code == "consent":
                return await self._ask(place, found, error.what, " --hold")
            return await self._not_yet(place, found, error.what)
        except LinkFault as error:
            return error.fault.what
        self._refused.pop(uid, None)
        if why := await self._claim(place, found, plan):
            return f"it is not begun: {why}"
        by = f"{status.RESTORES.kind} {wish.home}/{wish.name}"
        try:
            begun = await self._runner.start(plan, plan.digest(), plan.target, by=by)
        except Refused as error:
            return error.what
        self._operations[uid] = begun.id
        return ""

    async def _claim(self, place: Place, found: Object, plan: Plan) -> str:
        """Take the object up, against every other Lazarus: its status must still be as it was read. Why not, or ""."""
        uid = str(found["metadata"]["uid"])
        if uid not in self._marks:
            mark = secrets.token_hex(8)
            await self._journal.append("", (KIND, {"uid": uid, "mark": mark, "target": plan.target}))
            self._marks[uid] = mark
        fields = {"phase": status.SCALING_DOWN, "originalReplicas": int(plan.params["replicas"])}
        return await self._tell(place, found, fields, None, "TakenUp", f"a restore begins ({self._marks[uid]})")

    async def _planned(self, place: Place, wish: RestoreWish) -> Plan:
        sets = [] if wish.latest else await sets_of(place.cluster, wish.namespace)
        wanted = {"namespace": wish.namespace, "statefulset": wish.statefulset, "object": wish.uid}
        return await self._plan(RESTORE, place.context, {**wanted, **chosen(sets, wish)})

    async def _not_yet(self, place: Place, found: Object, why: str) -> str:
        """What cannot be planned now is tried for some minutes: a pod that starts anew is back by then."""
        now, uid = self._clock.now(), str(found["metadata"]["uid"])
        if now - self._refused.setdefault(uid, now) <= GRACE:
            return why
        self._refused.pop(uid, None)
        return await self._refuse(place, found, status.REFUSED, why)

    # --- telling

    async def _ask(self, place: Place, found: Object, why: str, consent: str = "") -> str:
        meta = found["metadata"]
        name = f"kubectl get {status.RESTORES.plural}.{status.RESTORES.group} {meta['name']} -n {meta['namespace']}"
        command = f"{name} -o yaml | lazarus snapshot apply{consent} -f -"
        message = f"{why}: {command}"
        return await self._tell(place, found, {"phase": status.NEW}, None, "NeedsPerson", message) or message

    async def _refuse(self, place: Place, found: Object, reason: str, why: str) -> str:
        return await self._tell(place, found, {"phase": status.FAILED}, False, reason, why, warn=True) or why

    async def _tell(
        self, place: Place, found: Object, fields: Mapping[str, Any], good: bool | None, reason: str, message: str,
        *, warn: bool = False,
    ) -> str:  # fmt: skip
        now = self._telling.now()
        wanted = status.told(found, fields, good=good, reason=reason, message=message, now=now)
        event = (f"Restore{reason}", message) if warn else None
        why = await self._telling.status(place, status.RESTORES, found, wanted, event)
        return f"its status cannot be written: {why}" if why else ""
