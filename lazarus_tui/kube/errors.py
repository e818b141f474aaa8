"""Everything that can go wrong between Lazarus and an API server, as one tree.

::

    KubeError
    ├── NotSent                 refused, DNS, TLS, no connection in time: the server never saw it
    │   └── NotTrusted          its certificate did not verify
    ├── Ambiguous               it may have been applied: re-read, then decide
    │   ├── Unreachable         reset, cut off, end of file
    │   │   └── PortRefused     nothing in the pod listens on the forwarded port
    │   ├── TimedOut            no answer in time, 408, 504
    │   └── ServerFault         500, 502, 503
    ├── Pushback                429, 503 with Retry-After: the server says it did not act
    │   └── WebhookDown         an admission webhook could not be called
    ├── Conflict                409, a failed precondition or JSON patch test
    │   └── AlreadyExists
    ├── AuthError               401, no usable credentials
    ├── Forbidden               403
    │   └── NotAdmitted         403 by an admission plugin: what is made is not let in, and no right is missing
    │       ├── QuotaExceeded   a quota has no room for it, or has not counted yet what went just now
    │       ├── NotYet          something that comes by itself is not there yet: a quota's count, a service account
    │       └── Ending          its namespace is being deleted
    ├── NotFound                404
    ├── Expired                 410: list again
    ├── Invalid                 400, 405, 415, 422 …: the same request will never work
    │   ├── Denied              an admission webhook or policy said no
    │   └── ConfigError         the kubeconfig cannot be used as it is; nothing was sent
    └── Unexpected              not a Kubernetes answer, or one nobody expects

Errors are made from responses here and nowhere else. They keep the request line, status, reason and a redacted message
of at most 256 characters; a body, a token or a Secret's content never gets into one (reliability §3.1, §5.3).
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

import msgspec

from lazarus_tui.model.http import HttpRequest, HttpResponse
from lazarus_tui.model.redact import redact
from lazarus_tui.model.steps import Outcome

# Longest wait a server may ask for (reliability A3).
MAX_RETRY_AFTER = 60.0


class KubeError(Exception):
    """``request`` is "GET /api/…" without a query, ``status`` 0 when no answer came, ``hint`` what to do next."""

    outcome = Outcome.UNKNOWN
    hint = ""

    def __init__(
        self, message: str, *, request: str = "", status: int = 0, reason: str = "", resource: str = "", hint: str = ""
    ) -> None:
        self.message = redact(message)
        super().__init__(self.message)
        self.request, self.status, self.resource = redact(request), status, resource
        self.reason = redact(reason, 64)
        self.hint = hint or type(self).hint

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.status}, {self.reason!r}, {self.message!r}, {self.request!r})"


class NotSent(KubeError):
    outcome = Outcome.NOT_SENT
    hint = "check the address in the kubeconfig, the VPN and the proxy"


class NotTrusted(NotSent):
    hint = "check certificate-authority and tls-server-name in the kubeconfig"


class Ambiguous(KubeError):
    outcome = Outcome.AMBIGUOUS
    hint = "the API server or something before it is unwell; what was sent may or may not have been applied"


class Unreachable(Ambiguous):
    pass


class PortRefused(Unreachable):
    """The kubelet was asked, and nothing in the pod takes connections there."""


class TimedOut(Ambiguous):
    pass


class ServerFault(Ambiguous):
    pass


class Pushback(KubeError):
    """``retry_after`` is in seconds, at most 60."""

    outcome = Outcome.PUSHBACK
    hint = "the API server asks to slow down; Lazarus waits and tries again"
    retry_after = 1.0


class WebhookDown(Pushback):
    hint = "an admission webhook does not answer; look at its pods and Service"
    retry_after = 5.0


class Conflict(KubeError):
    outcome = Outcome.CONFLICT
    hint = "somebody else changed it; read it again"


class AlreadyExists(Conflict):
    pass


class AuthError(KubeError):
    outcome = Outcome.AUTH
    hint = "log in again (the kubeconfig's credentials were refused)"


class Forbidden(KubeError):
    outcome = Outcome.FORBIDDEN
    hint = "ask for the missing right, or use other credentials"


class NotAdmitted(Forbidden):
    hint = "no right is missing: change what the message names, the object or the rule of its namespace"


class QuotaExceeded(NotAdmitted):
    hint = "raise the namespace's ResourceQuota or free some of it"


class NotYet(NotAdmitted):
    hint = "no right is missing: see why what the message names is not there yet (a quota's status, a service account)"


class Ending(NotAdmitted):
    hint = "wait until the namespace is gone, or keep it from being deleted: nothing new can be made in it"


class NotFound(KubeError):
    outcome = Outcome.GONE


class Expired(KubeError):
    outcome = Outcome.EXPIRED


class Invalid(KubeError):
    outcome = Outcome.PERMANENT


class Denied(Invalid):
    hint = "an admission policy forbids this"


class ConfigError(Invalid):
    hint = "correct the kubeconfig, or choose another context"


class Unexpected(KubeError):
    hint = "this may not be a Kubernetes API server, or a proxy answered in its place"


def outcome(error: BaseException | None) -> Outcome:
    """How a request ended for whoever has to decide what comes next: the table of reliability §3.1."""
    if error is None:
        return Outcome.APPLIED
    return error.outcome if isinstance(error, KubeError) else Outcome.UNKNOWN


class Cause(msgspec.Struct, frozen=True):
    reason: str = ""
    message: str = ""
    field: str = ""


class Details(msgspec.Struct, frozen=True, rename="camel"):
    name: str = ""
    group: str = ""
    kind: str = ""
    causes: list[Cause] | None = None
    retry_after_seconds: int | None = None


class Status(msgspec.Struct, frozen=True, rename="camel"):
    """The API's ``Status`` object; every field may be missing."""

    kind: str = ""
    api_version: str = ""
    status: str = ""
    message: str = ""
    reason: str = ""
    code: int = 0
    details: Details | None = None


