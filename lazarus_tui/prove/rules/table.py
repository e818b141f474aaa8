"""The one table of the rules of requirements §4 that are about objects, in the order in which they speak."""

from __future__ import annotations

from collections.abc import Iterable

from lazarus_tui.prove.points import Item
from lazarus_tui.prove.rules import foreign, identities, podspecs, traffic, volumes
from lazarus_tui.prove.rules.finding import Finding, Rule, Scene, Verb, skipping

_SPACE = Rule("S4", "the namespace itself", ("namespaces",), skipping("the quarantine exists before, with our labels"))

TABLE: tuple[Rule, ...] = (
    _SPACE, *traffic.RULES, *foreign.RULES, *identities.RULES, *podspecs.RULES, *volumes.RULES,
)  # fmt: skip

# Verbs after which nothing more is said about an object.
FINAL = frozenset({Verb.SKIP, Verb.LEFT, Verb.BLOCK})


def findings(item: Item, scene: Scene) -> Iterable[tuple[Rule, Finding]]:
    """Everything the table says about one object; what ends its way ends the series."""
    for rule in TABLE:
        if rule.concerns(item):
            for found in rule.look(item, scene):
                yield rule, found
                if found.verb in FINAL:
                    return
