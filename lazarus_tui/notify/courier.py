"""Takes one notice to one sink: secrets looked up, address judged, one request, one answer, nothing of it repeated."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from lazarus_tui.config import SinkSettings, is_reference
from lazarus_tui.model.addresses import AddressPolicy
from lazarus_tui.model.clock import Clock, within
from lazarus_tui.model.redact import redact
from lazarus_tui.notify import pagerduty, slack, webhook
from lazarus_tui.notify.credentials import CredentialMissing, ReadSecret, look_up
from lazarus_tui.notify.exchange import Unusable, Way, exchange, target
from lazarus_tui.notify.notice import Notice, one_line
from lazarus_tui.notify.outgoing import Answer, Outcome, Outgoing, by_status
from lazarus_tui.outward import AddressRefused, Resolve, Unresolved, resolve

# Seconds for the whole; bytes of an answer that are looked at.
WHOLE = 15.0
MAX_ANSWER = 4096
# The longest wait that a receiver may ask for.
LONGEST_ASKED = 3600.0

Addresses = Callable[[SinkSettings], Awaitable[AddressPolicy]]
Secrets = Callable[[str], ReadSecret]  # of a context


class Courier:
    """``addresses``: where a sink may be; ``secrets``: reads Secrets of a context; ``find``: the resolver."""

    def __init__(
        self, clock: Clock, addresses: Addresses, secrets: Secrets, *, find: Resolve = resolve,
        environ: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        self._clock, self._addresses, self._secrets = clock, addresses, secrets
        self._find, self._environ = find, environ

    async def send(self, sink: SinkSettings, notice: Notice) -> Answer:
        """Every failure is an answer; what it says holds neither the address nor the secret of the sink."""
        known: list[str] = []
        try:
            outgoing = await self._compose(sink, notice, known)
            answer = await within(self._clock, WHOLE, self._exchange(sink, outgoing))
        except CredentialMissing as error:
            return Answer(Outcome.REFUSED, one_line(error.what, 200), hint=one_line(error.hint, 200))
        except TimeoutError:
            return Answer(Outcome.LATER, f"no answer within {WHOLE:.0f} s")
        except (AddressRefused, Unusable) as error:
            hint = "name its network in the sink's networks, if it is meant to be there"
            return Answer(Outcome.REFUSED, one_line(redact(_without(str(error), known)), 200), hint=hint)
        except Unresolved as error:
            return Answer(Outcome.LATER, one_line(_without(str(error), known), 200))
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            return Answer(Outcome.LATER, f"no connection: {type(error).__name__}")
        words = one_line(redact(_without(answer.words, known)), 200)
        return Answer(answer.outcome, words, answer.wait, answer.hint)

    async def look(self, sink: SinkSettings) -> str:
        """What keeps a sink from being used at all, "" when nothing is known; nothing is sent."""
        known: list[str] = []
        try:
            url, _ = await self._values(sink, known)
            await target(url, await self._way(sink))
        except CredentialMissing as error:
            return f"{error.what}" + (f" ({error.hint})" if error.hint else "")
        except (OSError, Unusable) as error:
            return one_line(_without(str(error), known), 200)
        return ""

    # --- one request

    async def _values(self, sink: SinkSettings, known: list[str]) -> tuple[str, str]:
        """Address and secret; what was looked up goes into ``known``."""
        found = []
        for text in (sink.url, sink.secret):
            value = text
            if is_reference(text):
                value = await look_up(text, self._secrets(sink.secret_context), self._environ)
                known.append(value)
            found.append(value)
        return found[0] or pagerduty.ADDRESS, found[1]

    async def _compose(self, sink: SinkSettings, notice: Notice, known: list[str]) -> Outgoing:
        url, secret = await self._values(sink, known)
        if sink.kind == "slack":
            return slack.compose(notice, url)
        if sink.kind == "pagerduty":
            return pagerduty.compose(notice, url, secret)
        return webhook.compose(notice, url, secret, int(self._clock.now().timestamp()))

    async def _way(self, sink: SinkSettings) -> Way:
        return Way(await self._addresses(sink), sink.ca_file, self._find)

    async def _exchange(self, sink: SinkSettings, outgoing: Outgoing) -> Answer:
        way = await self._way(sink)
        reply = await exchange(
            "POST", outgoing.url, way, headers=outgoing.headers, body=outgoing.body, limit=MAX_ANSWER
        )
        return self._judge(sink, reply.status, reply.body.decode("utf-8", "replace"), reply.headers)

    def _judge(self, sink: SinkSettings, status: int, text: str, headers: Mapping[str, str]) -> Answer:
        outcome = by_status(status)
        if sink.kind == "pagerduty" and status == 400 and pagerduty.wrong_key(text):
            outcome = Outcome.REFUSED
        said = _MEANINGS[sink.kind](text)
        redirect = "a redirect, which is never followed" if 300 <= status < 400 else ""
        more = said or redirect
        words = f"answered {status}" + (f": {more}" if more else "")
        hint = f"lazarus notify test {sink.name}" if outcome in (Outcome.REFUSED, Outcome.NEVER) else ""
        return Answer(outcome, words, self._asked(headers.get("retry-after", "")), hint)

    def _asked(self, text: str) -> float | None:
        """Retry-After as seconds: a number or a date (RFC 9110 §10.2.3); None when there is none."""
        try:
            seconds = float(text) if text.isdigit() else None
            if seconds is None and text:
                seconds = (parsedate_to_datetime(text) - self._clock.now()).total_seconds()
        except (ValueError, TypeError, OverflowError):
            return None
        return None if seconds is None else min(LONGEST_ASKED, max(0.0, seconds))


def _without(text: str, secrets: list[str]) -> str:
    """A receiver may repeat what it was sent."""
    for secret in secrets:
        text = text.replace(secret, "[redacted]")
    return text


def _nothing(text: str) -> str:
    return ""


# A webhook's own answer is not repeated: nobody knows what is in it.
_MEANINGS: Mapping[str, Any] = {"slack": slack.meaning, "pagerduty": pagerduty.meaning, "webhook": _nothing}
