"""What checks mean, looked at before anything runs: names, places, addresses, patterns."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from lazarus_tui.model.plan import PlanRefused
from lazarus_tui.model.redact import names_variable, redact_value
from lazarus_tui.prove.wanted import Check, Expect, HttpCheck, JobCheck, PodCheck, Reached, TcpCheck, Tls
from lazarus_tui.prove.wanted_data import (
    AnyWatermark,
    Credentials,
    DataCheck,
    DataWatermark,
    FileWatermark,
    MongodbCheck,
    MongodbWatermark,
    RedisCheck,
    RedisWatermark,
    WatermarkCheck,
)

if TYPE_CHECKING:
    from lazarus_tui.prove.definitions import Checks

READINESS = "workloads ready"  # the name of the result that readiness has
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_WORKLOAD = re.compile(r"(StatefulSet|Deployment|DaemonSet)/[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_STATUS = re.compile(r"[1-5](xx|[0-9][0-9])")
_CA = re.compile(r"(secret|configmap)/[^/]+/[^/]+")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def checked(wanted: Checks) -> Checks:
    """The same with every namespace the one that is looked at and every name its own. Raises ``PlanRefused``."""
    checks = tuple(_placed(check, wanted.sources) for check in wanted.checks)
    names = {READINESS}
    for check in checks:
        _named_alone(check, names)
        _look(check, wanted.sources)
    mark = wanted.watermark
    if mark is not None:
        mark = _placed(mark, wanted.sources)
        _named_alone(mark, names)
        _mark(mark)
    return msgspec.structs.replace(wanted, checks=checks, watermark=mark)


def _named_alone(check: Check, names: set[str]) -> None:
    """Of two results with one name the later one would take the other's place."""
    if check.title in names:
        raise _wrong(check, "another check has the same name", "give each its own")
    names.add(check.title)


def _mark(mark: AnyWatermark) -> None:
    """What holds for checks holds for where the newest data is read, too."""
    if isinstance(mark, DataWatermark):
        _one_place(mark, mark.workload, mark.service, mark.pod)
        _by_reference(mark, mark.credentials)
    if isinstance(mark, FileWatermark):
        _one_place(mark, mark.workload, mark.pod)
    if isinstance(mark, WatermarkCheck):
        _one_place(mark, "", mark.service)
        paths = {"path": mark.path, "untilPath": mark.until_path, "idsPath": mark.ids_path}
        for name, path in paths.items():
            if path or name == "path":
                _path(mark, path)
        _no_secrets(mark, paths)
    if isinstance(mark, RedisWatermark):
        _numbered(mark, mark.database)
    _tls(mark)


def _placed(check: Any, sources: Mapping[str, str]) -> Any:
    """``namespace`` may be the target's, or that of which it is a copy; it may be left out where there is one."""
    name = check.namespace
    if name in sources:
        return check
    copies = [target for target, source in sources.items() if source == name] if name else list(sources)
    if len(copies) != 1:
        what = f"{name} is not what is checked" if name else "which namespace?"
        raise _wrong(check, what, f"one of {', '.join(sorted(sources)) or 'none'}")
    return msgspec.structs.replace(check, namespace=copies[0])


def _look(check: Check, sources: Mapping[str, str]) -> None:
    for part in _parts(check):
        if isinstance(part, float) and not math.isfinite(part):
            raise _wrong(check, f"{part} is no number that anything could be compared with")
        pattern = part.matches if isinstance(part, Expect | HttpCheck | TcpCheck) else ""
        try:
            re.compile(pattern)
        except re.error as error:
            raise _wrong(check, f"{pattern!r} is not a regular expression: {error}") from error
    if isinstance(check, HttpCheck):
        _http(check, sources)
    elif isinstance(check, Reached):
        _one_place(check, check.workload, check.service, check.pod)
        if isinstance(check, TcpCheck):
            _tcp(check)
    elif isinstance(check, JobCheck) and bool(check.job) == bool(check.image):
        raise _wrong(check, "a job is either a restored one (job) or one of an image")
    elif isinstance(check, PodCheck):
        if not check.image:
            raise _wrong(check, "image is empty")
        _no_secrets(check, check.env)
    if isinstance(check, DataCheck):
        _data(check)
    _tls(check)


def _tcp(check: TcpCheck) -> None:
    if check.port is None:
        raise _wrong(check, "port is missing")
    if check.stays >= check.timeout and not check.matches:
        raise _wrong(check, "stays is not shorter than timeout: nothing could be kept open so long", "raise timeout")


def _by_reference(check: Check, credentials: Credentials) -> None:
    """What is refused may be a password: it is not repeated."""
    if credentials.env and credentials.env.password and not names_variable(credentials.env.password):
        what = "credentials.env.password names a variable of the container, and this does not look like a name"
        raise _wrong(check, what, "env: {password: POSTGRES_PASSWORD}, or secret: NAME; a password never stands here")


def _data(check: DataCheck) -> None:
    _by_reference(check, check.credentials)
    if check.manifest and check.against:
        raise _wrong(check, "manifest and against are two ways to say one thing")
    if check.against is not None and not check.against.tables:
        raise _wrong(check, "against names no table: nothing would be compared")
    if check.tables and isinstance(check, RedisCheck):
        raise _wrong(check, "Redis has no tables", "keys, and minKeys; a manifest has the number of its keys")
    if isinstance(check, RedisCheck):
        _numbered(check, check.database)
    if check.manifest and not check.tables and not isinstance(check, RedisCheck):
        raise _wrong(check, "a manifest records the tables of its check, and there are none")


