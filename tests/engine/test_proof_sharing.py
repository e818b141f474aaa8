"""Two engines that have stored one policy: one of them runs it, the other one says so and takes over when that dies."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from lazarus_tui.engine.election import DONE, MOST_DONE, POST
from lazarus_tui.engine.errors import Refused
from lazarus_tui.engine.lease import lease_name
from lazarus_tui.engine.proof_book import CAUGHT_UP, OVERDUE
from lazarus_tui.kube.errors import Forbidden
from lazarus_tui.model.http import HttpRequest, HttpResponse
from lazarus_tui.model.proof_policies import State
from lazarus_tui.model.resources import LEASES
from tests.engine.proofs import Proofs, policy, proofs, second
from tests.engine.test_restore_tests import BACKUP, SPACE, TESTS, Tests
from tests.engine.world import CONTEXT, fast_folder

A, B = "jump-a/11111111", "jump-b/22222222"
LEASE = lease_name("post proof-policy/shop")


class Pair:
    def __init__(self, a: Proofs, b: Proofs) -> None:
        self.a, self.b = a, b

    async def look(self, times: int = 1, *, only: Proofs | None = None) -> None:
        """So many rounds of both, ten seconds apart."""
        for _ in range(times):
            for one in (self.a, self.b):
                if only in (None, one):
                    await one.engine.passing(one.scheduler.look())
                    await one.engine.settle()
            for _ in range(2):
                await self.a.world.clock.advance(5.0)
                for one in (self.a, self.b):
                    await one.engine.settle()

    async def killed(self, one: Proofs) -> None:
        """kill -9 of one of them."""
        one.engine.sever()
        for task in one.runs.tasks:
            task.cancel()

    @property
    def ran(self) -> list[str]:
        return [*self.a.ran, *self.b.ran]


@contextlib.asynccontextmanager
async def pair() -> AsyncIterator[Pair]:
    async with proofs(A) as a:
        with fast_folder() as folder:
            b = await second(a, folder, B)
            try:
                yield Pair(a, b)
            finally:
                await b.scheduler.close()
                await b.engine.close()


async def test_one_of_two_engines_proves_each_backup_and_the_other_says_who_does() -> None:
    async with pair() as it:
        for one in (it.a, it.b):
            await one.store(policy())
        for name in ("first", "second", "third"):
            it.a.completed(name)
            await it.look(8)
        assert (it.a.ran, it.b.ran) == (["first", "second", "third"], [])
        assert it.a.row().trouble == ""
        assert it.b.row().trouble == f"run by {A}"
        assert it.b.told() == [
            f"{name} skipped: another engine ran it: PASSED by {A}" for name in ("first", "second", "third")
        ]  # fmt: skip


async def test_the_post_is_one_lease_with_a_name_to_read() -> None:
    async with pair() as it:
        await it.a.store(policy())
        it.a.completed("first")
        await it.look(8, only=it.a)
        found = it.a.world.api.get(LEASES, LEASE, "shop")
        assert found is not None
        assert found["spec"]["holderIdentity"] == A
        assert found["metadata"]["annotations"][POST] == "proof-policy/shop"
        assert f"PASSED by {A}" in found["metadata"]["annotations"][DONE]


async def test_the_other_one_takes_over_when_the_first_is_killed_and_proves_nothing_again() -> None:
    async with pair() as it:
        for one in (it.a, it.b):
            await one.store(policy())
        it.a.completed("first")
        await it.look(8)
        await it.killed(it.a)
        it.a.completed("second")
        await it.look(6, only=it.b)
        assert it.b.ran == [], "it may still live"
        await it.look(10, only=it.b)
        assert (it.a.ran, it.b.ran) == (["first"], ["second"])
        assert it.b.row().trouble == ""


async def test_a_lease_that_somebody_deletes_lets_only_one_of_them_run() -> None:
    async with pair() as it:
        for one in (it.a, it.b):
            await one.store(policy())
        await it.look(2)
        for name in ("first", "second"):
            it.a.world.api.delete(LEASES, LEASE, "shop")
            await it.look(2)
            it.a.completed(name)
            await it.look(6)
        assert sorted(it.ran) == ["first", "second"], "nothing runs twice"
        assert len([one for one in (it.a, it.b) if one.row().trouble.startswith("run by")]) == 1
        assert not any("whether another engine" in said for one in (it.a, it.b) for said in one.row().unknown)


async def test_the_newest_of_very_many_that_ended_are_what_the_lease_tells_the_next_one() -> None:
    async with pair() as it:
        await it.a.store(policy())
        await it.look(2, only=it.a)
        posts = it.a.runs._shared._posts
        assert posts is not None
        for n in range(2 * MOST_DONE + 50):
            await posts.did(CONTEXT, "proof-policy/shop", f"entry-{n}", "PASSED")
        await it.look(3, only=it.a)
        found = it.a.world.api.get(LEASES, LEASE, "shop")
        assert found is not None
        wanted = [f"entry-{n}" for n in range(MOST_DONE + 50, 2 * MOST_DONE + 50)]
        assert list(json.loads(found["metadata"]["annotations"][DONE])) == wanted
        [post] = posts._posts.values()
        assert len(post._own) <= MOST_DONE


@pytest.mark.parametrize("when", ["waiting", "begun"])
async def test_killed_between_taking_a_run_and_starting_it_the_other_one_runs_it_once(when: str) -> None:
    async with pair() as it:
        for one in (it.a, it.b):
            await one.store(policy())
        await it.look(2)
        real = it.a.runs._plan if when == "waiting" else it.a.engine.runner.start

        async def dies(*given: Any, **more: Any) -> Any:
            it.a.engine.sever()
            return await real(*given, **more)

        if when == "waiting":
            it.a.runs._plan = dies
        else:
            it.a.engine.runner.start = dies  # type: ignore[method-assign]
        it.a.completed("first")
        await it.look(4)
        await it.killed(it.a)
        assert it.ran == []
        await it.look(16, only=it.b)
        assert (it.a.ran, it.b.ran) == ([], ["first"])
        await it.a.dies()
        await it.look(8)
        assert it.ran == ["first"]
        [entry] = it.a.entries()
        assert (entry.state, entry.words) == (State.SKIPPED, f"another engine ran it: PASSED by {B}")
        assert it.a.row().trouble == f"run by {B}"


async def test_an_engine_that_ends_in_peace_lets_the_other_one_in_at_once() -> None:
    async with pair() as it:
        for one in (it.a, it.b):
            await one.store(policy())
        await it.look(2)
        await it.a.scheduler.close()
        it.a.completed("first")
        await it.look(5, only=it.b)
        assert it.b.ran == ["first"]


async def test_a_scheduler_that_is_begun_anew_applies_for_its_posts_again() -> None:
    async with pair() as it:
        await it.a.store(policy())
        it.a.completed("first")
        await it.look(8, only=it.a)
        await it.a.scheduler.close()
        it.a.completed("second")
        await it.look(8, only=it.a)
        assert (it.a.ran, it.a.row().trouble) == (["first", "second"], "")


async def test_a_policy_that_is_disabled_or_removed_here_is_free_for_the_other_engine() -> None:
    async with pair() as it:
        a = await it.a.store(policy())
        await it.b.store(policy())
        await it.look(2)
        await it.a.book.remove(a)
        it.a.completed("first")
        await it.look(6)
        assert (it.a.ran, it.b.ran) == ([], ["first"])


async def test_scheduled_runs_are_run_by_one_and_what_is_overdue_is_told_by_one() -> None:
    async with pair() as it:
        it.a.completed("first")
        for one in (it.a, it.b):
            await one.store(policy(points=("latest",), schedule="*/2 * * * *", arrive_seconds=200.0))
        await it.look(16)
        assert it.ran == ["first"]
        await it.look(8)
        assert it.a.row().overdue == "no new point of shop came within 3m20s; the newest is of 2026-01-01T00:00Z"
        told = [len(await one.events(kind)) for one in (it.a, it.b) for kind in (OVERDUE, CAUGHT_UP)]
        assert told == [1, 0, 0, 0]


async def test_an_object_is_proven_and_told_by_one_engine() -> None:
    async with pair() as it:
        a, b = objects(it)
        it.a.completed(BACKUP, namespace="my-app")
        a.put()
        await both(it, a, b, times=8)
        assert (it.a.ran, it.b.ran) == ([BACKUP], [])
        assert (a.now()["phase"], a.now()["runBy"]) == ("Passed", A)
        uid = a.desk.world.api.get(TESTS, "my-first-test", SPACE)["metadata"]["uid"]  # type: ignore[index]
        assert b.objects.why(uid) == f"run by {A}"
        assert it.b.entries() == []


@pytest.mark.parametrize("moment", ["claimed", "running"])
async def test_an_object_whose_engine_is_killed_is_taken_over_and_told_by_the_other_one_alone(moment: str) -> None:
    async with pair() as it:
        a, b = objects(it)
        it.a.completed(BACKUP, namespace="my-app")
        a.put()
        if moment == "claimed":
            await it.a.engine.passing(a.objects.look())
        else:
            await both(it, a, b, times=2)
        assert a.now()["runBy"] == A
        await it.killed(it.a)
        await both(it, None, b, times=20)
        assert it.b.ran == [BACKUP]
        assert (b.now()["phase"], b.now()["runBy"]) == ("Passed", B)
        version = b.desk.world.api.get(TESTS, "my-first-test", SPACE)["metadata"]["resourceVersion"]  # type: ignore[index]
        await a.dies()
        await both(it, a, b, times=8)
        found = b.desk.world.api.get(TESTS, "my-first-test", SPACE)
        assert found is not None
        assert found["metadata"]["resourceVersion"] == version, "nobody writes over it"
        assert it.a.ran.count(BACKUP) == (0 if moment == "claimed" else 1)


def objects(it: Pair) -> tuple[Tests, Tests]:
    return Tests(it.a), Tests(it.b, beside=True)


async def both(it: Pair, a: Tests | None, b: Tests, times: int) -> None:
    for _ in range(times):
        for one in (a, b):
            if one is not None:
                await one.desk.engine.passing(one.objects.look())
        await it.look(only=it.b if a is None else None)


async def test_a_person_is_sent_to_the_engine_that_runs_it() -> None:
    async with pair() as it:
        stored = [await one.store(policy()) for one in (it.a, it.b)]
        it.a.completed("first")
        await it.look(2)
        with pytest.raises(Refused, match=f"policy shop is run by {A}"):
            await it.b.runs.by_hand(stored[1])


async def test_a_proof_that_is_to_be_tried_again_is_left_to_its_engine_and_taken_over_with_it() -> None:
    from tests.engine.test_proof_retries import stumbling

    async with pair() as it:
        for one in (it.a, it.b):
            await one.store(policy())
        stumbling(it.a)
        it.a.completed("first")
        await it.look(8)
        assert it.b.entries()[0].waiting == f"run by {A}"
        await it.killed(it.a)
        await it.look(16, only=it.b)
        assert (it.a.ran, it.b.ran) == (["first"], ["first"])
        assert it.b.row().standings[0].green


async def test_without_the_right_to_keep_leases_it_runs_and_says_that_others_may_too() -> None:
    async with pair() as it:

        async def refuse(request: HttpRequest) -> HttpResponse | None:
            if "/leases" in request.path:
                raise Forbidden("leases.coordination.k8s.io is forbidden", status=403)
            return None

        it.a.engine.wire.before = refuse  # type: ignore[assignment]
        await it.a.store(policy())
        it.a.completed("first")
        await it.look(8, only=it.a)
        assert it.a.ran == ["first"]
        [said] = [one for one in it.a.row().unknown if one.startswith("whether another engine runs it too")]
        assert "forbidden" in said


async def test_an_api_that_was_away_makes_nobody_tell_anything_twice() -> None:
    async with pair() as it:
        await it.a.store(policy())
        it.a.completed("bad", "Failed")
        await it.look(3, only=it.a)
        assert len(await it.a.events(OVERDUE)) == 1

        async def away(request: HttpRequest) -> None:
            raise ConnectionResetError("away")

        it.a.engine.wire.before, it.a.away = away, True
        await it.look(6, only=it.a)
        it.a.engine.wire.before, it.a.away = None, False
        await it.look(6, only=it.a)
        assert len(await it.a.events(OVERDUE)) == 1
        assert await it.a.events(CAUGHT_UP) == []
        assert it.a.row().trouble == "no backup holds shop"


async def test_what_an_engine_told_it_takes_back_though_another_one_runs_the_policy_by_then() -> None:
    async with pair() as it:
        for one in (it.a, it.b):
            await one.store(policy())
        await it.look(2)
        it.a.completed("bad", "Failed")
        await it.look(3)
        assert [len(await one.events(OVERDUE)) for one in (it.a, it.b)] == [1, 0]

        async def away(request: HttpRequest) -> None:
            raise ConnectionResetError("away")

        it.a.engine.wire.before, it.a.away = away, True
        await it.look(16)
        it.a.engine.wire.before, it.a.away = None, False
        await it.look(3)
        assert it.a.row().trouble == f"run by {B}"
        assert await it.a.events(CAUGHT_UP) == [], "it is not over"
        it.a.completed("good")
        await it.look(4)
        assert len(await it.a.events(CAUGHT_UP)) == 1, "its own sinks hear from nobody else"
        assert not it.a.runs.arrivals.standing
