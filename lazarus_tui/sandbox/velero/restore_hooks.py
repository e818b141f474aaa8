"""Restore hooks: init containers put into restored pods, and commands run once their container runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lazarus_tui.model.resources import PODS
from lazarus_tui.sandbox.velero import durations
from lazarus_tui.sandbox.velero.hooks import TIMEOUT, Hook, HookRunner, command_of, selects_pod
from lazarus_tui.sandbox.velero.installation import Installation, Json, meta, phase
from lazarus_tui.sandbox.velero.results import RunLog

_EXEC, _INIT = "post.hook.restore.velero.io/", "init.hook.restore.velero.io/"


@dataclass(frozen=True, slots=True)
class _Due:
    hook: Hook
    wait: float
    ready: bool


class RestoreHooks:
    """The hooks of one restore. Spec hooks select by the target namespace; a pod's annotations go before them."""

    def __init__(self, site: Installation, spec: Mapping[str, Any], log: RunLog) -> None:
        self._site = site
        self._runner = HookRunner(site, log)
        self._resources: list[Json] = (spec.get("hooks") or {}).get("resources") or []
        self._owed: list[tuple[Json, list[_Due]]] = []

    def init_containers(self, pod: Json) -> list[Json]:
        """What is to run before the pod's own init containers."""
        marks = meta(pod, "annotations")
        image = marks.get(_INIT + "container-image")
        if image:
            name = marks.get(_INIT + "container-name") or "velero-restore-init-hook"
            return [{"name": name, "image": image, "command": list(command_of(marks.get(_INIT + "command", "")))}]
        return [
            container for hook in self._of(pod) for container in (hook.get("init") or {}).get("initContainers") or ()
        ]

    def owe(self, pod: Json) -> None:
        """Remember that this pod, just made, has commands due."""
        due = self._annotated(pod) or [self._due(hook["exec"]) for hook in self._of(pod) if hook.get("exec")]
        if due:
            self._owed.append((pod, due))

    def _of(self, pod: Json) -> Iterable[Json]:
        for resource in self._resources:
            if selects_pod(resource, pod):
                yield from resource.get("postHooks") or ()

    def _annotated(self, pod: Json) -> list[_Due]:
        marks = {key.removeprefix(_EXEC): value for key, value in meta(pod, "annotations").items()}
        if not meta(pod, "annotations").get(_EXEC + "command"):
            return []
        timeout = durations.seconds(marks.get("exec-timeout"), TIMEOUT)
        fatal = marks.get("on-error") == "Fail"
        hook = Hook("<from-annotation>", marks.get("container", ""), command_of(marks["command"]), fatal, timeout)
        wait = durations.seconds(marks.get("wait-timeout"), self._site.settings.resource_timeout)
        return [_Due(hook, wait, marks.get("wait-for-ready") == "true")]

    def _due(self, given: Mapping[str, Any]) -> _Due:
        timeout = durations.seconds(given.get("execTimeout"), TIMEOUT)
        hook = Hook(
            "<from-spec>",
            str(given.get("container", "")),
            tuple(given.get("command") or ()),
            given.get("onError") == "Fail",
            timeout,
        )
        wait = durations.seconds(given.get("waitTimeout"), self._site.settings.resource_timeout)
        return _Due(hook, wait, bool(given.get("waitForReady")))

    async def run(self) -> None:
        """Every command that is due, pod after pod; a fatal failure leaves out the rest of its pod's."""
        for pod, dues in self._owed:
            for due in dues:
                if not await self._one(pod, due) and due.hook.fatal:
                    break

    async def _one(self, pod: Json, due: _Due) -> bool:
        container = due.hook.container or str(pod["spec"]["containers"][0]["name"])
        if await self._site.until(lambda: self._runs(pod, container, due.ready), due.wait):
            return await self._runner.run(pod, due.hook)
        text = f"hook in container {container} was not executed: timed out waiting for the container"
        self._runner.fail(text, pod, due.hook, attempted=False)
        return False

    def _runs(self, pod: Json, container: str, ready: bool) -> bool:
        live = self._site.api.get(PODS, pod["metadata"]["name"], pod["metadata"]["namespace"])
        if live is None or phase(live) != "Running":
            return False
        states = (live.get("status") or {}).get("containerStatuses") or ()
        mine: Json = next((state for state in states if state.get("name") == container), {})
        return bool(mine.get("ready")) if ready else "running" in (mine.get("state") or {})

    def status(self) -> Json | None:
        return self._runner.status()