def _numbered(check: Check, database: str) -> None:
    if database and not (database.isascii() and database.isdigit()):
        raise _wrong(check, "a database of Redis is a number")


def _tls(check: Check) -> None:
    tls: Tls | None = getattr(check, "tls", None)
    if tls is None:
        return
    if tls.ca and not _CA.fullmatch(tls.ca):
        raise _wrong(check, f"{tls.ca!r} names no certificate", "write secret/NAME/KEY or configmap/NAME/KEY")
    if tls.verify == "full" and isinstance(check, MongodbCheck | RedisCheck | MongodbWatermark | RedisWatermark):
        raise _wrong(check, "its driver cannot ask for a name other than the tunnel's", "write verify: ca")
    if tls.days_left is not None and isinstance(check, DataCheck | DataWatermark):
        raise _wrong(check, "daysLeft belongs to http")


def _one_place(check: Check, workload: str, *names: str) -> None:
    given = [place for place in (workload, *names) if place]
    if len(given) != 1:
        raise _wrong(check, "it says nothing about where, or more than one place", "service, pod or workload")
    if not (_WORKLOAD if workload else _NAME).fullmatch(given[0]):
        raise _wrong(check, f"{given[0]!r} is no name", "a workload is written as StatefulSet/NAME")


def _http(check: HttpCheck, sources: Mapping[str, str]) -> None:
    if check.url:
        if check.service or check.pod or check.workload or check.port is not None or check.path != "/":
            raise _wrong(check, "url says it all: service, port and path do not stand beside it")
        try:
            scheme, *_ = service_of(check.url, check.namespace, sources)
        except ValueError as error:
            raise _wrong(check, str(error), "checks reach services of what is checked, nothing else") from None
        if check.tls is not None and scheme == "http":
            raise _wrong(check, "tls stands beside a url that has none", "write https://")
    else:
        _one_place(check, check.workload, check.service, check.pod)
        if check.port is None:
            raise _wrong(check, "port is missing")
        _path(check, check.path)
    for status in statuses(check.status):
        if not _STATUS.fullmatch(status):
            raise _wrong(check, f"{status!r} is no status", "a number such as 200, or a class such as 2xx")
    for name, value in check.headers.items():
        if not _HEADER.fullmatch(name) or not _printable(value.replace(" ", "")):
            raise _wrong(check, f"header {name[:32]!r} cannot be sent")
    _no_secrets(check, {**check.headers, "path": check.path, "url": check.url.partition("://")[2]})
    if check.host and not _printable(check.host):
        raise _wrong(check, "host cannot be sent")


def _path(check: Check, path: str) -> None:
    if not path.startswith("/") or not path.isascii() or not _printable(path):
        raise _wrong(check, "path begins with / and is plain ASCII; write anything else as %XX")


def _no_secrets(check: Check, given: Mapping[str, str]) -> None:
    """A plan is journalled as it was approved: nothing could be taken out of it later."""
    for name, value in given.items():
        if redact_value({name: value}, keys=False) != {name: value}:
            what = f"{name[:32]} holds what looks like a password or a token, and the journal keeps no secrets"
            raise _wrong(check, what, "ask what needs none, or run a command where the secret is (exec)")


def _printable(text: str) -> bool:
    return all("!" <= character <= "~" for character in text)


def statuses(written: int | str | tuple[int | str, ...]) -> tuple[str, ...]:
    return tuple(map(str, written)) if isinstance(written, tuple) else (str(written),)


def service_of(url: str, namespace: str, sources: Mapping[str, str]) -> tuple[str, str, int, str]:
    """Scheme, service, port and path of a URL that leads to a service of ``namespace``; raises ``ValueError``.

    ``web``, ``web.NS``, ``web.NS.svc`` and ``web.NS.svc.cluster.local`` are its names, by the name of the copy or of
    its original. Everything else leads out, addresses and userinfo included: no name is ever looked up.
    """
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or not _printable(url):
        raise ValueError("it is no plain http or https address")
    service, *rest = parts.hostname.rstrip(".").split(".")
    known = {namespace, sources.get(namespace, namespace)}
    inside = not rest or (rest[0] in known and rest[1:] in ([], ["svc"], ["svc", "cluster", "local"]))
    if not inside or not re.fullmatch(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", service):
        raise ValueError(f"{parts.hostname[:80]} is not a service of {namespace}")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return parts.scheme, service, port, path


def _parts(check: Check) -> Iterable[Any]:
    """Itself and everything in it, however deep."""
    todo: list[Any] = [check]
    while todo:
        one = todo.pop()
        yield one
        if isinstance(one, msgspec.Struct):
            todo += msgspec.structs.astuple(one)
        elif isinstance(one, tuple | list):
            todo += one
        elif isinstance(one, dict):
            todo += one.values()


def _wrong(check: Check, what: str, hint: str = "") -> PlanRefused:
    return PlanRefused(f"{check.title}: {what}", where="checks", hint=hint or "see docs/checks.md", code="usage")
