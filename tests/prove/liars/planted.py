"""Bugs of a proof, planted one by one: liars, or a look at the world afterwards, that miss one prove nothing.

Where several guards stand behind each other, all of them are taken away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from lazarus_tui.kube.cluster import Cluster
from lazarus_tui.model.proofs import Rung
from lazarus_tui.model.resources import NAMESPACES
from lazarus_tui.model.steps import Observation, Seen
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.model.volumes import Coverage, Held, HeldVolume
from lazarus_tui.prove import round as rounds
from lazarus_tui.prove.checks import outcome, watermark
from lazarus_tui.prove.proof import capture, compare, identity, rungs, tried, unchanged
from lazarus_tui.prove.proof import verdict as judging
from lazarus_tui.prove.quarantine import isolation, sweep
from tests.prove.liars.hostile import besieged
from tests.prove.liars.liar import Liar, told, wrong
from tests.prove.liars.orders import Shop
from tests.prove.liars.table import LIARS
from tests.prove.proof.trial import trial
from tests.prove.quarantine import test_cleaning

Probe = Callable[[], Awaitable[list[str]]]
Patch = pytest.MonkeyPatch


LEAST_BUGS = 10


@dataclass(frozen=True)
class Planted:
    """``plant`` replaces what it must; ``probe`` says what it saw, [] when the bug went unseen."""

    name: str
    plant: Callable[[Patch], None]
    probe: Probe


# --- probes


def lied(name: str) -> Probe:
    async def probe() -> list[str]:
        liar: Liar = next(one for one in LIARS if one.name == name)
        return wrong(liar, await told(liar))

    return probe


async def looked_after() -> list[str]:
    """A proof of the order book, with a namespace beside it that only looks like one of ours."""
    found = await besieged(None)
    return [*found.changed, *found.bare, *([] if found.end == Verdict.PASSED else [f"it ended {found.end}"])]


async def not_asked() -> list[str]:
    """Data is wanted to be right, and there is no check of it."""
    with pytest.MonkeyPatch.context() as patch:
        async with trial(patch, Shop) as ground:
            done = await ground.proven(require=["data right"])
            return [] if done.verdict is Verdict.NOT_TESTED else [f"{done.verdict} without a check"]


async def policies_kept() -> list[str]:
    try:
        await test_cleaning.test_snapshots_of_the_point_outlive_their_aliases_with_policy_delete()
    except (AssertionError, ValueError, IndexError) as error:
        return [type(error).__name__]
    return []


# --- bugs


def no_isolation(patch: Patch) -> None:
    async def look(self: Any, context: Any) -> Any:
        return {"closed": True, "words": "closed", "rounds": 0, "probes": []}

    patch.setattr(isolation.Isolation, "look", look)


def no_compare(patch: Patch) -> None:
    async def compared(self: Any, *given: Any) -> Any:
        return {"missing": [], "unexpected": [], "violated": [], "unread": []}

    patch.setattr(compare._Look, "compared", compared)


def untested_is_green(patch: Patch) -> None:
    real = judging.overall

    def overall(*given: Any) -> Verdict:
        found = real(*given)
        return Verdict.PASSED if found is Verdict.NOT_TESTED else found

    patch.setattr(judging, "overall", overall)


def empty_is_fine(patch: Patch) -> None:
    def of(self: Coverage, namespace: str, claim: str) -> HeldVolume:
        return HeldVolume(f"{namespace}/{claim}", Held.CAPTURED, "PodVolumeBackup", 1)

    patch.setattr(Coverage, "of", of)
    patch.setattr(rungs, "_complete", _always("complete"))
    patch.setattr(rungs, "_only_empty", lambda facts: True)


def _always(name: str) -> Callable[..., Rung]:
    return lambda *given: Rung(name, Verdict.PASSED, "it is", "2026-01-01T00:00:00Z")


def volumes_are_fine(patch: Patch) -> None:
    patch.setattr(rungs, "_intact", _always("intact"))


def phase_word(patch: Patch) -> None:
    """Completed is Completed, whatever came of it since."""
    patch.setattr(rungs, "_restores", _always("restores"))


def never_flips(patch: Patch) -> None:
    async def flipped(self: Any, context: Any) -> str:
        return ""

    patch.setattr(capture.Capture, "_flipped", flipped)


def any_disk(patch: Patch) -> None:
    real = identity.compared

    async def compared(*given: Any) -> Any:
        return {**await real(*given), "same": []}

    patch.setattr(identity, "compared", compared)
    patch.setattr(capture, "compared", compared)


def any_contents(patch: Patch) -> None:
    async def observe(self: Any, context: Any) -> Observation:
        return Observation(Seen.DONE, "the same")

    patch.setattr(unchanged.Unchanged, "observe", observe)


def errors_pass(patch: Patch) -> None:
    """A check that could not be asked, or did not hold, counts as one that held."""
    real = outcome.judged

    async def judged(check: Any, clock: Any, look: Any) -> Any:
        async def swallowing(attempt: Any) -> outcome.Found:
            try:
                found: outcome.Found = await look(attempt)
            except (outcome.Wrong, outcome.CouldNot):
                return outcome.Found("no error")
            return found

        return await real(check, clock, swallowing)

    patch.setattr(rounds, "judged", judged)


def tries_until_green(patch: Patch) -> None:
    """One good answer is enough, whatever is answered later."""
    patch.setattr(rounds.Row, "again", property(lambda row: False))


def any_time(patch: Patch) -> None:
    """The watermark counts what was written since the restore began."""
    real = watermark.look

    async def look(context: Any, wanted: Any, until: datetime, attempt: Any) -> Any:
        return await real(context, wanted, datetime(2100, 1, 1, tzinfo=UTC), attempt)

    patch.setattr(watermark, "look", look)


def by_pattern(patch: Patch) -> None:
    """Whatever is called like a quarantine is one."""

    async def space(self: Any) -> Any:
        listed = await self.reader.list(NAMESPACES, type=dict)
        return [(NAMESPACES, one) for one in listed if one["metadata"]["name"].startswith("lazarus-q-")]

    patch.setattr(sweep.Sweep, "_space", space)


def without_uid(patch: Patch) -> None:
    real = Cluster.delete

    async def delete(self: Any, *given: Any, uid: str = "", rv: str = "") -> Any:
        return await real(self, *given, rv=rv)

    patch.setattr(Cluster, "delete", delete)


def any_policy(patch: Patch) -> None:
    """Contents are deleted with the policy that they have."""
    real = sweep._content

    def content(found: Any) -> Any:
        one = real(found)
        return sweep.Holding(one.resource, one.found, one.field, found["spec"]["deletionPolicy"], one.orphan)

    patch.setattr(sweep, "_content", content)


def leaves_all(patch: Patch) -> None:
    async def run(self: Any) -> list[str]:
        return []

    patch.setattr(sweep.Sweep, "run", run)


def failures_are_nothing(patch: Patch) -> None:
    """A step that failed is passed over."""

    async def fell(self: Any, context: Any, words: str, hint: str, verdict: Any = None) -> Observation:
        return Observation(Seen.DONE, words)

    patch.setattr(tried.Tried, "_fell", fell)


BUGS = (
    Planted("isolation is not shown", no_isolation, lied("a network without policies")),
    Planted("the result is not compared", no_compare, lied("rules were not applied")),
    Planted("NOT TESTED counts as PASSED", untested_is_green, not_asked),
    Planted("volumes without data are fine", empty_is_fine, lied("a volume was skipped")),
    Planted("volumes that were not filled are fine", volumes_are_fine, lied("a disk snapshot that was never taken")),
    Planted("a phase word is enough", phase_word, lied("a volume turns to Failed after the end")),
    Planted("a phase that flips is not looked for", never_flips, lied("the restore was Completed, and is Failed")),
    Planted("a live volume is taken for a copy", any_disk, lied("the volume is the live one")),
    Planted("another backup than was approved", any_contents, lied("objects vanish after the plan")),
    Planted("what a check finds wrong is passed", errors_pass, lied("200 from an empty database")),
    Planted("a check is asked until it is green", tries_until_green, lied("it answered once")),
    Planted("the watermark counts what came later", any_time, lied("newer data than can be")),
    Planted("cleaning goes by names", by_pattern, looked_after),
    Planted("deletions name no uid", without_uid, looked_after),
    Planted("snapshots go with their policy", any_policy, policies_kept),
    Planted("nothing is cleaned", leaves_all, looked_after),
    Planted("failures are passed over", failures_are_nothing, lied("the backup turned to Failed")),
)


async def seen(bug: Planted) -> list[str]:
    with pytest.MonkeyPatch.context() as patch:
        bug.plant(patch)
        return await bug.probe()


def of(number: int) -> list[str]:
    return asyncio.run(seen(BUGS[number]))
