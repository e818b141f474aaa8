"""From what was written down to the code that looks: one line for each kind of check."""

from __future__ import annotations

from functools import partial

from lazarus_tui.model.steps import StepContext
from lazarus_tui.prove.checks import command, data, http, launched, tcp
from lazarus_tui.prove.checks.outcome import Look
from lazarus_tui.prove.definitions import AnyCheck, Checks
from lazarus_tui.prove.wanted import ExecCheck, HttpCheck, JobCheck, PodCheck, TcpCheck


def look_of(context: StepContext, check: AnyCheck, wanted: Checks) -> Look:
    """One try of ``check``, ready to be judged."""
    if isinstance(check, HttpCheck):
        return partial(http.look, context.reader, check, wanted.sources)
    if isinstance(check, TcpCheck):
        return partial(tcp.look, context.reader, check)
    if isinstance(check, ExecCheck):
        return partial(command.look, context, check)
    if isinstance(check, PodCheck | JobCheck):
        return partial(launched.look, context, check)
    return partial(data.look, context, check)
