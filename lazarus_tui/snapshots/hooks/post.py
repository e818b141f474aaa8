"""The post hook in one pod: tried until it succeeds, or until there is nothing left that could be held."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lazarus_tui.kube.errors import KubeError
from lazarus_tui.model.clock import within
from lazarus_tui.model.redact import redact
from lazarus_tui.model.steps import Session, StepContext
from lazarus_tui.snapshots.hooks.commands import Place, Ran, output, pod_of, restarts, run
from lazarus_tui.snapshots.hooks.spec import SESSION, Hooks

# Reference: data §3.2.
TRIES = 3
_PAUSE = 1.0


@dataclass(frozen=True, slots=True)
class Freed:
    """``sound``: the lock was there until now. ``stuck``: why the pod may still be held still; "" when it is not."""

    ran: Ran
    sound: bool = False
    stuck: str = ""
    note: str = ""


async def free(
    context: StepContext, hooks: Hooks, place: Place, held: Mapping[str, Any], session: Session | None, *, kills: bool
) -> Freed:
    """Never raises but for cancellation."""
    if hooks.how == SESSION:
        return await _end(context, hooks, place, held, session)
    ran = Ran()
    for n in range(TRIES):
        if n:
            await context.clock.sleep(_PAUSE * 2 ** (n - 1))
        ran = await run(context, place, hooks.post, hooks.timeout, kills=kills)
        if ran.well:
            still = not hooks.proof or hooks.proof in ran.output
            _, why = await _changed(context, place, held)
            return Freed(ran, still and not why, note=why or ("" if still else "the lock was gone before"))
    gone, why = await _changed(context, place, held)
    if gone:
        return Freed(ran, note=why)
    return Freed(ran, stuck=f"the post hook failed {TRIES} times in {place[1]}: {ran.words()}")


async def _end(
    context: StepContext, hooks: Hooks, place: Place, held: Mapping[str, Any], session: Session | None
) -> Freed:
    """A session frees its lock when it ends, so the end of the connection is enough; the words only prove it held."""
    if session is None:
        return Freed(Ran(trouble="its session ended with the engine that held it"), note="the server frees the lock")
    began, trouble, code, proven = context.clock.monotonic(), "", None, False

    async def unlocked() -> int:
        nonlocal proven
        await session.say(hooks.unlock.encode())
        await session.heard(hooks.unlocked.encode())
        proven = True
        return (await session.end()).exit_code

    try:
        code = await within(context.clock, hooks.timeout, unlocked())
    except TimeoutError:
        trouble = f"no answer within {hooks.timeout:g} s; the session was closed"
    except (KubeError, OSError) as error:
        trouble = redact(str(error))
    finally:
        await session.close()
    ran = Ran(code, context.clock.monotonic() - began, output(session.stderr), trouble)
    _, why = await _changed(context, place, held)
    return Freed(ran, proven and not why, note=why)


async def _changed(context: StepContext, place: Place, held: Mapping[str, Any]) -> tuple[bool, str]:
    """Whether the pod that was locked is gone, and why it is not known that the lock lasted, in words."""
    try:
        pod = await pod_of(context, place[0], place[1])
    except (KubeError, OSError) as error:
        return False, f"whether its container ran all the while is not known: {redact(str(error))}"
    uid = held.get("uid")
    if pod is None or (uid and pod["metadata"].get("uid") != uid):
        return True, "the pod that was held is gone, and its lock with it"
    if not uid:
        return False, "whether this is the pod that was held is not known without the journal"
    if restarts(pod, place[2]) != held.get("restarts"):
        return False, "its container started anew meanwhile, so the lock was lost"
    return False, ""
