"""HTTP: status, headers, body, JSON, certificate and latency of what listens in a pod."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin

from lazarus_tui.model.steps import Reader
from lazarus_tui.prove.checking import service_of, statuses
from lazarus_tui.prove.checks import certificates, compare
from lazarus_tui.prove.checks.outcome import Attempt, CouldNot, Found, Wrong, hashed
from lazarus_tui.prove.checks.place import Place, place_of
from lazarus_tui.prove.checks.values import MISSING, at
from lazarus_tui.prove.checks.wire import Answer, Ask, exchange
from lazarus_tui.prove.wanted import HttpCheck, JsonExpect, Tls

_REDIRECTS = (301, 302, 303, 307, 308)


async def look(reader: Reader, check: HttpCheck, sources: Mapping[str, str], attempt: Attempt) -> Found:
    """One request, and as many redirects as the check allows. The body is compared and never kept."""
    scheme, place, path, host = await _start(reader, check, sources)
    answer = await _ask(reader, check, scheme, place, path, host, attempt)
    for _ in range(check.redirects):
        if answer.status not in _REDIRECTS:
            break
        onward = urljoin(f"{scheme}://{host}{path}", answer.headers.get("location", ""))
        if onward.isascii() and onward.startswith(f"{scheme}://{host}/"):  # the same place, whatever name it was given
            path = onward.removeprefix(f"{scheme}://{host}").partition("#")[0]
        else:
            scheme, service, port, path = _inside(onward, check, sources)
            place, host = await place_of(reader, check.namespace, port, service=service), _host(service, port, scheme)
        answer = await _ask(reader, check, scheme, place, path, host, attempt)
    evidence: dict[str, Any] = {
        "place": f"{place.namespace}/{place.pod}:{place.port}", "path": path.partition("?")[0],
        "status": answer.status, "bytes": len(answer.body), "sha256": hashed(answer.body),
    }  # fmt: skip
    wrong = _wrong(check, answer) or certificates.wrong(check.tls, answer.certificate, attempt.clock.now())
    if wrong:
        raise Wrong(wrong, evidence)
    if answer.seconds > check.slower_than:
        late = f"answered after {answer.seconds:.1f} s, later than {check.slower_than:.1f} s"
        raise CouldNot(f"{late}; Lazarus was held up meanwhile and cannot tell how long the service took", evidence)
    return Found(f"{answer.status} in {answer.seconds * 1000:.0f} ms", evidence)


async def _start(reader: Reader, check: HttpCheck, sources: Mapping[str, str]) -> tuple[str, Place, str, str]:
    if check.url:
        scheme, service, port, path = service_of(check.url, check.namespace, sources)
        place = await place_of(reader, check.namespace, port, service=service)
        return scheme, place, path, check.host or _host(service, port, scheme)
    place = await place_of(
        reader, check.namespace, check.port, service=check.service, pod=check.pod, workload=check.workload
    )
    scheme = "https" if check.tls else "http"
    return scheme, place, check.path, check.host or _host(check.service or place.pod, place.asked, scheme)


def _host(name: str, port: int, scheme: str) -> str:
    return name if port == {"http": 80, "https": 443}[scheme] else f"{name}:{port}"


async def _ask(
    reader: Reader, check: HttpCheck, scheme: str, place: Place, path: str, host: str, attempt: Attempt
) -> Answer:
    tls = await certificates.context(reader, check.namespace, check.tls or Tls()) if scheme == "https" else None
    ask = Ask(
        host, path, check.method, check.headers, timeout=max(1.0, check.slower_than * 2), tls=tls,
        server_name=check.tls.server_name if check.tls else "",
    )  # fmt: skip
    return await exchange(reader, place, ask, attempt)


def _inside(url: str, check: HttpCheck, sources: Mapping[str, str]) -> tuple[str, str, int, str]:
    try:
        return service_of(url, check.namespace, sources)
    except ValueError as error:
        raise Wrong(f"it redirects elsewhere, and is not followed: {error}") from None


def _wrong(check: HttpCheck, answer: Answer) -> str:
    """What is wrong with an answer, or "". The body itself is never quoted."""
    wanted = statuses(check.status)
    if not any(one in (str(answer.status), f"{answer.status // 100}xx") for one in wanted):
        return f"answered {answer.status} instead of {' or '.join(wanted)}"
    for name, expect in check.answered.items():
        value = answer.headers.get(name.lower())
        if value is None:
            return f"the answer has no header {name}"
        if wrong := compare.wrong(expect, value):
            return f"header {name} {wrong}"
    text = answer.body.decode("utf-8", "replace")
    if check.contains and check.contains not in text:
        return f"the answer does not contain {check.contains!r}"
    if check.matches and not re.search(check.matches, text[: compare.MATCHED]):
        return f"the answer does not match {check.matches!r}"
    if wrong := _json(check, answer):
        return wrong
    if answer.listened > check.slower_than:
        return f"answered after {answer.listened:.1f} s, later than {check.slower_than:.1f} s"
    return ""


def _json(check: HttpCheck, answer: Answer) -> str:
    if not check.json:
        return ""
    if answer.cut:
        return f"the answer has more than {len(answer.body)} bytes: too much to be read as JSON"
    try:
        document = json.loads(answer.body)
    except (ValueError, RecursionError):
        return "the answer is not JSON"
    return next(filter(None, (_value(document, expect) for expect in check.json)), "")


def _value(document: Any, expect: JsonExpect) -> str:
    value = at(document, expect.path)
    if value is MISSING:
        return f"the answer has no {expect.path}"
    if expect.count:
        if not isinstance(value, list | dict):
            return f"{expect.path} has no members to count"
        value = len(value)
    wrong = compare.wrong(expect, value)
    if expect.count:
        wrong = wrong or compare.lacking(expect, value, count=True)
    return f"{expect.path} {wrong}{compare.shown(value, count=expect.count)}" if wrong else ""
