"""One Alertmanager over its API v2: the address judged, the token looked up for each request and kept nowhere."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import httpx
import msgspec

from lazarus_tui.config import AlertmanagerSettings, is_reference
from lazarus_tui.model.addresses import AddressPolicy
from lazarus_tui.model.clock import Clock, within
from lazarus_tui.model.redact import redact
from lazarus_tui.model.silences import NoAnswer, Silence
from lazarus_tui.notify.credentials import CredentialMissing, ReadSecret, look_up
from lazarus_tui.notify.exchange import Reply, Unusable, Way, exchange
from lazarus_tui.outward import AddressRefused, Resolve, Unresolved, resolve

log = logging.getLogger(__name__)

# Seconds for one request: a proof does not wait for an Alertmanager that hangs. Bytes of an answer that are read.
WHOLE, LARGEST = 5.0, 1024 * 1024
_SAID = 200  # characters of a refusal that are repeated
# Of errors of httpx those after which the request cannot have been carried out: it never left.
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)

T = TypeVar("T")
Addresses = Callable[[Sequence[str]], Awaitable[AddressPolicy]]


class _Made(msgspec.Struct, frozen=True, rename={"id": "silenceID"}):
    id: str


class Client:
    """``addresses``: the policy with some networks opened; ``read_secret``: of the cluster that holds secrets."""

    def __init__(
        self, settings: AlertmanagerSettings, clock: Clock, addresses: Addresses, read_secret: ReadSecret, *,
        find: Resolve = resolve, environ: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        self._settings, self._clock, self._addresses, self._read_secret = settings, clock, addresses, read_secret
        self._find, self._environ = find, environ

    async def silences(self, label: str, value: str) -> Sequence[Silence]:
        query = urlencode({"filter": f'{label}="{value}"'})
        reply = await self._call("GET", f"silences?{query}")
        return self._decoded(reply, list[Silence])

    async def set(self, silence: Mapping[str, Any]) -> str:
        reply = await self._call("POST", "silences", msgspec.json.encode(silence))
        return self._decoded(reply, _Made).id

    async def expire(self, id: str) -> None:
        await self._call("DELETE", f"silence/{quote(id, safe='')}")

    # --- one request

    async def _call(self, method: str, path: str, body: bytes = b"") -> Reply:
        known: list[str] = []
        try:
            reply = await within(self._clock, WHOLE, self._send(method, path, body, known))
        except CredentialMissing as error:
            raise NoAnswer(error.what) from None
        except TimeoutError:
            raise NoAnswer(f"no answer within {WHOLE:.0f} s", unknown=True) from None
        except (AddressRefused, Unresolved, Unusable) as error:
            raise NoAnswer(_without(str(error), known)) from None
        except _NOT_SENT as error:
            raise NoAnswer(f"no connection: {type(error).__name__}") from None
        except (httpx.HTTPError, OSError) as error:
            raise NoAnswer(f"no answer: {type(error).__name__}", unknown=True) from None
        except Exception as error:  # whatever it is, a proof does not end by it
            log.exception("Alertmanager %s", self._settings.name)
            raise NoAnswer(f"unexpected {type(error).__name__}", unknown=True) from None
        if reply.status != 200:
            raise NoAnswer(_refused(reply, known), unknown=reply.status >= 500)
        return reply

    async def _send(self, method: str, path: str, body: bytes, known: list[str]) -> Reply:
        url, token = self._settings.url, self._settings.token
        if is_reference(url):
            url = await self._value(url, known)
        headers = {"accept": "application/json"} | ({"content-type": "application/json"} if body else {})
        if token:
            headers["authorization"] = f"Bearer {await self._value(token, known)}"
        way = Way(await self._addresses(self._settings.networks), self._settings.ca_file, self._find)
        place = f"{url.rstrip('/')}/api/v2/{path}"
        return await exchange(method, place, way, headers=headers, body=body, limit=LARGEST)

    async def _value(self, reference: str, known: list[str]) -> str:
        found = await look_up(reference, self._read_secret, self._environ)
        known.append(found)
        return found

    def _decoded(self, reply: Reply, type: type[T]) -> T:
        try:
            return msgspec.json.decode(reply.body, type=type)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise NoAnswer("its answer is none of Alertmanager's API v2", unknown=True) from None


def _refused(reply: Reply, known: Sequence[str]) -> str:
    """API v2 answers a refusal with a JSON string, or with {code, message} where the request is not of its shape."""
    if 300 <= reply.status < 400:
        return f"answered {reply.status}: a redirect, which is never followed"
    try:
        said = msgspec.json.decode(reply.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        said = ""
    text = said.get("message") if isinstance(said, Mapping) else said
    words = redact(_without(text, known), _SAID) if isinstance(text, str) else ""
    return f"answered {reply.status}" + (f": {words}" if words else "")


def _without(text: str, secrets: Sequence[str]) -> str:
    """A receiver may repeat what it was sent."""
    for secret in secrets:
        text = text.replace(secret, "[redacted]")
    return text
