"""The plan of a proof: from the point's own contents, everything that will be made, changed, left out, and why."""

from __future__ import annotations

import random
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from lazarus_tui.model.clock import Clock, rfc3339
from lazarus_tui.model.counting import how_many
from lazarus_tui.model.estimates import from_runs
from lazarus_tui.model.plan import Danger, Estimate, Params, Plan, PlanRefused
from lazarus_tui.model.planning import PlanMaker, ProofReader, UnbrokenReader
from lazarus_tui.model.proofs import REQUIRED
from lazarus_tui.model.steps import Reader
from lazarus_tui.model.volumes import UNREAD
from lazarus_tui.prove import choice, custom, dressing, precedence, preflight, wording
from lazarus_tui.prove.asked import Asked, asked
from lazarus_tui.prove.checks.launched import CHECK_LABEL
from lazarus_tui.prove.definitions import Checks, parse
from lazarus_tui.prove.places import identity
from lazarus_tui.prove.points import Contents, Source
from lazarus_tui.prove.proof.noticing import UNBROKEN
from lazarus_tui.prove.rules import Options, Ruling, judge, wishes
from lazarus_tui.prove.rules.modifiers import LARGEST, document
from lazarus_tui.prove.rules.podspecs import SCALED
from lazarus_tui.prove.silences import planned as silences
from lazarus_tui.prove.snapshot_points import SnapshotPoints
from lazarus_tui.prove.velero_points import VeleroPoints

KIND = "prove.run"
RESTORE, BESIDE = "velero.restore", "snapshots.restore-beside"


@dataclass(frozen=True, slots=True)
class Names:
    """Every name of the proof, made from its operation, so that they stand literally in the approved plan."""

    op: str

    @property
    def quarantine(self) -> str:
        return f"lazarus-q-{self.op[:8]}"

    @property
    def restore(self) -> str:
        return f"lazarus-proof-{self.op[:8]}"

    @property
    def modifiers(self) -> str:
        return f"lazarus-modifiers-{self.op[:8]}"


async def plan(reader: Reader, params: Params, clock: Clock) -> Plan:
    """The plan of one proof; changes nothing. ``params``: see ``asked.Asked``. Raises ``PlanRefused``."""
    wanted = asked(params, reader.context, clock.now())
    names = Names(secrets.token_hex(8))
    source = source_of(wanted, reader, clock)
    views = await source.points(wanted.namespace, wanted.workload, sure=choice.sure(wanted.point))
    point = choice.choose(wanted.point, views, clock.now(), random.Random(names.op))
    contents = await source.contents(point.name, wanted.namespace, wanted.workload)
    priority = await precedence.chosen(reader)
    options = Options(
        target=names.quarantine,
        workload=wanted.workload,
        allow=wanted.allow,
        placeholders=wanted.placeholders,
        routes=wanted.ingress == "rewrite",
        priority=priority.name,
        nodes=wanted.nodes,
        withheld=wanted.control == "withhold",
    )
    ruling = judge(contents, options)
    _refuse_blocked(ruling, wanted)
    _refuse_missing(contents, wanted)
    found = await preflight.look(reader, contents, ruling, wanted, names.op, clock.now())
    restoring, estimate = await _restoring(reader, wanted, names, point.name, contents, ruling)
    estimate = _as_before(reader, wanted.namespace) or estimate
    preflight.enough_time(contents, estimate, clock.now())
    frozen = {**_frozen(wanted, names, contents, ruling, reader.context), **restoring}
    frozen |= {"handles": sorted(found.handles | _handles(contents)), "images": list(found.images)}
    frozen |= _unbroken(reader, wanted, contents)
    frozen["priority"] = priority.frozen()
    frozen["silence"] = silences.planned(wanted.alertmanagers, estimate, wanted.keep_minutes)
    if wanted.source == SnapshotPoints.kind:
        frozen["dressing"] = dressing.listed(contents, ruling.created)
    not_green = frozen["not_green"]
    named = wording.subject(wanted.namespace, wanted.workload)
    return Plan(
        kind=KIND,
        context=reader.context,
        cluster_uid=await reader.cluster_uid(),
        target=names.quarantine,
        title=f"Prove {named} from {point.name}",
        danger=Danger.CHANGES,
        params=frozen,
        steps=(),
        effects=tuple(wording.effects(names.quarantine, contents, ruling, frozen)),
        warnings=(*(f"cannot be PASSED: {why}" for why in not_green), *ruling.warnings, *found.warnings,
                  *priority.warnings,
                  *custom.warnings(frozen["custom"]),
                  *(f"{point.name}: {why}" for why in point.reasons if not why.endswith(UNREAD)),  # it was, for this
                  *silences.warnings(names.quarantine, frozen["silence"])),
        undo="the quarantine that is kept is removed at once" if wanted.keep_minutes else "",
        estimate=estimate,
        made=rfc3339(clock.now()),
    )  # fmt: skip


