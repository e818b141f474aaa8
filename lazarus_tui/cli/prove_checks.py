"""``lazarus prove checks|manifest``: what a file of checks asks, of what runs now, and what its tables hold now."""

from __future__ import annotations

from pathlib import Path

import click

from lazarus_tui.cli.prove_options import read_checks
from lazarus_tui.cli.running import OperationOptions, operation_options, run
from lazarus_tui.cli.session import Session

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
    params = {"namespaces": [namespace], "checks": read_checks(file), **({"backup": backup} if backup else {})}
    return run(session, "prove.checks", params, options)


@click.command("manifest")
@_NAMESPACE
@_FILE
@click.option("--backup", required=True, metavar="NAME", help="The backup or snapshot set that it is taken for.")
@operation_options
@click.pass_obj
def manifest(session: Session, /, namespace: str, file: Path, backup: str, options: OperationOptions) -> int:
    """Record what the tables of checks with `manifest` hold now, for proofs of a backup to compare with."""
    params = {"backup": backup, "namespaces": [namespace], "checks": read_checks(file)}
    return run(session, "prove.manifest", params, options)
