"""Proof policies that several engines have stored for one cluster: one of them runs each, the others watch.

The entries of all of them have the same ids, since these follow from the cluster, the policy, the workload and what is
proven. So who takes over finds its own entries waiting, but for those that its predecessor has brought to an end.
"""

from __future__ import annotations

import asyncio

from lazarus_tui.engine.election import Posts
from lazarus_tui.engine.proof_book import ProofBook, Stored
from lazarus_tui.kube.cluster import Cluster
from lazarus_tui.model.proof_policies import Entry, State

_KIND = "proof-policy/"  # how the names of its posts begin
TESTS = "lazarusrestoretests"  # the post of who runs the objects of a cluster


class SharedPolicies:
    """``posts`` None: there is no other engine."""

    def __init__(self, book: ProofBook, posts: Posts | None) -> None:
        self._book, self._posts = book, posts
        self._elsewhere: dict[tuple[str, str], str] = {}

    async def leads(self, stored: Stored, cluster: Cluster) -> bool:
        """Whether this engine runs it, as of now."""
        name = stored.policy.name
        why = await self._posts.why(stored.context, cluster, _post(name)) if self._posts is not None else ""
        self._elsewhere[(stored.context, name)] = why
        return not why

    def elsewhere(self, context: str, policy: str) -> str:
        """Why this engine does not run a policy, in words; "" when it does."""
        return self._elsewhere.get((context, policy), "")

    def held_up(self, entry: Entry) -> str:
        """Why this engine does not begin a proof, in words: another one looks after what asked for it."""
        if entry.object and self._posts is not None and self._posts.taken(entry.context, TESTS):
            return "another engine runs the objects of this cluster"
        return self.elsewhere(entry.context, entry.policy)

    def taken(self, stored: Stored) -> bool:
        """Whether another engine is known to run it."""
        return self._posts is not None and self._posts.taken(stored.context, _post(stored.policy.name))

    def without(self, stored: Stored) -> str:
        """Why others may run it too, in words; "" when they cannot."""
        why = self._posts.without(stored.context, _post(stored.policy.name)) if self._posts is not None else ""
        return f"whether another engine runs it too: {why}" if why else ""

    async def did(self, entry: Entry, how: str) -> None:
        """Nobody has to run it again."""
        if self._posts is not None:
            await self._posts.did(entry.context, _post(entry.policy), entry.first or entry.id, how)

    async def settle(self) -> None:
        """Leave out what another engine has brought to an end; give up what is not run any more. JournalError."""
        if self._posts is None:
            return
        running = [one for one in self._book.policies() if one.runs]
        self._posts.keep(_KIND, {(one.context, _post(one.policy.name)) for one in running})
        for stored in running:
            done = self._posts.done(stored.context, _post(stored.policy.name))
            for entry in self._book.entries(stored.context, stored.policy.name):
                if entry.state is State.WAITING and (how := done.get(entry.first or entry.id)):
                    await self._book.end(entry, State.SKIPPED, f"another engine ran it: {how}")

    @property
    def tasks(self) -> list[asyncio.Task[None]]:
        return self._posts.tasks if self._posts is not None else []


def _post(policy: str) -> str:
    return f"{_KIND}{policy}"
