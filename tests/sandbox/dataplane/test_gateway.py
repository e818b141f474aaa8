"""How often a gateway asks what may pass, and what it tells the kernel: once for each sort of ports, when it is new."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from lazarus_tui.model.resources import NETWORKPOLICIES
from lazarus_tui.sandbox.dataplane import gateway as borders
from lazarus_tui.sandbox.dataplane.gateway import OUTSIDE_PORTS, Gateway
from lazarus_tui.sandbox.dataplane.namespaces import Wanted
from tests.sandbox.dataplane.drawing import Objects

CLOSED = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


class Made:
    """Sockets of this machine instead of a namespace's; ``refused`` are ports that cannot be listened on."""

    def __init__(self) -> None:
        self.refused: set[int] = set()

    async def sockets(self, net: int, wanted: Sequence[Wanted]) -> list[socket.socket | str]:
        return ["taken" if one.port in self.refused else self._socket(one.kind) for one in wanted]

    @staticmethod
    def _socket(kind: str) -> socket.socket:
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM)
        made.bind(("127.0.0.1", 0))
        made.setblocking(False)
        return made


class Border:
    """The gateway of pod ``web``; ``asked`` and ``attached`` are what it asked and told since they were cleared."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.objects, self.made = Objects(), Made()
        self.asked: list[int] = []
        self.attached: list[int] = []
        self.detached: list[socket.socket] = []
        self.full = False
        self.draw()
        patch.setattr(borders, "attach", self._attach)
        patch.setattr(borders, "detach", self.detached.append)
        own: Any = SimpleNamespace(address="127.42.0.2", net=0, close=lambda: None)
        made: Any = self.made
        self.gateway = Gateway(
            "web", own, {8080}, made, atlas=lambda: self.atlas, connect=self._nobody, answer=self._nobody
        )

    def draw(self) -> None:
        """The cluster as it is now."""
        self.atlas = atlas = self.objects.atlas()
        ways = atlas.ways_out

        def counted(source: Any, port: int) -> Any:
            self.asked.append(port)
            return ways(source, port)

        atlas.ways_out = counted  # type: ignore[method-assign]

    def forget(self) -> None:
        self.asked.clear()
        self.attached.clear()

    def _attach(self, held: socket.socket, code: Any) -> None:
        if self.full:
            raise OSError(12, "no memory for filters")
        self.attached.append(len(code))

    async def _nobody(self, *asked: Any) -> None:
        return None


@pytest.fixture
async def border(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Border]:
    found = Border(monkeypatch)
    yield found
    await found.gateway.close()


async def test_each_sort_of_ports_is_asked_about_once_and_every_listener_told(border: Border) -> None:
    border.objects.policy(**CLOSED)
    border.draw()
    await border.gateway.follow()
    assert len(border.attached) == len((OUTSIDE_PORTS | {80, 443, 8081, 9100}) - {8080})  # 8080 is its own
    # That of services, that of the API server, and all the others.
    assert [border.atlas.sort(port) for port in sorted(border.asked, key=(80, 443).__contains__)] == [(), 80, 443]


async def test_the_same_atlas_is_not_asked_again_and_one_that_says_nothing_new_tells_the_kernel_nothing(
    border: Border,
) -> None:
    border.objects.policy(**CLOSED)
    border.draw()
    await border.gateway.follow()
    border.forget()
    border.gateway.heed()
    await border.gateway.follow()
    assert (border.asked, border.attached) == ([], [])
    border.draw()
    border.gateway.heed()
    assert len(border.asked) == 3
    assert border.attached == []


async def test_a_policy_is_told_at_once_and_taken_back_when_it_is_gone(border: Border) -> None:
    await border.gateway.follow()
    assert border.attached == []
    border.objects.policy(**CLOSED)
    border.draw()
    border.gateway.heed()
    assert len(border.attached) == len(border.gateway._listeners)
    border.objects.kept[NETWORKPOLICIES].clear()
    border.draw()
    border.gateway.heed()
    assert len(border.detached) == len(border.gateway._listeners)


async def test_what_the_kernel_did_not_take_and_what_could_not_be_listened_on_is_tried_again(border: Border) -> None:
    border.objects.policy(**CLOSED)
    border.draw()
    border.full, border.made.refused = True, {443}
    await border.gateway.follow()
    count = len(border.gateway._listeners)
    border.full, border.made.refused = False, set()
    border.gateway.heed()
    assert len(border.attached) == count
    await border.gateway.follow()
    assert len(border.gateway._listeners) == len(border.attached) == count + 1
