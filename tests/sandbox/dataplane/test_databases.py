"""Images that need a server of the machine: had where it is installed, refused in one sentence where it is not."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from lazarus_tui.sandbox.dataplane.catalog import Image, standard_catalog
from lazarus_tui.sandbox.dataplane.images import engines
from lazarus_tui.sandbox.dataplane.ledger import is_stopped, signal_all, signal_group
from lazarus_tui.sandbox.dataplane.pod_worker import PodWorker
from lazarus_tui.sandbox.scenarios.manifests import manifests


def install(root: Path, folder: str, *names: str) -> None:
    (root / folder).mkdir(parents=True, exist_ok=True)
    for name in names:
        (root / folder / name).write_text("")
        (root / folder / name).chmod(0o755)


def postgresql(root: Path, version: str) -> None:
    install(root, f"usr/lib/postgresql/{version}/bin", *engines.ENGINES["postgresql"].programs)


def image(name: str) -> Image:
    found = standard_catalog().find(f"lazarus.dev/{name}:1")
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("name", "package"), [("postgresql", "postgresql"), ("mariadb", "mariadb-server"), ("redis", "redis-server")]
)
def test_a_machine_without_the_server_is_told_what_to_install(name: str, package: str, tmp_path: Path) -> None:
    text = f"{name} is not installed on this machine: apt-get install {package}"
    assert image(name).absence(tmp_path) == text
    program = "postgres" if name == "postgresql" else f"{name}-server"
    install(tmp_path, "home/somebody/bin", program)
    assert image(name).absence(tmp_path) == text, "only the fixed places count"


def test_the_newest_postgresql_that_is_whole_is_taken(tmp_path: Path) -> None:
    for version in ("9.6", "15", "17"):
        postgresql(tmp_path, version)
    (tmp_path / "usr/lib/postgresql/17/bin/initdb").unlink()
    found = engines.find(engines.ENGINES["postgresql"], tmp_path)
    assert found is not None
    assert {path.parent.parent.name for path in found.values()} == {"15"}
    assert image("postgresql").absence(tmp_path) == ""


def test_the_older_names_of_mariadb_count_and_a_client_alone_does_not(tmp_path: Path) -> None:
    install(tmp_path, "usr/bin", "mysql", "mysqladmin", "mysqlcheck", "mysql_install_db")
    assert image("mariadb").absence(tmp_path)
    install(tmp_path, "usr/sbin", "mysqld")
    found = engines.find(engines.ENGINES["mariadb"], tmp_path)
    assert found is not None
    assert found["mariadbd"] == tmp_path / "usr/sbin/mysqld"
    assert found["mariadb"] == tmp_path / "usr/bin/mysql"


def test_what_is_not_executable_is_not_there(tmp_path: Path) -> None:
    install(tmp_path, "usr/bin", *engines.ENGINES["redis"].programs)
    assert image("redis").absence(tmp_path) == ""
    (tmp_path / "usr/bin/redis-check-aof").chmod(0o644)
    assert image("redis").absence(tmp_path)


def test_clients_are_for_their_own_images_and_servers_for_none() -> None:
    for name, clients in engines.CLIENTS.items():
        allowed = image(name).commands
        assert clients <= allowed
        others = frozenset().union(*(more for other, more in engines.CLIENTS.items() if other != name))
        assert not others & allowed
        assert not {"postgres", "initdb", "mariadbd", "redis-server"} & allowed
        assert not clients & image("orders").commands
    assert image("postgresql").stop == signal.SIGINT
    assert not image("postgresql").arguments


def test_an_image_of_a_server_is_looked_up_only_where_containers_are_processes() -> None:
    asked = []

    class Asked:
        engine = "postgresql"

        def absence(self) -> str:
            asked.append(1)
            return "not here"

    def worker(processes: bool) -> PodWorker:
        return SimpleNamespace(_kubelet=SimpleNamespace(launcher=SimpleNamespace(processes=processes)))  # type: ignore[return-value]

    assert PodWorker._absence(worker(True), Asked()) == "not here"  # type: ignore[arg-type]
    assert PodWorker._absence(worker(False), Asked()) == ""  # type: ignore[arg-type]
    assert asked == [1]


def test_the_scenario_names_images_of_the_catalogue_and_a_claim_for_each() -> None:
    sets = [one for one in manifests("databases") if one["kind"] == "StatefulSet"]
    assert sorted(one["metadata"]["name"] for one in sets) == ["maria", "pg", "redis"]
    for one in sets:
        (container,) = one["spec"]["template"]["spec"]["containers"]
        (claim,) = one["spec"]["volumeClaimTemplates"]
        assert standard_catalog().find(container["image"])
        assert container["volumeMounts"][0]["name"] == claim["metadata"]["name"]
        assert container["ports"][0]["containerPort"] in standard_catalog().find(container["image"]).ports  # type: ignore[union-attr]


_FAMILY = """
import os, signal, time
if not os.fork():
    os.setsid()
    if not os.fork():
        os.setsid()
    print("here", flush=True)
    signal.pause()
print("here", flush=True)
signal.pause()
"""


async def test_a_server_whose_workers_lead_groups_of_their_own_stands_still_and_ends_as_a_whole() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-S", "-c", _FAMILY, stdout=asyncio.subprocess.PIPE, start_new_session=True
    )
    assert process.stdout is not None
    try:
        for _ in range(3):
            assert await process.stdout.readline() == b"here\n"
        signal_group(process.pid, signal.SIGSTOP)
        await asyncio.sleep(0.01)
        assert not is_stopped(process.pid), "its workers go on"
        signal_all(process.pid, signal.SIGSTOP)
        async with asyncio.timeout(60):
            while not is_stopped(process.pid):
                await asyncio.sleep(0.002)
        signal_all(process.pid, signal.SIGCONT)
        assert not is_stopped(process.pid)
    finally:
        signal_all(process.pid, signal.SIGKILL)
        await process.wait()
    assert await process.stdout.read() == b"", "nobody holds the output any more"
