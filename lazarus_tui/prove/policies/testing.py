"""A LazarusRestoreTest: one proof of one named backup, as its source document writes it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from lazarus_tui.model.counting import how_many
from lazarus_tui.prove.asked import asked
from lazarus_tui.prove.policies.meaning import NO_CONTEXT, checked, rungs, seconds, targets, wrong
from lazarus_tui.prove.policies.written import Database, Endpoint, HealthChecks, ProofFile

# What has to pass when nothing that runs is looked at.
_WITHOUT_HEALTH = ("exists", "complete", "intact", "restores")
SPACE = "default"  # stands for a namespace that only the backup knows


class ProofWish(msgspec.Struct, frozen=True, kw_only=True):
    """``namespace`` "" is the one that the backup holds. ``prove``: parameters of prove.run. ``uid`` and ``home``: of
    the object it was read from, and that one's namespace; "" for a file."""

    name: str
    backup: str
    namespace: str = ""
    workload: str = ""
    prove: dict[str, Any] = msgspec.field(default_factory=dict)
    notes: tuple[str, ...] = ()
    uid: str = ""
    home: str = ""

    def wants(self, namespace: str) -> dict[str, Any]:
        """The planner's parameters, for the namespace that is proven."""
        given = {"namespace": namespace, "workload": self.workload, "point": self.backup}
        return {**self.prove, **{key: value for key, value in given.items() if value}}


def wish(written: ProofFile, now: datetime) -> ProofWish:
    """Raises ``PlanRefused``; ``where`` is the path of the field."""
    meta, spec = written.metadata, written.spec
    name = meta.get("name")
    if not isinstance(name, str) or not name:
        raise wrong("it has no name", "metadata", "metadata: {name: my-first-test}")
    notes: list[str] = []
    space = spec.namespace or SPACE
    checks = _checks(spec.health_checks, notes)
    prove: dict[str, Any] = {
        "checks": checked(checks, spec.namespace, "spec.healthChecks") if checks else None,
        "require": rungs(spec.require) or (list(_WITHOUT_HEALTH) if not spec.health_checks.enabled else []),
        "targets": targets(spec.targets),
        "keep_minutes": seconds(spec.ttl or "0", "spec.ttl") / 60,
    }
    prove = {key: value for key, value in prove.items() if value}
    asked({"namespace": space, "workload": spec.workload, **prove}, NO_CONTEXT, now)
    return ProofWish(
        name=name, backup=spec.backup_name, namespace=spec.namespace, workload=spec.workload, prove=prove,
        notes=tuple(notes), uid=str(meta.get("uid") or ""), home=str(meta.get("namespace") or ""),
    )  # fmt: skip


def _checks(written: HealthChecks, notes: list[str]) -> dict[str, Any]:
    """In the words of docs/checks.md; {} where only readiness is looked at."""
    if not written.enabled:
        notes.append("healthChecks.enabled is false: nothing that runs is looked at, so health is NOT TESTED")
        return {"readiness": False, "checks": []}
    found: list[dict[str, Any]] = []
    parts: tuple[tuple[str, bool, list[dict[str, Any]]], ...] = (
        ("http", written.http.enabled, [_endpoint(one) for one in written.http.endpoints]),
        ("databases", written.databases.enabled, [_database(one, n) for n, one in enumerate(written.databases.checks)]),
        ("custom", written.custom.enabled, [_custom(one) for one in written.custom.pods]),
    )
    for name, enabled, checks in parts:
        if enabled:
            found += checks
        elif checks:
            many = how_many(len(checks), "check is", "checks are")
            notes.append(f"healthChecks.{name}.enabled is false: its {many} not run")
    return {"checks": found} if found else {}


def _endpoint(one: Endpoint) -> dict[str, Any]:
    given = {"kind": "http", "name": one.name, "url": one.url, "status": one.expected_status, "contains": one.contains}
    return {key: value for key, value in given.items() if value != ""}


def _database(one: Database, n: int) -> dict[str, Any]:
    credentials = {"secret": one.secret_name, "usernameKey": one.username_key, "passwordKey": one.password_key}
    given: dict[str, Any] = {
        "kind": one.type, "name": one.name, "service": one.service, "port": one.port, "database": one.database,
        "credentials": credentials if one.secret_name else None, "tables": list(one.tables),
    }  # fmt: skip
    if one.query:
        if one.type in ("mongodb", "redis"):
            where = f"spec.healthChecks.databases.checks[{n}].query"
            raise wrong(f"{one.type} has no such queries", where, "name tables (mongodb), or write a ProofPolicy")
        given["queries"] = [{"sql": one.query, **({"equals": one.expected} if one.expected is not None else {})}]
    return {key: value for key, value in given.items() if value not in ("", None, [])}


def _custom(one: Any) -> dict[str, Any]:
    given = {"kind": "pod", "name": one.name, "image": one.image, "command": list(one.command),
             "args": list(one.args), "timeout": one.timeout_seconds}  # fmt: skip
    return {key: value for key, value in given.items() if value not in ("", [])}
