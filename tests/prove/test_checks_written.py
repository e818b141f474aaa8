"""What a person may write: mistakes are refused with their place and the nearest right word, before anything runs."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lazarus_tui.model.plan import PlanRefused
from lazarus_tui.model.redact import redact_value
from lazarus_tui.prove.checking import service_of
from lazarus_tui.prove.checks import compare
from lazarus_tui.prove.checks.values import MISSING, at, moment
from lazarus_tui.prove.definitions import Checks, parse
from lazarus_tui.prove.wanted import Expect

TEN = datetime(2026, 5, 1, 10, tzinfo=UTC)
HTTP: dict[str, Any] = {"kind": "http", "service": "web", "port": 80}


def read(*checks: dict[str, Any], **more: Any) -> Checks:
    return parse({"sources": {"copy": "shop"}, "checks": {"checks": list(checks), **more}}, "prod")


@pytest.mark.parametrize(
    ("check", "what", "where", "hint"),
    [
        ({"kind": "htpp"}, "'htpp' is no kind of check", "checks[0].kind", "did you mean http?"),
        ({"kind": "postgres"}, "'postgres' is no kind of check", "checks[0].kind", "did you mean postgresql?"),
        ({**HTTP, "servise": "a"}, "there is no field servise", "checks[0]", "did you mean service?"),
        ({**HTTP, "slower_than": 3}, "there is no field slower_than", "checks[0]", "did you mean slowerThan?"),
        ({**HTTP, "json": [{"path": "a", "equal": 1}]}, "there is no field equal", "checks[0].json[0]", "mean equals?"),
        ({**HTTP, "tls": {"verfy": "none"}}, "there is no field verfy", "checks[0].tls", "did you mean verify?"),
        ({"service": "web"}, "missing required field kind", "checks[0]", "docs/checks.md"),
        ({**HTTP, "port": 70000}, "expected int <= 65535", "checks[0].port", "docs/checks.md"),
        ({**HTTP, "needed": "yes"}, "expected bool", "checks[0].needed", "docs/checks.md"),
        ({**HTTP, "rung": "fine"}, "invalid enum value 'fine'", "checks[0].rung", "docs/checks.md"),
        ({"kind": "exec", "pod": "a", "command": "ls -l"}, "expected array", "checks[0].command", "docs/checks.md"),
        ({"kind": "exec", "pod": "a", "command": []}, "length >= 1", "checks[0].command", "docs/checks.md"),
        ({"kind": "postgresql", "service": "pg", "credentials": {"password": "x"}}, "no field password", "", "did you"),
    ],
)
def test_shapes(check: dict[str, Any], what: str, where: str, hint: str) -> None:
    with pytest.raises(PlanRefused) as refused:
        read(check)
    assert what in refused.value.what
    assert where in refused.value.where
    assert hint in refused.value.hint


@pytest.mark.parametrize(
    ("check", "what"),
    [
        ({"kind": "http", "port": 80}, "nothing about where"),
        ({**HTTP, "pod": "web-0"}, "more than one place"),
        ({"kind": "http", "service": "web"}, "port is missing"),
        ({**HTTP, "service": "web/../../secrets"}, "is no name"),
        ({"kind": "tcp", "workload": "orders", "port": 1}, "is no name"),
        ({"kind": "tcp", "workload": "Pod/orders", "port": 1}, "is no name"),
        ({**HTTP, "matches": "("}, "is not a regular expression"),
        ({**HTTP, "json": [{"path": "a", "matches": "["}]}, "is not a regular expression"),
        ({**HTTP, "answered": {"x": {"matches": "*"}}}, "is not a regular expression"),
        ({**HTTP, "path": "nowhere"}, "path begins with /"),
        ({**HTTP, "path": "/a b"}, "path begins with /"),
        ({**HTTP, "path": "/a\r\nX: y"}, "path begins with /"),
        ({**HTTP, "headers": {"X": "a\r\nY: b"}}, "cannot be sent"),
        ({**HTTP, "headers": {"X:": "a"}}, "cannot be sent"),
        ({**HTTP, "headers": {"Authorization": "Bearer abcdef123456"}}, "the journal keeps no secrets"),
        ({**HTTP, "headers": {"X-Forwarded": "https://u:hunter2@web/"}}, "the journal keeps no secrets"),
        ({"kind": "pod", "image": "i", "env": {"PGPASSWORD": "hunter2"}}, "PGPASSWORD holds what looks like"),
        ({**HTTP, "host": "a\r\nb"}, "host cannot be sent"),
        ({**HTTP, "status": "9xx"}, "is no status"),
        ({**HTTP, "tls": {"ca": "web-tls"}}, "names no certificate"),
        ({**HTTP, "namespace": "production"}, "production is not what is checked"),
        ({**HTTP, "url": "http://web/"}, "url says it all"),
        ({"kind": "http", "url": "http://web.production/"}, "is not a service of copy"),
        ({"kind": "http", "url": "http://169.254.169.254/"}, "is not a service of copy"),
        ({"kind": "job"}, "either a restored one"),
        ({"kind": "job", "job": "a", "image": "b"}, "either a restored one"),
        ({"kind": "redis", "service": "r", "tls": {}}, "cannot ask for a name"),
        ({"kind": "postgresql", "service": "r", "tls": {"daysLeft": 3}}, "daysLeft belongs to http"),
        ({"kind": "postgresql", "service": "r", "against": {"tables": {}}}, "nothing would be compared"),
        ({"kind": "redis", "service": "r", "tables": ["orders"]}, "Redis has no tables"),
        ({"kind": "redis", "service": "r", "keys": [{"key": "k", "size": True, "atLeast": float("nan")}]}, "no number"),
        ({**HTTP, "json": [{"path": "a", "between": [0, float("inf")]}]}, "inf is no number"),
        ({**HTTP, "path": "/orders?token=hunter2hunter2"}, "path holds what looks like a password"),
        ({"kind": "http", "url": "http://web.shop/a?password=hunter2"}, "url holds what looks like a password"),
        ({"kind": "http", "url": "http://web.shop/", "tls": {}}, "tls stands beside a url that has none"),
        ({"kind": "redis", "service": "r", "database": "shop"}, "a database of Redis is a number"),
        ({"kind": "redis", "service": "r", "database": "\u00b2"}, "a database of Redis is a number"),
        ({"kind": "tcp", "service": "r", "port": 1, "stays": 30}, "stays is not shorter than timeout"),
        ({**HTTP, "name": "workloads ready"}, "another check has the same name"),
    ],
)
def test_meanings(check: dict[str, Any], what: str) -> None:
    with pytest.raises(PlanRefused, match=r".") as refused:
        read(check)
    assert what in refused.value.what


MARK: dict[str, Any] = {**HTTP, "path": "/stats", "field": "at"}
KEY: dict[str, Any] = {"kind": "redis", "service": "r", "key": "at"}


@pytest.mark.parametrize(
    ("mark", "what"),
    [
        ({**MARK, "path": "/stats?token=hunter2hunter2"}, "path holds what looks like a password"),
        ({**MARK, "idsPath": "/ids?token=hunter2hunter2"}, "idsPath holds what looks like a password"),
        ({**MARK, "path": ""}, "path begins with /"),
        ({**MARK, "untilPath": "/a\r\nX: y"}, "path begins with /"),
        ({**MARK, "service": "web/../../secrets"}, "is no name"),
        ({**MARK, "name": "http web/"}, "another check has the same name"),
        ({**KEY, "tls": {}}, "cannot ask for a name"),
        ({**KEY, "database": "shop"}, "a database of Redis is a number"),
        ({"kind": "mysql", "service": "m", "sql": "select 1", "tls": {"ca": "m-tls"}}, "names no certificate"),
    ],
)
def test_what_is_refused_of_a_check_is_refused_of_the_watermark(mark: dict[str, Any], what: str) -> None:
    with pytest.raises(PlanRefused) as refused:
        read(HTTP, watermark=mark)
    assert what in refused.value.what


@pytest.mark.parametrize("mark", [{**MARK, "untilPath": "/until/{until_ms}"}, {**KEY, "tls": {"verify": "ca"}}])
def test_other_watermarks_are_read(mark: dict[str, Any]) -> None:
    found = read(HTTP, watermark=mark).watermark
    assert found is not None
    assert (found.kind, found.title, found.namespace) == (mark["kind"], "watermark", "copy")


@pytest.mark.parametrize("kind", ["postgresql", "mysql", "mariadb", "mongodb"])
def test_a_database_that_is_asked_nothing_of_its_data_speaks_for_no_data(kind: str) -> None:
    bare: dict[str, Any] = {"kind": kind, "service": "db", "name": "bare"}
    found = read(bare, {**bare, "name": "said", "rung": "data right"}, {**bare, "name": "asked", "tables": ["orders"]})
    assert [one.rung for one in found.checks] == ["healthy", "healthy", "data right"]


def test_a_cache_that_is_asked_for_keys_speaks_for_its_data() -> None:
    bare: dict[str, Any] = {"kind": "redis", "service": "cache", "name": "bare"}
    found = read(bare, {**bare, "name": "none", "minKeys": 0}, {**bare, "name": "some", "minKeys": 1})
    assert [one.rung for one in found.checks] == ["healthy", "healthy", "data right"]


def test_a_name_stands_once_and_a_namespace_is_the_copys() -> None:
    with pytest.raises(PlanRefused, match="same name"):
        read(HTTP, HTTP)
    (one, other) = read({**HTTP, "namespace": "shop"}, {**HTTP, "name": "b", "namespace": "copy"}).checks
    assert (one.namespace, other.namespace) == ("copy", "copy")
    with pytest.raises(PlanRefused, match="which namespace"):
        parse({"sources": {"a": "b", "c": "d"}, "checks": {"checks": [HTTP]}}, "prod")


def test_what_a_plan_keeps_is_read_back_the_same() -> None:
    found = read(
        {**HTTP, "json": [{"path": "a", "equals": None}], "status": [200, "3xx"], "tls": {"verify": "none"}},
        {"kind": "postgresql", "service": "pg", "tables": ["a", {"name": "b", "minRows": 0}], "tier": 2},
        {"kind": "redis", "pod": "r-0", "keys": [{"key": "k", "size": True, "between": [1, 2]}]},
        watermark={"kind": "mysql", "service": "m", "sql": "select 1"},
    )
    kept = msgspec.json.decode(msgspec.json.encode(found))
    assert parse({"sources": {"copy": "shop"}, "checks": kept}, "prod") == found
    assert parse({"sources": {"copy": "shop"}, "checks": kept, "evidence": False}, "prod").evidence is False


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("http://web/", ("http", "web", 80, "/")),
        ("https://web.shop/a?b=c", ("https", "web", 443, "/a?b=c")),
        ("http://web.copy.svc:8080", ("http", "web", 8080, "/")),
        ("http://web.shop.svc.cluster.local./x", ("http", "web", 80, "/x")),
    ],
)
def test_addresses_of_services(url: str, found: tuple[str, str, int, str]) -> None:
    assert service_of(url, "copy", {"copy": "shop"}) == found


@pytest.mark.parametrize(
    "url",
    [
        "http://10.0.0.1/", "http://127.0.0.1/", "http://[::1]/", "http://2130706433/", "http://0177.1/", "//web/",
        "web",
        "http://web@evil.example/", "http://evil.example/", "http://web.other/", "http://web.shop.svc.evil/", "file:///a",
        "http://web.shop.svc.cluster.local.evil/", "http://:80/", "http://web:99999/", "http://we b/",
        "http://WEB..shop/",
        "http://metadata.google.internal/",
    ],
)  # fmt: skip
def test_every_other_address_leads_out(url: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        service_of(url, "copy", {"copy": "shop"})


@settings(max_examples=40)
@given(st.from_regex(r"https?://[a-z0-9.\-@:\[\]%]{1,40}/?", fullmatch=True))
def test_no_address_resolves_to_anything_but_a_plain_name(url: str) -> None:
    try:
        _, service, port, _ = service_of(url, "copy", {"copy": "shop"})
    except ValueError:
        return
    assert service.replace("-", "").isalnum()
    assert "." not in service
    assert 0 < port < 65536


@pytest.mark.parametrize(
    ("expect", "value", "words"),
    [
        ({"equals": 5}, Decimal("5.00"), ""), ({"equals": 5}, 5.0, ""), ({"equals": 5}, "5", "is not 5"),
        ({"equals": 1}, True, "is not 1"), ({"equals": True}, 1, "is not True"), ({"equals": None}, None, ""),
        ({"equals": None}, 0, "is not None"), ({"equals": "a"}, b"a", ""), ({"equals": "5"}, 5, "is not '5'"),
        ({"equals": "2026-05-01"}, date(2026, 5, 1), ""), ({"differsFrom": 0}, 0, "must not be"),
        ({"differsFrom": 0}, None, "is null"), ({"differsFrom": None}, 0, ""),
        ({"differsFrom": None}, None, "must not be"), ({"oneOf": [1, "x"]}, "y", "is none of"),
        ({"oneOf": [1, "x"]}, 1, ""),
        ({"atLeast": 3}, 3, ""), ({"atLeast": 3}, 2.999, "is not at least 3"), ({"atMost": 3}, "4", "is not at most 3"),
        ({"above": 3}, 3, "is not above 3"), ({"below": 3}, 3, "is not below 3"), ({"between": [1, 3]}, 3, ""),
        ({"between": [1, 3]}, 4, "is not at most 3"), ({"between": [1, 3]}, 0, "is not at least 1"),
        ({"atLeast": 1}, None, "is not a number"), ({"atLeast": 1}, True, "is not a number"),
        ({"atLeast": 1}, "NaN", "is not a number"), ({"atLeast": 1}, "many", "is not a number"),
        ({"matches": "^a+$"}, "aaa", ""), ({"matches": "^a+$"}, "ab", "does not match"),
        ({"matches": "a"}, None, "null"),
        ({"contains": "é"}, "caf\u00e9".encode(), ""), ({"contains": "x"}, "y", "does not contain"),
    ],
)  # fmt: skip
def test_comparisons(expect: dict[str, Any], value: Any, words: str) -> None:
    found = compare.wrong(msgspec.convert(expect, Expect), value)
    assert bool(found) == bool(words)
    assert words in found


@settings(max_examples=40)
@given(st.text(min_size=9).filter(lambda text: not text.isspace()))
def test_what_is_said_of_a_difference_never_holds_the_value(value: str) -> None:
    expects = (
        {"equals": "another"},
        {"atLeast": 1e300},
        {"matches": r"^\b$"},
        {"contains": "\0absent"},
        {"oneOf": [1]},
    )
    for expect in expects:
        assert value not in compare.wrong(msgspec.convert(expect, Expect), value)
    assert value not in str(compare.evidence_of(value))
    assert compare.evidence_of(3, count=True) == {"count": 3}
    assert "3" not in compare.evidence_of(True, count=True)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("2026-05-01T10:00:00Z", TEN), ("1777629600", TEN), (1777629600123, TEN), (b"1777629600\n", TEN),
        (datetime(2026, 5, 1, 10), TEN), (date(2026, 5, 1), datetime(2026, 5, 1, tzinfo=UTC)),
    ],
)  # fmt: skip
def test_times(value: Any, found: datetime) -> None:
    assert abs((moment(value) - found).total_seconds()) < 0.2


def test_paths_in_documents() -> None:
    document = {"a": [{"b": 1}], "c.d": 2}
    assert at(document, "a[0].b") == 1
    assert at(document, "$.a[0]") == {"b": 1}
    for path in ("a[1]", "a.b", "c.d", "a[0].b.c", "a[99999999999999999999]"):
        assert at(document, path) is MISSING
    with pytest.raises(ValueError, match=r"."):
        moment("yesterday")


PG: dict[str, Any] = {"kind": "postgresql", "service": "pg", "database": "shop"}


@pytest.mark.parametrize("name", ["POSTGRES_PASSWORD", "PRE_password", "password"])
def test_a_password_is_named_by_the_variable_that_holds_it(name: str) -> None:
    mark = {**PG, "sql": "select max(at) from orders", "credentials": {"env": {"password": name}}}
    found = read({**PG, "credentials": {"env": {"username": "POSTGRES_USER", "password": name}}}, watermark=mark)
    record = msgspec.json.decode(msgspec.json.encode(found))
    assert redact_value(record, keys=False) == record, "it may be kept, and is the same when it comes back"
    assert record["checks"][0]["credentials"]["env"]["password"] == name


@pytest.mark.parametrize("literal", ["hunter2", "Sw0rdfish", "p@ss", "two words", "AKIAA1B2C3D4E5F6"])
@pytest.mark.parametrize("place", ["check", "watermark"])
def test_a_password_itself_is_refused_and_not_repeated(literal: str, place: str) -> None:
    given = {**PG, "credentials": {"env": {"password": literal}}}
    checks, mark = ([given], None) if place == "check" else ([], {**given, "sql": "select 1"})
    with pytest.raises(PlanRefused) as refused:
        read(*checks, watermark=mark)
    assert "credentials.env.password names a variable of the container" in refused.value.what
    assert "a password never stands here" in refused.value.hint
    assert literal not in f"{refused.value.what} {refused.value.hint} {refused.value.where}"


@pytest.mark.parametrize("field", ["readySeconds", "checkSeconds", "stableSeconds"])
@pytest.mark.parametrize("seconds", [-1.0, 90000.0, float("nan")])
def test_times_that_nobody_can_wait_for_are_refused(field: str, seconds: float) -> None:
    with pytest.raises(PlanRefused) as refused:
        read(HTTP, **{field: seconds})
    assert field in refused.value.where + refused.value.what


@pytest.mark.parametrize(
    ("value", "count", "words"),
    [
        (3, True, ""),
        (0, False, ""),
        (0, True, "is not above 0"),
        (Decimal(0), True, "is not above 0"),
        (-1, True, "is not above 0"),
        ("0", True, "is not above 0"),
        ("none", True, "is not above 0"),
        ("7", True, ""),
        (None, True, "is null"),
    ],
)
def test_where_nothing_is_said_a_value_is_there_and_a_count_counts_something(
    value: Any, count: bool, words: str
) -> None:
    assert compare.lacking(Expect(), value, count=count) == words
    assert compare.lacking(Expect(at_least=0), value, count=count) == ""


@pytest.mark.parametrize(("value", "told"), [(7, " (it is 7)"), ("a row", ""), (b"a row", ""), (True, ""), (None, "")])
def test_only_a_number_is_told_as_a_count(value: Any, told: str) -> None:
    assert compare.shown(value, count=True) == told
    assert compare.shown(value) == ""
