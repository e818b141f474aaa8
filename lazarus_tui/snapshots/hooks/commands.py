"""One command in one container: bounded in time and output, with what came of it in words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from lazarus_tui.kube.errors import KubeError
from lazarus_tui.model.clock import within
from lazarus_tui.model.redact import redact, redact_text
from lazarus_tui.model.resources import PODS
from lazarus_tui.model.steps import StepContext

# Characters of a hook's output that are kept, its end.
MAX_OUTPUT = 2048
# Seconds for which the connection may outlive the time a hook has, so that the hook's own limit is the one that counts.
_MARGIN = 5.0
_TIMED_OUT = 124  # what the program ``timeout`` exits with

Place = tuple[str, str, str]  # namespace, pod, container


class Ran(msgspec.Struct, frozen=True, omit_defaults=True):
    """``exit`` None: no exit code was heard, ``trouble`` says why. ``output`` is redacted and bounded."""

    exit: int | None = None
    seconds: float = 0.0
    output: str = ""
    trouble: str = ""

    @property
    def well(self) -> bool:
        return self.exit == 0 and not self.trouble

    def words(self) -> str:
        end = f"exit {self.exit}" if self.exit is not None else "no exit code"
        told = "; ".join(filter(None, [self.trouble, redact(self.output)]))
        return f"{end} after {self.seconds:.1f} s" + (f": {told}" if told else "")


async def run(context: StepContext, place: Place, argv: Sequence[str], seconds: float, *, kills: bool = False) -> Ran:
    """Never raises: an API that does not answer is an outcome too. ``kills``: the container's own ``timeout`` program
    ends a command that hangs, because the end of the connection does not."""
    words = ["timeout", "-k", "5", str(math.ceil(seconds)), *argv] if kills else list(argv)
    began = context.clock.monotonic()
    limit = seconds + (_MARGIN if kills else 0.0)
    try:
        found = await within(context.clock, limit, context.reader.exec(*place, words, timeout=limit + _MARGIN))
    except (KubeError, OSError, TimeoutError) as error:
        took = context.clock.monotonic() - began
        late = isinstance(error, TimeoutError) and not isinstance(error, KubeError)
        return Ran(None, took, trouble=f"did not end within {seconds:g} s" if late else redact(str(error)))
    took = context.clock.monotonic() - began
    late = kills and found.exit_code == _TIMED_OUT
    return Ran(found.exit_code, took, output(found.stdout, found.stderr), f"ended after {seconds:g} s" if late else "")


async def can_kill(context: StepContext, place: Place) -> bool:
    """Whether the container has a program ``timeout`` of the usual kind."""
    return (await run(context, place, ("timeout", "-k", "5", "5", "true"), 10.0)).well


def output(*streams: bytes) -> str:
    text = "\n".join(filter(None, (stream.decode(errors="replace").strip() for stream in streams)))
    return redact_text(text)[-MAX_OUTPUT:]


async def pod_of(context: StepContext, namespace: str, name: str) -> Mapping[str, Any] | None:
    found: Mapping[str, Any] | None = await context.reader.get(PODS, name, namespace, type=dict)
    return found


def running(pod: Mapping[str, Any] | None, container: str) -> str:
    """Why nothing can be run in the container, in words; "" when it runs."""
    if pod is None:
        return "does not exist"
    if pod["metadata"].get("deletionTimestamp"):
        return "is being deleted"
    phase = (pod.get("status") or {}).get("phase") or "not started"
    if phase != "Running":
        return f"is {phase}, not Running"
    if "running" not in (_status(pod, container).get("state") or {}):
        return f"its container {container} does not run"
    return ""


def restarts(pod: Mapping[str, Any], container: str) -> int:
    return int(_status(pod, container).get("restartCount") or 0)


def _status(pod: Mapping[str, Any], container: str) -> Mapping[str, Any]:
    status = pod.get("status") or {}
    every = [*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())]
    return next((one for one in every if one.get("name") == container), {})
