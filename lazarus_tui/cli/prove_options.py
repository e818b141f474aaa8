"""What ``lazarus prove plan`` and ``lazarus prove run`` are told, the same for both, as the planner's parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from lazarus_tui.cli.session import Refused
from lazarus_tui.link.protocol import Fault

F = TypeVar("F", bound=Callable[..., Any])

_MOST = 256 * 1024  # bytes of a file of checks


def asking(command: F) -> F:
    """The options that say what is proven, and how the copy is treated."""
    options = (
        click.option("--workload", metavar="NS[/KIND/NAME]", help="What is proven."),
        click.option(
            "--point", metavar="POINT", help="latest, latest-proven, oldest, random:30d, before:TIME, or a name."
        ),
        click.option("--source", type=click.Choice(["velero", "snapshots"]), help="Kind of point; velero unless said."),
        click.option(
            "--checks", "checks_file", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
            help="Checks of the copy, as YAML (docs/checks.md), instead of the usual ones.",
        ),
        click.option(
            "--allow", multiple=True, metavar="RULE:WHAT:UNTIL:REASON", help="An exception from a rule. Repeatable."
        ),
        click.option(
            "--placeholder", multiple=True, metavar="SECRET/KEY", help="Bring this key without its value. Repeatable."
        ),
        click.option(
            "--node", multiple=True, metavar="LABEL=VALUE", help="Let the copy run on such nodes only. Repeatable."
        ),
        click.option(
            "--rewrite-ingress", is_flag=True, help="Bring Ingresses too, under names that nobody serves."
        ),
        click.option(
            "--dns", is_flag=True, help="Let the copy ask the cluster's name server; it still reaches nobody else."
        ),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def asked(given: dict[str, Any]) -> dict[str, Any]:
    """Takes the options of ``asking`` out of ``given``; what was not said is left out. Raises ``Refused``."""
    return {**subject(str(given.pop("workload") or "")), **chosen(given)}


def subject(workload: str) -> dict[str, Any]:
    """``NAMESPACE`` or ``NAMESPACE/KIND/NAME``. Raises ``Refused``."""
    namespace, _, rest = workload.partition("/")
    if not namespace:
        raise Refused(Fault("usage", "which workload?", "--workload", "NAMESPACE or NAMESPACE/KIND/NAME"))
    if rest and (rest.count("/") != 1 or not all(rest.split("/"))):
        raise Refused(Fault("usage", f"{workload!r} is no workload", "--workload", "NAMESPACE or NAMESPACE/KIND/NAME"))
    return {"namespace": namespace, "workload": rest} if rest else {"namespace": namespace}


def chosen(given: dict[str, Any]) -> dict[str, Any]:
    """Takes the same options out of ``given``, but for the workload. Raises ``Refused``."""
    file = given.pop("checks_file")
    found = {
        "point": given.pop("point"),
        "source": given.pop("source"),
        "checks": _wanted(file) if file else None,
        "allow": [_exception(one) for one in given.pop("allow")],
        "placeholders": list(given.pop("placeholder")),
        "nodes": _nodes(given.pop("node")),
        "ingress": "rewrite" if given.pop("rewrite_ingress") else None,
        "network": {"dns": True} if given.pop("dns") else None,
    }
    return {key: value for key, value in found.items() if value}


def _nodes(written: Sequence[str]) -> dict[str, Any]:
    """``tier=test`` as the planner's ``nodes``; {} for none."""
    for one in written:
        if "=" not in one:
            raise Refused(Fault("usage", f"{one!r} is no label of a node", "--node", "LABEL=VALUE"))
    labels = dict(one.split("=", 1) for one in written)
    return {"labels": labels} if labels else {}


def _exception(written: str) -> dict[str, str]:
    """``S10:buckets.example.com:2026-01-31T00:00:00Z:reason``; the time has colons of its own."""
    parts = written.split(":", 2)
    end, slash, reason = parts[2].partition("Z:") if len(parts) == 3 else ("", "", "")
    if not slash:
        raise Refused(
            Fault("usage", f"{written!r} is no exception", "--allow", "RULE:WHAT:2026-01-31T00:00:00Z:reason in words")
        )
    return {"rule": parts[0], "what": parts[1], "expires": f"{end}Z", "reason": reason}


def _wanted(file: Path) -> dict[str, Any]:
    found = read_checks(file)
    if not found:
        raise Refused(Fault("usage", "the file asks for nothing", str(file), "see docs/checks.md"))
    return found


def read_checks(file: Path) -> dict[str, Any]:
    """The file as plain data; what it means is for the engine to say. Raises ``Refused``."""
    import yaml  # it costs 20 ms to import, and most commands read no file

    data = file.read_bytes()
    if len(data) > _MOST:
        raise Refused(Fault("usage", f"the file has {len(data)} bytes; checks have at most {_MOST}", str(file)))
    try:
        found = yaml.safe_load(data)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{file} line {mark.line + 1}" if mark else str(file)
        raise Refused(Fault("usage", "it is not YAML", where, "see docs/checks.md")) from None
    if not isinstance(found, dict):
        raise Refused(Fault("usage", "checks are a mapping of names to values", str(file), "see docs/checks.md"))
    return found
