"""Why the engine says no. ``code`` is one of the link's fault codes and decides a command's exit code."""

from __future__ import annotations

from lazarus_tui.model.steps import Halted, StepStopped

# What to do about a context that is read-only.
ARM = "allow writes for a while: a in the console, or lazarus context arm (of another context: --context NAME)"


class Refused(Exception):
    """A request is not carried out; the state is as it was. What is wrong, where, what to do next."""

    def __init__(self, what: str, *, code: str = "refused", where: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.what, self.code, self.where, self.hint = what, code, where, hint


class GateClosed(Halted):
    """The gate lets nothing through: lease lost, cancelled, read-only, another cluster, a changed plan, no journal."""

    def __init__(self, what: str, *, hint: str = "") -> None:
        super().__init__(what, hint=hint, park=True)


class Overtaken(GateClosed):
    """Another engine took the operation over: this one writes nothing more until a person decides."""


class StopAsked(GateClosed):
    """Somebody asked it to stop at the next safe point; the gate itself is open."""


class RightMissing(StepStopped):
    """401 or 403: the operation waits for a person; the sentence names the missing right."""

    def __init__(self, what: str, *, hint: str = "") -> None:
        super().__init__(what, hint=hint, park=True)


class ClusterGone(StepStopped):
    """The cluster of the operation exists no more; there is nothing to resume and nothing to undo."""
