"""The images that pods of the sandbox may name, and what each really runs. Nothing else is ever started."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lazarus_tui.sandbox.dataplane.images.engines import CLIENTS, ENGINES, find

# Programs live beside this file, so an installed wheel has them.
_SOURCES = Path(__file__).parent / "images"
_TOOLS = frozenset({"cat", "ls", "tar", "echo", "env", "true", "false", "sleep", "stty", "sh", "/bin/sh", "nc"}) | {
    "wget",
    "nslookup",
    "find",
    "dd",
}


@dataclass(frozen=True, slots=True)
class Image:
    """What an image stands for.

    ``program`` is a file of ``images/``; None is a container without a process (Velero itself works inside the
    sandbox). ``once`` programs end by themselves. ``arguments`` says whether a container's args reach the program, and
    ``command`` whether its command does, before them.
    ``ports`` are those it listens on, whether or not a container declares them. ``stop`` is the signal that asks it to
    end. ``engine`` names a server of this machine (``images/engines.py``) that it needs.
    """

    name: str
    program: str | None
    once: bool = False
    arguments: bool = False
    command: bool = False
    ports: tuple[int, ...] = ()
    commands: frozenset[str] = _TOOLS
    stop: int = signal.SIGTERM
    engine: str = ""

    @property
    def source(self) -> Path | None:
        return _SOURCES / self.program if self.program else None

    def absence(self, root: Path = Path("/")) -> str:
        """Why it cannot be had on this machine; empty when it can."""
        engine = ENGINES[self.engine] if self.engine else None
        return engine.absence if engine and find(engine, root) is None else ""


START: Path = _SOURCES / "_start.py"
TOOLS: Path = _SOURCES / "tools.py"


def _repository(reference: str) -> str:
    return reference.partition("@")[0].rpartition(":")[0] or reference


class Catalog:
    """Looks images up: by exact reference first, then by repository for those whose tag does not matter."""

    def __init__(self, images: Mapping[str, Image], families: Mapping[str, Image]) -> None:
        self._images, self._families = dict(images), dict(families)

    def find(self, reference: str) -> Image | None:
        """The image, or None: such a pod stays in ErrImagePull."""
        found = self._images.get(reference)
        return found or self._families.get(_repository(reference))

    def references(self) -> list[str]:
        return sorted(self._images)


def standard_catalog() -> Catalog:
    """The images of the shop, of databases, of Velero, of probes, and of tests."""
    shop = [
        Image("orders", "orders.py", ports=(8080,), commands=_TOOLS | {"orders-cli"}),
        Image("web", "web.py", ports=(8080,)),
        Image("writer", "writer.py"),
        Image("locker", "locker.py", commands=_TOOLS | {"locker"}),
        Image("task", "task.py", once=True, arguments=True),
        Image("pause", None),
    ]
    # PostgreSQL waits for its clients on SIGTERM; SIGINT ends them.
    ends = {"postgresql": signal.SIGINT}
    ports = {"postgresql": 5432, "mariadb": 3306, "redis": 6379}
    databases = [
        Image(
            name, f"{name}.py", ports=(ports[name],), commands=_TOOLS | CLIENTS[name],
            stop=ends.get(name, signal.SIGTERM), engine=name,
        )
        for name in ENGINES
    ]  # fmt: skip
    # What probes of a network need: a listener, and the tools that every image has here.
    busybox = Image("busybox", "busybox.py", arguments=True, command=True)
    velero = Image("velero", None, commands=frozenset())
    waiter = Image("velero-restore-helper", "restore_wait.py", once=True, arguments=True, commands=frozenset())
    return Catalog(
        {f"lazarus.dev/{image.name}:1": image for image in (*shop, *databases)},
        {"velero/velero": velero, "velero/velero-restore-helper": waiter}
        | {name: busybox for name in ("busybox", "library/busybox", "docker.io/library/busybox")}
        | {f"docker.io/velero/{name}": image for name, image in (("velero", velero), (waiter.name, waiter))},
    )
