"""The doctor's judgements that need no cluster."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from lazarus_tui.engine.doctor import explain_storage, skew

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "took", "severity"),
    [
        (0, 0.1, "info"),
        (4, 0.1, "info"),
        (-30, 0.1, "warning"),
        (30, 0.1, "warning"),
        (3600, 0.1, "error"),
        (8, 6, "info"),
    ],
)
def test_clocks_are_compared_with_the_answers_own_delay(seconds: int, took: float, severity: str) -> None:
    date = format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)
    assert skew(date, NOW, took).severity == severity


def test_a_server_without_a_clock_is_no_error() -> None:
    assert skew("", NOW, 0).severity == "info"
    assert skew("yesterday", NOW, 0).severity == "info"


@pytest.mark.parametrize(
    ("message", "word"),
    [
        ("Get https://minio.velero.svc:9000: dial tcp: lookup minio.velero.svc: no such host", "s3Url"),
        ("x509: certificate signed by unknown authority", "caCert"),
        ("AccessDenied: Access Denied, status code: 403", "credentials"),
        ("NoSuchBucket: The specified bucket does not exist", "bucket"),
        ("dial tcp 10.0.0.9:9000: i/o timeout", "network policy"),
        ("something nobody has seen", "logs"),
    ],
)
def test_storage_trouble_has_a_next_step(message: str, word: str) -> None:
    assert word in explain_storage(message)
