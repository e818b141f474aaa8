"""The floor: the smallest Textual app with a marker on its first frame and an echo for every key."""

from __future__ import annotations

from textual.app import App, ComposeResult
from textual.events import Key
from textual.widgets import Static


class Minimal(App[None]):
    def compose(self) -> ComposeResult:
        yield Static("ready-marker", markup=False)
        yield Static("", id="echo", markup=False)

    def on_mount(self) -> None:
        self.presses = 0

    def on_key(self, event: Key) -> None:
        self.presses += 1
        self.query_one("#echo", Static).update(f"echo-{self.presses}", layout=False)


if __name__ == "__main__":
    Minimal().run(mouse=False)
