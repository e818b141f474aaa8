"""Every line of the outcome table, and what an error may never carry."""

from __future__ import annotations

import asyncio
import socket
import ssl

import pytest
from kube_fakes import answer, status

from lazarus_tui.kube import errors
from lazarus_tui.kube.errors import from_oserror, from_response, outcome
from lazarus_tui.model.http import HttpRequest, HttpResponse
from lazarus_tui.model.redact import redact
from lazarus_tui.model.steps import Outcome

POST = HttpRequest("POST", "/api/v1/namespaces/shop/configmaps")
JSON_PATCH = HttpRequest("PATCH", "/api/v1/x", headers={"content-type": "application/json-patch+json"})
HTML = b"<html><body>Bad Gateway</body></html>"
WEBHOOK = 'admission webhook "policy.example.com" denied the request: no root'
POLICY = "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: too many replicas"
QUOTA = 'pods "x" is forbidden: exceeded quota: q, requested: pods=1, used: pods=5, limited: pods=5'
UNCOUNTED = 'pods "x" is forbidden: status unknown for quota: q, resources: pods'
UNSAID = 'pods "x" is forbidden: failed quota: q: must specify limits.cpu for: c'
ACCOUNT = 'pods "x" is forbidden: error looking up service account s/default: serviceaccount "default" not found'
ENDING = 'pods "x" is forbidden: unable to create new content in namespace s because it is being terminated'
RANGE = 'pods "x" is forbidden: [minimum cpu usage per Container is 100m, but request is 50m]'
SECURITY = 'pods "x" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false'
RIGHT = 'pods is forbidden: User "jane" cannot create resource "pods" in API group "" in the namespace "s"'
CALL = 'Internal error occurred: failed calling webhook "v.example.com": Post "https://v.svc:443/": connection refused'
GENERIC = "the server rejected our request due to an error in our request"
IMMUTABLE = [{"field": "metadata.uid", "message": "field is immutable"}]
FIELD = [{"field": "spec.replicas", "message": "must be positive"}]

