"""The failures that faults answer with, in the words of the real servers."""

from __future__ import annotations

import base64
from collections.abc import AsyncGenerator

import msgspec

from lazarus_tui.model.http import HttpResponse
from lazarus_tui.sandbox.api.answers import StreamAnswer, error_answer
from lazarus_tui.sandbox.api.errors import ApiError, expired, stale
from lazarus_tui.sandbox.api.kubeconfig import USER
from lazarus_tui.sandbox.api.server import header
from lazarus_tui.sandbox.api.watches import error_line
from lazarus_tui.sandbox.faults.facts import Facts
from lazarus_tui.sandbox.faults.faults import Strike

# Reason by status, as apimachinery's NewGenericServerResponse gives them.
_REASONS = {
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}
_TEXTS = {
    429: "the server has received too many requests and has asked us to try again later",
    500: "Internal error occurred: a fault on demand",
    502: "Bad Gateway",
    503: "the server is currently unable to handle the request",
    504: "the server was unable to return a response in the time allotted, but may still be processing the request",
    507: "Insufficient Storage",
}
_ETCD = {
    "timeout": "etcdserver: request timed out",
    "leader-changed": "etcdserver: leader changed",
    "no-space": "etcdserver: mvcc: database space exceeded",
}
_CALLS = {
    "refused": "dial tcp 10.96.0.99:443: connect: connection refused",
    "timeout": "context deadline exceeded",
}


def failure(strike: Strike) -> HttpResponse:
    """Kind ``error``."""
    status, wait = int(strike.number("status")), int(strike.number("retry-after"))
    headers = {"retry-after": str(wait)} if wait >= 0 else {}
    if strike.text("body") == "html":
        page = (
            f"<html><head><title>{status}</title></head><body><h1>{status} {_TEXTS.get(status, '')}</h1></body></html>"
        )
        return HttpResponse(status, {"content-type": "text/html"} | headers, page.encode())
    details = {"retryAfterSeconds": wait} if wait > 0 else None
    text = _TEXTS.get(status, f"the server answered {status}")
    return error_answer(ApiError(status, _REASONS.get(status, ""), text, details, headers))


def throttled(strike: Strike) -> HttpResponse:
    """What priority and fairness says (apiserver, filters: tooManyRequests): plain text, not a Status."""
    headers = {"content-type": "text/plain; charset=utf-8", "retry-after": strike.text("retry-after")}
    return HttpResponse(429, headers, b"Too many requests, please try again later.\n")


def unauthorized() -> HttpResponse:
    return error_answer(ApiError(401, "Unauthorized", "Unauthorized"))


def history_gone() -> ApiError:
    """What a watch says when its past was compacted under it."""
    return expired("The resourceVersion for the provided watch is too old.")


def denied(strike: Strike) -> HttpResponse:
    """apiserver, admission webhook errors: ToStatusErr."""
    status, why = int(strike.number("status")), strike.text("message")
    text = f'admission webhook "{strike.text("webhook")}" denied the request: {why}'
    return error_answer(ApiError(status, "Forbidden" if status == 403 else "", text))


def webhook_down(strike: Strike) -> HttpResponse:
    """apiserver, admission webhook dispatcher with failurePolicy Fail."""
    hook, why = strike.text("webhook"), strike.text("why")
    if why == "no-service":
        cause = 'failed to call webhook: service "policy" not found'
    else:
        cause = f'failed to call webhook: Post "https://policy.policy.svc:443/validate?timeout=10s": {_CALLS[why]}'
    text = f'failed calling webhook "{hook}": {cause}'
    details = {"causes": [{"message": text}]}
    return error_answer(ApiError(500, "InternalError", f"Internal error occurred: {text}", details))


def forbidden(facts: Facts) -> HttpResponse:
    """apiserver, authorization errors: forbiddenMessage."""
    where = f' in the namespace "{facts.namespace}"' if facts.namespace else " at the cluster scope"
    resource = f"{facts.resource}/{facts.subresource}" if facts.subresource else facts.resource
    what = f'User "{_user(facts)}" cannot {facts.verb} '
    if facts.resource:
        what += f'resource "{resource}" in API group "{facts.group}"{where}'
        subject = f'{facts.group_resource} "{facts.name}" is' if facts.name else f"{facts.group_resource} is"
        text = f"{subject} forbidden: {what}"
    else:
        text = f'forbidden: {what}path "{facts.request.path}"'
    pairs = {"name": facts.name, "group": facts.group, "kind": facts.resource}
    details = {key: value for key, value in pairs.items() if value}
    return error_answer(ApiError(403, "Forbidden", text, details))


def _user(facts: Facts) -> str:
    """Who sent the request, as its token says: a service account's names its subject."""
    _, _, token = header(facts.request, "authorization").partition(" ")
    parts = token.strip().split(".")
    if len(parts) != 3:
        return USER
    try:
        claims = msgspec.json.decode(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return str(claims["sub"])
    except (ValueError, TypeError, KeyError, msgspec.DecodeError):
        return USER


def conflict(facts: Facts) -> HttpResponse:
    return error_answer(stale(facts.resource, facts.group, facts.name or "unknown"))


def watch_gone() -> StreamAnswer:
    """A watch of a version that is no longer known: 200, and an ERROR line."""

    async def line() -> AsyncGenerator[bytes, None]:
        yield error_line(history_gone())

    return StreamAnswer(line())


def list_gone() -> HttpResponse:
    """apiserver, storage: what a continue token answers once its version is compacted."""
    return error_answer(
        expired(
            "The provided continue parameter is too old to display a consistent list result. You must start a new "
            "list without the continue parameter."
        )
    )


def etcd(strike: Strike) -> HttpResponse:
    """etcd's errors reach clients as they are: 500 without a reason."""
    return error_answer(ApiError(500, "", _ETCD[strike.text("text")]))


def not_allowed(answer: HttpResponse) -> HttpResponse:
    """An access review that was answered with yes, answered with no."""
    review = msgspec.json.decode(answer.body)
    review["status"] = {"allowed": False, "reason": "withdrawn by a fault on demand"}
    return HttpResponse(answer.status, answer.headers, msgspec.json.encode(review))
