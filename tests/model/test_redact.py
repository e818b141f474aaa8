"""Canaries: no secret survives the redactor, and ordinary cluster words do."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from lazarus_tui.model.redact import HIDDEN, redact, redact_text, redact_value

CANARY = "Canary9zQ4LmXw7Kp2"
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJsYXphcnVzIn0.c2lnbmF0dXJlLWNhbmFyeQ"
PEM = f"-----BEGIN RSA PRIVATE KEY-----\n{CANARY}\n{CANARY}\n-----END RSA PRIVATE KEY-----"

TEXTS = [
    f"Authorization: Bearer {CANARY}",
    f"authorization=Basic {CANARY}",
    f"token: {CANARY}",
    f'{{"token":"{CANARY}"}}',
    f"password={CANARY} user=bob",
    f"--client-key-data={CANARY}",
    f"https://bob:{CANARY}@minio.example/x",
    f"amqp://bob:x@one.example,amqp://bob:{CANARY}@two.example/shop",
    f"cannot reach postgres://bob:{CANARY}/4@db.example/shop",
    f"https://one.example/x,redis://:{CANARY}@two.example",
    f"https://minio.example/velero/b.gz?X-Amz-Signature={CANARY}&X-Amz-Date=1",
    f"http://127.0.0.1:9000/b?expires=1&signature={CANARY}",
    f"failed with sig={CANARY}",
    f"cut PEM -----BEGIN PRIVATE KEY-----\n{CANARY}",
    PEM,
    f"error found in #10 byte of ...|{CANARY}|..., bigger context ...|{CANARY}|...",
    f'Secret "db" is invalid: data: {{"p": "{CANARY}"}}',
    f"the word {CANARY}AbCd0123 alone",
]


@pytest.mark.parametrize("text", TEXTS)
def test_no_canary_survives_in_text(text: str) -> None:
    assert CANARY not in redact_text(text)
    assert CANARY not in redact(text)


def test_tokens_and_cloud_keys_are_known_by_shape() -> None:
    assert JWT not in redact_text(f"got {JWT} back")
    assert "AKIAIOSFODNN7EXAMPLE" not in redact_text("key AKIAIOSFODNN7EXAMPLE")


@pytest.mark.parametrize(
    "text",
    [
        "backups.velero.io shop-20261121-101500 in namespace velero",
        "uid 3f0c9a5e-7a83-4c7c-9d3c-0a2f5d6f1b11 changed",
        "orders-0 is Ready, 1042 orders, newest at 2026-11-21T10:15:00Z",
        "http://orders.shop:8080/stats answered 200 in 12 ms",
        "docker-pullable://registry.example:5000/nginx@sha256:9f86d081884c7d65 is pulled",
        "sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    ],
)
def test_ordinary_words_stay(text: str) -> None:
    assert redact_text(text) == text


def test_objects_lose_what_nobody_may_keep() -> None:
    obj = {
        "kind": "Secret",
        "metadata": {
            "name": "db",
            "managedFields": [{"manager": CANARY}],
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": f'{{"x":"{CANARY}"}}'},
        },
        "data": {"anything": CANARY},
        "stringData": {"anything": CANARY},
    }
    kept = redact_value({"items": [obj], "env": [{"token": CANARY}], "url": f"https://x/y?sig={CANARY}"})
    assert CANARY not in json.dumps(kept)
    assert kept["items"][0]["metadata"]["name"] == "db"
    assert kept["items"][0]["data"] == HIDDEN
    assert obj["data"] == {"anything": CANARY}, "the original is not touched"


def test_the_name_of_a_secrets_key_is_no_secret() -> None:
    """A check reads by it, also after its record came back from the journal."""
    wanted = {"credentials": {"secret": "login", "usernameKey": "user", "passwordKey": "password"}}
    assert redact_value(wanted, keys=False) == wanted
    assert redact_value({"password": "hunter2"}) == {"password": "[redacted]"}


def test_a_config_map_keeps_its_data() -> None:
    assert redact_value({"kind": "ConfigMap", "data": {"mode": "fast"}}) == {
        "kind": "ConfigMap",
        "data": {"mode": "fast"},
    }


def test_facts_keep_checksums_when_asked() -> None:
    digest = "n4bQgYhMfWWaL28IHEcSuLHmDhPOxv1Vs2wJqC4YRTQ="
    assert redact_value({"sum": digest}, keys=False) == {"sum": digest}
    assert redact_value({"sum": digest}) == {"sum": HIDDEN + "="} or redact_value({"sum": digest}) == {"sum": HIDDEN}
    assert CANARY not in str(redact_value({"note": f"Bearer {CANARY}"}, keys=False))


def test_an_error_is_one_short_line() -> None:
    assert redact("a\n\n b\t" + "x " * 400).startswith("a b x")
    assert len(redact("x " * 4000)) == 256


HOSTILE = {
    "word": "a" * 200_000,
    "keys": "token" * 40_000,
    "jwt": "eyJ-" * 50_000,
    "urls": "://" * 60_000,
    "schemes": "a+" * 100_000,
    "amz": "X-Amz-" * 30_000,
    "pem": "-----BEGIN A-----" * 10_000,
    "half pem": "-----BEGIN A-----" + "-----END A " * 15_000,
    "data": "data:{" * 30_000,
    "spaces": "token" + " " * 200_000,
    "quotes": 'token="' * 30_000,
    "basic": "basic " * 30_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_line_costs_linear_time(name: str) -> None:
    began = time.process_time()
    redact_text(HOSTILE[name])
    assert time.process_time() - began < 1.0, "a quadratic rule takes minutes here"


@pytest.mark.parametrize("text", [f'token="{CANARY}', f"password='{CANARY}", f'x {{"api_token": "{CANARY}'])
def test_a_cut_off_value_is_hidden_too(text: str) -> None:
    assert CANARY not in redact_text(text)


@pytest.mark.parametrize(
    "name", ["POSTGRES_PASSWORD", "PRE_password", "PW", "password", "db_pass", "MYSQL_ROOT_PASSWORD_1"]
)
def test_the_name_of_a_variable_is_no_secret_where_a_check_names_one(name: str) -> None:
    wanted = {"checks": [{"kind": "redis", "credentials": {"env": {"username": "USER", "password": name}}}]}
    assert redact_value(wanted, keys=False) == wanted
    assert redact_value(wanted) == wanted
    assert redact_value({"env": {"password": name}}) == {"env": {"password": HIDDEN}}, "a literal of a pod's own"


@pytest.mark.parametrize(
    "literal", ["hunter2", "Hunter2", "s3cr3t!", "correct horse", CANARY, "AKIA" + "A1B2C3D4E5F6", "", 7]
)
def test_a_password_in_the_place_of_a_name_is_taken_out(literal: Any) -> None:
    kept = redact_value({"credentials": {"env": {"password": literal}}}, keys=False)
    assert kept == {"credentials": {"env": {"password": HIDDEN if isinstance(literal, str) and literal else literal}}}
