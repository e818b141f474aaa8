"""The drill's own steps. Every count is journalled before the harm, so a crash anywhere loses no figure.

Facts: ``rehearse.before``, ``rehearse.base``, ``wanted.claims``, ``shop.uid``, ``loss.t0``, ``loss.gone``,
``loss.ids`` (ranges), ``orders`` (the four counts).
"""

from __future__ import annotations

from typing import Any

from lazarus_tui.drill import orders
from lazarus_tui.model.clock import parse_rfc3339, rfc3339
from lazarus_tui.model.counting import how_many
from lazarus_tui.model.objects import Backup, Claim, Namespace
from lazarus_tui.model.operation import CheckResult, Figures, StageProgress
from lazarus_tui.model.resources import BACKUPS, CLAIMS, NAMESPACES
from lazarus_tui.model.stepping import OPERATION_LABEL, BaseStep, carry_out
from lazarus_tui.model.steps import Observation, Seen, StepContext, StepStopped, Write
from lazarus_tui.model.verdict import Verdict, worst

LOST = "in the shop just before the loss (T0), not in the restored shop"


class TakingOrders(BaseStep):
    """The shop is there and takes orders: the newest id grows between two looks."""

    name, title = "rehearse.orders", "See the shop take orders"
    poll, limit = 0.5, 120.0

    def __init__(self, shop: str) -> None:
        self.shop = shop
        self._last: int | None = None

    async def observe(self, context: StepContext) -> Observation:
        try:
            found = await orders.stats(context.reader, self.shop)
        except orders.NoAnswer as error:
            return Observation(Seen.WAITING, str(error), hint="lazarus sandbox reset makes a fresh shop")
        if self._last is None or found.last_id <= self._last:
            self._last = found.last_id if self._last is None else self._last
            return Observation(Seen.WAITING, f"{found.orders} orders; waiting for the next one")
        namespace = await context.reader.get(NAMESPACES, self.shop, type=Namespace)
        if namespace is None:
            return Observation(Seen.FAILED, f"namespace {self.shop} is gone")
        claims = await context.reader.list(CLAIMS, self.shop, type=Claim)
        facts = {
            "rehearse.before": found.orders,
            "shop.uid": namespace.metadata.uid,
            "wanted.claims": sorted(claim.metadata.name for claim in claims),
        }
        return Observation(Seen.DONE, f"{found.orders} orders", facts=facts)


class BackedUp(BaseStep):
    """Nothing is destroyed before the backup is verified; from here on the orders after it are counted."""

    name, title = "rehearse.backed-up", "Only go on with a verified backup"
    limit = 30.0

    def __init__(self, shop: str) -> None:
        self.shop = shop

    async def observe(self, context: StepContext) -> Observation:
        verdict = context.facts.get("backup.verdict")
        if verdict != Verdict.PASSED:
            words = str(context.facts.get("backup.words") or "it was not verified")
            return Observation(Seen.FAILED, f"the backup is not good enough to lose anything: {words}")
        try:
            found = await orders.stats(context.reader, self.shop)
        except orders.NoAnswer as error:
            return Observation(Seen.WAITING, str(error))
        return Observation(Seen.DONE, f"{found.orders} orders", facts={"rehearse.base": found.last_id})


class Decoy(BaseStep):
    """A newer backup that is Completed and holds no volume, so that the choice of the point is a real one."""

    name, title, mutates = "rehearse.decoy", "Take a newer backup without volumes", True
    poll, limit = 0.5, 300.0

    def __init__(self, shop: str, velero: str, backup: str) -> None:
        self.shop, self.velero, self.backup = shop, velero, backup

    async def observe(self, context: StepContext) -> Observation:
        found = await context.reader.get(BACKUPS, self.backup, self.velero, type=Backup)
        if found is None:
            return Observation(Seen.ABSENT)
        if found.metadata.label(OPERATION_LABEL) != context.op[:8]:
            return Observation(Seen.DIVERGED, f"a backup {self.backup} exists that this operation did not make")
        phase = found.status.phase
        ended = phase in ("Completed", "PartiallyFailed", "Failed", "FailedValidation")
        return Observation(Seen.DONE if ended else Seen.WAITING, f"{self.backup} {phase or 'New'}")

    async def act(self, context: StepContext) -> None:
        body = {
            "apiVersion": BACKUPS.api_version,
            "kind": BACKUPS.kind,
            "metadata": {"name": self.backup, "namespace": self.velero},
            "spec": {
                "includedNamespaces": [self.shop],
                "includedResources": ["configmaps", "secrets"],
                "storageLocation": "default",
                "snapshotVolumes": False,
                "ttl": "72h0m0s",
            },
        }
        await carry_out(context, Write("create", BACKUPS, self.velero, self.backup, body, expect="the backup exists"))


class MoreOrders(BaseStep):
    """Wait for orders that the backup cannot hold."""

    name = "rehearse.more"
    poll, limit = 0.5, 300.0

    def __init__(self, shop: str, more: int) -> None:
        self.shop, self.more = shop, more
        self.title = f"Wait for {more} more orders"

    async def observe(self, context: StepContext) -> Observation:
        base = int(context.facts["rehearse.base"])
        try:
            found = await orders.stats(context.reader, self.shop)
        except orders.NoAnswer as error:
            return Observation(Seen.WAITING, str(error))
        came = found.last_id - base
        stages = (StageProgress("orders", min(came, self.more), self.more, "orders"),)
        return Observation(Seen.DONE if came >= self.more else Seen.WAITING, how_many(came, "more order"), stages)


