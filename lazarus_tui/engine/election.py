"""Which of several engines looks after a thing that they share: one proof policy, the test objects of a cluster.

Each such post is a Lease in Velero's namespace, held for as long as the engine lives; who does not hold it watches, and
takes it once its holder has not renewed it for the time that leases last (engine.lease). What the holder has brought to
an end stands in an annotation of the Lease, so that its successor does nothing of it again. Needed are the rights that
operations need too: get, create and patch Leases there. Without them every engine holds every post, and says so.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection, Mapping
from typing import Any

import msgspec

from lazarus_tui.engine.errors import GateClosed
from lazarus_tui.engine.gate import write_lease
from lazarus_tui.engine.lease import RENEW, Lease, LeaseRecord
from lazarus_tui.kube.cluster import Cluster
from lazarus_tui.kube.errors import KubeError
from lazarus_tui.model.clock import Clock

log = logging.getLogger(__name__)

POST, DONE = "lazarus.io/post", "lazarus.io/done"
# What was brought to an end and is remembered: far more than comes while one engine takes over from another.
MOST_DONE = 100
# Seconds until the right to keep leases is tried again, and for which a post is given up in peace at the end.
_AGAIN, _PATIENCE = 300.0, 2.0

Key = tuple[str, str]  # context and post


class Post:
    """One post of one cluster; ``task`` is cancelled to give it up."""

    def __init__(self, cluster: Cluster, namespace: str, name: str, holder: str, clock: Clock) -> None:
        self.cluster, self._namespace, self._name, self._holder, self._clock = cluster, namespace, name, holder, clock
        self.without = "" if namespace else "no lease is kept: the cluster has no Velero whose namespace would hold it"
        self._words = "it is being found out whether another engine runs it"
        self.taken = False  # whether somebody else is known to have it
        self._own: dict[str, str] = {}
        self._told = asyncio.Event()
        self._lease = self._new()
        self._holds = False
        self.task = asyncio.create_task(self._run(), name=f"post {name}")

    async def why(self) -> str:
        """Why it is not ours, in words; "" when it is, or when no lease can be kept."""
        await self._told.wait()
        if self.without or (self._holds and self._lease.fresh):
            return ""
        return "its lease could not be renewed in time" if self._holds else self._words

    @property
    def sure(self) -> bool:
        """Whether nobody else has it."""
        return self._holds and self._lease.fresh and not self.without

    @property
    def done(self) -> Mapping[str, str]:
        """What was brought to an end, by whom and how, in words."""
        return self._together(self._lease.record)

    async def did(self, id: str, words: str) -> None:
        """Tell the next one. What cannot be written now goes with the next renewal."""
        self._own[id] = words
        for old in list(self._own)[:-MOST_DONE]:
            del self._own[old]
        with contextlib.suppress(KubeError, OSError):
            if self._holds:
                await self._lease.renew()

    def _together(self, record: LeaseRecord | None) -> dict[str, str]:
        """In the order in which it ended: of too many the oldest are forgotten."""
        before = {id: words for id, words in _done(record).items() if id not in self._own}
        return {**before, **self._own}

    # --- holding it

    def _new(self) -> Lease:
        return Lease(self.cluster, self._namespace, f"post {self._name}", self._holder, self._clock, self._write,
                     self._say)  # fmt: skip

    async def _run(self) -> None:
        try:
            while self._namespace:
                await self._try()
                self._told.set()
                await self._clock.sleep(_AGAIN if self.without else RENEW)
        finally:
            self._told.set()

    async def _try(self) -> None:
        try:
            await self._hold()
        except GateClosed:
            self._seen_taken()
        except (KubeError, OSError) as error:
            self.taken, self._words = False, f"whether another engine runs it is not known: {error}"

    async def _hold(self) -> None:
        """Take it and keep it until it is lost. Raises ``GateClosed`` while somebody else has it, and KubeError."""
        self._lease = self._new()
        await self._lease.acquire()
        self.without = self.without if self._lease.unavailable else ""
        if self._lease.unavailable:
            return
        self._holds, self.taken = True, False
        self._told.set()
        try:
            await self._lease.keep()
        finally:
            self._holds = False
            if self._lease.lost:
                self._seen_taken()
            with contextlib.suppress(TimeoutError, OSError):
                async with asyncio.timeout(_PATIENCE):
                    await self._lease.release()

    def _seen_taken(self) -> None:
        self.taken, self._words = True, _run_by(self._lease.record)

    def _say(self, words: str) -> None:
        """The lease tells that somebody holds it, or that none can be kept."""
        log.debug("%s: %s", self._name, words)  # again and again for as long as another engine has it
        if self._lease.unavailable:
            self.without = words
        elif self._lease.record is not None:
            self._seen_taken()
            self._told.set()

    async def _write(
        self, cluster: Cluster, namespace: str, name: str, spec: Mapping[str, Any], record: LeaseRecord | None
    ) -> Mapping[str, Any]:
        newest = list(self._together(record).items())[-MOST_DONE:]
        notes = {POST: self._name, DONE: msgspec.json.encode(dict(newest)).decode()}
        return await write_lease(cluster, namespace, name, spec, record, notes)


class Posts:
    """All posts of this engine. ``namespace``: of a context's Velero, "" where there is none."""

    def __init__(self, holder: str, clock: Clock, namespace: Callable[[str], str]) -> None:
        self.holder, self._clock, self._namespace = holder, clock, namespace
        self._posts: dict[Key, Post] = {}
        self._ending: set[asyncio.Task[None]] = set()

    async def why(self, context: str, cluster: Cluster, name: str) -> str:
        """Why the post is not this engine's now, in words; "" when it is. The first time it is applied for."""
        post = self._posts.get((context, name))
        if post is None or post.cluster is not cluster or (post.task.done() and self._namespace(context)):
            self._give_up((context, name))
            post = Post(cluster, self._namespace(context), name, self.holder, self._clock)
            self._posts[(context, name)] = post
        return await post.why()

    def taken(self, context: str, name: str) -> bool:
        """Whether another engine is known to have it."""
        post = self._posts.get((context, name))
        return post is not None and post.taken

    def without(self, context: str, name: str) -> str:
        """Why no lease is kept, in words; "" where one is."""
        post = self._posts.get((context, name))
        return post.without if post is not None else ""

    def sure(self, context: str, name: str) -> bool:
        """Whether this engine has it and nobody else can."""
        post = self._posts.get((context, name))
        return post is not None and post.sure

    def done(self, context: str, name: str) -> Mapping[str, str]:
        post = self._posts.get((context, name))
        return post.done if post is not None else {}

    async def did(self, context: str, name: str, id: str, words: str) -> None:
        post = self._posts.get((context, name))
        if post is not None:
            await post.did(id, f"{words} by {self.holder}")

    def keep(self, kind: str, wanted: Collection[Key]) -> None:
        """Of all posts whose names begin with ``kind``, give up those that are not wanted any more."""
        for key in [key for key in self._posts if key[1].startswith(kind) and key not in wanted]:
            self._give_up(key)

    @property
    def tasks(self) -> list[asyncio.Task[None]]:
        return [*(post.task for post in self._posts.values()), *self._ending]

    def _give_up(self, key: Key) -> None:
        post = self._posts.pop(key, None)
        if post is not None and not post.task.done():
            post.task.cancel()
            self._ending.add(post.task)
            post.task.add_done_callback(self._ending.discard)


def _run_by(record: LeaseRecord | None) -> str:
    return f"run by {(record.spec.holder_identity if record else '') or 'another engine'}"


def _done(record: LeaseRecord | None) -> dict[str, str]:
    """What a Lease says was brought to an end; somebody may have written anything there."""
    text = ((record.metadata.annotations if record else None) or {}).get(DONE, "{}")
    try:
        return msgspec.json.decode(text, type=dict[str, str])
    except msgspec.DecodeError:
        return {}
