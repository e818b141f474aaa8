"""``lazarus prove checks|manifest``: what a file of checks asks, of what runs now, and what its tables hold now."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from lazarus_tui.cli.running import OperationOptions, operation_options, run
from lazarus_tui.cli.session import Refused, Session
from lazarus_tui.link.protocol import Fault

_MOST = 256 * 1024  # bytes of a file of checks
_FILE = click.option(
    "-f", "--checks", "file", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="YAML of docs/checks.md.",
)  # fmt: skip
_NAMESPACE = click.option("-n", "--namespace", required=True, metavar="NS", help="What is looked at.")


@click.command("checks")
@_NAMESPACE
@_FILE
@click.option("--backup", metavar="NAME", help="Compare with the manifest of this backup or snapshot set.")
@operation_options
@click.pass_obj
def checks(session: Session, /, namespace: str, file: Path, backup: str | None, options: OperationOptions) -> int:
    """Run checks on a namespace as it is now.

    Exit code 0 when they pass, 2 when one fails, 4 when one could not run. Commands and pods need an armed context.
    """
    params = {"namespaces": [namespace], "checks": _read(file), **({"backup": backup} if backup else {})}
    return run(session, "prove.checks", params, options)


@click.command("manifest")
@_NAMESPACE
@_FILE
@click.option("--backup", required=True, metavar="NAME", help="The backup or snapshot set that it is taken for.")
@operation_options
@click.pass_obj
def manifest(session: Session, /, namespace: str, file: Path, backup: str, options: OperationOptions) -> int:
    """Record what the tables of checks with `manifest` hold now, for proofs of a backup to compare with."""
    params = {"backup": backup, "namespaces": [namespace], "checks": _read(file)}
    return run(session, "prove.manifest", params, options)


def _read(file: Path) -> dict[str, Any]:
    """The file as plain data; what it means is for the engine to say."""
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
