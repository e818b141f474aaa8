"""One object in words, as YAML, or one of the files Velero keeps about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lazarus_tui.model.resources import BACKUPS, RESTORES, SCHEDULES
from lazarus_tui.view import documents
from lazarus_tui.view.source import LinkFault, LinkLost
from lazarus_tui.view.text import BLANK, Line, Span, Tone, line, muted, wrap
from screens.reading import Reading
from widgets.pager import Pager

_RESOURCES = {"backup": BACKUPS, "restore": RESTORES, "schedule": SCHEDULES}
_ARTEFACTS = {
    ("backup", "logs"): "BackupLog",
    ("backup", "errors"): "BackupResults",
    ("backup", "contents"): "BackupResourceList",
    ("backup", "volumes"): "BackupVolumeInfos",
    ("restore", "logs"): "RestoreLog",
    ("restore", "errors"): "RestoreResults",
    ("restore", "contents"): "RestoreResourceList",
    ("restore", "volumes"): "RestoreVolumeInfo",
}


class DocumentScreen(Reading):
    """``view`` is describe, yaml, logs, errors, contents or volumes; the same keys switch between them."""

    mode = "document"

    def __init__(self, kind: str, namespace: str, name: str, view: str) -> None:
        super().__init__()
        self.kind, self.namespace, self.name_shown, self.view = kind, namespace, name, view
        self.shown_mode = f"{kind}s"
        self._text: list[Line] = []

    def on_mount(self) -> None:
        super().on_mount()
        self.look(self.view)

    def look(self, view: str) -> None:
        if view not in ("describe", "yaml") and (self.kind, view) not in _ARTEFACTS:
            self.say(f"a {self.kind} has no {view}", Tone.WARN)
            return
        self.view = view
        self.trail = (self.name_shown, view)
        self.pager.wrapped = view not in ("logs", "yaml")  # where columns matter, w folds
        self.pager.windowed = False
        self.pager.show([BLANK, line(muted(f"  asking for {view} …"))])
        self.renew_frame()
        self.run_worker(self._load(view), exclusive=True, group="document")

    async def _load(self, view: str) -> None:
        try:
            lines = await self._lines(view)
        except LinkFault as fault:
            found = fault.fault
            lines = [BLANK, *wrap(f"✗ {found.what}", 90, Tone.BAD, 2), *wrap(found.where, 90, Tone.MUTED, 2)]
            lines += [BLANK, *wrap(f"→ {found.hint}", 90, Tone.ACCENT, 2)] if found.hint else []
        except LinkLost as error:
            lines = [BLANK, *wrap(f"✗ {error}", 90, Tone.BAD, 2)]
        self._text = lines
        self.pager.windowed = view == "logs"
        self.pager.show(lines)
        self.pager.action_scroll_by(-10_000_000)

    def on_pager_windowed(self, event: Pager.Windowed) -> None:
        shown = documents.window(self._text, event.number)
        self.pager.show(shown)
        self.pager.action_scroll_by(10_000_000 if event.number != 1 else -10_000_000)
        self.say(f"the log, {documents.window_words(event.number)}: {len(shown)} of {len(self._text)} lines")

    def info(self) -> Sequence[Span]:
        return super().info() or [muted("0-6 which part  w folds")] * (self.view == "logs")

    async def _lines(self, view: str) -> list[Line]:
        host, now = self.host, self.host.now()
        artefact = _ARTEFACTS.get((self.kind, view))
        if artefact is None:
            request = {"context": host.context_name, "resource": _RESOURCES[self.kind].group_resource,
                       "namespace": self.namespace, "name": self.name_shown}  # fmt: skip
            found = await host.source.call("object.get", request, dict[str, Any])
            return documents.yaml_lines(found) if view == "yaml" else documents.describe(self.kind, found, now)
        request = {"context": host.context_name, "kind": artefact, "name": self.name_shown}
        answer = await host.source.call("artefact.get", request, dict[str, Any], timeout=90.0)
        return documents.artefact(view, answer, self.size.width)

    def do_describe(self) -> None:
        self.look("describe")

    def do_yaml(self) -> None:
        self.look("yaml")

    def do_logs(self) -> None:
        self.look("logs")

    def do_errors(self) -> None:
        self.look("errors")

    def do_contents(self) -> None:
        self.look("contents")

    def do_volumes(self) -> None:
        self.look("volumes")
