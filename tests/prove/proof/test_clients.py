"""Which client a database is told by, and that its statement reaches it as it is, whatever a shell would read in it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lazarus_tui.prove.proof.clients import Client, client_of

IMAGES = [
    ("postgres:16", "psql"), ("docker.io/bitnami/postgresql@sha256:00", "psql"), ("registry:5000/postgis:16", "psql"),
    ("mariadb:11", "mariadb"), ("percona/mysql-server:8", "mysql"), ("redis:7", "redis-cli"), ("mongo:7", "mongosh"),
]  # fmt: skip


def client(image: str) -> Client | None:
    return client_of({"spec": {"containers": [{"name": "side", "image": "envoy:1"}, {"name": "db", "image": image}]}})


@pytest.mark.parametrize(("image", "program"), IMAGES, ids=[image for image, _ in IMAGES])
def test_it_is_known_by_its_image_and_the_last_way_needs_no_shell(image: str, program: str) -> None:
    found = client(image)
    assert found is not None
    assert (found.container, found.ways[-1][0]) == ("db", program)


def test_what_is_no_database_is_left_alone() -> None:
    assert client("nginx:1") is None
    assert client("localhost:5000/postgres-of-mine/web:1") is None
    assert client_of({"spec": {}}) is None


@pytest.mark.parametrize(
    ("image", "env", "secret", "options"),
    [
        ("postgres:16", {"POSTGRES_USER": "me", "POSTGRES_PASSWORD": "pw"}, "PGPASSWORD", ["-U", "me", "-d", "me"]),
        ("postgres:16", {"POSTGRES_DB": "a b", "POSTGRES_PASSWORD": "pw"}, "PGPASSWORD",
         ["-U", "postgres", "-d", "a b"]),
        ("mariadb:11", {"MARIADB_ROOT_PASSWORD": "pw"}, "MYSQL_PWD", ["-uroot", "-e"]),
        ("mysql:8", {"MYSQL_ROOT_PASSWORD": "pw"}, "MYSQL_PWD", ["-uroot", "-e"]),
    ],
)  # fmt: skip
def test_the_shell_of_the_container_takes_users_from_its_variables_and_reads_nothing_in_the_statement(
    tmp_path: Path, image: str, env: dict[str, str], secret: str, options: list[str]
) -> None:
    found = client(image)
    assert found is not None
    shell, plain = found.ways
    said: Any = (
        f'#!{sys.executable}\nimport json, os, sys\nprint(json.dumps([sys.argv[1:], os.environ.get("{secret}")]))'
    )
    program = tmp_path / plain[0]
    program.write_text(said, "utf-8")
    program.chmod(0o700)
    done = subprocess.run(shell, env={"PATH": f"{tmp_path}:/bin:/usr/bin", **env}, capture_output=True, check=True)
    args, password = json.loads(done.stdout)
    assert args[: len(options)] == options
    assert args[-1] == plain[-1]
    assert password == "pw"
    assert "pw" not in " ".join(shell), "no value of a secret is in what is announced"


def test_mongosh_says_that_it_dropped_a_database_only_after_one_was_dropped() -> None:
    """``mongosh --eval`` ends with 0 unless something is thrown."""
    found = client("mongo:7")
    assert found is not None
    script = found.ways[0][-1]
    assert found.says == "dropped"
    parts = ("length == 0", ".dropDatabase().ok != 1", "print('dropped')")
    assert sorted(parts, key=script.index) == list(parts)
    assert script.count("throw new Error") == 2
    assert "'admin', 'local', 'config'" in script
    assert "\n" not in script


@pytest.mark.parametrize("image", ["redis:7", "valkey:8"])
def test_a_client_that_ends_well_when_it_is_refused_has_to_say_that_it_did_it(tmp_path: Path, image: str) -> None:
    found = client(image)
    assert found is not None
    assert found.says == "OK"
    program = tmp_path / "redis-cli"
    program.write_text(f'#!{sys.executable}\nimport os, sys\nprint(os.environ.get("REDISCLI_AUTH"), *sys.argv[1:])')
    program.chmod(0o700)
    env = {"PATH": f"{tmp_path}:/bin:/usr/bin", "REDIS_PASSWORD": "pw"}
    done = subprocess.run(found.ways[0], env=env, capture_output=True, check=True)
    assert done.stdout == b"pw FLUSHALL\n"
    assert "pw" not in " ".join(found.ways[0]), "no value of a secret is in what is announced"