def source_of(wanted: Asked, reader: Reader, clock: Clock) -> Source:
    if wanted.source == SnapshotPoints.kind:
        return SnapshotPoints(reader)
    return VeleroPoints(reader, wanted.velero, clock)


def _refuse_blocked(ruling: Ruling, wanted: Asked) -> None:
    if ruling.blocked:
        raise PlanRefused(
            f"nothing makes {how_many(len(ruling.blocked), 'object')} of {wanted.namespace} harmless:"
            f" {ruling.blocked[0]}",
            where=wanted.namespace,
            hint="prove another point, or take these objects out of the backup",
            code="blocked",
            details=ruling.blocked,
        )


def _refuse_missing(contents: Contents, wanted: Asked) -> None:
    kind, _, name = wanted.workload.partition("/")
    of_velero = wanted.source == VeleroPoints.kind  # a set has no Secrets: the live ones are looked at when copied
    if of_velero and (unmet := wishes.unmet(contents, wanted.placeholders)):
        what = f"{contents.point} holds no Secret with {', '.join(unmet)}"
        raise PlanRefused(what, where="placeholders", hint="NAME/KEY of a Secret of the namespace")
    if wanted.workload and not any((item.kind, item.name) == (kind, name) for item in contents.items):
        what = f"{contents.point} does not hold {kind} {name} of namespace {wanted.namespace}"
        raise PlanRefused(what, where="workload", hint="choose another point, or the whole namespace")


def _frozen(
    wanted: Asked, names: Names, contents: Contents, ruling: Ruling, context: str
) -> dict[str, Any]:  # fmt: skip
    checks = _checks(wanted, names, ruling, context)
    rules = list(ruling.modifiers) if wanted.source == VeleroPoints.kind else []
    if len(document(rules)) > LARGEST:
        raise PlanRefused(
            f"{len(rules)} rules are more than a ConfigMap can hold", where=wanted.namespace, hint="prove one workload"
        )
    return {
        "op": names.op,
        "quarantine": names.quarantine,
        "velero": wanted.velero,
        "lease_namespace": wanted.velero or wanted.namespace,
        "source": wanted.source,
        "point": contents.point,
        "point_start": contents.start,
        "namespace": wanted.namespace,
        "workload": wanted.workload,
        "modifiers": {"name": names.modifiers, "rules": rules} if rules else {},
        "expected": [dict(one) for one in ruling.expected],
        "forbidden": [dict(one) for one in ruling.forbidden],
        "inventory": list(ruling.inventory),
        "lost": list(contents.lost),
        "unlisted": contents.unlisted,
        "replicas": _replicas(contents, ruling),
        "alone": _alone(contents, ruling, wanted),
        "volumes": [_volume(one) for one in contents.volumes],
        "held": [dict(one) for one in ruling.held],
        "not_green": [*ruling.not_green, *_unproven(wanted)],
        "contents_digest": contents.digest,
        "checks": msgspec.to_builtins(checks),
        "require": list(wanted.require or _rungs(checks)),
        "targets": {"rto_seconds": wanted.rto_seconds, "rpo_seconds": wanted.rpo_seconds},
        "stabilise_seconds": wanted.stabilise_seconds,
        "limits": dict(wanted.limits),
        "keep_minutes": wanted.keep_minutes,
        "control": wanted.control,
        "allow": [msgspec.to_builtins(one) for one in wanted.allow],
        "placeholders": list(wanted.placeholders),
        "nodes": wanted.nodes.plain,
        "ingress": wanted.ingress,
        "policy": wanted.policy,
        "policy_hash": wanted.policy_hash,
        "negative_control": dict(wanted.negative_control),
        "custom": custom.standing(contents, ruling.created),
        "owner": wanted.owner,
        "network": dict(wanted.network),
        "probe": dict(wanted.probe),
    }


def _unbroken(reader: Reader, wanted: Asked, contents: Contents) -> dict[str, Any]:
    """With a control: how the point stands without what is broken, as far as anybody knows."""
    if not wanted.control or not isinstance(reader, UnbrokenReader):
        return {}
    of = (wanted.namespace, wanted.workload, wanted.source, contents.point, contents.start)
    verdict, at = reader.unbroken(*of)
    return {UNBROKEN: {"verdict": str(verdict), "at": at}}


def _checks(wanted: Asked, names: Names, ruling: Ruling, context: str) -> Checks:
    """What is checked. Built-in checks ask only what is brought back: with one workload the others are not there."""
    given = {"sources": {names.quarantine: wanted.namespace}, "checks": wanted.checks, "workloads": _runs(ruling)}
    found = parse({**given, "evidence": False}, context)
    if wanted.checks:
        return found
    there = ruling.created.get("services", ())
    kept = tuple(one for one in found.checks if getattr(one, "service", "") in ("", *there))
    return msgspec.structs.replace(found, checks=kept)


