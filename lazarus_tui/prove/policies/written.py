"""What people write: ``ProofPolicy``, and ``LazarusRestoreTest`` with the fields of its source document and those that
follow from it. Names are camelCase in files; a field nobody knows is an error."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from msgspec import Meta, field

from lazarus_tui.prove.rules.placement import Nodes
from lazarus_tui.prove.wanted import Port, Value, Written

Label: TypeAlias = Annotated[str, Meta(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)]
Name: TypeAlias = Annotated[str, Meta(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", max_length=253)]
Control: TypeAlias = Literal["withhold", "flip", "drop-table", "no-workload"]


class Select(Written, frozen=True, kw_only=True):
    """A namespace, one workload of it (``StatefulSet/orders``), or every workload with ``labels``."""

    namespace: str = ""
    workload: str = ""
    labels: dict[str, str] = field(default_factory=dict)


class Window(Written, frozen=True, kw_only=True):
    """From each time of a cron line on, for a duration."""

    begins: str
    lasts: str


class Targets(Written, frozen=True, kw_only=True):
    rto: str = ""
    rpo: str = ""


class Controls(Written, frozen=True, kw_only=True):
    """A copy that is broken on purpose, so often."""

    kind: Control = "withhold"
    every: str = "168h"


class PolicyFile(Written, frozen=True, kw_only=True):
    """``kind: ProofPolicy``"""

    api_version: str
    kind: str
    name: Label
    workloads: Annotated[tuple[Select, ...], Meta(min_length=1, max_length=100)]
    points: Annotated[tuple[str, ...], Meta(min_length=1, max_length=8)] = ("on-completion",)
    source: Literal["velero", "snapshots"] = "velero"
    schedules: Annotated[tuple[Name, ...], Meta(max_length=100)] = ()
    schedule: str = ""
    time_zone: str = "UTC"
    catch_up: Literal["skip", "runOnce", "runAll"] = "runOnce"
    jitter: str = "0"
    blackout: Annotated[tuple[Window, ...], Meta(max_length=20)] = ()
    in_blackout: Literal["skip", "defer"] = "defer"
    windows: Annotated[tuple[Window, ...], Meta(max_length=20)] = ()
    at_once: Annotated[int, Meta(ge=1, le=16)] = 1
    not_again_within: str = ""
    retries: Annotated[int, Meta(ge=0, le=5)] = 2
    overdue_after: str = ""
    checks: dict[str, Any] | None = None
    require: tuple[str, ...] = ()
    targets: Targets = Targets()
    limits: dict[str, str] = field(default_factory=dict)
    stabilise: str = ""
    keep: str = ""
    network: dict[str, bool] = field(default_factory=dict)
    nodes: Nodes = Nodes()
    allow: tuple[dict[str, Any], ...] = ()
    control: Controls | None = None
    notify: tuple[Label, ...] = ()
    writes: Literal["", "schedules"] = ""


class Endpoint(Written, frozen=True, kw_only=True):
    """``url``: a short name such as ``http://my-app:8080/health`` is a service of what was restored, nothing else."""

    url: str
    name: str = ""
    expected_status: int | str = 200
    contains: str = ""


class Http(Written, frozen=True, kw_only=True):
    enabled: bool = True
    endpoints: tuple[Endpoint, ...] = ()


class Database(Written, frozen=True, kw_only=True):
    """``query`` reads one value, which is to be ``expected``; without it the database has to answer. ``secretName``:
    a restored Secret with the keys ``usernameKey`` and ``passwordKey``."""

    name: str
    type: Literal["postgresql", "mysql", "mariadb", "mongodb", "redis"]
    service: str
    port: Port | None = None
    database: str = ""
    secret_name: str = ""
    username_key: str = "username"
    password_key: str = "password"
    tables: tuple[str, ...] = ()
    query: str = ""
    expected: Value = None


class Databases(Written, frozen=True, kw_only=True):
    enabled: bool = True
    checks: tuple[Database, ...] = ()


class Custom(Written, frozen=True, kw_only=True):
    """A pod inside the quarantine: passed when it exits with 0."""

    name: str
    image: str
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    timeout_seconds: Annotated[int, Meta(ge=1, le=3600)] = 300


class Customs(Written, frozen=True, kw_only=True):
    enabled: bool = True
    pods: tuple[Custom, ...] = ()


class HealthChecks(Written, frozen=True, kw_only=True):
    enabled: bool = True
    http: Http = Http()
    databases: Databases = Databases()
    custom: Customs = Customs()


class ProofSpec(Written, frozen=True, kw_only=True):
    """``namespace``: what the backup holds of it is proven; needed where a backup holds more than one. ``ttl``: how
    long the quarantine stays after the checks."""

    backup_name: Name
    namespace: str = ""
    workload: str = ""
    health_checks: HealthChecks = HealthChecks()
    require: tuple[str, ...] = ()
    targets: Targets = Targets()
    ttl: str = ""


class ProofFile(Written, frozen=True, kw_only=True):
    """``kind: LazarusRestoreTest``; ``metadata`` is the server's to judge."""

    api_version: str
    kind: str
    metadata: dict[str, Any]
    spec: ProofSpec
    status: Any = None
