"""What a pane says instead of rows: loading, empty, or what is wrong and what helps. Never a blank pane."""

from __future__ import annotations

from collections.abc import Mapping

from lazarus_tui.model.topics import ContextRow
from lazarus_tui.view.source import LinkState, TopicState
from lazarus_tui.view.text import BLANK, Line, Span, Tone, accent, line, muted, span, wrap


def _card(title: str, body: str, *steps: str, width: int = 76, tone: Tone = Tone.WARN) -> list[Line]:
    lines = [BLANK, line("  ", span(title, tone, 200)), BLANK, *wrap(body, width, Tone.PLAIN, 2)]
    if steps:
        lines.append(BLANK)
    for step in steps:
        lines += [
            line("  ", accent("→ "), part[1] if len(part) > 1 else part[0]) if not at else line("   ", *part)
            for at, part in enumerate(wrap(step, width - 4, Tone.PLAIN, 1))
        ]
    return lines


def nothing(
    state: TopicState,
    context: ContextRow | None,
    contexts: TopicState,
    link: LinkState,
    link_reason: str,
    *,
    what: str,
    empty: str,
    width: int = 76,
    wanted: str = "",
    velero: bool = True,
) -> list[Line]:
    """The lines for a pane without rows, from the outermost cause inwards. ``velero``: it shows what is Velero's."""
    width = max(40, min(width, 100) - 2)
    if link in (LinkState.LOST, LinkState.REFUSED):
        return engine_gone(link_reason, width)
    if context is None:
        return no_context(contexts, width, wanted)
    if context.state == "failed":
        return unreachable(context, width)
    if velero and context.state == "ready" and not context.velero and what != "workloads":
        return no_velero(context, width)
    if velero and context.state == "ready" and len(context.velero) > 1 and not context.velero_namespace:
        return several(context, width)
    if state.state == "failed":
        return refused(state, what, width)
    if state.state == "loading" or context.state in ("unknown", "connecting"):
        return [BLANK, line(muted(f"  loading {what} from {context.name} …"))]
    if state.state == "ready" and state.reason:
        return not_served(state.reason, context, width)
    return [BLANK, *wrap(empty, width, Tone.MUTED, 2)]


def absent(state: TopicState, gone: str, width: int = 76) -> list[Line]:
    """Where one thing was shown that is not in ``state``: it is ``gone`` only when all there is is known."""
    if state.state == "loading":
        return [BLANK, line(muted("  loading …"))]
    if state.state == "failed":
        hint = wrap(f"→ {state.hint}", width, Tone.ACCENT, 2) if state.hint else []
        return [BLANK, *wrap(f"? not known: {state.reason or 'no reason was given'}", width, Tone.WARN, 2), *hint]
    return [BLANK, line(muted(f"  {gone}"))]


def filtered(shown: str, total: int) -> list[Line]:
    return [BLANK, line(muted(f"  none of {total} match "), span(shown, Tone.STRONG), muted("   esc shows all"))]


def engine_gone(reason: str, width: int) -> list[Line]:
    return _card(
        "✗ The engine does not answer", f"{reason}. Operations that were under way continue or are resumed when it is "
        "back; nothing is lost. The console keeps trying.",
        "in another terminal: lazarus engine status", "lazarus doctor checks each step", width=width, tone=Tone.BAD,
    )  # fmt: skip


def no_context(contexts: TopicState, width: int, wanted: str = "") -> list[Line]:
    if contexts.state == "loading":
        return [BLANK, line(muted("  asking the engine for the contexts …"))]
    current = next((row.name for row in contexts.records.values() if row.current), "")
    if current or wanted in contexts.records:
        return [BLANK, line(muted("  connecting to "), span(wanted or current, Tone.ACCENT), muted(" …"))]
    if contexts.records:
        return _card(
            "No context is chosen",
            "The kubeconfig has contexts, none of them is its current one.",
            "C or :contexts chooses one",
            width=width,
        )
    reason = f": {contexts.reason}" if contexts.reason else ""
    return _card(
        "No kubeconfig", f"Lazarus found no context to talk to{reason}. It looks where kubectl does: --kubeconfig, "
        "$KUBECONFIG, ~/.kube/config, and the service account inside a pod.",
        "lazarus --kubeconfig FILE", "no cluster at hand: lazarus --sandbox brings its own",
        "lazarus doctor checks each step", width=width,
    )  # fmt: skip


def unreachable(context: ContextRow, width: int) -> list[Line]:
    return _card(
        f"✗ {context.name} cannot be reached", f"{context.reason or 'no reason was given'} ({context.server})",
        *([context.hint] if context.hint else []), "lazarus doctor checks each step on the way",
        ":contexts chooses another cluster", width=width, tone=Tone.BAD,
    )  # fmt: skip


def no_velero(context: ContextRow, width: int) -> list[Line]:
    return _card(
        "There is no Velero in this cluster",
        f"{context.name} answers, but has no velero.io resources: nothing to back up with, nothing to restore from.",
        "velero install puts it there (Lazarus works with 1.14 to 1.18)", "the Overview still shows the workloads: 1",
        "to look around first: lazarus --sandbox", width=width,
    )  # fmt: skip


def several(context: ContextRow, width: int) -> list[Line]:
    names = ", ".join(context.velero[:10])
    return _card(
        "There are several Veleros here", f"Namespaces with a Velero server: {names}. Lazarus does not guess which one "
        "holds your backups.",
        *([context.hint] if context.hint else ["name one in the settings file: velero.namespace"]), width=width,
    )  # fmt: skip


def not_served(reason: str, context: ContextRow, width: int) -> list[Line]:
    return _card(
        "There are no snapshots in this cluster", f"{context.name}: {reason}. Without it nothing can be cut, and there "
        "is nothing to restore in place from.",
        "a CSI driver that can snapshot needs the snapshot CRDs and the snapshot controller",
        "Velero's file system backups do not need it: 2", width=width,
    )  # fmt: skip


def refused(state: TopicState, what: str, width: int) -> list[Line]:
    return _card(
        f"✗ {what} cannot be listed", state.reason or "no reason was given",
        *([state.hint] if state.hint else ["lazarus doctor says which permission is missing"]),
        width=width, tone=Tone.BAD,
    )  # fmt: skip


def count(shown: int, total: int, marks: int, notes: Mapping[str, bool]) -> list[Span]:
    """The right end of the places line: how many rows, what narrows them, how many are marked."""
    parts = [muted(f"{shown}" if shown == total else f"{shown} of {total}")]
    parts += [span(f"  {note}", Tone.ACCENT) for note, on in notes.items() if on and note]
    if marks:
        parts.append(span(f"  ● {marks} marked", Tone.ACCENT))
    return parts
