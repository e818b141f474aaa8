"""Plans and forms of proofs, and why one cannot be asked for."""

from __future__ import annotations

import msgspec
import pytest

from lazarus_tui.model.verdict import Verdict
from lazarus_tui.view import (
    actions,
    plans,
    proof_forms,
    reasons,
    snapshots,
)
from lazarus_tui.view.text import Tone, plain
from tests.console import proofs as world
from tests.console import worlds
from tests.view.test_proofs import gathered


def test_a_plan_groups_by_rule_and_is_loud_about_volumes_without_data():
    lines = plans.card(world.plan(), 79)
    text = "\n".join(map(plain, lines))
    parts = ("cannot be PASSED", "✗ NO DATA  cache-web-0", "✓ data", "What is made", "S9   ✗ empty", "S7   - skip",
             "S14  - skip", "S15  ~ suspend")  # fmt: skip
    order = [text.index(words) for words in parts]
    assert order == sorted(order)
    assert "endpoints/orders, endpoints/web" in text
    assert text.count("the original's addresses") == 1
    assert "cannot be taken back" not in text
    loud = [part.text for line in lines for part in line if part.tone is Tone.BAD]
    assert any("NO DATA" in part for part in loud)
    assert any("cannot be PASSED" in part for part in loud)


def test_a_plan_of_a_control_says_that_the_copy_is_broken():
    broken = world.plan({"params": {}})
    broken = msgspec.structs.replace(broken, params={**broken.params, "control": "flip"})
    broken = msgspec.structs.replace(broken, warnings=("cannot be PASSED: negative control 'flip': on purpose",))
    text = "\n".join(map(plain, plans.card(broken, 100)))
    assert "▲ negative control flip: the copy is broken on purpose" in text
    assert "cannot be PASSED" not in text


def test_forms_refuse_what_they_cannot_mean():
    assert proof_forms.backup_params({"backup": "b", "namespace": "shop", "workload": ""}) == {
        "namespace": "shop", "point": "b",
    }  # fmt: skip
    assert proof_forms.control_params({"control": "flip", "point": ""}) == {"control": "flip", "point": "latest"}
    for wrong in ({"backup": "b"}, {"backup": "b", "namespace": "s", "workload": "orders"}):
        with pytest.raises(ValueError, match=r"which|write it as"):
            proof_forms.backup_params(wrong)
    with pytest.raises(ValueError, match="one of withhold"):
        proof_forms.control_params({"control": "rm -rf"})


# What may be proven


def why(record, **more):
    context = worlds.context(**more)
    situation = reasons.Situation("proofs", worlds.NOW, context=context, record=record)
    return actions.BY_ID["prove"].disabled_reason(situation)


def test_proving_is_grey_with_the_reason():
    orders = gathered()[world.ORDERS]
    assert why(orders) is None
    assert why(gathered()["intranet/StatefulSet/wiki"]) == "this workload has no usable recovery point"
    assert why(orders, sandbox=False, write_until="") == "this context is read-only: a arms it for 15 minutes"
    assert why(orders, denied=("create namespaces",)) == "your account may not create namespaces"
    assert why(orders, velero_namespace="") == "there is no Velero in use in this cluster"
    assert why(gathered(world.running())[world.ORDERS]) == "a proof of it runs: enter shows it"


def test_a_set_is_proven_by_the_last_proof_of_exactly_that_set():
    of_set = {"source": "snapshots", "point": "db-0400", "rto": None}
    older = world.proof("aa" * 8, 5.0, world.ladder("prod/StatefulSet/db", 5), verdict=Verdict.FAILED, **of_set)
    newer = world.proof("bb" * 8, 1.0, world.ladder("prod/StatefulSet/db", 5), **of_set)
    control = world.proof("cc" * 8, 0.5, verdict=Verdict.FAILED, control="flip", **of_set)
    found = snapshots.verdicts(world.views(newer, older, control).values())
    assert found == {"shop/db-0400": Verdict.PASSED}, "that was a control of another workload"
    ladder = world.ladder("prod/StatefulSet/db", 5)
    unnoticed = world.proof("dd" * 8, 3.0, ladder, verdict=Verdict.FAILED, control="flip", **of_set)
    found = snapshots.verdicts(world.views(newer, older, control, unnoticed).values())
    assert found == {"shop/db-0400": Verdict.INCONCLUSIVE}, "its checks do not notice a broken copy"


# Hostile
