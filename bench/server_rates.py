"""Requests a second and the latency of a watch: the sandbox and the real API server, in turn, by the same client.

A rate is what a client gets on a machine with nothing else to do: the sandbox has one thread, the real server takes
every core. The processor time of one request is told beside it, since that is the same on a busy machine.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from itertools import count

from bench.rows import Row, at_most
from bench.server_client import Connection
from bench.server_targets import Target, real, sandbox

CONNECTIONS, ROUNDS = 8, 3
# How often a round does each thing; a list is of 1000 config maps of half a kilobyte.
REQUESTS, LISTS, LISTED, WATCHED = 1200, 60, 1000, 300
JSON, MERGE = "application/json", "application/merge-patch+json"
VERBS = ("create", "get", "merge patch", "list 1000")
Figures = dict[str, list[float]]


def rows() -> list[Row]:
    """Every verb at least 1.5 times as often, a watch at least as soon: medians of three rounds, taken in turn."""
    with sandbox() as ours, real() as peer:
        mine, floor = asyncio.run(compare(ours, peer))
    return [
        *(_rate(verb, mine, floor) for verb in VERBS),
        *(_less(f"CPU of one {verb}", mine, floor, 0.667, "ms") for verb in VERBS),
        *(_less(name, mine, floor, 1, "ms") for name in ("watch latency p50", "watch latency p99")),
    ]


def _rate(verb: str, mine: Figures, floor: Figures) -> Row:
    value = statistics.median(mine[verb])
    peer = statistics.median(floor[verb]) if verb in floor else None
    met = None if peer is None else value >= 1.5 * peer
    return Row(
        f"API server, {verb}", round(value), "1/s", None if peer is None else round(peer), ">= 1.5 x the real one", met
    )


def _less(name: str, mine: Figures, floor: Figures, times: float, unit: str) -> Row:
    peer = statistics.median(floor[name]) if name in floor else None
    return at_most(f"API server, {name}", statistics.median(mine[name]), peer, times, unit, "the real one")


async def compare(ours: Target, peer: Target | None) -> tuple[Figures, Figures]:
    mine, floor = Figures(), Figures()
    runs = [(mine, await Load.begin(ours))] + ([(floor, await Load.begin(peer))] if peer else [])
    for _ in range(ROUNDS + 1):
        for figures, load in runs:
            for name, value in (await load.round()).items():
                figures.setdefault(name, []).append(value)
    for figures, load in runs:
        await load.end()
        for values in figures.values():
            del values[0]  # the first round warms both up
    return mine, floor


def config(name: str) -> bytes:
    """About 430 bytes."""
    return json.dumps({"metadata": {"name": name, "labels": {"app": "bench"}}, "data": {"text": "x" * 350}}).encode()


class Load:
    """Eight connections to one server, and the namespaces they work in."""

    def __init__(self, target: Target, connections: list[Connection]) -> None:
        self._target, self._connections, self._numbers = target, connections, count()

    @classmethod
    async def begin(cls, target: Target) -> Load:
        load = cls(target, [await Connection.open(target.address) for _ in range(CONNECTIONS)])
        for name in ("bench", "bench-list", "bench-watch"):
            await load._connections[0].ask(
                "POST", "/api/v1/namespaces", json.dumps({"metadata": {"name": name}}).encode(), JSON
            )
        made = (load._made("bench-list", f"c{number:04}") for number in range(LISTED))
        await load._all(made)
        return load

    async def end(self) -> None:
        for connection in self._connections:
            await connection.close()

    async def round(self) -> dict[str, float]:
        names = [f"c{next(self._numbers):07}" for _ in range(REQUESTS)]
        where, listed = "/api/v1/namespaces/bench/configmaps", "/api/v1/namespaces/bench-list/configmaps"
        return {
            **await self._timed("create", (self._made("bench", name) for name in names)),
            **await self._timed("get", (self._wanted("GET", f"{where}/{name}") for name in names)),
            **await self._timed("merge patch", (self._changed(name) for name in names)),
            **await self._timed("list 1000", (self._wanted("GET", listed) for _ in range(LISTS))),
            **await self._watch(),
        }

    async def _timed(self, verb: str, jobs: Iterator[Callable[[Connection], Awaitable[None]]]) -> dict[str, float]:
        """Requests a second, and the server's milliseconds of processor time for one."""
        began, started = self._target.busy(), time.perf_counter()
        done = await self._all(jobs)
        seconds = time.perf_counter() - started
        return {verb: done / seconds, f"CPU of one {verb}": 1000 * (self._target.busy() - began) / done}

    async def _all(self, jobs: Iterator[Callable[[Connection], Awaitable[None]]]) -> int:
        """Do them all, eight at a time; how many that were."""

        async def work(connection: Connection) -> int:
            done = 0
            for job in jobs:
                await job(connection)
                done += 1
            return done

        return sum(await asyncio.gather(*(work(connection) for connection in self._connections)))

    def _made(self, namespace: str, name: str) -> Callable[[Connection], Awaitable[None]]:
        return self._wanted("POST", f"/api/v1/namespaces/{namespace}/configmaps", config(name), JSON, 201)

    def _changed(self, name: str) -> Callable[[Connection], Awaitable[None]]:
        return self._wanted("PATCH", f"/api/v1/namespaces/bench/configmaps/{name}", b'{"data":{"n":"1"}}', MERGE)

    @staticmethod
    def _wanted(
        method: str, path: str, body: bytes = b"", kind: str = "", wanted: int = 200
    ) -> Callable[[Connection], Awaitable[None]]:
        async def job(connection: Connection) -> None:
            status, answer = await connection.ask(method, path, body, kind)
            if status != wanted:
                raise RuntimeError(f"{method} {path}: {status} {answer[:200]!r}")

        return job

    async def _watch(self) -> dict[str, float]:
        """Milliseconds from a POST to its event at the one watcher, one at a time."""
        path = "/api/v1/namespaces/bench-watch/configmaps"
        _, listed = await self._connections[0].ask("GET", path)
        version = json.loads(listed)["metadata"]["resourceVersion"]
        watcher, opened = await Connection.open(self._target.address), asyncio.Event()
        lines = watcher.lines(f"{path}?watch=true&resourceVersion={version}", opened.set)
        arriving = asyncio.ensure_future(anext(lines))
        await opened.wait()
        took = []
        for _ in range(WATCHED):
            started = time.perf_counter()
            making = asyncio.ensure_future(
                self._made("bench-watch", f"w{next(self._numbers):07}")(self._connections[0])
            )
            await arriving
            took.append(1000 * (time.perf_counter() - started))
            arriving = asyncio.ensure_future(anext(lines))
            await making
        arriving.cancel()
        await asyncio.gather(arriving, return_exceptions=True)
        await watcher.close()
        cuts = statistics.quantiles(took, n=100)
        return {"watch latency p50": cuts[49], "watch latency p99": cuts[98]}
