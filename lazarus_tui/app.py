"""The console: places, keys and time. It draws what the engine says and changes nothing by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import partial
from importlib import import_module
from typing import Any, ClassVar, TypeVar

from rich.text import Text
from textual import events
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.timer import Timer

from lazarus_tui.model.freezes import pods_held
from lazarus_tui.model.operation import Operation
from lazarus_tui.model.topics import ContextRow
from lazarus_tui.view import actions, commands, crash, downtime
from lazarus_tui.view.history import History
from lazarus_tui.view.source import LinkFault, LinkLost, LinkState, Source, TopicState
from lazarus_tui.view.text import Tone
from screens.place import Place
from widgets import themes

T = TypeVar("T")

# What a person can follow; more is only bytes (reference: performance, "an event storm").
REPAINT_SECONDS = 0.25
GLOBAL_TOPICS = frozenset({"contexts", "operations", "engine"})

SourceMaker = Callable[["Console"], Source]


def _place(name: str) -> Callable[[], Screen[Any]]:
    """Makes the screen of a place when it is first gone to: ``screens.backups.BackupsScreen``."""
    return lambda: getattr(import_module(f"screens.{name}"), f"{name.capitalize()}Screen")()


class Console(App[int]):
    """``make_source`` gets the console and returns the source that calls ``changed`` and ``linked`` on it."""

    TITLE = "lazarus"
    CSS = themes.STYLES
    MODES: ClassVar[dict[str, Any]] = {name: _place(name) for name in actions.MODES}
    DEFAULT_MODE = "overview"
    COMMAND_PALETTE_BINDING = "ctrl+p"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+c,ctrl+q", "detach", show=False)]

    def __init__(
        self,
        make_source: SourceMaker,
        *,
        context: str | None = None,
        theme: str = "lazarus-dark",
        plain_glyphs: bool = False,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__()
        for each in themes.THEMES:
            self.register_theme(each)
        self.theme = theme
        self.plain_glyphs = plain_glyphs
        self.now = now
        self.context_name = context or ""
        self.link = LinkState.CONNECTING
        self.link_reason = ""
        self.source = make_source(self)
        self._following: asyncio.Task[None] | None = None
        self._repaint: Timer | None = None
        self._history = History(self.DEFAULT_MODE)
        self._rung: set[str] = set()

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return themes.ANSI_VARIABLES

    # Time and news

    def on_load(self) -> None:
        self._following = asyncio.create_task(self.source.run())
        self._following.add_done_callback(self._stopped)

    def _stopped(self, following: asyncio.Task[None]) -> None:
        """Following never ends by itself: if it did, the screen must not look live."""
        if not following.cancelled() and (error := following.exception()) is not None:
            self.linked(LinkState.LOST, f"the link failed ({type(error).__name__}): start the console again")

    def on_mount(self) -> None:
        self._next_minute()
        self.set_interval(1.0, self._second)

    async def on_unmount(self) -> None:
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)

    def _next_minute(self) -> None:
        now = self.now()
        self.set_timer(60 - now.second - now.microsecond / 1e6 + 0.01, self._minute)

    def _minute(self) -> None:
        self._renew()
        self._next_minute()

    def _second(self) -> None:
        if (place := self.place) is None:
            return
        if place.busy:
            place.renew()
        elif place.troubled:
            place.renew_frame()

    def changed(self, names: frozenset[str]) -> None:
        """The source has news of these topics."""
        if "operations" in names:
            self.follow()
            self._ring()
        place = self.place
        if self._repaint is None and self.is_running and not (place is not None and place.patient):
            self._repaint = self.set_timer(REPAINT_SECONDS / 5, self._renew)

    def _ring(self) -> None:
        """Once for each restore that stopped with its workload at zero: whoever looks away hears it."""
        rows, here = self.topic("overview").records, self.context_name
        down = {each.id for each in self.topic("operations").records.values() if downtime.alarms(each, rows, here)}
        if down - self._rung:
            self.bell()
        self._rung = down

    def linked(self, state: LinkState, reason: str) -> None:
        """The link to the engine changed."""
        if state is LinkState.CONNECTING and self.link is not LinkState.CONNECTED:
            return  # an attempt after a loss: the loss stays on the screen until it is over
        self.link, self.link_reason = state, reason
        if state is LinkState.CONNECTED and self.is_running:
            self.use_context(self.context_name)
        self.changed(frozenset())

    def _renew(self) -> None:
        self._repaint = None
        if (place := self.place) is not None:
            place.renew()

    @property
    def place(self) -> Place | None:
        """The visible place; None behind a dialog, and while the console starts or ends."""
        stack = self._screen_stacks.get(self._current_mode)
        return stack[-1] if stack and isinstance(stack[-1], Place) else None

    def follow(self) -> None:
        """Follow what the visible place needs, and nothing else."""
        place = self.place
        wanted = set() if place is None else place.topics()
        if any(map(downtime.concerns, self.topic("operations").records.values())):
            wanted.add("overview")  # what the cluster shows of a workload that may be down
        self.source.want(GLOBAL_TOPICS | {self._full(name) for name in wanted if self.context_name or "/" in name})

    def _full(self, name: str) -> str:
        return name if name in GLOBAL_TOPICS or "/" in name else f"{name}/{self.context_name}"

    def topic(self, name: str) -> TopicState:
        return self.source.state(self._full(name))

    # Context

    @property
    def context(self) -> ContextRow | None:
        row: ContextRow | None = self.source.state("contexts").records.get(self.context_name)
        return row

    def use_context(self, name: str) -> None:
        """Work in this context from now on; an empty name is the kubeconfig's current one."""
        self.context_name = name
        self.follow()
        self.run_worker(self._use_context(name), group="context", exclusive=True)

    async def _use_context(self, name: str) -> None:
        try:
            row = await self.source.call("context.use", {"context": name or None}, ContextRow, timeout=90.0)
        except LinkFault as fault:
            self.say(f"{name or 'context'}: {fault.fault.what}", Tone.BAD)
        except LinkLost:
            return  # asked again after the next connect
        else:
            self.context_name = row.name
            self.follow()
            self._renew()

    # Going places

    def say(self, text: str, tone: Tone = Tone.PLAIN) -> None:
        if (place := self.place) is not None:
            place.say(text, tone)

    async def visit(self, mode: str, *, namespace: str | None = None, filter: str | None = None) -> None:
        from screens.listing import Listing

        self._history.went(mode)
        if self.current_mode != mode:
            await self.switch_mode(mode)
        else:
            while len(self.screen_stack) > 1:
                self.pop_screen()
        if isinstance(self.screen, Listing) and (namespace is not None or filter is not None):
            self.screen.narrow(namespace=namespace, filter=filter)

    async def go_along(self, by: int) -> None:
        """One place back or forward in the order in which they were visited."""
        mode = self._history.step(by)
        if mode is None:
            self.say("there is nothing before this" if by < 0 else "there is nothing after this")
        else:
            await self.visit(mode)

    def run_command(self, typed: str) -> None:
        command = commands.parse(typed)
        if command.error:
            self.say(command.error, Tone.WARN)
            return
        if command.context:
            if command.context not in self.source.state("contexts").records:
                self.say(f"there is no context {command.context[:60]}", Tone.WARN)
                return
            self.use_context(command.context)
        if command.go in actions.MODES:
            self.run_worker(self.visit(command.go, namespace=command.namespace, filter=command.filter), group="visit")
        elif command.go == "contexts":
            from screens.contexts import ContextsScreen

            self.push_screen(ContextsScreen())
        elif command.go == "policies":
            from screens.policies import PoliciesScreen

            self.push_screen(PoliciesScreen())
        elif command.go == "theme":
            self.theme = themes.other(self.theme)
        elif command.go == "quit":
            self.leave()
        elif command.go and (place := self.place) is not None:
            self.run_worker(place.action_act(command.go), group="act")

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        if not isinstance(screen, Place):
            return

        def act(name: str) -> None:
            self.run_worker(screen.action_act(name), group="act")

        for action in actions.offered(screen.mode):
            reason = action.disabled_reason(screen.situation())
            # The reason may hold text from the cluster, which the palette would take for markup: pressing tells it.
            words = f"{actions.key_words(action)}  {action.help}" + ("  (not now)" if reason else "")
            yield SystemCommand(action.label, words, partial(act, action.id))
        yield SystemCommand("theme", "dark or light", lambda: self.run_command("theme"))

    # Leaving

    def leave(self) -> None:
        """At once, but never in silence while an application is held still."""
        if any(map(pods_held, self._open_operations())):
            self.ask_to_detach()
        else:
            self.exit(0)

    def _open_operations(self) -> list[Operation]:
        return [each for each in self.topic("operations").records.values() if each.state.open]

    def on_key(self, event: events.Key) -> None:
        """Before any binding: what is typed after ``/`` or ``:`` is never taken for actions, however fast it comes."""
        if (place := self.place) is not None and place.typed_ahead(event):
            event.prevent_default()

    def action_detach(self) -> None:
        self.ask_to_detach()

    def ask_to_detach(self) -> None:
        from screens.leaving import detach_notice

        known = self.topic("operations").state in ("ready", "stale")
        linked = self.link is LinkState.CONNECTED
        notice = detach_notice(self._open_operations(), self.now(), linked=linked, known=known and linked)
        self.push_screen(notice, lambda word: self.exit(0) if word == "Detach" else None)

    def _fatal_error(self) -> None:
        """Textual's own shows local variables, and with them whatever secret stood in one."""
        self._exit_renderables.append(Text(crash.report(), overflow="fold"))
        self._close_messages_no_wait()
