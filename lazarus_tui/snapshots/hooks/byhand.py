"""What a person types to end a freeze without Lazarus."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from lazarus_tui.model.steps import StepContext
from lazarus_tui.snapshots.hooks.spec import Hooks
from lazarus_tui.snapshots.names import capsule_name


def thaw_commands(namespace: str, hooks: Hooks, pods: Iterable[str]) -> str:
    """One command of a shell for each pod, that runs its post hook."""
    return "".join(
        shlex.join(["kubectl", "-n", namespace, "exec", pod, "-c", hooks.pods[pod].container, "--", *hooks.post]) + "\n"
        for pod in pods
    )


def shown_by(context: StepContext) -> str:
    """The command that shows those commands, from the note in the cluster."""
    namespace = context.plan.params["namespace"]
    return f"kubectl -n {namespace} get configmap {capsule_name(context.op)} -o jsonpath='{{.data.thaw}}'"
