"""What a policy does, in words: one sentence each."""

from __future__ import annotations

from datetime import timedelta

from lazarus_tui.model import cron, durations
from lazarus_tui.model.policies import DEFER, RUN_ALL, RUN_ONCE, SKIP
from lazarus_tui.model.proof_policies import ProofPolicy, Selector
from lazarus_tui.model.retrying import spacing


def words(policy: ProofPolicy) -> list[str]:
    said = [f"proves {', '.join(map(_selected, policy.workloads))}"]
    if policy.on_completion:
        of = f" of the schedules {', '.join(policy.schedules)}" if policy.schedules else ""
        said.append(f"each backup{of} that holds it, as soon as it completes")
    line = policy.line()
    if line is not None:
        said.append(f"{', '.join(policy.by_clock)}: {line.describe()}")
    missed = {SKIP: "is left out", RUN_ONCE: "is made up for by one", RUN_ALL: "is made up for, three at most"}
    said.append(f"what was missed while nothing ran {missed[policy.catch_up]}")
    said.append(_again(policy))
    if policy.retries:
        after = ", ".join(durations.human(spacing(n + 1)) for n in range(policy.retries))
        said.append(f"one that came to no verdict for a reason outside of its point is tried again after {after}")
    said.append(f"at most {policy.at_once} at once; Velero restores one after the other")
    if labels := policy.prove.get("nodes", {}).get("labels"):
        said.append(f"copies run only on nodes with {', '.join(f'{key}={value}' for key, value in labels.items())}")
    said += [f"only from {_opens(policy, one.begins)} on for {_human(one.lasts)}" for one in policy.windows]
    rule = "waits until it is over" if policy.in_blackout == DEFER else "is left out"
    for one in policy.blackout:
        said.append(
            f"none begins from {_opens(policy, one.begins)} on for {_human(one.lasts)}; what is due then {rule}"
        )
    if policy.control:
        often = _human(policy.control_seconds)
        said.append(f"each {often} a copy is broken on purpose ({policy.control}), and the checks must go red")
    said.append(f"one that waits for more than {_human(policy.late_seconds)} is overdue")
    if policy.allowed:
        said.append("runs by itself (writes: schedules); it writes to quarantines alone")
    else:
        said.append(f"does not run by itself until a person enables it: lazarus policy enable {policy.name}")
    return said


def _selected(one: Selector) -> str:
    if one.labels:
        labels = ",".join(f"{key}={value}" for key, value in sorted(one.labels.items()))
        return f"workloads with {labels} in {one.namespace or 'every namespace'}"
    return f"{one.namespace}/{one.workload}" if one.workload else f"namespace {one.namespace}"


def _again(policy: ProofPolicy) -> str:
    if not policy.again_seconds:
        return "a point that came to a verdict is not proven again"
    return f"a point that came to a verdict is not proven again within {_human(policy.again_seconds)}"


def _opens(policy: ProofPolicy, begins: str) -> str:
    return cron.parse(begins, policy.rule, zone=policy.time_zone).describe()


def _human(seconds: float) -> str:
    return durations.human(timedelta(seconds=seconds))
