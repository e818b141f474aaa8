"""Checks of real servers that speak TLS: whose certificate is taken, and that plain is never fallen back to."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from lazarus_tui.model.resources import SECRETS
from lazarus_tui.model.verdict import Verdict

from .checking import verdict
from .engines import MARIADB, POSTGRESQL, REDIS, Engine
from .house import SPACE, House
from .test_checks import MARIA, PG

pytestmark = pytest.mark.timeout(200)
NAMES = {"postgresql": "pg", "mariadb": "maria-0", "redis": "redis"}
CHECKS: dict[str, dict[str, Any]] = {
    "postgresql": PG,
    "mariadb": MARIA,
    "redis": {"kind": "redis", "pod": "redis-0", "port": 6380},
}
CA, OTHER = "secret/db-tls/ca.crt", "secret/db-tls/other.crt"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA(organization_name="Lazarus throw-away")


@pytest.fixture
async def secret(house: House, authority: trustme.CA) -> AsyncIterator[None]:
    other = trustme.CA(organization_name="Somebody else")
    data = {"ca.crt": authority.cert_pem.bytes().decode(), "other.crt": other.cert_pem.bytes().decode()}
    await house.cluster.create(SECRETS, {"metadata": {"name": "db-tls"}, "stringData": data}, SPACE)
    yield
    await house.cluster.delete(SECRETS, "db-tls", SPACE)


def laid(folder: Path, certificate: trustme.LeafCert, name: str) -> tuple[Path, Path]:
    """Certificate and key beside a server's data, its own as the data is."""
    owner = folder.stat()
    found = folder / f"{name}-cert.pem", folder / f"{name}-key.pem"
    chain = b"".join(one.bytes() for one in certificate.cert_chain_pems)
    for path, text in zip(found, (chain, certificate.private_key_pem.bytes()), strict=True):
        path.write_bytes(text)
        path.chmod(0o600)
        os.chown(path, owner.st_uid, owner.st_gid)
    return found


@asynccontextmanager
async def speaking_tls(house: House, engine: Engine, authority: trustme.CA) -> AsyncIterator[None]:
    pod = f"{engine.workload}-0"
    await house.ready(pod)
    folder = await house.folder(f"data-{pod}") / engine.name
    files = laid(folder, authority.issue_cert(NAMES[engine.name]), "server")
    try:
        await {"postgresql": _postgresql, "mariadb": _mariadb, "redis": _redis}[engine.name](house, folder, on=True)
        yield
    finally:
        for path in files:
            path.unlink()
        await {"postgresql": _postgresql, "mariadb": _mariadb, "redis": _redis}[engine.name](house, folder, on=False)


async def _postgresql(house: House, folder: Path, *, on: bool) -> None:
    settings = "ssl = on\nssl_cert_file = 'server-cert.pem'\nssl_key_file = 'server-key.pem'\n" if on else ""
    (folder / "postgresql.auto.conf").write_text(settings)
    os.kill(house.server(folder.parent), signal.SIGHUP)
    wanted = "on" if on else "off"

    async def told() -> bool:
        return await house.run("pg-0", POSTGRESQL.ask("show ssl")) == wanted

    await house.until(told, f"ssl is {wanted}")


async def _mariadb(house: House, folder: Path, *, on: bool) -> None:
    restarts = (await house.ready("maria-0"))["status"]["containerStatuses"][0]["restartCount"]
    await house.kill("data-maria-0")
    await house.ready("maria-0", restarts=restarts + 1)
    assert await house.run("maria-0", MARIADB.ask("select @@have_ssl")) == ("YES" if on else "DISABLED")


async def _redis(house: House, folder: Path, *, on: bool) -> None:
    files = {"tls-cert-file": f"{folder}/server-cert.pem", "tls-key-file": f"{folder}/server-key.pem",
             "tls-auth-clients": "no"} if on else {}  # fmt: skip
    words = [word for pair in {**files, "tls-port": "6380" if on else "0"}.items() for word in pair]
    assert await house.run("redis-0", ["redis-cli", "-e", "config", "set", *words]) == "OK"


@pytest.mark.parametrize("engine", [POSTGRESQL, MARIADB, REDIS], ids=lambda engine: engine.name)
async def test_only_the_certificate_that_is_asked_for_is_taken(
    house: House, secret: None, authority: trustme.CA, engine: Engine
) -> None:
    check = CHECKS[engine.name]
    full = "ca" if engine is REDIS else "full"
    async with speaking_tls(house, engine, authority):
        right = await verdict(house.cluster, **check, tls={"ca": CA, "verify": full})
        assert right.verdict is Verdict.PASSED, right.summary
        anybody = await verdict(house.cluster, **check, tls={"verify": "none"})
        assert anybody.verdict is Verdict.PASSED, anybody.summary
        for wrong in ({"ca": OTHER, "verify": full}, {"verify": full}):
            found = await verdict(house.cluster, **check, tls=wrong)
            assert found.verdict is Verdict.FAILED, found.summary
            assert "certificate" in found.summary
        gone = await verdict(house.cluster, **check, tls={"ca": "secret/db-tls/gone", "verify": full})
        assert (gone.verdict, "there is no secret/db-tls/gone" in gone.summary) == (Verdict.INCONCLUSIVE, True)
        if engine is REDIS:
            return
        named = await verdict(house.cluster, **check, tls={"ca": CA, "serverName": "elsewhere.example"})
        assert (named.verdict, "certificate" in named.summary) == (Verdict.FAILED, True), named.summary
        chain = await verdict(house.cluster, **check, tls={"ca": CA, "serverName": "elsewhere.example", "verify": "ca"})
        assert chain.verdict is Verdict.PASSED, chain.summary


@pytest.mark.parametrize("engine", [POSTGRESQL, MARIADB, REDIS], ids=lambda engine: engine.name)
async def test_a_server_without_tls_is_not_asked_in_plain(house: House, secret: None, engine: Engine) -> None:
    await house.ready(f"{engine.workload}-0")
    check = {**CHECKS[engine.name], "timeout": 10} | ({"port": 6379} if engine is REDIS else {})
    found = await verdict(house.cluster, **check, tls={"ca": CA, "verify": "ca"})
    assert found.verdict is Verdict.FAILED, found.summary
