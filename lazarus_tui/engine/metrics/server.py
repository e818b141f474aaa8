"""``GET /metrics`` on an address of this machine: one page, read-only, made anew for each scrape."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric as Family

from lazarus_tui.engine.metrics.families import Snapshot

log = logging.getLogger(__name__)

PATH = "/metrics"
# Bytes of a request's head; a scrape has about three hundred.
_HEAD = 8190


class NotServed(Exception):
    """Metrics are not served: why, and what to do next. The engine goes on without them."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what)
        self.what, self.hint = what, hint


def place(listen: str, *, public: bool) -> tuple[str, int]:
    """Host and port of ``127.0.0.1:9808``, ``[::1]:9808`` or ``:9808``; raises ``NotServed``.

    Names are not addresses: what a name means can change. Any address but loopback has to be meant.
    """
    try:
        found = urlsplit(f"//{listen}")
        host, port = found.hostname or "127.0.0.1", found.port
        address = ip_address(host)
        if port is None or found.path or found.query or found.username is not None:
            raise ValueError
    except ValueError:
        raise NotServed(f"{listen!r} is not ADDRESS:PORT", "write it like 127.0.0.1:9808") from None
    if not address.is_loopback and not public:
        raise NotServed(f"{host} can be reached from other machines", "set metrics.public = true if that is meant")
    return host, port


class MetricsServer:
    """``gather`` gives the families of this moment."""

    def __init__(self, gather: Callable[[], Awaitable[Sequence[Family]]]) -> None:
        self._gather = gather
        self._runner: web.AppRunner | None = None
        self.port = 0

    async def start(self, host: str, port: int) -> None:
        """Raises ``NotServed`` when the address cannot be had; port 0 takes a free one."""
        app = web.Application()
        app.router.add_get(PATH, self._answer)
        self._runner = web.AppRunner(
            app, access_log=None, max_line_size=_HEAD, max_field_size=_HEAD, shutdown_timeout=1.0
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        try:
            await site.start()
        except OSError as error:
            await self.close()
            what = f"{host}:{port} cannot be listened at: {error.strerror or error}"
            raise NotServed(what, "another program has the port: set metrics.listen to another one") from None
        self.port = self._runner.addresses[0][1]
        log.info("metrics at http://%s:%d%s", host, self.port, PATH)

    async def close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _answer(self, request: web.Request) -> web.Response:
        registry = CollectorRegistry()
        registry.register(Snapshot(await self._gather()))
        encode, kind = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(registry), headers={"Content-Type": kind, "Cache-Control": "no-store"})