class Lose(BaseStep):
    """Delete the namespace by its uid. The ids of all orders are journalled right before, T0 with them."""

    name, title, mutates = "rehearse.lose", "Delete the namespace", True
    poll, limit = 0.3, 300.0

    def __init__(self, shop: str) -> None:
        self.shop = shop

    async def observe(self, context: StepContext) -> Observation:
        namespace = await context.reader.get(NAMESPACES, self.shop, type=Namespace)
        ours = bool(context.facts.get("loss.t0"))
        if namespace is None or namespace.metadata.uid != context.facts.get("shop.uid"):
            if not ours:
                return Observation(Seen.DIVERGED, f"namespace {self.shop} was removed by somebody else")
            count = orders.count(context.facts.get("loss.ids") or ())
            return Observation(Seen.DONE, f"gone, with {count} orders in it", facts={"loss.gone": _now(context)})
        if namespace.metadata.deletion_timestamp:
            if not ours:
                return Observation(Seen.DIVERGED, f"namespace {self.shop} is being deleted by somebody else")
            return Observation(Seen.WAITING, "going")
        return Observation(Seen.ABSENT)

    async def act(self, context: StepContext) -> None:
        try:
            found = await orders.ids(context.reader, self.shop)
        except orders.NoAnswer as error:
            raise StepStopped(f"the orders cannot be counted, so nothing is deleted: {error}") from None
        await context.remember(**{"loss.ids": orders.ranges(found), "loss.t0": _now(context)})
        uid = str(context.facts["shop.uid"])
        write = Write("delete", NAMESPACES, None, self.shop, uid=uid, expect=f"namespace {self.shop} is gone")
        await carry_out(context, write)

    async def undo(self, context: StepContext) -> None:
        raise StepStopped("a deleted namespace cannot be undone; restore it from the newest usable point")


class Count(BaseStep):
    """Count what is lost, put the figures together, judge, and write the evidence.

    ``more`` orders came after ``backup``, the rehearsal's own; a Schedule may have taken a newer one meanwhile.
    """

    name, title = "rehearse.count", "Count the loss and write the evidence"
    poll, limit = 1.0, 120.0

    def __init__(self, shop: str, more: int, backup: str) -> None:
        self.shop, self.more, self.backup = shop, more, backup

    async def observe(self, context: StepContext) -> Observation:
        words = context.facts.get("rehearse.words")
        if not words:
            return Observation(Seen.ABSENT)
        return Observation(Seen.DONE, f"{words}; evidence {context.facts.get('evidence')}")

    async def act(self, context: StepContext) -> None:
        began = context.clock.monotonic()
        counts, trouble = await self._counts(context)
        own = context.facts.get("point.name") == self.backup
        verdict = self._verdict(counts, trouble, self.more if own else 0)
        words = trouble or (
            f"{counts['lost']} of {counts['at_loss']} orders lost, {counts['restored']} restored"
        )  # fmt: skip
        seconds = context.clock.monotonic() - began
        await context.checked(CheckResult("orders lost", "count", verdict, seconds, words, counts))
        await context.measured(
            Figures(
                orders_before=counts.get("before"),
                orders_at_loss=counts.get("at_loss"),
                orders_restored=counts.get("restored"),
                orders_lost=counts.get("lost"),
                lost_definition=f"unknown: {trouble}" if trouble else LOST,
            )
        )
        checked = context.facts.get("verdict")
        whole = worst([verdict, Verdict(str(checked)) if checked else Verdict.INCONCLUSIVE])
        await context.judged(whole)
        await context.say(f"{whole}: {words}")
        point = _point(context)
        path = await context.evidence({"type": "rehearsal", "verdict": str(whole), "orders": counts, "point": point})
        facts = {"rehearse.words": words, "orders": counts, "point": point, "verdict": str(whole), "evidence": path}
        await context.remember(**facts)

    async def _counts(self, context: StepContext) -> tuple[dict[str, Any], str]:
        """The four counts; the second value says in words why there are none of the restored copy."""
        before, lost = context.facts.get("rehearse.before"), context.facts.get("loss.ids") or ()
        counts: dict[str, Any] = {"before": before, "at_loss": orders.count(lost)}
        until = parse_rfc3339(str(context.facts["restore.t4"]))
        try:
            restored = await orders.ids(context.reader, self.shop, until)
        except orders.NoAnswer as error:
            return counts, f"the restored orders could not be counted: {error}"
        return {**counts, "restored": len(restored), "lost": orders.missing(lost, restored)}, ""

    def _verdict(self, counts: dict[str, Any], trouble: str, least: int) -> Verdict:
        if trouble:
            return Verdict.INCONCLUSIVE
        if counts["restored"] < int(counts["before"] or 0):
            return Verdict.FAILED  # orders from before the backup are missing too
        # Fewer lost than came after the backup: then the point is not what it seems.
        return Verdict.PASSED if counts["lost"] >= least else Verdict.INCONCLUSIVE


def _point(context: StepContext) -> dict[str, Any]:
    facts = context.facts
    return {key: facts.get(f"point.{key}") for key in ("name", "start", "location", "rule", "passed", "others")}


def _now(context: StepContext) -> str:
    return rfc3339(context.clock.now(), micro=True)
