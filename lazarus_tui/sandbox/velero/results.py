"""Log lines and the errors and warnings counted from them: what a run leaves behind in the bucket."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from typing import Any

from lazarus_tui.model.clock import Clock, rfc3339

Sink = Callable[[str], None]


def log_line(time: str, level: str, message: str, fields: dict[str, str]) -> str:
    """One line in the text format of Velero's server."""
    rest = "".join(f" {key}={_quoted(value)}" for key, value in sorted(fields.items()))
    return f'time="{time}" level={level} msg={json.dumps(message, ensure_ascii=False)}{rest}'


def _quoted(value: str) -> str:
    plain = value and all(c.isalnum() or c in "-._/@^+" for c in value)
    return value if plain else json.dumps(value, ensure_ascii=False)


class Tally:
    """Messages of one severity, grouped as the results artefact groups them."""

    def __init__(self) -> None:
        self._velero: list[str] = []
        self._cluster: list[str] = []
        self._namespaces: dict[str, list[str]] = {}

    def add(self, message: str, namespace: str | None) -> None:
        """``namespace`` None is Velero itself, "" the cluster scope."""
        if namespace is None:
            self._velero.append(message)
        elif namespace:
            self._namespaces.setdefault(namespace, []).append(message)
        else:
            self._cluster.append(message)

    @property
    def count(self) -> int:
        return len(self._velero) + len(self._cluster) + sum(map(len, self._namespaces.values()))

    def json(self) -> dict[str, Any]:
        groups = {"velero": self._velero, "cluster": self._cluster, "namespaces": self._namespaces}
        return {key: value for key, value in groups.items() if value}


class RunLog:
    """The log of one backup or restore: goes to the server's log and into the artefact, and counts what went wrong."""

    def __init__(self, clock: Clock, subject: dict[str, str], sink: Sink) -> None:
        self._clock = clock
        self._subject = subject
        self._sink = sink
        self._lines: list[str] = []
        self.errors = Tally()
        self.warnings = Tally()

    def info(self, message: str, **fields: str) -> None:
        self._write("info", message, fields)

    def warning(self, message: str, namespace: str | None = None, **fields: str) -> None:
        self.warnings.add(message, namespace)
        self._write("warning", message, fields)

    def error(self, message: str, namespace: str | None = None, **fields: str) -> None:
        self.errors.add(message, namespace)
        self._write("error", message, fields)

    def _write(self, level: str, message: str, fields: dict[str, str]) -> None:
        line = log_line(rfc3339(self._clock.now()), level, message, {**fields, **self._subject})
        self._lines.append(line)
        self._sink(line)

    def packed(self) -> bytes:
        return gzip.compress(("\n".join(self._lines) + "\n").encode(), compresslevel=5, mtime=0)

    def results(self) -> dict[str, Any]:
        return {"errors": self.errors.json(), "warnings": self.warnings.json()}