_STATUS = msgspec.json.Decoder(Status)

_BY_STATUS: Mapping[int, type[KubeError]] = {
    401: AuthError,
    403: Forbidden,
    408: TimedOut,
    409: Conflict,
    429: Pushback,
    500: ServerFault,
    502: ServerFault,
    503: ServerFault,
    504: TimedOut,
    400: Invalid,
    405: Invalid,
    406: Invalid,
    411: Invalid,
    413: Invalid,
    414: Invalid,
    415: Invalid,
    422: Invalid,
    431: Invalid,
}

# All that apiserver says about a JSON patch whose test failed or whose path is not there (endpoints/handlers/patch.go).
_DOES_NOT_APPLY = "the server rejected our request due to an error in our request"

# How admission plugins say no, which answer 403 as the authorizer does (kubernetes/plugin/pkg/admission; the words of
# security context constraints are OpenShift's).
_ADMISSION: tuple[tuple[str, type[KubeError]], ...] = (
    ("exceeded quota", QuotaExceeded),
    ("status unknown for quota: ", NotYet),
    ("error looking up service account ", NotYet),
    ("not yet ready to handle request", NotYet),
    (" because it is being terminated", Ending),
    ("failed quota: ", NotAdmitted),
    ("insufficient quota to ", NotAdmitted),
    ("violates PodSecurity ", NotAdmitted),
    (" usage per ", NotAdmitted),
    ("limit to request ratio per ", NotAdmitted),
    ("no PriorityClass with name ", NotAdmitted),
    ("pod rejected: RuntimeClass ", NotAdmitted),
    ("unable to validate against any security context constraint", NotAdmitted),
)

# These mean "absent" or "changed" only in the mouth of an API server, never in a balancer's page.
_ONLY_FROM_KUBERNETES: Mapping[int, type[KubeError]] = {404: NotFound, 409: Conflict, 410: Expired}


def parse_status(body: bytes) -> Status | None:
    """The Status in a body, or None when it is something else."""
    try:
        status = _STATUS.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return status if status.kind == "Status" else None


def _by_text(code: int, status: Status) -> type[KubeError] | None:
    """Classes that the status code does not tell apart."""
    text = status.message
    if ("admission webhook" in text or "ValidatingAdmissionPolicy" in text) and " denied " in text:
        return Denied
    if "failed calling webhook" in text or "failed to call webhook" in text:
        return WebhookDown
    if "etcdserver: request is too large" in text:
        return Invalid
    if code == 403 and (found := next((kind for words, kind in _ADMISSION if words in text), None)):
        return found
    if code == 409 and status.reason == "AlreadyExists":
        return AlreadyExists
    return None


