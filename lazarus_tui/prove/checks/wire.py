"""One HTTP exchange with a pod: no redirects, no proxies, no name that is looked up, bounded in time and size."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import httpcore

from lazarus_tui.model.clock import listening
from lazarus_tui.model.steps import Reader
from lazarus_tui.prove.checks.outcome import Attempt, CouldNot, Wrong
from lazarus_tui.prove.checks.place import Place
from lazarus_tui.prove.checks.tunnel import Tunnel

BODY_LIMIT = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Ask:
    """``host`` is said in the Host header, and is the name that TLS asks for unless ``server_name`` is given."""

    host: str
    path: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 10.0
    limit: int = BODY_LIMIT
    tls: ssl.SSLContext | None = None
    server_name: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """Header names are lower case; ``cut``: there was more body than the limit.

    ``seconds`` until its end; ``listened``: those of them for which this process was not held up, at least.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float
    listened: float
    cut: bool = False
    certificate: bytes = b""


async def exchange(reader: Reader, place: Place, ask: Ask, attempt: Attempt) -> Answer:
    """Raises ``Wrong`` when what listens there does not answer with HTTP, ``CouldNot`` when the way there broke."""
    try:
        async with AsyncExitStack() as stack:
            return await _exchange(Tunnel(reader, place, stack, attempt), ask, attempt)
    except httpcore.TimeoutException:
        raise Wrong(f"no answer within {ask.timeout:g} s") from None
    except ssl.SSLCertVerificationError as error:
        raise Wrong(f"its certificate does not verify: {error.verify_message}") from None
    except ssl.SSLError as error:
        raise Wrong(f"no TLS there: {error.reason or type(error).__name__}") from None
    except httpcore.ProtocolError as error:
        raise Wrong(_said(str(error))) from None
    except OSError as error:
        raise CouldNot(f"the way there broke: {type(error).__name__}") from None


def _said(text: str) -> str:
    """The protocol errors of httpcore and h11 that mean something of their own."""
    if "without sending a response" in text:
        return "closed the connection without an answer"
    return "cut its answer short" if "complete message body" in text else "does not answer with HTTP"


async def _exchange(tunnel: Tunnel, ask: Ask, attempt: Attempt) -> Answer:
    scheme = "https" if ask.tls else "http"
    names = {name.lower() for name in ask.headers}
    told = {"Host": ask.host, "User-Agent": "lazarus", "Accept": "*/*", "Connection": "close"}
    headers = [*((name, value) for name, value in told.items() if name.lower() not in names), *ask.headers.items()]
    limits = {name: ask.timeout for name in ("connect", "read", "write", "pool")}
    extensions = {"timeout": limits, "sni_hostname": ask.server_name or ask.host.partition(":")[0]}
    url = httpcore.URL(scheme=scheme, host="pod", port=None, target=ask.path)
    body, cut = bytearray(), False
    began = attempt.clock.monotonic()
    with listening(attempt.clock) as heard:
        async with (
            httpcore.AsyncConnectionPool(ssl_context=ask.tls, network_backend=tunnel, retries=0) as pool,
            pool.stream(ask.method, url, headers=headers, extensions=extensions) as response,
        ):
            async for chunk in response.aiter_stream():
                body += chunk
                if heard() > ask.timeout:
                    raise httpcore.ReadTimeout  # each piece came in time, all of it does not
                if len(body) > ask.limit:
                    cut = True
                    break
            took = attempt.clock.monotonic() - began, heard()
            known = {name.decode().lower(): value.decode("latin-1") for name, value in response.headers}
            return Answer(response.status, known, bytes(body[: ask.limit]), *took, cut, tunnel.certificate)
