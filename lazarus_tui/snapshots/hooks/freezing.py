"""The freeze of an application around the cut, and its end, which comes whatever happens (reference: data §3.2).

Facts: ``held`` (``model.freezes.HELD``; by pod: uid, container, restarts, since) is journalled before anything is run
in a pod, and a pod leaves it when its post hook succeeded or the pod is gone. ``hooks.words`` is the consistency by
pod, ``hooks.results`` what the hooks gave, ``hooks.cut`` whether all was cut when the end of the freeze began.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from lazarus_tui.journal import JournalError
from lazarus_tui.kube.errors import KubeError
from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.freezes import HELD
from lazarus_tui.model.steps import Session, StepContext, StepStopped
from lazarus_tui.snapshots.hooks.byhand import shown_by, thaw_commands
from lazarus_tui.snapshots.hooks.commands import Ran, can_kill, pod_of, restarts, running
from lazarus_tui.snapshots.hooks.post import Freed, free
from lazarus_tui.snapshots.hooks.pre import announce, begin
from lazarus_tui.snapshots.hooks.spec import EXEC, ONCE, Hooks, hooks_of

WORDS, RESULTS, CUT = "hooks.words", "hooks.results", "hooks.cut"
_HOLD = "hooks"
# Seconds between attempts of the alarm at an application that does not let itself be freed.
_AGAIN = 2.0


@dataclass
class Hold:
    """This run's part of a freeze: open sessions, and the alarm that ends it when it lasts too long."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    sessions: dict[str, Session] = field(default_factory=dict)
    kills: set[str] = field(default_factory=set)  # pods with a program that ends commands
    frozen: bool = False
    spent: bool = False
    alarm: asyncio.Task[None] | None = None

    async def close(self) -> None:
        if self.alarm is not None:
            self.alarm.cancel()
            await asyncio.gather(self.alarm, return_exceptions=True)
        for session in self.sessions.values():
            await session.close()


def hold_of(context: StepContext) -> Hold:
    found = context.held.get(_HOLD)
    if not isinstance(found, Hold):
        found = context.held[_HOLD] = Hold()
    return found


async def freeze(context: StepContext) -> None:
    """Run the pre hook in every pod, at once; nothing when it was done in this run, or when the time for it is spent.

    Raises ``StepStopped`` when one fails and the plan does not say to go on.
    """
    hooks = hooks_of(context.plan.params)
    if hooks is None:
        return
    hold = hold_of(context)
    if hold.frozen or hold.spent:
        return
    namespace = str(context.plan.params["namespace"])
    pods, troubles = await _prepare(context, hooks, namespace, hold)
    if troubles and hooks.on_error == "Fail":
        raise StepStopped("; ".join(troubles.values()), hint="mend it, or go on without: --on-error continue")
    places = {pod: (namespace, pod, hooks.pods[pod].container) for pod in sorted(pods)}
    intents = {pod: await announce(context, hooks, place, pods[pod]["uid"]) for pod, place in places.items()}
    if hooks.holds and pods:
        await context.remember(**{HELD: pods, WORDS: {}, RESULTS: {}})
        hold.alarm = asyncio.create_task(_alarm(context, hooks, hold))
    work = [begin(context, hooks, place, intents[pod], hold) for pod, place in places.items()]
    ended = await asyncio.gather(*work, return_exceptions=True)
    ran: dict[str, Ran] = {}
    for pod, one in zip(places, ended, strict=True):
        if isinstance(one, BaseException):
            raise one
        ran[pod] = one
    await _judge_pre(context, hooks, troubles, ran)
    hold.frozen = True


async def _prepare(
    context: StepContext, hooks: Hooks, namespace: str, hold: Hold
) -> tuple[dict[str, Any], dict[str, str]]:
    """The pods as ``held`` names them, and why a hook cannot be run in others."""
    since = rfc3339(context.clock.now(), micro=True)
    pods: dict[str, Any] = {}
    troubles: dict[str, str] = {}
    for pod, hook in sorted(hooks.pods.items()):
        found = await pod_of(context, namespace, pod)
        why = running(found, hook.container) or _not_led(found, hooks.label)
        if why or found is None:
            troubles[pod] = f"{pod} {why}"
            continue
        pods[pod] = {
            "uid": found["metadata"]["uid"], "container": hook.container,
            "restarts": restarts(found, hook.container), "since": since,
        }  # fmt: skip
    if hooks.how in (EXEC, ONCE):
        able = await asyncio.gather(*(can_kill(context, (namespace, pod, hooks.pods[pod].container)) for pod in pods))
        hold.kills = {pod for pod, can in zip(pods, able, strict=True) if can}
    return pods, troubles