# answer or failure → class, outcome (reliability §3.1)
TABLE = [
    (ConnectionRefusedError(111, "refused"), errors.NotSent, Outcome.NOT_SENT),
    (socket.gaierror(-2, "Name or service not known"), errors.NotSent, Outcome.NOT_SENT),
    (ssl.SSLError(1, "handshake failure"), errors.NotSent, Outcome.NOT_SENT),
    (ssl.SSLCertVerificationError(1, "self-signed certificate"), errors.NotTrusted, Outcome.NOT_SENT),
    (TimeoutError(), errors.TimedOut, Outcome.AMBIGUOUS),
    (ConnectionResetError("reset"), errors.Unreachable, Outcome.AMBIGUOUS),
    (BrokenPipeError(), errors.Unreachable, Outcome.AMBIGUOUS),
    (asyncio.IncompleteReadError(b"", 5), None, Outcome.UNKNOWN),
    (status(429, "slow down"), errors.Pushback, Outcome.PUSHBACK),
    (answer(HTML, 429), errors.Pushback, Outcome.PUSHBACK),
    (answer(HTML, 503, retry_after="7"), errors.Pushback, Outcome.PUSHBACK),
    (status(503, "busy", retryAfterSeconds=3), errors.Pushback, Outcome.PUSHBACK),
    (status(503, "no"), errors.ServerFault, Outcome.AMBIGUOUS),
    (answer(HTML, 502), errors.ServerFault, Outcome.AMBIGUOUS),
    (answer(HTML, 500), errors.ServerFault, Outcome.AMBIGUOUS),
    (answer(HTML, 504), errors.TimedOut, Outcome.AMBIGUOUS),
    (status(504, "request timed out", "Timeout"), errors.TimedOut, Outcome.AMBIGUOUS),
    (status(408, ""), errors.TimedOut, Outcome.AMBIGUOUS),
    (status(500, "etcdserver: request timed out"), errors.ServerFault, Outcome.AMBIGUOUS),
    (status(500, "etcdserver: leader changed"), errors.ServerFault, Outcome.AMBIGUOUS),
    (status(500, "etcdserver: too many requests"), errors.ServerFault, Outcome.AMBIGUOUS),
    (status(500, "rpc error: code = Unavailable desc = transport is closing"), errors.ServerFault, Outcome.AMBIGUOUS),
    (status(500, "etcdserver: request is too large"), errors.Invalid, Outcome.PERMANENT),
    (status(500, CALL), errors.WebhookDown, Outcome.PUSHBACK),
    (status(409, "the object has been modified", "Conflict"), errors.Conflict, Outcome.CONFLICT),
    (status(409, "exists", "AlreadyExists"), errors.AlreadyExists, Outcome.CONFLICT),
    (answer(HTML, 409), errors.Unexpected, Outcome.UNKNOWN),
    (status(422, "immutable", "Invalid", causes=IMMUTABLE), errors.Conflict, Outcome.CONFLICT),
    (status(401, "Unauthorized"), errors.AuthError, Outcome.AUTH),
    (answer(HTML, 401), errors.AuthError, Outcome.AUTH),
    (status(403, "cannot create", "Forbidden"), errors.Forbidden, Outcome.FORBIDDEN),
    (answer(HTML, 403), errors.Forbidden, Outcome.FORBIDDEN),
    (status(403, QUOTA, "Forbidden"), errors.QuotaExceeded, Outcome.FORBIDDEN),
    (status(403, UNCOUNTED, "Forbidden"), errors.NotYet, Outcome.FORBIDDEN),
    (status(403, ACCOUNT, "Forbidden"), errors.NotYet, Outcome.FORBIDDEN),
    (status(403, "pods is forbidden: not yet ready to handle request", "Forbidden"), errors.NotYet, Outcome.FORBIDDEN),
    (status(403, ENDING, "Forbidden"), errors.Ending, Outcome.FORBIDDEN),
    (status(403, UNSAID, "Forbidden"), errors.NotAdmitted, Outcome.FORBIDDEN),
    (status(403, RANGE, "Forbidden"), errors.NotAdmitted, Outcome.FORBIDDEN),
    (status(403, SECURITY, "Forbidden"), errors.NotAdmitted, Outcome.FORBIDDEN),
    (status(403, RIGHT, "Forbidden"), errors.Forbidden, Outcome.FORBIDDEN),
    (status(404, "not found", "NotFound"), errors.NotFound, Outcome.GONE),
    (answer(HTML, 404), errors.Unexpected, Outcome.UNKNOWN),
    (status(410, "too old", "Expired"), errors.Expired, Outcome.EXPIRED),
    (answer(HTML, 410), errors.Unexpected, Outcome.UNKNOWN),
    (status(400, "bad", "BadRequest"), errors.Invalid, Outcome.PERMANENT),
    (status(400, WEBHOOK), errors.Denied, Outcome.PERMANENT),
    (status(403, WEBHOOK, "Forbidden"), errors.Denied, Outcome.PERMANENT),
    (status(422, POLICY, "Invalid"), errors.Denied, Outcome.PERMANENT),
    (status(405, ""), errors.Invalid, Outcome.PERMANENT),
    (status(413, ""), errors.Invalid, Outcome.PERMANENT),
    (status(415, ""), errors.Invalid, Outcome.PERMANENT),
    (status(422, "invalid", "Invalid", causes=FIELD), errors.Invalid, Outcome.PERMANENT),
    (status(422, GENERIC, "Invalid"), errors.Invalid, Outcome.PERMANENT),
    (answer(b"", 302), errors.Unexpected, Outcome.UNKNOWN),
    (status(418, "teapot"), errors.Unexpected, Outcome.UNKNOWN),
    (answer(b"\xff\x00", 500), errors.ServerFault, Outcome.AMBIGUOUS),
    (answer([1, 2], 400), errors.Invalid, Outcome.PERMANENT),
    (answer({"kind": "Status", "message": None, "code": "x"}, 400), errors.Invalid, Outcome.PERMANENT),
]


