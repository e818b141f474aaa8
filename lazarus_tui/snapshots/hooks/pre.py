"""The pre hook in one pod."""

from __future__ import annotations

from typing import Protocol

from lazarus_tui.kube.errors import KubeError
from lazarus_tui.model.clock import within
from lazarus_tui.model.redact import redact
from lazarus_tui.model.resources import PODS
from lazarus_tui.model.steps import Outcome, Session, StepContext, Write
from lazarus_tui.snapshots.hooks import redis
from lazarus_tui.snapshots.hooks.commands import Place, Ran, output, run
from lazarus_tui.snapshots.hooks.spec import REDIS, SESSION, Hooks


class Opened(Protocol):
    """Where sessions are kept while they hold something, and the pods that can end a command themselves."""

    sessions: dict[str, Session]
    kills: set[str]


async def announce(context: StepContext, hooks: Hooks, place: Place, uid: str) -> int:
    """The intent, before anything is sent; raises what the gate raises."""
    namespace, pod, container = place
    body = {"container": container, "argv": list(hooks.pre), "stdin": hooks.lock}
    expect = f"the pre hook of {pod} succeeds"
    return await context.gate.announce(
        Write("exec", PODS, namespace, pod, body, uid=uid, subresource="exec", expect=expect)
    )


async def begin(context: StepContext, hooks: Hooks, place: Place, intent: int, hold: Opened) -> Ran:
    """A hook that fails is a result, not an error."""
    if hooks.how == SESSION:
        found = await _hold(context, hooks, place, hold)
    elif hooks.how == REDIS:
        found = await _save(context, hooks, place)
    else:
        found = await run(context, place, hooks.pre, hooks.timeout, kills=place[1] in hold.kills)
    await context.gate.settled(intent, Outcome.APPLIED if found.exit is not None else Outcome.AMBIGUOUS, found.trouble)
    return found


async def _hold(context: StepContext, hooks: Hooks, place: Place, hold: Opened) -> Ran:
    """The client stays open, and the lock with it, until the post hook or the end of this program."""
    began = context.clock.monotonic()

    async def locked() -> None:
        session = hold.sessions[place[1]] = await context.reader.hold(*place, hooks.pre, timeout=hooks.timeout)
        await session.say(hooks.lock.encode())
        await session.heard(hooks.locked.encode())

    trouble = ""
    try:
        await within(context.clock, hooks.timeout, locked())
    except TimeoutError:
        trouble = f"the lock was not there within {hooks.timeout:g} s"
    except (KubeError, OSError) as error:
        trouble = redact(str(error))
    took = context.clock.monotonic() - began
    session = hold.sessions.get(place[1])
    if trouble and session is not None:
        await session.close()
    said = output(session.stderr) if session is not None else ""
    return Ran(None if trouble else 0, took, said, trouble)


async def _save(context: StepContext, hooks: Hooks, place: Place) -> Ran:
    began = context.clock.monotonic()

    async def ask(words: tuple[str, ...]) -> str:
        found = await run(context, place, (*hooks.pre, *words), hooks.timeout)
        if not found.well:
            raise redis.SaveFailed(found.words())
        return found.output

    code, said, trouble = 0, "", ""
    try:
        said = await within(context.clock, hooks.timeout, redis.save(ask, context.clock))
    except TimeoutError:
        code, trouble = 1, f"no save was done within {hooks.timeout:g} s"
    except redis.SaveFailed as error:
        code, trouble = 1, redact(str(error))
    return Ran(code, context.clock.monotonic() - began, said, trouble)
