"""How long a copy is watched before it is asked is what its policy says, all the way to the step that watches."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from lazarus_tui.model.plan import Plan
from lazarus_tui.model.steps import Step
from lazarus_tui.prove import run
from lazarus_tui.prove.proof import compose
from lazarus_tui.prove.steps import Ready
from tests.prove.proof.facts import params
from tests.velero.lab import Lab, World


class Steps:
    def steps(self, kind: str, plan: Plan) -> Sequence[Step]:
        assert kind == plan.kind == "prove.checks"
        return run.steps(plan, self)


@pytest.mark.parametrize("seconds", [0.0, 30.0])
def test_a_copy_is_watched_for_as_long_as_its_policy_says(seconds: float) -> None:
    plan = msgspec.structs.replace(Lab(World()).plan, params=params(stabilise_seconds=seconds, checks={}))
    ready, *_ = compose._checks(plan, Steps())
    assert isinstance(ready, Ready)
    assert (ready.watch, ready.stable) == (seconds, max(1.0, seconds))
