"""What a pod's nc says of a way, however late the node is that takes its connections."""

from __future__ import annotations

import importlib
import select
import socket
import struct
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait as ended
from pathlib import Path
from typing import Any

import pytest

from lazarus_tui.sandbox.dataplane import images

PROGRAMS = ("names", "wire", "reach")


@pytest.fixture
def reach(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The program as pods load it."""
    assert images.__file__ is not None
    monkeypatch.syspath_prepend(str(Path(images.__file__).parent))
    yield importlib.import_module("reach")
    for name in PROGRAMS:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("takes", "moment", "code", "said"), [(True, 0.01, 0, "open"), (False, 60, 1, "Connection reset by peer")]
)
def test_a_way_is_judged_when_its_connection_has_been_taken(
    reach: Any, capsys: pytest.CaptureFixture[str], takes: bool, moment: float, code: int, said: str
) -> None:
    reach._MOMENT = moment
    with socket.create_server(("127.0.0.1", 0)) as node, ThreadPoolExecutor(1) as pool:
        asked = pool.submit(reach.nc, ["-z", "127.0.0.1", str(node.getsockname()[1])])
        assert select.select([node], [], [], 60)[0]
        assert not ended({asked}, timeout=0.1).done or sys.platform != "linux", "the node is held up"
        connection, _ = node.accept()
        with connection:
            if not takes:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.close()
            assert asked.result(60) == code
    told = capsys.readouterr()
    assert said in told.out + told.err


def test_one_that_closes_at_once_is_not_waited_for(reach: Any, capsys: pytest.CaptureFixture[str]) -> None:
    reach._MOMENT = reach._PATIENCE = 60
    with socket.create_server(("127.0.0.1", 0)) as node, ThreadPoolExecutor(1) as pool:
        asked = pool.submit(reach.nc, ["-z", "127.0.0.1", str(node.getsockname()[1])])
        node.accept()[0].close()
        assert asked.result(30) == 1
    assert "closed at once" in capsys.readouterr().err


def test_a_way_of_another_family_is_judged_by_its_connection_alone(
    reach: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Far:
        def __enter__(self) -> Far:
            return self

        def __exit__(self, *raised: object) -> None: ...

        def getpeername(self) -> tuple[str, int, int, int]:
            return "fd00::1", 80, 0, 0

        getsockname = getpeername

        def settimeout(self, seconds: float) -> None: ...

        def recv(self, *asked: int) -> bytes:
            return b"x"

    monkeypatch.setattr(reach.socket, "create_connection", lambda *asked, **options: Far())
    assert reach.nc(["-z", "127.0.0.1", "80"]) == 0
    assert "open" in capsys.readouterr().out