def _rungs(checks: Checks) -> Sequence[str]:
    about_data = checks.watermark is not None or any(check.rung == "data right" for check in checks.checks)
    return (*REQUIRED, "data right") if about_data else REQUIRED


def _unproven(wanted: Asked) -> list[str]:
    """A control breaks the copy on purpose: it has to be red, and its colour says nothing about the point."""
    return [f"negative control {wanted.control!r}: the copy is broken on purpose"] if wanted.control else []


def _runs(ruling: Ruling) -> bool:
    """Whether there are workloads, whose readiness is looked at."""
    return any(ruling.created.get(one) for one in (*SCALED, "daemonsets.apps"))


def _replicas(contents: Contents, ruling: Ruling) -> dict[str, int]:
    """``{"StatefulSet/orders": 1}``: what has to run of workloads that are brought back and are not suspended."""
    held = {(str(one["kind"]), str(one["name"])) for one in ruling.held}
    still = {
        (str(one["resource"]), str(one["name"])) for one in ruling.expected if one["pointer"] == "/spec/replicas"
    }  # fmt: skip
    found = {}
    for item in contents.of(*SCALED):
        runs = (item.plural, item.name) not in still or (item.kind, item.name) in held
        if runs and item.name in ruling.created.get(item.resource, ()):
            found[f"{item.kind}/{item.name}"] = int(item.spec.get("replicas", 1))
    return found


def _alone(contents: Contents, ruling: Ruling, wanted: Asked) -> list[str]:
    """Pods that serve beside the workloads of a namespace: ready in the point, meant to run for ever, brought back, and
    made again by nobody, so that no workload speaks for them. A control looks only for what it broke itself."""
    if wanted.workload or wanted.control or wanted.source != VeleroPoints.kind:
        return []
    there = ruling.created.get("pods", ()) if _runs(ruling) else ()
    found = [one for one in contents.of("pods") if one.name in there and CHECK_LABEL not in one.marks("labels")]
    return sorted(one.name for one in found if _serves(one.body))


def _serves(pod: Mapping[str, Any]) -> bool:
    told = {one.get("type"): one.get("status") for one in (pod.get("status") or {}).get("conditions") or ()}
    for_ever = (pod.get("spec") or {}).get("restartPolicy") in (None, "Always")
    return told.get("Ready") == "True" and for_ever and not pod["metadata"].get("ownerReferences")


def _volume(one: Any) -> dict[str, Any]:
    return {
        "claim": one.claim,
        "held": str(one.held),
        "reason": one.reason,
        "size": one.size,
        "method": one.method,
        "handle": one.handle,
        "frozen_at": one.frozen_at,
    }


def _handles(contents: Contents) -> set[str]:
    """What the point's own volumes were on: a restored one that is on the same is not a copy (S9)."""
    own = (identity(item.spec) for item in contents.cluster if item.resource == "persistentvolumes")
    return {one for one in own if one}


def _as_before(reader: Reader, namespace: str) -> Estimate | None:
    """As long as the proofs before it took; without any the restore alone says how long it may be."""
    lengths = reader.took(namespace) if isinstance(reader, ProofReader) else ()
    return from_runs(lengths, f"proofs of {namespace}")


async def _restoring(
    reader: Reader, wanted: Asked, names: Names, point: str, contents: Contents, ruling: Ruling
) -> tuple[dict[str, Any], Estimate | None]:
    """What the subject of the point needs to bring it back, as its own planner says, with our rules put in."""
    if not isinstance(reader, PlanMaker):
        raise PlanRefused("this engine cannot plan a restore here", hint="plan it through the engine")
    if wanted.source == SnapshotPoints.kind:
        name = wanted.workload.partition("/")[2]
        given = {"namespace": wanted.namespace, "statefulset": name, "set": point, "into": names.quarantine}
        made = await reader.make(BESIDE, given)
        return {"beside": {**made.params, "new": False}}, made.estimate
    made = await reader.make(
        RESTORE,
        {
            "velero": wanted.velero,
            "backup": point,
            "name": names.restore,
            "namespaces": [wanted.namespace],
            "namespace_mapping": {wanted.namespace: names.quarantine},
            "exclude_resources": list(ruling.excluded),
        },
    )
    return {
        "restore": {**made.params, "spec": _spec(made.params["spec"], names, ruling), "checks": False}
    }, made.estimate


def _spec(spec: Mapping[str, Any], names: Names, ruling: Ruling) -> dict[str, Any]:
    """One namespace, mapped to the quarantine, and never onto what exists (S5)."""
    found = {**spec, "preserveNodePorts": False}
    if ruling.without_cluster:
        found["includeClusterResources"] = False
    if ruling.modifiers:
        found["resourceModifier"] = {"kind": "configmap", "name": names.modifiers}
    return found
