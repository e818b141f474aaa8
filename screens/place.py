"""The frame of every full screen: identity, places, banner, body, keys; prompt and actions on top of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, ClassVar, cast

from textual import events, messages
from textual.app import ComposeResult
from textual.binding import Binding
from textual.screen import Screen
from textual.widget import Widget

from lazarus_tui.view import actions, chrome, downtime, freezes, parts
from lazarus_tui.view.actions import Action
from lazarus_tui.view.reasons import Situation
from lazarus_tui.view.sanitise import clean
from lazarus_tui.view.source import TopicState
from lazarus_tui.view.text import Line, Span, Tone, plain, wrap
from screens.host import Host
from widgets.line_block import LineBlock
from widgets.line_table import LineTable
from widgets.pager import Pager
from widgets.prompt import Prompt

# Lines at the bottom that a message may take for itself.
_SAID = 4


def bindings(mode: str) -> list[Binding]:
    """The keys of one place. ``act`` is always enabled: pressing a greyed key says why it is grey."""
    return [
        Binding(",".join(action.keys), f"act('{action.id}')", action.label, show=False, id=action.id)
        for action in actions.offered(mode)
    ]


class Place(Screen[Any]):
    """``mode`` names the place in the action table; ``renew`` paints it from the newest topic states."""

    AUTO_FOCUS = "#body"
    mode: ClassVar[str] = ""
    shown_mode: str = ""
    """Which of the places is marked in the line of places; the mode itself unless said."""
    trail: tuple[str, ...] = ()
    """Where one is below a place; shown instead of the other places."""

    def __init_subclass__(cls, **arguments: Any) -> None:
        if "mode" in cls.__dict__:
            cls.BINDINGS = [*cls.__dict__.get("BINDINGS", []), *bindings(cls.mode)]
        super().__init_subclass__(**arguments)

    def __init__(self) -> None:
        super().__init__()
        self.message: tuple[str, Tone] | None = None

    @property
    def host(self) -> Host:
        return cast(Host, self.app)

    @property
    def sandbox(self) -> bool:
        """Whether commands are typed with ``--sandbox`` here."""
        return self.host.context is not None and self.host.context.sandbox

    def compose(self) -> ComposeResult:
        yield LineBlock([()], id="header")
        yield LineBlock([()], id="places")
        yield LineBlock([], id="banner")
        yield from self.compose_body()
        yield LineBlock([()], id="footer")

    def compose_body(self) -> Iterable[Widget]:
        """The middle of the screen; the widget with the keyboard has the id ``body``."""
        raise TypeError(f"{type(self).__name__} has no body")

    # What it shows

    def topics(self) -> set[str]:
        """Topics this place needs while it is visible, without their context."""
        return set()

    def main_topic(self) -> TopicState | None:
        """The topic whose age the banner tells."""
        return None

    @property
    def patient(self) -> bool:
        """Whether news can wait for the tick of the second: what moves all the time is bytes all the time."""
        return False

    @property
    def troubled(self) -> bool:
        """Whether the banner counts how old the data is."""
        topic = self.main_topic()
        return self.host.link in ("lost", "refused") or (topic is not None and topic.state == "stale")

    @property
    def busy(self) -> bool:
        """Whether something on it counts seconds."""
        return False

    def situation(self) -> Situation:
        host = self.host
        return Situation(self.mode, host.now(), host.context, host.link == "connected")

    def info(self) -> Sequence[Span]:
        """The right end of the line of places."""
        return ()

    def renew_body(self) -> None:
        """Paint the body from the newest states."""

    def renew(self) -> None:
        """Paint everything; before there is something to paint on, nothing: it is painted once it stands."""
        if not self.size.width or not self._stands:
            return
        self.renew_body()
        self.renew_frame()

    @property
    def _stands(self) -> bool:
        """Whether its parts are there: not yet while it is put together, and no more once they are taken away."""
        return self.is_attached and self.is_running and bool(self.query("#footer"))

    def renew_frame(self) -> None:
        if not self._stands:
            return
        host, width = self.host, self.size.width
        now = host.now()
        running = sum(each.state.open for each in host.topic("operations").records.values())
        self._block("#header").show([chrome.header(host.context, host.link, now, width)])
        shown = self.shown_mode or self.mode
        if self.trail:
            top = chrome.crumbs(shown, self.trail, self.info(), width)
        else:
            parked = sum(each.state == "parked" for each in host.topic("operations").records.values())
            top = chrome.places(shown, self.info(), running, width, parked)
        self._block("#places").show([top])
        self._block("#banner").show(self.banner())
        self._block("#footer").show(self._footer(width))

    def banner(self) -> list[Line]:
        """Over the body: data that may be old, workloads at zero, what stays frozen, and the engine."""
        host, now, width = self.host, self.host.now(), self.size.width
        operations, rows = host.topic("operations").records.values(), host.topic("overview").records
        command = downtime.IN_SANDBOX if self.sandbox else downtime.LAZARUS
        return [
            *chrome.banner(self.main_topic(), host.link, host.link_reason, now, width),
            *downtime.banner(operations, rows, host.context_name, now, width, command),
            *freezes.banner(operations, now, width, command),
            *parts.banner(host.topic("engine"), host.link, width, command),
        ]

    def _footer(self, width: int) -> list[Line]:
        """The keys, or what was said: all of it, because what to do next stands at its end."""
        if self.message is not None:
            return wrap(clean(self.message[0], 400), width - 1, self.message[1], 1)[:_SAID] or [()]
        return [self.keys(width)]

    def keys(self, width: int) -> Line:
        """The line at the bottom: the keys of this place."""
        return chrome.footer(actions.offered(self.mode), self.situation(), width)

    def _block(self, selector: str) -> LineBlock:
        return self.query_one(selector, LineBlock)

    def on_mount(self) -> None:
        self.renew()

    async def on_prune(self, event: messages.Prune) -> None:
        """It is taken away, its parts first: an answer that it waits for must not look for them."""
        self.workers.cancel_node(self)

    def on_screen_resume(self) -> None:
        self.host.follow()
        self.renew()

    def on_resize(self) -> None:
        self.renew()

    # Saying and doing

    def say(self, text: str, tone: Tone = Tone.PLAIN) -> None:
        self.message = (text, tone)
        self.renew_frame()

    def on_key(self) -> None:
        if self.message is not None:
            self.message = None
            self.call_later(self.renew_frame)

    def handler(self, action: Action) -> Callable[[], Awaitable[None] | None] | None:
        return getattr(self, f"do_{action.id}", None)

    async def action_act(self, name: str) -> None:
        """Do it, or say why not. Awaited by the key that asked, so that a key typed ahead meets the next screen."""
        action = actions.BY_ID[name]
        reason = action.disabled_reason(self.situation())
        if reason is not None:
            self.say(f"{action.label}: {reason}", Tone.WARN)
            return
        handler = self.handler(action)
        if handler is None:
            self.say(f"{action.label} has no meaning here", Tone.WARN)
        elif (done := handler()) is not None:
            await done

    # The prompt

    def open_prompt(self, lead: str, text: str = "", completer: Callable[[str], str] = lambda text: text) -> None:
        if any(not prompt.gone for prompt in self.query(Prompt)):
            return
        prompt = Prompt(lead, text, completer=completer)
        self.mount(prompt)
        self.set_focus(prompt)

    def typed_ahead(self, event: events.Key) -> bool:
        """Whether ``event`` was meant for a prompt that had no focus yet: it got it, and must do nothing else."""
        return any(prompt.catch(event) for prompt in self.query(Prompt))

    async def _close_prompt(self, command: str | None = None) -> None:
        """Done where keys are handed out, so that none is meanwhile. What was typed behind the prompt's end is for this
        place, but not behind a command: that may lead to another one, where it would mean something else."""
        for prompt in [one for one in self.query(Prompt) if not one.gone]:
            behind = await prompt.rest()
            prompt.remove()
            self.set_focus(self.query_one("#body"))
            for key in behind if command is None else ():
                await self.app.on_event(key)
        if command is not None:
            self.host.run_command(command)

    def on_prompt_left(self, event: Prompt.Left) -> None:
        self.app.call_later(self._close_prompt)

    def on_prompt_entered(self, event: Prompt.Entered) -> None:
        if event.lead == "/":
            self.filtered(event.text, final=True)
        self.app.call_later(self._close_prompt, event.text if event.lead == ":" else None)

    def on_prompt_typed(self, event: Prompt.Typed) -> None:
        if event.lead == "/":
            self.filtered(event.text, final=False)

    def filtered(self, typed: str, *, final: bool) -> None:
        """What stands in the ``/`` prompt, on every change and when it is entered."""

    # Actions that mean the same everywhere

    def do_command(self) -> None:
        from lazarus_tui.view import commands

        contexts = tuple(self.host.topic("contexts").records)
        spaces = {row.namespace for row in self.host.topic("overview").records.values()}

        def completer(text: str) -> str:
            return ":" + commands.complete(text, namespaces=spaces, contexts=contexts).removeprefix(":")

        self.open_prompt(":", completer=completer)

    def do_filter(self) -> None:
        self.open_prompt("/")

    def do_help(self) -> None:
        from screens.help import HelpScreen

        self.app.push_screen(HelpScreen(self.mode))

    async def do_overview(self) -> None:
        await self.host.visit("overview")

    async def do_backups(self) -> None:
        await self.host.visit("backups")

    async def do_schedules(self) -> None:
        await self.host.visit("schedules")

    async def do_restores(self) -> None:
        await self.host.visit("restores")

    async def do_operations(self) -> None:
        await self.host.visit("operations")

    async def do_snapshots(self) -> None:
        await self.host.visit("snapshots")

    async def do_proofs(self) -> None:
        await self.host.visit("proofs")

    async def do_earlier(self) -> None:
        await self.host.go_along(-1)

    async def do_later(self) -> None:
        await self.host.go_along(1)

    def do_refresh(self) -> None:
        self.renew()
        self.refresh(repaint=True, layout=True)

    def do_back(self) -> None:
        if len(self.app.screen_stack) > 1:
            self.app.pop_screen()

    def do_quit(self) -> None:
        if len(self.app.screen_stack) > 1:
            self.app.pop_screen()
        else:
            self.host.leave()

    def do_interrupt(self) -> None:
        self.host.ask_to_detach()

    def do_save(self) -> None:
        from screens.save import save_text

        try:
            self.say(f"written: {save_text(self.mode, self.as_text())}", Tone.GOOD)
        except OSError as error:
            self.say(f"not written: {error.strerror or error}", Tone.BAD)

    def as_text(self) -> str:
        """What stands between the line of places and the keys, for a file: lists and texts to their ends."""
        shown = [_text(part) for part in self.children if part.id not in _FRAME]
        return "\n".join(filter(None, shown)) + "\n"


_FRAME = ("header", "places", "banner", "footer")


def _text(part: Widget) -> str:
    if isinstance(part, LineBlock):
        return "\n".join(plain(one).rstrip() for one in part.lines)
    return part.text().rstrip("\n") if isinstance(part, Pager | LineTable) else ""
