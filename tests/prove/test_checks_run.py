"""Checks that run commands, pods and Jobs; credentials; the time of files."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from lazarus_tui.kube.errors import Forbidden, Invalid
from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.plan import Danger
from lazarus_tui.model.resources import CONFIGMAPS, JOBS, NAMESPACES, PODS, STATEFULSETS
from lazarus_tui.model.steps import Outcome, Seen
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.prove import run
from lazarus_tui.prove.checks.launched import Launch, Tidy, name_of
from lazarus_tui.prove.definitions import Checks, parse
from lazarus_tui.prove.steps import Run
from tests.prove.doors import NAMESPACE, SOURCE, Doors, said
from tests.velero.lab import START, Lab

PASSED, FAILED, INCONCLUSIVE, NOT_TESTED = (
    Verdict.PASSED, Verdict.FAILED, Verdict.INCONCLUSIVE, Verdict.NOT_TESTED,
)  # fmt: skip
CANARY = "row-value-canary-1734"


@pytest.fixture
def doors() -> Doors:
    return Doors()


def pod(doors: Doors, name: str, *, env: Any = (), env_from: Any = (), **labels: str) -> None:
    container = {
        "name": "app",
        "env": list(env),
        "envFrom": list(env_from),
        "ports": [{"name": "db", "containerPort": 5}],
    }
    status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    doors.put(PODS, name, NAMESPACE, metadata={"labels": labels}, spec={"containers": [container]}, status=status)


def ran(code: int = 0, out: bytes = b"", *, cut: bool = False) -> Any:
    return SimpleNamespace(exit_code=code, stdout=out, stderr=b"", cut=cut)


# --- commands

EXEC: dict[str, Any] = {"kind": "exec", "pod": "app-0", "command": ["app", "verify"]}


@pytest.mark.parametrize(
    ("done", "check", "verdict", "words"),
    [
        (ran(), {}, PASSED, "exit code 0"),
        (ran(3), {}, FAILED, "exit code 3 instead of 0"),
        (ran(3), {"exitCode": 3}, PASSED, "exit code 3"),
        (ran(0, b"42 orders\n"), {"output": {"matches": "^42 "}}, PASSED, "exit code 0"),
        (ran(0, CANARY.encode()), {"output": {"equals": "else"}}, FAILED, "its output is not 'else'"),
        (ran(0, b"7\n"), {"output": {"atLeast": 8}}, FAILED, "its output is not at least 8"),
        (Invalid("no such program"), {}, INCONCLUSIVE, "could not be asked"),
        (Forbidden("no", status=403, resource="pods/exec"), {}, INCONCLUSIVE, "missing right on pods/exec"),
        (ran(), {"container": "other"}, FAILED, "has no container other"),
        (lambda: asyncio.sleep(60), {"timeout": 0.05}, FAILED, "no answer within 0.05 s"),
    ],
)
async def test_commands(doors: Doors, done: Any, check: dict[str, Any], verdict: Verdict, words: str) -> None:
    pod(doors, "app-0")
    doors.runs[("app", "verify")] = done
    result = await said(doors, **EXEC, **check)
    assert (result.verdict, words in result.summary) == (verdict, True), result.summary
    assert CANARY not in f"{result}"
    if "container" not in check:
        (write,) = doors.announced
        assert (write.verb, write.name, write.body) == (
            "exec",
            "app-0",
            {"container": "app", "argv": ["app", "verify"]},
        )
        assert doors.outcomes == [Outcome.APPLIED if verdict in (PASSED, FAILED) and "timeout" not in check
                                  else Outcome.AMBIGUOUS]  # fmt: skip


CUT = b"2026-11-01 orders" + b" row" * 8192


@pytest.mark.parametrize(
    ("output", "verdict"),
    [
        (None, PASSED),
        ({"contains": "orders"}, PASSED),
        ({"matches": "^2026-.* orders"}, PASSED),
        ({"matches": "invoices"}, FAILED),
        ({"contains": "invoices"}, INCONCLUSIVE),
        ({"equals": CUT.decode()}, INCONCLUSIVE),
        ({"atLeast": 1}, INCONCLUSIVE),
        ({"contains": "orders", "differsFrom": "nothing"}, INCONCLUSIVE),
    ],
)
async def test_of_an_output_that_was_cut_nothing_is_said_that_the_rest_could_change(
    doors: Doors, output: dict[str, Any] | None, verdict: Verdict
) -> None:
    pod(doors, "app-0")
    doors.runs[("app", "verify")] = ran(0, CUT, cut=True)
    result = await said(doors, **EXEC, **({"output": output} if output else {}))
    assert result.verdict is verdict, result.summary
    assert (result.evidence["cut"], result.evidence["bytes"]) == (True, len(CUT))
    assert verdict is FAILED or "only the first 32.0 KiB of its output were kept" in result.summary
    doors.runs[("app", "verify")] = ran(3, CUT, cut=True)
    assert (await said(doors, **EXEC, **({"output": output} if output else {}))).verdict is FAILED


async def test_pods_of_a_workload_are_those_that_its_whole_selector_takes(doors: Doors) -> None:
    rules = [
        {"key": "app", "operator": "In", "values": ["a", "b"]}, {"key": "tier", "operator": "DoesNotExist"},
        {"key": "role", "operator": "Exists"}, {"key": "track", "operator": "NotIn", "values": ["canary"]},
    ]  # fmt: skip
    doors.put(STATEFULSETS, "app", NAMESPACE, spec={"selector": {"matchExpressions": rules}})
    doors.runs[("app", "verify")] = ran()
    wanted = {**{key: value for key, value in EXEC.items() if key != "pod"}, "workload": "StatefulSet/app"}
    pod(doors, "a-other", app="c", role="db")
    pod(doors, "b-tier", app="a", role="db", tier="web")
    pod(doors, "c-role", app="a")
    pod(doors, "d-canary", app="a", role="db", track="canary")
    assert "no pod of StatefulSet/app is ready (0 there)" in (await said(doors, **wanted)).summary
    pod(doors, "e-own", app="b", role="db")
    assert (await said(doors, **wanted)).evidence["pod"] == f"{NAMESPACE}/e-own"


async def test_a_workload_is_its_first_ready_pod(doors: Doors) -> None:
    doors.put(STATEFULSETS, "app", NAMESPACE, spec={"selector": {"matchLabels": {"app": "a"}}})
    doors.runs[("app", "verify")] = ran()
    wanted = {**{key: value for key, value in EXEC.items() if key != "pod"}, "workload": "StatefulSet/app"}
    assert "no pod of StatefulSet/app is ready (0 there)" in (await said(doors, **wanted)).summary
    pod(doors, "app-1", app="a")
    pod(doors, "zzz", app="b")
    assert (await said(doors, **wanted)).evidence["pod"] == f"{NAMESPACE}/app-1"
    assert "there is no StatefulSet/gone" in (await said(doors, **{**wanted, "workload": "StatefulSet/gone"})).summary


# --- credentials

DATABASE: dict[str, Any] = {"kind": "postgresql", "pod": "app-0", "port": "db", "timeout": 5}


@pytest.mark.parametrize(
    ("credentials", "words"),
    [
        ({"secret": "gone"}, "secret gone has no password"),
        ({"secret": "login", "passwordKey": "other"}, "secret login has no other"),
        ({"env": {"password": "NONE"}}, "NONE of container app leads to no value"),
        ({"env": {"password": "DANGLING"}}, "DANGLING of container app leads to no value"),
        ({"env": {"password": "PLAIN"}, "container": "other"}, "has no container other"),
        ({"secret": "login"}, ""),
        ({"env": {"username": "PLAIN", "password": "BY_SECRET"}}, ""),
        ({"env": {"username": "BY_MAP", "password": "PRE_password"}}, ""),
    ],
)
async def test_credentials_are_references(doors: Doors, credentials: dict[str, Any], words: str) -> None:
    pod(
        doors, "app-0",
        env=[
            {"name": "PLAIN", "value": "literal"},
            {"name": "BY_SECRET", "valueFrom": {"secretKeyRef": {"name": "login", "key": "password"}}},
            {"name": "BY_MAP", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "user"}}},
            {"name": "DANGLING", "valueFrom": {"secretKeyRef": {"name": "gone", "key": "password"}}},
        ],
        env_from=[{"prefix": "PRE_", "secretRef": {"name": "login"}}],
    )  # fmt: skip
    doors.put(CONFIGMAPS, "settings", NAMESPACE, data={"user": "app"})
    doors.secrets |= {("login", "password"): CANARY, ("login", "username"): "app"}
    result = await said(doors, **DATABASE, credentials=credentials)
    assert CANARY not in f"{result}"
    if words:
        assert (result.verdict, words in result.summary, doors.opened) == (INCONCLUSIVE, True, []), result.summary
    else:
        assert (result.verdict, doors.opened) == (FAILED, [("app-0", 5)]), "it was let in, and nothing listens"
        assert "takes no connections" in result.summary


@pytest.mark.parametrize(
    ("kind", "module", "extra"),
    [("postgresql", "asyncpg", "postgresql"), ("mariadb", "pymysql", "mysql"), ("mongodb", "pymongo", "mongodb"),
     ("redis", "redis.asyncio", "redis")],
)  # fmt: skip
async def test_without_its_driver_a_check_says_what_to_install(
    doors: Doors, monkeypatch: pytest.MonkeyPatch, kind: str, module: str, extra: str
) -> None:
    pod(doors, "app-0")
    monkeypatch.setitem(sys.modules, module, None)
    result = await said(doors, kind=kind, pod="app-0", port=5)
    assert (result.verdict, result.evidence["final"]) == (INCONCLUSIVE, True)
    assert f"pip install 'lazarus-tui[{extra}]'" in result.summary


# --- files


async def test_the_time_of_a_file_and_the_time_in_one(doors: Doors) -> None:
    pod(doors, "app-0")
    lab = Lab(doors)
    lab.facts["restore.t4"] = rfc3339(START)
    before = START - timedelta(minutes=5)
    doors.runs[("stat", "-c", "%Y", "--", "/d/f")] = ran(0, str(int(before.timestamp())).encode())
    doors.runs[("cat", "--", "/d/s")] = ran(0, rfc3339(before).encode() + b"\n")
    doors.runs[("cat", "--", "/d/late")] = ran(0, rfc3339(START + timedelta(seconds=1)).encode())
    doors.runs[("cat", "--", "/d/empty")] = ran(0, b"")
    doors.runs[("cat", "--", "/d/gone")] = ran(1)
    for path, sentinel, verdict in (
        ("/d/f", False, PASSED), ("/d/s", True, PASSED), ("/d/late", True, INCONCLUSIVE), ("/d/empty", True, FAILED),
        ("/d/gone", True, FAILED),
    ):  # fmt: skip
        mark = {"kind": "file", "pod": "app-0", "path": path, "sentinel": sentinel}
        step = Run(parse({"sources": {NAMESPACE: SOURCE}, "checks": {"watermark": mark, "checkSeconds": 0.1}}, "lab"))
        lab.facts.pop("checks.watermark", None)
        await lab.run(step)
        assert (lab.checks[-1].verdict, "checks.watermark" in lab.facts) == (verdict, verdict is PASSED), path


# --- pods and Jobs


def launching(*checks: dict[str, Any]) -> Checks:
    return parse({"sources": {NAMESPACE: SOURCE}, "checks": {"checks": list(checks), "checkSeconds": 5}}, "lab")


POD: dict[str, Any] = {"kind": "pod", "name": "own", "image": "check:1", "args": ["--deep"], "env": {"A": "b"}}


def ended(doors: Doors, name: str, code: int, message: str = "") -> None:
    state = {"terminated": {"exitCode": code, "message": message}}
    beside = {"name": "agent", "state": {"terminated": {"exitCode": 0, "message": "all ok"}}}
    said = [beside, {"name": "check", "state": state}]  # by name: that of a webhook's container comes first
    doors.at(PODS, name, NAMESPACE)["status"] = {"phase": "Succeeded", "containerStatuses": said}


async def test_a_pod_of_the_checkers_own(doors: Doors) -> None:
    lab, wanted = Lab(doors), launching({**POD, "message": {"contains": "ok"}})
    name = name_of(lab.op, wanted.checks[0])  # type: ignore[arg-type]
    assert (await lab.run(Launch(wanted))).seen is Seen.DONE
    spec = doors.at(PODS, name, NAMESPACE)["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["containers"][0]["securityContext"] == {
        "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip
    assert (spec["restartPolicy"], spec["securityContext"]["runAsNonRoot"]) == ("Never", True)
    assert (await lab.run(Launch(wanted))).seen is Seen.DONE
    assert len(doors.writes) == 1, "a second look makes no second pod"
    assert (await lab.run(Run(wanted))).seen is Seen.DONE
    assert (lab.checks[0].verdict, "has not ended" in lab.checks[0].summary) == (INCONCLUSIVE, True)
    for code, message, verdict, words in (
        (0, "all ok", PASSED, "exit code 0"), (1, "ok", FAILED, "exit code 1"),
        (0, CANARY, FAILED, "termination message"),
    ):  # fmt: skip
        ended(doors, name, code, message)
        await lab.run(Run(wanted))
        assert (lab.checks[0].verdict, words in lab.checks[0].summary) == (verdict, True)
        assert CANARY not in f"{lab.checks}"
    assert (await lab.run(Tidy(wanted))).seen is Seen.DONE
    assert ("pods", NAMESPACE, name) not in doors.objects


@pytest.mark.parametrize(
    ("status", "why"),
    [
        ({"reason": "Evicted", "phase": "Failed"}, "Evicted"),
        ({"conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}]},
         "PreemptionByScheduler"),
        ({"reason": "DeadlineExceeded", "conditions": [{"type": "DisruptionTarget", "status": "False"}]}, ""),
    ],
)  # fmt: skip
async def test_a_pod_that_the_cluster_ended_says_nothing_about_the_copy(
    doors: Doors, status: dict[str, Any], why: str
) -> None:
    lab, wanted = Lab(doors), launching(POD)
    await lab.run(Launch(wanted))
    name = name_of(lab.op, wanted.checks[0])  # type: ignore[arg-type]
    ended(doors, name, 137)
    doors.at(PODS, name, NAMESPACE)["status"] |= status
    await lab.run(Run(wanted))
    words = f"pod {name} was ended by the cluster, not by itself: {why}" if why else "exit code 137 instead of 0"
    assert (lab.checks[0].verdict, lab.checks[0].summary) == (INCONCLUSIVE if why else FAILED, words)


async def test_in_a_namespace_that_is_no_quarantine_nothing_is_said_of_nodes_and_class(doors: Doors) -> None:
    lab, wanted = Lab(doors), launching(POD)
    await lab.run(Launch(wanted))
    spec = doors.at(PODS, name_of(lab.op, wanted.checks[0]), NAMESPACE)["spec"]  # type: ignore[arg-type]
    assert not {"priorityClassName", "nodeSelector", "tolerations"} & spec.keys()


async def test_restored_jobs_are_let_run_and_given_ones_made(doors: Doors) -> None:
    doors.put(JOBS, "nightly", NAMESPACE, spec={"suspend": True})
    wanted = launching({"kind": "job", "job": "nightly"}, {"kind": "job", "image": "check:1", "name": "mine"})
    lab = Lab(doors)
    await lab.run(Launch(wanted))
    assert doors.at(JOBS, "nightly", NAMESPACE)["spec"]["suspend"] is False
    own = name_of(lab.op, wanted.checks[1])  # type: ignore[arg-type]
    assert doors.at(JOBS, own, NAMESPACE)["spec"]["backoffLimit"] == 0
    doors.at(JOBS, "nightly", NAMESPACE)["status"] = {"conditions": [{"type": "Complete", "status": "True"}]}
    failed = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}
    doors.at(JOBS, own, NAMESPACE)["status"] = {"conditions": [failed], "failed": 1}
    await lab.run(Run(wanted))
    assert [(one.name, one.verdict) for one in lab.checks] == [("job nightly", PASSED), ("mine", FAILED)]
    assert "BackoffLimitExceeded" in lab.checks[1].summary
    await lab.run(Tidy(wanted))
    assert [name for kind, _, name in doors.objects if kind == "jobs"] == ["nightly"], "what was restored stays"
    await lab.run(Run(launching({"kind": "job", "job": "gone"})))
    assert "there is no job gone" in lab.checks[-1].summary


@pytest.mark.parametrize(("completions", "verdict"), [(0, INCONCLUSIVE), (1, PASSED), (None, PASSED)])
async def test_a_job_that_has_nothing_to_do_is_complete_and_shows_nothing(
    doors: Doors, completions: int | None, verdict: Verdict
) -> None:
    """Kubernetes gives a Job of 0 completions its condition Complete without starting a pod."""
    spec = {"suspend": False} | ({} if completions is None else {"completions": completions})
    status = {"conditions": [{"type": "Complete", "status": "True"}], "succeeded": completions or 0}
    doors.put(JOBS, "nightly", NAMESPACE, spec=spec, status=status)
    lab = Lab(doors)
    await lab.run(Run(launching({"kind": "job", "job": "nightly"})))
    assert lab.checks[0].verdict is verdict, lab.checks[0].summary
    assert ("job nightly wants 0 completions, so it ran nothing" in lab.checks[0].summary) is (completions == 0)


async def test_a_pod_of_that_name_that_is_somebody_elses_is_not_removed(doors: Doors) -> None:
    lab, wanted = Lab(doors), launching(POD)
    name = name_of(lab.op, wanted.checks[0])  # type: ignore[arg-type]
    doors.put(PODS, name, NAMESPACE)
    seen = await lab.run(Tidy(wanted))
    assert (seen.seen, seen.detail) == (Seen.DONE, "none of them is there"), "nothing is said to be removed"
    assert ("pods", NAMESPACE, name) in doors.objects


async def test_a_plan_says_what_its_checks_do(doors: Doors) -> None:
    doors.put(NAMESPACES, NAMESPACE, "")
    doors.put(NAMESPACES, "plain", "")
    plan = await run.plan(doors, {"sources": {NAMESPACE: SOURCE}, "checks": {"checks": [POD, EXEC]}}, doors.clock)
    assert plan.danger is Danger.CHANGES
    assert [(one.verb, one.detail) for one in plan.effects] == [("create", "check:1"), ("change", "runs app verify")]
    steps = [step.name for step in run.steps(plan, None)]  # type: ignore[arg-type]
    assert steps == ["checks.ready", "checks.launch", "checks.run", "checks.tidy", "checks.judge"]
    mark = {"kind": "file", "workload": "StatefulSet/app", "path": "/d/beat", "sentinel": True}
    read = await run.plan(doors, {"namespaces": ["plain"], "checks": {"watermark": mark}}, doors.clock)
    assert (read.danger, [(one.what, one.detail) for one in read.effects]) == (
        Danger.CHANGES, [("plain/StatefulSet/app", "runs cat /d/beat")],
    )  # fmt: skip
    assert [step.mutates for step in run.steps(read, None) if step.name == "checks.run"] == [True]  # type: ignore[arg-type]
    quiet = await run.plan(doors, {"namespaces": ["plain"]}, doors.clock)
    assert (quiet.danger, quiet.effects) == (Danger.SAFE, ())
