"""Named places where a test can stop the process. Unset, a failpoint is one dictionary look-up."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

ENVIRONMENT = "LAZARUS_FP"

_Action = Callable[[str], None]


def _kill(name: str) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _after(count: int, action: _Action) -> _Action:
    """``action`` at the ``count``-th visit."""
    visits = 0

    def visit(name: str) -> None:
        nonlocal visits
        visits += 1
        if visits == count:
            action(name)

    return visit


def parse(text: str) -> dict[str, _Action]:
    """``gate.after_intent=kill9,gate.after_reply=kill9@3``: what to do where; ``@3`` means the third visit."""
    found: dict[str, _Action] = {}
    for item in filter(None, text.split(",")):
        name, _, what = item.partition("=")
        action, _, count = what.partition("@")
        if action != "kill9":
            raise ValueError(f"unknown failpoint action {action!r} in {ENVIRONMENT}")
        found[name] = _after(int(count or 1), _kill)
    return found


_ACTIVE = parse(os.environ.get(ENVIRONMENT, ""))


def arm(text: str) -> None:
    """What ``LAZARUS_FP`` says, for a process that was forked after this module was imported."""
    _ACTIVE.clear()
    _ACTIVE.update(parse(text))


def fp(name: str) -> None:
    action = _ACTIVE.get(name)
    if action is not None:
        action(name)