@pytest.mark.parametrize(("what", "kind", "expected"), TABLE, ids=[repr(row[0])[:60] for row in TABLE])
def test_the_table_of_outcomes(what: object, kind: type | None, expected: Outcome) -> None:
    if isinstance(what, HttpResponse):
        error: BaseException = from_response(POST, what)
    elif isinstance(what, OSError):
        error = from_oserror(POST, what)
    else:
        assert isinstance(what, BaseException)
        error = what
    assert kind is None or type(error) is kind
    assert outcome(error) is expected
    if isinstance(error, errors.KubeError):
        assert error.request == "POST /api/v1/namespaces/shop/configmaps"
        assert 0 < len(str(error)) <= 256


def test_no_error_is_applied_and_a_failed_json_patch_test_is_a_lost_race() -> None:
    assert outcome(None) is Outcome.APPLIED
    assert type(from_response(JSON_PATCH, status(422, GENERIC, "Invalid"))) is errors.Conflict
    assert type(from_response(JSON_PATCH, status(422, "no", "Invalid", causes=FIELD))) is errors.Invalid


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "9" * 400}, 60.0),
        ({"retry-after": "-5"}, 1.0),
        ({"retry-after": "soon"}, 1.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 30.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT"}, 1.0),
        ({}, 1.0),
    ],
)
def test_retry_after(headers: dict[str, str], expected: float) -> None:
    error = from_response(POST, HttpResponse(429, headers, b""))
    assert isinstance(error, errors.Pushback)
    assert error.retry_after == expected


CANARY = "hunter2CANARYhunter2"
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJlQ0FOQVJZ"


@pytest.mark.parametrize(
    "text",
    [
        f"invalid bearer token: {JWT}",
        f"Authorization: Bearer {CANARY}",
        f"Get https://user:{CANARY}@host/path failed",
        f"Get https://minio/b/k?X-Amz-Credential={CANARY}&X-Amz-Signature={CANARY} failed",
        f"sig={CANARY}",
        f'password: "{CANARY}"',
        f"DB_PASSWORD={CANARY}",
        f'{{"data":{{"password-of-x":"{CANARY}"}}}}',
        f"error found in #10 byte of ...|{CANARY}|..., bigger context ...|{CANARY}|...",
        f"-----BEGIN RSA PRIVATE KEY-----\n{CANARY}\n-----END RSA PRIVATE KEY-----",
        f"-----BEGIN PRIVATE KEY-----\n{CANARY}",
        f"client-key-data: {CANARY}",
        f"api_key: {CANARY}",
        "key AKIAIOSFODNN7CANARY used",
        "blob aGVsbG8gQ0FOQVJZIHdvcmxkIGZvbyBiYXI5 refused",
    ],
)
def test_secrets_do_not_survive(text: str) -> None:
    cleaned = redact(text)
    assert CANARY not in cleaned
    assert "CANARY" not in cleaned
    assert "Q0FOQVJZ" not in cleaned
    error = from_response(POST, status(400, text))
    for shown in (str(error), repr(error), error.message, *map(str, error.args)):
        assert "CANARY" not in shown
        assert "Q0FOQVJZ" not in shown


def test_plain_messages_stay_readable() -> None:
    text = 'backups.velero.io "daily-20260101020000" is forbidden: User "jane" cannot create resource "backups"'
    assert redact(text) == text
    uid = "Precondition failed: UID in precondition: 3f2b8c1e-0b1d-4f7e-9a56-2d1c0b9e8f70"
    assert redact(uid) == uid


def test_nothing_of_a_secret_is_quoted() -> None:
    request = HttpRequest("POST", "/api/v1/namespaces/shop/secrets")
    error = from_response(request, status(422, f"Secret is invalid: data[x]: Invalid value: {CANARY}", "Invalid"))
    assert "hunter2" not in str(error)
    assert "Secret" in str(error)


def test_messages_are_capped_and_on_one_line() -> None:
    error = from_response(POST, status(400, "very\nlong " * 200_000, "R" * 5000))
    assert len(error.message) == 256
    assert len(error.reason) <= 64
    assert "\n" not in error.message
