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
_MONGO = """
var found = db.adminCommand({listDatabases: 1}).databases
.filter(d => !['admin', 'local', 'config'].includes(d.name)).sort((a, b) => b.sizeOnDisk - a.sizeOnDisk);
if (found.length == 0) { throw new Error('there is no database'); }
if (db.getSiblingDB(found[0].name).dropDatabase().ok != 1) { throw new Error('it was not dropped'); }
print('dropped');
"""


# The variables that the official images are made with; exec gives them to every command in the container. The statement
# comes as an argument of its own, so that no shell reads it.
_PSQL = 'PGPASSWORD="${POSTGRES_PASSWORD:-$POSTGRESQL_PASSWORD}" exec psql -U "${POSTGRES_USER:-postgres}"' + (
    ' -d "${POSTGRES_DB:-${POSTGRES_USER:-postgres}}" -v ON_ERROR_STOP=1 -c "$1"'
)
_REDIS = 'REDISCLI_AUTH="${REDIS_PASSWORD:-$REDISCLI_AUTH}" exec redis-cli FLUSHALL'
_ROOT = 'MYSQL_PWD="${MARIADB_ROOT_PASSWORD:-$MYSQL_ROOT_PASSWORD}" exec %s -uroot -e "$1"'


@dataclass(frozen=True, slots=True)
class Client:
    """``ways``: commands that do it, the first that ends with 0 has; each of them drops everything or nothing.
    ``says``: the line that a client prints when it has, where it ends with 0 also when nothing came of it."""

    container: str
    ways: tuple[tuple[str, ...], ...]
    did: str
    says: str = ""


def client_of(pod: Mapping[str, Any]) -> Client | None:
    """By the image's own name: the last part of it, without registry and tag."""
    for container in (pod.get("spec") or {}).get("containers") or ():
        image = str(container.get("image") or "").partition("@")[0].rpartition("/")[2].partition(":")[0].lower()
        found = _ways(image)
        if found is not None:
            return Client(str(container["name"]), *found)
    return None


def _ways(image: str) -> tuple[tuple[tuple[str, ...], ...], str, str] | None:
    if "postgres" in image or image == "postgis":
        statement = " ".join(_POSTGRES.split())
        plain = ("psql", "-v", "ON_ERROR_STOP=1", "-c", statement)
        return (("sh", "-c", _PSQL, "psql", statement), plain), "dropped the largest table", ""
    if "mariadb" in image or "mysql" in image:
        program = "mariadb" if "mariadb" in image else "mysql"
        statement = " ".join(_MYSQL.split())
        shell = ("sh", "-c", _ROOT % program, program, statement)
        return (shell, (program, "-e", statement)), "dropped the largest table", ""
    if "redis" in image or "valkey" in image:
        return (("sh", "-c", _REDIS), ("redis-cli", "FLUSHALL")), "flushed all keys", "OK"
    if "mongo" in image:
        statement = " ".join(_MONGO.split())
        return (("mongosh", "--quiet", "--eval", statement),), "dropped the largest database", "dropped"
    return None
