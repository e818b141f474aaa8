"""``/healthz``, ``/livez``, ``/readyz``: whether the server can do its work, as a whole and check by check."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from lazarus_tui.model.http import HttpResponse
from lazarus_tui.sandbox.api.answers import text_answer
from lazarus_tui.sandbox.api.errors import no_such_route

ROOTS = ("/healthz", "/livez", "/readyz")
# What clients ask for by name: here the store stands where a real server has etcd.
_STORE = "etcd"
_CHECKS = ("ping", "log", _STORE)


def health(path: str, query: Mapping[str, str], excluded: Collection[str], refusal: str) -> HttpResponse:
    """``refusal`` says why the store keeps nothing, or ``""``. 500 when a check fails, 404 for one there is not."""
    _, root, *rest = path.split("/")
    if f"/{root}" not in ROOTS or len(rest) > 1 or (rest and rest[0] not in _CHECKS):
        raise no_such_route()
    asked = tuple(rest) or tuple(check for check in _CHECKS if check not in excluded)
    failed = bool(refusal) and _STORE in asked
    if "verbose" not in query and not failed:
        return text_answer("ok")
    lines = [f"[-]{name} failed: {refusal}" if refusal and name == _STORE else f"[+]{name} ok" for name in asked]
    return text_answer(
        "\n".join([*lines, f"{root} check {'failed' if failed else 'passed'}"]) + "\n", 500 if failed else 200
    )
