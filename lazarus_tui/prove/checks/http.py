"""HTTP: status, body and latency of a Service, asked through the API server."""

from __future__ import annotations

import re

from lazarus_tui.kube.errors import KubeError
from lazarus_tui.model.clock import Clock
from lazarus_tui.model.operation import CheckResult
from lazarus_tui.model.steps import Reader
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.prove.definitions import HttpCheck

BODY_LIMIT = 64 * 1024
MATCHED = 16 * 1024  # characters a regular expression is tried on


async def check(reader: Reader, clock: Clock, wanted: HttpCheck) -> CheckResult:
    """One GET. INCONCLUSIVE when the API server or the path to the Service failed, FAILED when the answer is wrong."""
    began = clock.monotonic()
    try:
        status, body = await reader.service_proxy(
            wanted.namespace, wanted.service, wanted.port, wanted.path,
            timeout=max(1.0, wanted.slower_than * 2), limit=BODY_LIMIT,
        )  # fmt: skip
    except (KubeError, OSError) as error:
        seconds = clock.monotonic() - began
        if isinstance(error, KubeError) and error.status in (404, 503):
            words = f"{wanted.service} does not answer: {error.message}"
            return _result(wanted, Verdict.FAILED, seconds, words)
        return _result(wanted, Verdict.INCONCLUSIVE, seconds, f"could not ask {wanted.service}: {error}")
    seconds = clock.monotonic() - began
    wrong = _wrong(wanted, status, body, seconds)
    words = wrong or f"{status} in {seconds * 1000:.0f} ms"
    return _result(wanted, Verdict.FAILED if wrong else Verdict.PASSED, seconds, words, status, len(body))


def _wrong(wanted: HttpCheck, status: int, body: bytes, seconds: float) -> str:
    """What is wrong with an answer, or "". The body itself is never quoted."""
    if status != wanted.status:
        return f"answered {status} instead of {wanted.status}"
    text = body.decode("utf-8", "replace")
    if wanted.contains and wanted.contains not in text:
        return f"the answer does not contain {wanted.contains!r}"
    if wanted.matches and not re.search(wanted.matches, text[:MATCHED]):
        return f"the answer does not match {wanted.matches!r}"
    if seconds > wanted.slower_than:
        return f"answered after {seconds:.1f} s, later than {wanted.slower_than:.1f} s"
    return ""


def _result(
    wanted: HttpCheck, verdict: Verdict, seconds: float, words: str, status: int = 0, size: int = 0
) -> CheckResult:
    evidence = {"service": f"{wanted.namespace}/{wanted.service}:{wanted.port}", "path": wanted.path}
    answer = {"status": status, "bytes": size} if status else {}
    return CheckResult(wanted.title, "http", verdict, seconds, words, {**evidence, **answer, "needed": wanted.needed})
