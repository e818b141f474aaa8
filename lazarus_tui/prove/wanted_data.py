"""What a person writes down to be checked in a database, and where the newest data says how new it is."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta

from lazarus_tui.prove.wanted import DATA_RIGHT, Check, Expect, Port, Reached, Seconds, Tls, Written

Share: TypeAlias = Annotated[float, Meta(ge=0, le=1)]


class FromEnv(Written, frozen=True, kw_only=True):
    """Names of variables of the container; their values are literals, or keys of Secrets and ConfigMaps."""

    username: str = ""
    password: str = ""


class Credentials(Written, frozen=True, kw_only=True):
    """By reference alone. ``secret`` is a restored Secret with the keys ``usernameKey`` and ``passwordKey``;
    ``env`` names variables of the database's own container. ``username`` is a literal; a password never is."""

    secret: str = ""
    username_key: str = "username"
    password_key: str = "password"
    env: FromEnv | None = None
    container: str = ""
    username: str = ""


class Query(Expect, frozen=True, kw_only=True):
    """A statement that reads exactly one value. ``count``: it is a number of things and may be shown."""

    sql: Annotated[str, Meta(min_length=1)]
    name: str = ""
    count: bool = False


class Table(Written, frozen=True, kw_only=True):
    """A table (``schema.table``) or collection that must be there and not empty, unless ``minRows`` is 0.

    ``fingerprint``: as a manifest holds it; the columns ``without`` stay out of it.
    """

    name: Annotated[str, Meta(min_length=1, max_length=256)]
    min_rows: Annotated[int, Meta(ge=0)] = 1
    rows: Expect | None = None
    fingerprint: str = ""
    without: tuple[str, ...] = ()


class Recorded(Written, frozen=True, kw_only=True):
    """One table as a manifest recorded it. A fingerprint is compared with one of the same ``method`` alone."""

    rows: Annotated[int, Meta(ge=0)]
    fingerprint: str = ""
    method: str = ""


class Recall(Written, frozen=True, kw_only=True):
    """Compare with what the point's manifest recorded. ``rows``: the share of the recorded rows that must be there; all
    of them (1) means exactly as many."""

    rows: Share = 1.0
    fingerprints: bool = True


class Against(Recall, frozen=True, kw_only=True):
    """The same with the figures written out."""

    tables: dict[str, Recorded]


class DataCheck(Reached, frozen=True, kw_only=True):
    """What the checks of all databases have. ``role``: what the server must think it is."""

    rung: Literal["healthy", "data right"] = DATA_RIGHT
    database: str = ""
    credentials: Credentials = Credentials()
    tls: Tls | None = None
    role: Literal["", "primary", "replica"] = ""
    max_lag: Annotated[float, Meta(ge=0)] | None = None
    looks: bool = True
    tables: tuple[Table | str, ...] = ()
    manifest: Recall | None = None
    against: Against | None = None
    timeout: Seconds = 60.0

    @property
    def fingerprints(self) -> bool:
        """Whether the manifest's fingerprints are compared."""
        return self.against is not None and self.against.fingerprints

    @property
    def asks(self) -> bool:
        """Whether anything is asked of the data: a server that only answers may be an empty one."""
        return bool(self.tables or self.manifest or self.against)


class PostgresqlCheck(DataCheck, frozen=True, kw_only=True, tag="postgresql"):
    port: Port | None = 5432
    queries: tuple[Query, ...] = ()

    @property
    def asks(self) -> bool:
        return bool(self.queries) or super().asks


class MysqlCheck(DataCheck, frozen=True, kw_only=True, tag="mysql"):
    port: Port | None = 3306
    queries: tuple[Query, ...] = ()

    @property
    def asks(self) -> bool:
        return bool(self.queries) or super().asks


class MariadbCheck(MysqlCheck, frozen=True, kw_only=True, tag="mariadb"):
    """MySQL's, by its other name."""


class Documents(Expect, frozen=True, kw_only=True):
    """How many documents of ``collection`` a filter finds."""

    collection: str
    filter: dict[str, Any] = msgspec.field(default_factory=dict)
    name: str = ""


class MongodbCheck(DataCheck, frozen=True, kw_only=True, tag="mongodb"):
    """``tables`` are collections here."""

    port: Port | None = 27017
    queries: tuple[Documents, ...] = ()

    @property
    def asks(self) -> bool:
        return bool(self.queries) or super().asks


class Key(Expect, frozen=True, kw_only=True):
    """A key that must be there; ``size`` compares its length or number of members instead of its value."""

    key: Annotated[str, Meta(min_length=1)]
    type: str = ""
    size: bool = False


class RedisCheck(DataCheck, frozen=True, kw_only=True, tag="redis"):
    """``minKeys``: DBSIZE of database ``database`` (a number, 0 if empty)."""

    port: Port | None = 6379
    keys: tuple[Key, ...] = ()
    min_keys: Annotated[int, Meta(ge=0)] | None = None

    @property
    def asks(self) -> bool:
        return bool(self.keys or self.min_keys) or super().asks


class Watermark(Check, frozen=True, kw_only=True):
    """Where the newest data says how new it is."""

    name: str = "watermark"
    rung: Literal["healthy", "data right"] = DATA_RIGHT


class WatermarkCheck(Watermark, frozen=True, kw_only=True, tag="http"):
    """JSON at ``path`` of a service, its time in ``field`` (dots go deeper).

    ``untilPath`` and ``idsPath`` may hold ``{until_ms}``: the answer then leaves out what came after that moment.
    """

    service: str
    port: Port
    path: str
    field: str
    count_field: str = ""
    until_path: str = ""
    ids_path: str = ""


class DataWatermark(Watermark, frozen=True, kw_only=True):
    """In a database, reached as its check reaches it."""

    service: str = ""
    pod: str = ""
    workload: str = ""
    port: Port | None = None
    database: str = ""
    credentials: Credentials = Credentials()
    tls: Tls | None = None


class PostgresqlWatermark(DataWatermark, frozen=True, kw_only=True, tag="postgresql"):
    """``sql`` reads one time (with or without zone: then UTC), such as ``select max(updated_at) from orders``."""

    port: Port | None = 5432
    sql: str


class MysqlWatermark(DataWatermark, frozen=True, kw_only=True, tag="mysql"):
    port: Port | None = 3306
    sql: str


class MariadbWatermark(MysqlWatermark, frozen=True, kw_only=True, tag="mariadb"):
    pass


class MongodbWatermark(DataWatermark, frozen=True, kw_only=True, tag="mongodb"):
    """The newest ``field`` (a date) of ``collection``."""

    port: Port | None = 27017
    collection: str
    field: str


class RedisWatermark(DataWatermark, frozen=True, kw_only=True, tag="redis"):
    """``key`` holds a time: RFC 3339, or seconds or milliseconds since 1970."""

    port: Port | None = 6379
    key: str


class FileWatermark(Watermark, frozen=True, kw_only=True, tag="file"):
    """``path`` in a container: the time it was changed last; with ``sentinel`` the time that is written in it."""

    path: str
    pod: str = ""
    workload: str = ""
    container: str = ""
    sentinel: bool = False


AnyWatermark: TypeAlias = (
    WatermarkCheck
    | PostgresqlWatermark
    | MysqlWatermark
    | MariadbWatermark
    | MongodbWatermark
    | RedisWatermark
    | FileWatermark
)