def _not_led(pod: Mapping[str, Any] | None, label: str) -> str:
    key, _, value = label.partition("=")
    labels = (pod or {}).get("metadata", {}).get("labels") or {}
    return f"does not carry {label} any more" if label and labels.get(key) != value else ""


async def _judge_pre(context: StepContext, hooks: Hooks, troubles: Mapping[str, str], ran: Mapping[str, Ran]) -> None:
    for pod, one in ran.items():
        await context.say(f"{pod} ({hooks.pods[pod].container}): pre hook: {one.words()}")
    failed = {pod: f"the pre hook failed in {pod}: {one.words()}" for pod, one in ran.items() if not one.well}
    bad = {**troubles, **failed}
    words = dict.fromkeys(bad, "unknown")
    if not hooks.holds:
        words |= {pod: hooks.gives for pod in ran if pod not in bad}
    results = {pod: {"pre": msgspec.to_builtins(one)} for pod, one in ran.items()}
    await context.remember(**{RESULTS: results, WORDS: words})
    for pod in sorted(bad):
        await context.say(f"{bad[pod]}; its volumes are of unknown consistency")
    if failed and hooks.on_error == "Fail":
        raise StepStopped(
            "; ".join(failed[pod] for pod in sorted(failed)), hint="mend the hook, then take the set anew"
        )


async def _alarm(context: StepContext, hooks: Hooks, hold: Hold) -> None:
    """Thaw first, whatever the cut is at; what is cut later is not application-consistent."""
    await context.clock.sleep(hooks.budget)
    hold.spent = True
    while context.facts.get(HELD):
        with contextlib.suppress(StepStopped, KubeError, OSError, JournalError):
            await let_go(context)
            await context.say(f"held still for {hooks.budget:g} s, which is the most: let go of before the end")
        await context.clock.sleep(_AGAIN)


async def let_go(context: StepContext, *, cut: bool = False) -> None:
    """Run the post hook wherever a pre hook was attempted. ``cut``: every volume is cut already.

    Needs no gate and no lease: it must work when the operation may do nothing else any more. Raises ``StepStopped``,
    to be parked, when a pod could not be freed.
    """
    hooks = hooks_of(context.plan.params)
    hold = hold_of(context)
    async with hold.lock:
        held = dict(context.facts.get(HELD) or {})
        if hooks is None or not held:
            return
        cut = cut or "set.cuts" in context.facts or bool(context.facts.get(CUT))
        namespace = str(context.plan.params["namespace"])
        freed = await asyncio.gather(*(
            free(context, hooks, (namespace, pod, str(held[pod]["container"])), held[pod], hold.sessions.pop(pod, None),
                 kills=pod in hold.kills)
            for pod in sorted(held)
        ))  # fmt: skip
        await _note(context, hooks, held, dict(zip(sorted(held), freed, strict=True)), cut)


async def _note(
    context: StepContext, hooks: Hooks, held: dict[str, Any], freed: Mapping[str, Freed], cut: bool
) -> None:
    words, results = dict(context.facts.get(WORDS) or {}), dict(context.facts.get(RESULTS) or {})
    stuck = {pod: one.stuck for pod, one in freed.items() if one.stuck}
    for pod, one in freed.items():
        results[pod] = {**(results.get(pod) or {}), "post": msgspec.to_builtins(one.ran)}
        if not one.stuck:
            words.setdefault(pod, hooks.gives if cut and one.sound else "crash")
    left = {pod: held[pod] for pod in stuck}
    await context.remember(**{HELD: left, WORDS: words, RESULTS: results, CUT: cut})
    for pod, one in freed.items():
        await context.say(f"{pod}: post hook: {one.ran.words()}" + (f" ({one.note})" if one.note else ""))
    if stuck:
        names = ", ".join(sorted(stuck))
        what = f"{names} may still be held still: {'; '.join(stuck[pod] for pod in sorted(stuck))}"
        raise StepStopped(what, hint=f"{_by_hand(context, hooks, sorted(stuck))}, then resume", park=True)


def _by_hand(context: StepContext, hooks: Hooks, pods: Sequence[str]) -> str:
    """The post hook as a person runs it, where it is one line; else where its lines are."""
    command = thaw_commands(str(context.plan.params["namespace"]), hooks, pods[:1]).rstrip("\n")
    if hooks.how != EXEC:
        return f"end the session that locks in {', '.join(pods)}"
    if "\n" in command:
        return f"run the post hook by hand in {', '.join(pods)}: {shown_by(context)}"
    more = f" (and in {', '.join(pods[1:])})" if pods[1:] else ""
    return f"run by hand: {command}{more}"
