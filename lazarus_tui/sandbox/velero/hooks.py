"""Hooks: commands in pods. Those of a backup run before and after a pod is backed up, from annotations or the spec.

A hook that fails always counts: only an explicit ``Fail`` of a pre hook keeps its pod out of the backup.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from lazarus_tui.model.resources import PODS
from lazarus_tui.sandbox.runtime import PodRuntime, RuntimeRefused
from lazarus_tui.sandbox.velero import durations
from lazarus_tui.sandbox.velero.filters import Lists
from lazarus_tui.sandbox.velero.installation import Installation, Json, meta, phase
from lazarus_tui.sandbox.velero.labels import matches
from lazarus_tui.sandbox.velero.results import RunLog

# Velero's default in seconds for a hook without a timeout.
TIMEOUT = 30.0
Stage = Literal["pre", "post"]


@dataclass(frozen=True, slots=True)
class Hook:
    name: str
    container: str
    command: tuple[str, ...]
    fatal: bool
    timeout: float


class HookRunner:
    """Runs commands in pods and counts them; a failure is an error of the run it belongs to."""

    def __init__(self, site: Installation, log: RunLog) -> None:
        self._site, self._log = site, log
        self._attempted = self._failed = 0

    def status(self) -> Json | None:
        """``hookStatus``; None when there was no hook."""
        return {"hooksAttempted": self._attempted, "hooksFailed": self._failed} if self._attempted else None

    async def run(self, pod: Json, hook: Hook) -> bool:
        self._attempted += 1
        where = {"namespace": pod["metadata"]["namespace"], "name": pod["metadata"]["name"], "hookName": hook.name}
        container = hook.container or pod["spec"]["containers"][0]["name"]
        self._log.info("running exec hook", hookContainer=container, hookCommand=str(list(hook.command)), **where)
        try:
            code = await asyncio.wait_for(self._exec(pod, container, hook.command), hook.timeout)
            problem = f"command terminated with exit code {code}" if code else ""
        except TimeoutError:
            problem = f"timed out after {durations.text(hook.timeout)}"
        except RuntimeRefused as refused:
            problem = refused.message
        if problem:
            self.fail(f"Error executing hook: {problem}", pod, hook)
        return not problem

    def fail(self, message: str, pod: Json, hook: Hook, *, attempted: bool = True) -> None:
        """Count a failure; ``attempted`` False when the hook did not even get as far as ``run``."""
        self._attempted += not attempted
        self._failed += 1
        place, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        self._log.error(f"{message} (hook {hook.name})", place, name=name)

    async def _exec(self, pod: Json, container: str, command: tuple[str, ...]) -> int:
        runtime: PodRuntime | None = self._site.runtime
        if runtime is None:
            raise RuntimeRefused(500, "InternalError", "no runtime can execute commands in pods here")
        meta = pod["metadata"]
        session = await runtime.exec(meta["namespace"], meta["name"], container, command, stdin=False, tty=False)
        try:
            async for _channel, data in session.output():
                self._log.info("hook output", output=data.decode(errors="replace")[:1000])
            return await session.wait()
        finally:
            await session.kill()


class BackupHooks:
    """The hooks of one backup run."""

    def __init__(self, site: Installation, spec: Mapping[str, Any], log: RunLog) -> None:
        self._runner = HookRunner(site, log)
        self._resources: list[Json] = (spec.get("hooks") or {}).get("resources") or []
        self._owed: list[Json] = []

    async def before(self, pod: Json) -> bool:
        """Run the pre hooks; False when the pod must be left out."""
        for hook in self._of(pod, "pre"):
            if not await self._runner.run(pod, hook) and hook.fatal:
                return False
        return True

    def owe(self, pod: Json) -> None:
        """Remember that this pod's post hooks are due once its volumes are copied."""
        self._owed.append(pod)

    async def after_all(self) -> None:
        for pod in self._owed:
            for hook in self._of(pod, "post"):
                await self._runner.run(pod, hook)

    def status(self) -> Json | None:
        return self._runner.status()

    def _of(self, pod: Json, stage: Stage) -> list[Hook]:
        if phase(pod) in ("Succeeded", "Failed"):
            return []
        own = _annotated(pod, stage)
        return [own] if own else [hook for resource in self._resources for hook in _selected(resource, pod, stage)]


def _annotated(pod: Json, stage: Stage) -> Hook | None:
    marks = meta(pod, "annotations")
    prefixes = [f"{stage}.hook.backup.velero.io/"] + (["hook.backup.velero.io/"] if stage == "pre" else [])
    for prefix in prefixes:
        command = marks.get(prefix + "command", "")
        if command:
            return Hook(
                "<from-annotation>",
                marks.get(prefix + "container", ""),
                command_of(command),
                marks.get(prefix + "on-error") == "Fail",
                durations.seconds(marks.get(prefix + "timeout"), TIMEOUT),
            )
    return None


def command_of(text: str) -> tuple[str, ...]:
    """A JSON array of strings, or one word that is the whole command."""
    if text.startswith("["):
        try:
            return tuple(str(part) for part in json.loads(text))
        except json.JSONDecodeError:
            pass
    return (text,)


def selects_pod(resource: Json, pod: Json) -> bool:
    """Whether a hook resource of a spec is about this pod."""
    spaces = Lists.of(resource.get("includedNamespaces"), resource.get("excludedNamespaces"))
    kinds = Lists.of(resource.get("includedResources"), resource.get("excludedResources"))
    takes = spaces.takes(pod["metadata"]["namespace"]) and kinds.takes(PODS.plural)
    return takes and matches(resource.get("labelSelector"), meta(pod, "labels"))


def _selected(resource: Json, pod: Json, stage: Stage) -> list[Hook]:
    if not selects_pod(resource, pod):
        return []
    found = []
    for entry in resource.get(stage) or ():
        run = entry.get("exec") or {}
        timeout = durations.seconds(run.get("timeout"), TIMEOUT)
        fatal = run.get("onError") == "Fail"
        name = str(resource.get("name", ""))
        found.append(Hook(name, run.get("container", ""), tuple(run.get("command") or ()), fatal, timeout))
    return found
