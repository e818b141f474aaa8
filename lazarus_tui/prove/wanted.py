"""What a person writes down to be checked, kind by kind: docs/checks.md shows each. Names are camelCase in files.

These records lie in the plan as they are, so what was approved is what runs. Times are in seconds.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

HEALTHY: Final = "healthy"
DATA_RIGHT: Final = "data right"

Value: TypeAlias = str | int | float | bool | None
Port: TypeAlias = Annotated[int, Meta(ge=1, le=65535)] | Annotated[str, Meta(min_length=1, max_length=63)]
Seconds: TypeAlias = Annotated[float, Meta(gt=0, le=3600)]


class Written(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Base of all of them: a name nobody knows is an error, never dropped."""


class Expect(Written, frozen=True, kw_only=True):
    """What a value must be; everything that is given must hold. ``between`` includes both ends."""

    equals: Value | UnsetType = UNSET
    differs_from: Value | UnsetType = UNSET
    at_least: float | None = None
    at_most: float | None = None
    above: float | None = None
    below: float | None = None
    between: tuple[float, float] | None = None
    one_of: tuple[Value, ...] = ()
    contains: str = ""
    matches: str = ""


class Check(Written, frozen=True, kw_only=True, tag_field="kind"):
    """What every check has. ``tier``: a later one begins when the needed ones of the earlier ones hold."""

    name: str = ""
    namespace: str = ""
    rung: Literal["healthy", "data right"] = HEALTHY
    needed: bool = True
    tier: Annotated[int, Meta(ge=0, le=99)] = 0
    timeout: Seconds = 30.0

    @property
    def kind(self) -> str:
        return str(type(self).__struct_config__.tag)

    @property
    def where(self) -> str:
        """What it looks at, in a word."""
        return self.namespace

    @property
    def title(self) -> str:
        return self.name or f"{self.kind} {self.where}"


class Reached(Check, frozen=True, kw_only=True):
    """A check of something that listens: exactly one of ``service``, ``pod`` and ``workload`` (``StatefulSet/pg``)."""

    service: str = ""
    pod: str = ""
    workload: str = ""
    port: Port | None = None

    @property
    def where(self) -> str:
        return self.service or self.workload or self.pod


class Tls(Written, frozen=True, kw_only=True):
    """``verify``: ``full`` (chain and name), ``ca`` (chain alone) or ``none``. ``ca``: a key of a Secret or ConfigMap
    of the namespace, as ``secret/NAME/KEY`` or ``configmap/NAME/KEY``; without it the authorities of this machine."""

    verify: Literal["full", "ca", "none"] = "full"
    server_name: str = ""
    ca: str = ""
    days_left: Annotated[int, Meta(ge=0, le=3650)] | None = None


class JsonExpect(Expect, frozen=True, kw_only=True):
    """A value of a JSON answer: ``items[0].id``; ``count`` compares how many members it has."""

    path: str
    count: bool = False


class HttpCheck(Reached, frozen=True, kw_only=True, tag="http"):
    """One request. ``status``: a number, a class (``2xx``) or a list of them. Redirects are not followed unless
    ``redirects`` says how many, and then only to services of the namespace."""

    path: str = "/"
    url: str = ""
    method: Literal["GET", "HEAD"] = "GET"
    host: str = ""
    headers: dict[str, str] = {}
    status: int | str | tuple[int | str, ...] = 200
    contains: str = ""
    matches: str = ""
    json: tuple[JsonExpect, ...] = ()
    answered: dict[str, Expect] = {}
    slower_than: Seconds = 5.0
    redirects: Annotated[int, Meta(ge=0, le=5)] = 0
    tls: Tls | None = None

    @property
    def title(self) -> str:
        return self.name or f"http {self.url or self.where + self.path}"


class TcpCheck(Reached, frozen=True, kw_only=True, tag="tcp"):
    """A connection that is taken and kept for ``stays`` seconds; ``send`` and ``matches`` have a word answered."""

    send: str = ""
    matches: str = ""
    stays: Annotated[float, Meta(gt=0, le=60)] = 1.0


class ExecCheck(Reached, frozen=True, kw_only=True, tag="exec"):
    """A command in a container: an argv, never a shell's line. Its output is compared and never kept."""

    command: Annotated[tuple[str, ...], Meta(min_length=1)]
    container: str = ""
    exit_code: int = 0
    output: Expect | None = None


class PodCheck(Check, frozen=True, kw_only=True, tag="pod"):
    """A pod of the checker's own in the namespace: passed when its container exits with ``exit_code``."""

    image: str
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: dict[str, str] = {}
    service_account: str = ""
    exit_code: int = 0
    message: Expect | None = None
    timeout: Seconds = 300.0

    @property
    def where(self) -> str:
        return self.image


class JobCheck(Check, frozen=True, kw_only=True, tag="job"):
    """A Job that has to complete: a restored one by its name (``job``), or one of ``image`` and ``command``."""

    job: str = ""
    image: str = ""
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    timeout: Seconds = 300.0

    @property
    def where(self) -> str:
        return self.job or self.image
