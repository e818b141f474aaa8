"""``lazarus evidence``: records of what was restored, checked and measured."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from lazarus_tui.cli.output import emit, grid, output_option
from lazarus_tui.cli.session import Session
from lazarus_tui.model.counting import how_many
from lazarus_tui.model.operation import Operation

# Seconds an export may take.
_EXPORT = 600.0


@click.group()
def evidence() -> None:
    """Records of what was restored, checked and measured."""


@evidence.command("list")
@output_option
@click.pass_obj
def list_evidence(session: Session, output: str) -> None:
    """List evidence records, newest first."""
    found = session.call("evidence.list", {}, list[dict[str, Any]])[::-1]
    header = ["ID", "KIND", "ABOUT", "VERDICT", "SIGNED", "AT"]
    rows = [
        (*(str(r.get(key) or "-") for key in ("id", "kind", "about", "verdict")), _signed(r), str(r.get("at", "-")))
        for r in found
    ]
    emit(found, output, names=[str(r.get("id", "")) for r in found], table=lambda: grid(header, rows))


def _signed(row: dict[str, Any]) -> str:
    return "yes" if row.get("signed_by") else "no"


@evidence.command("show")
@click.argument("id")
@output_option
@click.pass_obj
def show_evidence(session: Session, id: str, output: str) -> None:
    """Show one evidence record."""
    record = session.call("evidence.get", {"id": id}, dict[str, Any])
    emit(record, "yaml" if output == "table" else output, names=[id], table=str)


@evidence.command("write")
@click.argument("id")
@output_option
@click.pass_obj
def write_evidence(session: Session, id: str, output: str) -> None:
    """Write the evidence of a proof that could not be kept when it ended, from what the journal has of it."""
    done = session.call("evidence.write", {"id": id}, Operation)
    found = {"operation": done.id, "evidence": done.facts.get("evidence"), "verdict": str(done.verdict)}
    emit(found, output, names=[done.id], table=lambda: f"{found['verdict']}  evidence {found['evidence']}")


@evidence.command("export")
@click.option("--out", required=True, metavar="DIR", help="A folder that is empty or not there yet.")
@click.argument("ids", nargs=-1, metavar="[ID]…")
@output_option
@click.pass_obj
def export_evidence(session: Session, out: str, ids: tuple[str, ...], output: str) -> None:
    """Write a bundle for another machine: records, pages, signatures, chain, and a program that checks them.

    Without an ID all records. The same records give the same bytes.
    """
    wanted = {"out": os.path.abspath(os.path.expanduser(out)), "ids": list(ids)}
    found = session.call("evidence.export", wanted, dict[str, Any], timeout=_EXPORT)
    emit(found, output, names=found["records"], table=lambda: "\n".join(_exported(found)))


def _exported(found: dict[str, Any]) -> list[str]:
    lines = [
        f"{len(found['records'])} of {found['count']} records in {found['folder']}",
        f"chain: head {found['head']}",
        *(f"key: {key}" for key in found["keys"]),
        f"verify.py: sha256 {found['verifier']}",
    ]
    if found["unsigned"]:
        lines.append(f"NOT SIGNED: {found['unsigned']}")
    elif found["unsigned_records"]:
        unsigned = how_many(found["unsigned_records"], "record was", "records were")
        lines.append(f"{unsigned} not signed when written")
    return lines


@evidence.command("verify")
@click.argument("folder", metavar="DIR")
@click.option("--signers", metavar="FILE", help="An allowed_signers file that did not come with the bundle.")
@click.option("--head", metavar="SHA256", help="A record that the chain must have.")
@click.option("--allow-unsigned", is_flag=True, help="0 instead of 4 when something is not signed.")
def verify_evidence(folder: str, signers: str | None, head: str | None, allow_unsigned: bool) -> None:
    """Check a bundle without an engine: 0 intact and signed, 2 changed or cut, 4 unsigned.

    It runs this program's own checks, never the verify.py that came with the bundle.
    """
    from lazarus_tui.evidence import verifier

    given = {"--signers": signers, "--head": head}
    words = [folder, *(word for name, value in given.items() if value is not None for word in (name, value))]
    sys.exit(verifier.main(words + (["--allow-unsigned"] if allow_unsigned else [])))