def _is_lost_race(request: HttpRequest, status: Status) -> bool:
    """A 422 that means "it is not what you think": a JSON patch that does not apply, or another uid or version."""
    fields = {cause.field for cause in (status.details.causes if status.details else None) or ()}
    if fields and fields <= {"metadata.uid", "metadata.resourceVersion"}:
        return True
    return "json-patch" in request.headers.get("content-type", "") and status.message.startswith(_DOES_NOT_APPLY)


def _class_of(request: HttpRequest, code: int, status: Status | None, headers: Mapping[str, str]) -> type[KubeError]:
    if status is None:
        if code == 404 and headers.get("content-type", "").startswith("text/plain"):
            return NotFound  # the server does not serve this group or version
        return Unexpected if code in _ONLY_FROM_KUBERNETES else _BY_STATUS.get(code, Unexpected)
    by_text = _by_text(code, status)
    if by_text:
        return by_text
    if code == 422 and _is_lost_race(request, status):
        return Conflict
    return _ONLY_FROM_KUBERNETES.get(code) or _BY_STATUS.get(code, Unexpected)


def _retry_after(headers: Mapping[str, str], status: Status | None) -> float | None:
    """Seconds to wait as the server asked, at most 60; a date counts from the server's own ``Date``."""
    text = headers.get("retry-after", "").strip()
    seconds: float | None = None
    if text.isascii() and text.isdigit():
        seconds = float(text[:9])
    elif text:
        try:
            seconds = (parsedate_to_datetime(text) - parsedate_to_datetime(headers["date"])).total_seconds()
        except (ValueError, TypeError, KeyError):
            seconds = 1.0
    elif status and status.details and status.details.retry_after_seconds:
        seconds = float(status.details.retry_after_seconds)
    return None if seconds is None else min(MAX_RETRY_AFTER, max(0.0, seconds))


def line(request: HttpRequest) -> str:
    return f"{request.method} {request.path}"


def from_response(request: HttpRequest, response: HttpResponse, resource: str = "") -> KubeError:
    """The error that a non-2xx answer means."""
    code, status = response.status, parse_status(response.body)
    return _make(request, code, status, response.headers, resource)


def from_status(request: HttpRequest, status: Status) -> KubeError:
    """The error in an ERROR event of a watch; what it leaves out has defaults."""
    code = status.code or (410 if status.reason in ("Expired", "Gone") else 500)
    return _make(request, code, status, {}, "")


def _make(
    request: HttpRequest, code: int, status: Status | None, headers: Mapping[str, str], resource: str
) -> KubeError:
    found = _class_of(request, code, status, headers)
    wait = _retry_after(headers, status)
    if code == 503 and wait is not None and found is ServerFault:
        found = Pushback
    reason = status.reason if status else ""
    error = found(
        _message(request, code, status, headers, resource),
        request=line(request),
        status=code,
        reason=reason or found.__name__,
        resource=resource,
    )
    if isinstance(error, Pushback) and wait is not None:
        error.retry_after = wait
    return error


def _message(request: HttpRequest, code: int, status: Status | None, headers: Mapping[str, str], resource: str) -> str:
    if status is None:
        kind = headers.get("content-type", "").partition(";")[0] or "no content type"
        if code == 404 and kind == "text/plain":
            return "the server does not serve this resource"
        return f"answer {code} without a Kubernetes Status ({kind})"
    if resource == "secrets" or "/secrets" in request.path:
        # A rejected Secret is quoted in the message, so nothing of it is kept.
        return f"{status.reason or code}; details withheld because a Secret is concerned"
    return status.message or status.reason or f"answer {code} without a message"


def from_oserror(request: HttpRequest, error: OSError, resource: str = "") -> KubeError:
    """The error that a failure without an answer means."""
    found: type[KubeError] = Unreachable
    if isinstance(error, ssl.SSLCertVerificationError):
        found = NotTrusted
    elif isinstance(error, ConnectionRefusedError | socket.gaierror | ssl.SSLError):
        found = NotSent
    elif isinstance(error, TimeoutError):
        found = TimedOut
    text = str(error) or type(error).__name__
    if found is TimedOut and not str(error):
        text = f"no answer within {request.timeout:g} s"
    return found(text, request=line(request), reason=type(error).__name__, resource=resource)
