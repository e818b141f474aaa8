"""A command in a container, announced to the gate before it runs; what it prints is compared and never kept."""

from __future__ import annotations

from lazarus_tui.model.quantities import size
from lazarus_tui.model.resources import PODS
from lazarus_tui.model.steps import Exec, Outcome, StepContext, Write
from lazarus_tui.prove.checks import compare
from lazarus_tui.prove.checks.outcome import Attempt, CouldNot, Found, Wrong, hashed
from lazarus_tui.prove.checks.place import pod_of
from lazarus_tui.prove.checks.seen import SeenPod
from lazarus_tui.prove.wanted import ExecCheck

_MARGIN = 5.0  # seconds the connection may outlive the check, whose own limit is the one that counts


async def look(context: StepContext, check: ExecCheck, attempt: Attempt) -> Found:
    """A command that cannot be started is kube's error; one that does not end is cut off, and may go on in the pod."""
    pod = await pod_of(context.reader, check.namespace, service=check.service, pod=check.pod, workload=check.workload)
    done = await run(context, pod, check.container, check.command, check.timeout, attempt)
    output = done.stdout.decode("utf-8", "replace").strip()
    evidence = {
        "pod": f"{check.namespace}/{pod.metadata.name}", "exit": done.exit_code, "bytes": len(done.stdout),
        "sha256": hashed(done.stdout), **({"cut": True} if done.cut else {}),
    }  # fmt: skip
    if done.exit_code != check.exit_code:
        raise Wrong(f"exit code {done.exit_code} instead of {check.exit_code}", evidence)
    kept = f"only the first {size(len(done.stdout))} of its output were kept"
    if check.output is not None and done.cut and not compare.told_by_beginning(check.output, output):
        raise CouldNot(f"{kept}, and what is expected of it cannot be told by them", evidence, final=True)
    if check.output is not None and (wrong := compare.wrong(check.output, output)):
        raise Wrong(f"its output {wrong}", evidence)
    return Found(f"exit code {done.exit_code}" + (f"; {kept}" if done.cut else ""), evidence)


async def run(
    context: StepContext, pod: SeenPod, container: str, argv: tuple[str, ...], timeout: float, attempt: Attempt
) -> Exec:
    """Raises kube's errors; the first container of several is meant where none is named."""
    meta = pod.metadata
    names = [one.name for one in pod.spec.containers or ()]
    if container and container not in names:
        raise Wrong(f"pod {meta.name} has no container {container}")
    container = container or (names[0] if names else "")
    body = {"container": container, "argv": list(argv)}
    intent = await context.gate.announce(
        Write("exec", PODS, meta.namespace, meta.name, body, uid=meta.uid, subresource="exec", expect="a check runs")
    )
    attempt.reached = True
    outcome = Outcome.AMBIGUOUS
    try:
        done = await context.reader.exec(meta.namespace, meta.name, container, argv, timeout=timeout + _MARGIN)
        outcome = Outcome.APPLIED
        return done
    finally:
        await context.gate.settled(intent, outcome)
