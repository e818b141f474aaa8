"""Objects and artefacts of backups and restores, fetched by the engine."""

from __future__ import annotations

from typing import Any

from lazarus_tui.cli.output import emit, grid
from lazarus_tui.cli.session import Refused, Session
from lazarus_tui.link.protocol import Fault


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


def mapping(session: Session, kind: str, name: str) -> dict[str, Any]:
    """The JSON object of an artefact; an empty file says nothing, which is not that there was nothing: ``Refused``."""
    found = show_artefact(session, kind, name, as_text=False)
    if not isinstance(found, dict):
        what = f"what {kind} of {name} should say is not known: the file that Velero kept is empty"
        raise Refused(Fault("not-found", what, name, "look into its log"))
    return found


def show_results(session: Session, kind: str, name: str, output: str) -> None:
    """Print the errors and warnings of a backup or restore, grouped by where they happened."""
    results = mapping(session, kind, name)
    rows = result_rows(results)
    emit(results, output, names=[text for *_, text in rows], table=lambda: grid(["LEVEL", "WHERE", "TEXT"], rows))


def result_rows(results: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Flatten Velero's results: (errors|warnings, velero|cluster|namespace, text)."""
    rows = []
    for level in ("errors", "warnings"):
        part = results.get(level) or {}
        rows += [(level, scope, text) for scope in ("velero", "cluster") for text in part.get(scope) or ()]
        rows += [(level, ns, text) for ns, texts in (part.get("namespaces") or {}).items() for text in texts]
    return rows
