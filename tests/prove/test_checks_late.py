"""A database that let somebody in and is late with an answer says nothing of the copy; one that never answers does."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import AbstractContextManager

import pymongo.errors
import pymysql.err
import pytest
import redis.exceptions

from lazarus_tui.prove.checks import mongodb, mysql, postgresql
from lazarus_tui.prove.checks import redis as redis_checks
from lazarus_tui.prove.checks.credentials import Login
from lazarus_tui.prove.checks.database import Address
from lazarus_tui.prove.checks.outcome import CouldNot, Wrong

WHERE = Address(port=1, login=Login("reader"), database="shop", timeout=1.6)
Told = Callable[[Address, str], AbstractContextManager[None]]


def _asyncpg() -> None:
    raise TimeoutError


def _mongodb() -> None:
    raise pymongo.errors.NetworkTimeout("127.0.0.1:1: timed out")


def _redis() -> None:
    raise redis.exceptions.TimeoutError("Timeout reading from 127.0.0.1:1")


def _pymysql() -> None:
    """The driver itself, at a server that says nothing more: it tells of a lost connection."""
    ours, theirs = socket.socketpair()
    with ours, theirs, ours.makefile("rb") as silent:
        ours.settimeout(0.001)
        session = pymysql.connect(defer_connect=True)
        session._sock, session._rfile = ours, silent  # type: ignore[attr-defined]
        session._read_bytes(4)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("told", "raises"),
    [(postgresql._told, _asyncpg), (mongodb._told, _mongodb), (redis_checks._told, _redis), (mysql._told, _pymysql)],
    ids=["postgresql", "mongodb", "redis", "mysql"],
)
def test_a_late_statement_is_inconclusive_and_a_late_login_is_red(told: Told, raises: Callable[[], None]) -> None:
    with pytest.raises(CouldNot, match=r"^orders: not within 1\.6 s$"), told(WHERE, "orders"):
        raises()
    with pytest.raises(Wrong, match=r"not within 1\.6 s$"), told(WHERE, ""):
        raises()


def test_a_connection_that_mysql_closes_is_red() -> None:
    said = r"orders: it does not answer, or closed the connection \(2013\)"
    with pytest.raises(Wrong, match=said), mysql._told(WHERE, "orders"):
        raise pymysql.err.OperationalError(2013, "Lost connection to MySQL server during query")
