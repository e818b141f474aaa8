"""One backup that lies, told twice: before the lie it is PASSED, with the lie it is not, for the right reason."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest

from lazarus_tui.model.http import HttpRequest
from lazarus_tui.model.operation import Operation
from lazarus_tui.model.plan import PlanRefused
from lazarus_tui.model.proofs import ProofRecord
from lazarus_tui.model.resources import RESTORES
from lazarus_tui.model.verdict import Verdict
from tests.prove.liars.orders import CHECKS, Shop
from tests.prove.proof.trial import OVER, trial
from tests.prove.quarantine.grounds import VELERO

PASSED, FAILED, INCONCLUSIVE = Verdict.PASSED, Verdict.FAILED, Verdict.INCONCLUSIVE
REFUSED = "REFUSED"  # there was no plan to approve
# Told when a request arrives: whether it is time to lie.
Moment = Callable[[Shop, HttpRequest], bool]


def before_the_plan(ground: Shop, request: HttpRequest) -> bool:
    raise AssertionError("this lie is told before anything is asked")


def after_the_plan(ground: Shop, request: HttpRequest) -> bool:
    raise AssertionError("this lie is told before anything is asked")


def restored(ground: Shop, request: HttpRequest) -> bool:
    """Velero has ended the restore; nobody has looked at it yet."""
    return any((one.get("status") or {}).get("phase") in OVER for one in ground.api.list(RESTORES, VELERO))


def restoring(ground: Shop, request: HttpRequest) -> bool:
    """The restore was asked for: what Velero reads from now on is what it gets."""
    return request.method == "POST" and request.path.endswith("/restores")


def knows(fact: str) -> Moment:
    """Lazarus has learnt this of the proof under way."""

    def moment(ground: Shop, request: HttpRequest) -> bool:
        published = ground.engine.published if ground.engine else []
        return bool(published) and published[-1].target == ground.planned_for and fact in published[-1].facts

    return moment


settled, ready, judged = knows("restore.settled"), knows("checks.ready"), knows("checks.verdict")


@dataclass(frozen=True)
class Liar:
    """``lie`` is told at ``when``; what it returns, if anything, is the point that is proven then.

    ``says``: words of the reason. ``ends``: what it has to come to. ``params`` of both proofs; ``truth`` of the world
    before both.
    """

    name: str
    lie: Callable[[Shop], Any]
    says: str
    ends: str = FAILED
    when: Moment = before_the_plan
    params: Mapping[str, Any] = field(default_factory=lambda: {"checks": dict(CHECKS)})
    truth: Callable[[Shop], Any] | None = None
    stays: bool = False  # whether something has to stay: Velero may still fill it, or it is not ours


@dataclass
class Told:
    """What came of it: verdict and reason of the honest proof and of the other, and what stayed behind of both."""

    name: str
    honest: tuple[str, str] = ("", "")
    lying: tuple[str, str] = ("", "")
    remains: list[str] = field(default_factory=list)


async def told(liar: Liar) -> Told:
    with pytest.MonkeyPatch.context() as patch:
        async with trial(patch, Shop) as ground:
            ground.patch = patch
            found = Told(liar.name)
            params = {**liar.params, **(await _done(liar.truth, ground) or {})}
            found.honest = _said(await ground.proven(**params))
            found.lying = await _lied(liar, ground, params)
            found.remains = ground.remains()
            return found


async def _lied(liar: Liar, ground: Shop, params: Mapping[str, Any]) -> tuple[str, str]:
    point: Any = None
    try:
        if liar.when is before_the_plan:
            point = await _done(liar.lie, ground)
        plan = await ground.planned(**{**params, **({"point": point} if point else {})})
    except PlanRefused as refused:
        return REFUSED, refused.what
    ground.planned_for = plan.target
    if liar.when is after_the_plan:
        await _done(liar.lie, ground)
    elif liar.when is not before_the_plan:
        ground.refusals.append(_once(liar, ground))
    engine = ground.engine
    assert engine is not None
    return _said(await engine.run(plan, plan.target))


def _once(liar: Liar, ground: Shop) -> Callable[[HttpRequest], Any]:
    waiting = [True]

    async def look(request: HttpRequest) -> None:
        if waiting and liar.when(ground, request):
            waiting.clear()
            await _done(liar.lie, ground)

    return look


async def _done(work: Callable[[Shop], Any] | None, ground: Shop) -> Any:
    made = work(ground) if work else None
    return await made if inspect.isawaitable(made) else made


def _said(done: Operation) -> tuple[str, str]:
    if "prove.record" not in done.facts:
        return str(done.verdict), f"no record: {done.state} {done.message}"
    return str(done.verdict), msgspec.convert(done.facts["prove.record"], ProofRecord).words


def wrong(liar: Liar, found: Told) -> list[str]:
    """Why what was found is not what has to be found; [] when it is."""
    verdict, words = found.lying
    lines = [] if found.honest[0] == PASSED else [f"the honest one is {found.honest[0]}: {found.honest[1]}"]
    if verdict == PASSED:
        lines.append(f"FALSE PASSED: {words}")
    elif verdict != liar.ends:
        lines.append(f"{verdict} instead of {liar.ends}: {words}")
    if liar.says not in words:
        lines.append(f"{liar.says!r} is not said: {words}")
    if liar.stays:
        return lines if found.remains else [*lines, "it was removed, and must not be"]
    return lines + [f"left behind: {one}" for one in found.remains]
