"""Files of policies, whatever they are about: taken from the command line, understood, and told in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

import click

from lazarus_tui.cli.session import Refused
from lazarus_tui.link.protocol import Fault
from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.policies import Timed, upcoming

# One byte more than a file may have, so that too long a one is known as one.
MOST = 256 * 1024 + 1
_RUNS_SHOWN = 5
T = TypeVar("T")

file_option = click.option("-f", "--file", "source", type=click.File("rb"), required=True, help="The file; - is stdin.")
writes_option = click.option(
    "--writes", type=click.Choice(["schedules"]), help="Agree that it runs by itself, although nobody armed."
)


def understood(read: Callable[[bytes], T], text: bytes) -> T:
    """What ``read`` makes of a file; raises ``Refused``."""
    from lazarus_tui.model.plan import PlanRefused

    try:
        return read(text)
    except PlanRefused as error:
        raise Refused(Fault(error.code, error.what, error.where, error.hint)) from None


def next_runs(policy: Timed) -> list[str]:
    """The next times of its schedule (RFC 3339)."""
    return [rfc3339(moment) for moment in upcoming(policy, datetime.now(UTC), _RUNS_SHOWN)] if policy.schedule else []


def meaning_text(told: Mapping[str, Any]) -> str:
    """``told``: kind, name, means, notes, next."""
    lines = [f"{told['kind']} {told['name']}", *(f"  {sentence}" for sentence in told["means"])]
    lines += [f"  ! {note}" for note in told["notes"]]
    return "\n".join(lines + [f"  next {moment}" for moment in told["next"]])
