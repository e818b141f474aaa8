"""Objects and artefacts of backups and restores, fetched by the engine."""

from __future__ import annotations

from typing import Any

from lazarus_tui.cli.output import emit
from lazarus_tui.cli.session import Session


def show_object(session: Session, resource: str, name: str, output: str) -> None:
    """Print one object of Velero's namespace; a table is its YAML."""
    found: dict[str, Any] = session.call(
        "object.get",
        {"context": session.context(), "resource": resource, "namespace": None, "name": name},
        dict[str, Any],
    )
    emit(found, "yaml" if output == "table" else output, names=[name], table=str)


def show_artefact(session: Session, kind: str, name: str, *, as_text: bool = True) -> Any:
    """The text (sanitised, ready to print) or the JSON of an artefact, see the link's ``artefact.get``."""
    params = {"context": session.context(), "kind": kind, "name": name}
    answer: dict[str, Any] = session.call("artefact.get", params, dict[str, Any], timeout=120.0)
    if not as_text:
        return answer.get("json")
    from lazarus_tui.view.sanitise import LINE_LIMIT, clean

    lines = str(answer.get("text", "")).splitlines()
    return "".join(f"{clean(line, LINE_LIMIT)}\n" for line in lines)
