"""Go durations and ages."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lazarus_tui.model import durations, quantities
from lazarus_tui.model.durations import DurationError


@given(st.timedeltas(timedelta(days=-30000), timedelta(days=30000)))
def test_what_is_written_is_read_back(length: timedelta) -> None:
    assert durations.parse(durations.go(length)) == length


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("720h0m0s", 2_592_000), ("1h30m", 5400), ("1.5h", 5400), ("90m", 5400), ("250ms", 0.25), ("0", 0), ("-2m", -120)],
)
def test_go_strings(text: str, seconds: float) -> None:
    assert durations.parse(text).total_seconds() == seconds


@pytest.mark.parametrize(
    ("text", "word"),
    [("7d", "168h"), ("30", "unit"), ("", "empty"), ("soon", "not a duration"), ("9999999999h", "292")],
)
def test_what_is_no_duration_says_why(text: str, word: str) -> None:
    with pytest.raises(DurationError, match=word):
        durations.parse(text)


@given(st.text(max_size=20))
def test_no_text_raises_anything_else(text: str) -> None:
    try:
        length = durations.parse(text)
    except DurationError:
        return
    assert durations.parse(durations.go(length)) == length


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (timedelta(hours=720), "720h0m0s"),
        (timedelta(seconds=90), "1m30s"),
        (timedelta(milliseconds=1500), "1.5s"),
        (timedelta(microseconds=1), "1µs"),
        (timedelta(0), "0s"),
    ],
)
def test_written_as_go_writes(length: timedelta, text: str) -> None:
    assert durations.go(length) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59, "59s"), (60, "1m"), (245, "4m05s"), (11520, "3h12m"), (187200, "2d4h"), (41 * 86400 + 5, "41d")],
)
def test_ages(seconds: int, text: str) -> None:
    assert durations.human(seconds) == text
    assert durations.human(timedelta(seconds=-seconds)) == ("0s" if seconds == 0 else f"-{text}")


def test_words() -> None:
    assert durations.words(1800) == "30 minutes"
    assert durations.words(timedelta(hours=1)) == "1 hour"
    assert durations.words(0) == "0 seconds"


@pytest.mark.parametrize(
    ("text", "value"), [("10Gi", 10 * 2**30), ("1k", 1000), ("1.5Mi", 1_572_864), ("2e3", 2000), ("1E", 10**18)]
)
def test_quantities(text: str, value: int) -> None:
    assert quantities.parse(text) == value


def test_small_and_wrong_quantities() -> None:
    assert float(quantities.parse("500m")) == 0.5
    for wrong in ("", "Gi", "1 Gi", "ten", "1GB"):
        with pytest.raises(quantities.QuantityError):
            quantities.parse(wrong)


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (120 * 2**30, "120 GiB"), (2**60, "1024 PiB")]
)
def test_sizes(count: int, text: str) -> None:
    assert quantities.size(count) == text
