"""The cluster's names on the wire: the questions of the pods' own resolver, and answers it understands."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from lazarus_tui.model.resources import ENDPOINTS, SERVICES, Resource
from lazarus_tui.sandbox.dataplane import resolver


def query(name: str, kind: int = 1, number: int = 7) -> bytes:
    labels = b"".join(bytes((len(part),)) + part.encode() for part in name.split("."))
    return struct.pack("!HHHHHH", number, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", kind, 1)


class Names:
    """Two services: one with an address, one headless with the pods db-0 and db-1."""

    def get(self, resource: Resource, name: str, namespace: str | None = None) -> dict[str, Any] | None:
        services = {"web": "127.43.0.7", "db": "None"}
        if namespace != "shop" or name not in services:
            return None
        if resource == SERVICES:
            return {"spec": {"clusterIP": services[name]}}
        assert resource == ENDPOINTS
        entries = [{"ip": f"127.42.0.{n}", "targetRef": {"name": f"db-{n}"}} for n in (0, 1)]
        return {"subsets": [{"addresses": entries}]}

    def list(self, resource: Resource, namespace: str | None = None) -> list[dict[str, Any]]:
        raise AssertionError("nothing needs a list")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("web.shop.svc.cluster.local", ["127.43.0.7"]),
        ("db.shop.svc.cluster.local", ["127.42.0.0", "127.42.0.1"]),
        ("db-1.db.shop.svc.cluster.local", ["127.42.0.1"]),
        ("db-7.db.shop.svc.cluster.local", None),
        ("web.billing.svc.cluster.local", None),
        ("a.web.shop.svc.cluster.local", None),
        ("web.cluster.local", None),
    ],
)
def test_names_of_the_cluster(name: str, expected: list[str] | None) -> None:
    assert resolver.cluster_addresses(Names(), name) == expected


def test_an_answer_repeats_the_question_and_gives_every_address() -> None:
    asked = resolver.question(query("WEB.shop.svc.cluster.local"))
    assert asked is not None
    assert (asked.number, asked.name, asked.kind) == (7, "web.shop.svc.cluster.local", 1)
    reply = resolver.answer(asked, ["127.43.0.7", "127.43.0.8"])
    number, flags, questions, answers, *_ = struct.unpack_from("!HHHHHH", reply)
    assert (number, flags, questions, answers) == (7, 0x8180, 1, 2)
    assert reply[12:].startswith(query("WEB.shop.svc.cluster.local")[12:])
    assert reply.endswith(bytes((127, 43, 0, 8)))


def test_a_name_that_is_not_there_and_a_kind_that_is_not_served() -> None:
    asked = resolver.question(query("nobody.shop.svc.cluster.local"))
    assert asked is not None
    assert struct.unpack_from("!HHHH", resolver.answer(asked, None)) == (7, 0x8183, 1, 0)
    six = resolver.question(query("web.shop.svc.cluster.local", kind=28))
    assert six is not None
    assert struct.unpack_from("!HHHH", resolver.answer(six, ["127.43.0.7"])) == (7, 0x8180, 1, 0)  # the name exists


@pytest.mark.parametrize(
    "data",
    [b"", b"\0" * 11, query("a.b")[:-1], b"\xff" * 40, query("x")[:2] + b"\x81\x00" + query("x")[4:], query("a" * 64)],
    ids=["nothing", "half a header", "cut off", "noise", "an answer", "a label that is too long"],
)
def test_what_is_no_question_gets_no_answer(data: bytes) -> None:
    assert resolver.question(data) is None
