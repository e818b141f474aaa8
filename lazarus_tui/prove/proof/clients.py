"""How a running database is told to lose something: by its own client, in its own container."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_POSTGRES = """
DO $$ DECLARE t regclass; BEGIN
SELECT c.oid::regclass INTO t FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_'
ORDER BY pg_total_relation_size(c.oid) DESC LIMIT 1;
IF t IS NULL THEN RAISE EXCEPTION 'there is no table'; END IF;
EXECUTE 'DROP TABLE ' || t || ' CASCADE'; END $$
"""
_MYSQL = """
SET @t = (SELECT CONCAT('`', table_schema, '`.`', table_name, '`') FROM information_schema.tables
WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema')
ORDER BY data_length + index_length DESC LIMIT 1);
SET FOREIGN_KEY_CHECKS = 0; SET @s = CONCAT('DROP TABLE ', @t); PREPARE d FROM @s; EXECUTE d;
"""
_MONGO = "db.adminCommand({listDatabases: 1}).databases.filter(d => !['admin','local','config'].includes(d.name))" + (
    ".sort((a, b) => b.sizeOnDisk - a.sizeOnDisk).slice(0, 1).forEach(d => db.getSiblingDB(d.name).dropDatabase())"
)


@dataclass(frozen=True, slots=True)
class Client:
    container: str
    argv: tuple[str, ...]
    did: str


def client_of(pod: Mapping[str, Any]) -> Client | None:
    """By the image's own name: the last part of it, without registry and tag."""
    for container in (pod.get("spec") or {}).get("containers") or ():
        image = str(container.get("image") or "").partition("@")[0].rpartition("/")[2].partition(":")[0].lower()
        env = {str(one["name"]): str(one.get("value") or "") for one in container.get("env") or ()}
        found = _argv(image, env)
        if found is not None:
            return Client(str(container["name"]), *found)
    return None


def _argv(image: str, env: Mapping[str, str]) -> tuple[tuple[str, ...], str] | None:
    if "postgres" in image or image == "postgis":
        user = env.get("POSTGRES_USER") or "postgres"
        database = env.get("POSTGRES_DB") or user
        statement = " ".join(_POSTGRES.split())
        options = ("-U", user, "-d", database, "-v", "ON_ERROR_STOP=1")
        return ("psql", *options, "-c", statement), "dropped the largest table"
    if "mariadb" in image or "mysql" in image:
        program = "mariadb" if "mariadb" in image else "mysql"
        password = "${MYSQL_ROOT_PASSWORD:-$MARIADB_ROOT_PASSWORD}"
        statement = " ".join(_MYSQL.split()).replace("`", "\\`")
        line = f'MYSQL_PWD="{password}" {program} -uroot -e "{statement}"'
        return ("sh", "-c", line), "dropped the largest table"
    if "redis" in image or "valkey" in image:
        return ("redis-cli", "FLUSHALL"), "flushed all keys"
    if "mongo" in image:
        return ("mongosh", "--quiet", "--eval", _MONGO), "dropped the largest database"
    return None
