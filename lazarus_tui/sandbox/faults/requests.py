"""Faults done to API requests: what happens before one is carried out, and what becomes of its answer."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping

from lazarus_tui.model.http import HttpRequest, HttpResponse
from lazarus_tui.sandbox.api.answers import Answer, StreamAnswer
from lazarus_tui.sandbox.api.server import ApiServer, Handler, header
from lazarus_tui.sandbox.faults import replies, streams
from lazarus_tui.sandbox.faults.facts import Facts, facts_of, matches
from lazarus_tui.sandbox.faults.faults import Faults, Strike
from lazarus_tui.sandbox.faults.reads import older, reviewed

_REVIEWS = ("selfsubjectaccessreviews", "localsubjectaccessreviews", "subjectaccessreviews")

Reply = Callable[[Strike, Facts], Answer]
# Kinds that are nothing but an answer.
_REPLIES: Mapping[str, Reply] = {
    "error": lambda strike, facts: replies.failure(strike),
    "throttle": lambda strike, facts: replies.throttled(strike),
    "gone": lambda strike, facts: replies.watch_gone() if facts.verb == "watch" else replies.list_gone(),
    "token-expired": lambda strike, facts: replies.unauthorized(),
    "webhook-denied": lambda strike, facts: replies.denied(strike),
    "webhook-failing": lambda strike, facts: replies.webhook_down(strike),
    "forbidden": lambda strike, facts: replies.forbidden(facts),
    "conflict": lambda strike, facts: replies.conflict(facts),
    "etcd": lambda strike, facts: replies.etcd(strike),
}


class Interference:
    """The server's ``around`` seam."""

    def __init__(self, faults: Faults, server: ApiServer) -> None:
        self._faults, self._server = faults, server

    async def __call__(self, request: HttpRequest, serve: Handler) -> Answer:
        if not self._faults:
            return self._listened(request, await serve(request))
        facts = facts_of(request)
        met = self._faults.plan(facts, self._applies, lambda strike: _final(strike, facts))
        for strike in met:
            self._faults.hit(strike.active, facts.line, _told(strike, facts))
        for strike in met:
            answer = await self._before(strike, facts)
            if answer is not None:
                return answer
        answer = await self._served(met, facts, serve)
        for strike in met:
            answer = await self._after(strike, facts, answer)
        return self._listened(request, answer)

    def _applies(self, strike: Strike, facts: Facts) -> bool:
        if strike.kind == "forbidden" and _is_review(facts):
            asked = reviewed(facts)
            return asked is not None and matches(strike.match, asked)
        if not matches(strike.match, facts):
            return False
        query = dict(facts.request.query)
        version = query.get("resourceVersion", "")
        match strike.kind:
            case "token-expired":
                return self._holds(strike, facts.request)
            case "stale":
                return version == "0"
            case "gone":
                return version not in ("", "0") if facts.verb == "watch" else bool(query.get("continue"))
        return True

    def _holds(self, strike: Strike, request: HttpRequest) -> bool:
        """Whether the request's token is one of those that have expired."""
        scheme, _, given = header(request, "authorization").partition(" ")
        whose, admin = strike.text("whose"), given.strip() == self._server.token
        return scheme.lower() == "bearer" and (whose == "all" or (whose == "admin") == admin)

    async def _before(self, strike: Strike, facts: Facts) -> Answer | None:
        """The answer, if the request is not to be carried out."""
        if _later(strike, facts):
            return None
        match strike.kind:
            case "latency":
                await self._faults.clock.sleep(delay(strike))
            case "stall":
                await strike.silence()
            case "reset":
                raise ConnectionResetError("reset by a fault on demand")
        reply = _REPLIES.get(strike.kind)
        return reply(strike, facts) if reply else None

    async def _served(self, met: list[Strike], facts: Facts, serve: Handler) -> Answer:
        stale = next((one for one in met if one.kind == "stale"), None)
        if stale is None:
            return await serve(facts.request)
        return await older(self._server.store, facts, int(stale.number("versions")), serve)

    async def _after(self, strike: Strike, facts: Facts, answer: Answer) -> Answer:
        match strike.kind:
            case "cut":
                return streams.cut(answer, strike)
            case "trickle":
                return streams.trickle(answer, int(strike.number("rate-bytes")), self._faults.clock)
        if not _later(strike, facts):
            return answer
        if strike.kind == "latency":
            await self._faults.clock.sleep(delay(strike))
            return answer
        if strike.kind == "forbidden":
            return replies.not_allowed(answer) if isinstance(answer, HttpResponse) else answer
        if strike.kind == "stall" and strike.number("bytes"):
            return streams.silent(answer, strike)
        if isinstance(answer, StreamAnswer):
            await answer.chunks.aclose()
        if strike.kind == "stall":
            await strike.silence()
        if strike.kind == "reset-after":
            raise ConnectionResetError("the answer was lost by a fault on demand")
        return _REPLIES[strike.kind](strike, facts)

    def _listened(self, request: HttpRequest, answer: Answer) -> Answer:
        """A watch falls silent also when the fault comes later than the watch."""
        if not isinstance(answer, StreamAnswer):
            return answer
        facts = facts_of(request)
        if facts.verb != "watch":
            return answer
        return StreamAnswer(self._listening(facts, answer.chunks), answer.status, answer.headers)

    async def _listening(self, facts: Facts, chunks: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
        seen: set[str] = set()
        try:
            async for chunk in chunks:
                if self._faults:
                    strike = self._faults.meets("stall", facts, _silences, seen)
                    if strike is not None:
                        self._faults.hit(strike.active, facts.line, "silent from here on")
                        await strike.silence()
                yield chunk
        finally:
            await chunks.aclose()


def _silences(strike: Strike, facts: Facts) -> bool:
    return matches(strike.match, facts) and not _later(strike, facts)


def delay(strike: Strike) -> float:
    """Seconds of kind ``latency`` for the request at hand."""
    return strike.number("seconds") + strike.number("jitter") * strike.draw


def _is_review(facts: Facts) -> bool:
    return facts.verb == "create" and facts.resource in _REVIEWS


def _later(strike: Strike, facts: Facts) -> bool:
    """Whether this happens only once the request was carried out."""
    if strike.kind == "forbidden":
        return _is_review(facts)
    if strike.kind == "stall" and strike.number("bytes"):
        return True
    return strike.kind in ("reset-after", "cut", "trickle") or strike.flag("after")


def _final(strike: Strike, facts: Facts) -> bool:
    """Whether nothing more can happen to the request."""
    return strike.kind in (*_REPLIES, "reset", "stall") and not _later(strike, facts)


def _told(strike: Strike, facts: Facts) -> str:
    """What the log says was done."""
    after = "carried out, then " if strike.flag("after") else ""
    match strike.kind:
        case "latency":
            return f"{after}delayed {delay(strike):.3g} s"
        case "error":
            return f"{after}answered {strike.text('status')}"
        case "throttle":
            return "answered 429"
        case "cut":
            return f"cut after {strike.text('bytes')} bytes ({strike.text('inside')})"
        case "stall":
            return f"{after}silent"
        case "forbidden":
            return "reviewed as not allowed" if _is_review(facts) else "answered 403"
        case "stale":
            return f"shown as {strike.text('versions')} versions ago"
        case "reset-after":
            return "carried out, then reset"
        case "trickle":
            return f"{strike.text('rate-bytes')} bytes a second"
        case "etcd":
            return f"{after}answered 500: {strike.text('text')}"
    answers = {"token-expired": 401, "conflict": 409, "gone": 410, "webhook-failing": 500}
    if strike.kind == "webhook-denied":
        return f"answered {strike.text('status')}: denied"
    return f"answered {answers[strike.kind]}" if strike.kind in answers else strike.kind
