"""What a plan may ask for beside the rules: placeholders in Secrets (S13), routes under names nobody has (S8)."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from lazarus_tui.prove.points import Contents, Item
from lazarus_tui.prove.rules.finding import Finding, Rule, Scene, Verb
from lazarus_tui.prove.rules.patching import pointer

INGRESSES = "ingresses.networking.k8s.io"
# A class that no controller serves, under names of a domain that never resolves (RFC 2606).
DUMMY_CLASS, NOWHERE = "lazarus-quarantine", "invalid"
_PLACEHOLDER = base64.b64encode(b"lazarus-placeholder").decode()
# The API server takes nothing but JSON under these.
_EMPTY_JSON = base64.b64encode(b"{}").decode()
_JSON_KEYS = frozenset({".dockerconfigjson", ".dockercfg"})


def _keys(item: Item) -> set[str]:
    found = {**(item.body.get("data") or {}), **(item.body.get("stringData") or {})}
    return {str(key) for key in found}


def _wanted(item: Item, placeholders: Iterable[str]) -> list[str]:
    return sorted(key for key in _keys(item) if any(fnmatchcase(f"{item.name}/{key}", one) for one in placeholders))


def unmet(contents: Contents, placeholders: Sequence[str]) -> list[str]:
    """Those that fit no key of any Secret: a mistake of whoever wrote them."""
    secrets = contents.of("secrets")
    return [one for one in placeholders if not any(_wanted(item, [one]) for item in secrets)]


def _placeholders(item: Item, scene: Scene) -> Iterable[Finding]:
    keys = _wanted(item, scene.placeholders)
    if keys:
        values = {key: _EMPTY_JSON if key in _JSON_KEYS else _PLACEHOLDER for key in keys}
        words = f"{', '.join(keys)}: a placeholder instead of the value, on request"
        expects = tuple((pointer(("data", key)), value) for key, value in values.items())
        yield Finding(Verb.CHANGE, words, {"data": values}, expects=expects)


def rerouted(item: Item, scene: Scene) -> Finding:
    """An Ingress that is there to be looked at, and that nobody serves."""
    rules = [dict(one) for one in item.spec.get("rules") or () if isinstance(one, Mapping)]
    op = scene.target.rpartition("-")[2]
    hosts = [f"{item.name}{f'-{n}' if n else ''}.{op}.{NOWHERE}" for n in range(len(rules))]
    spec: dict[str, Any] = {"ingressClassName": DUMMY_CLASS, "tls": None}
    expects: list[tuple[str, Any]] = [("/metadata/annotations", None), ("/spec/ingressClassName", DUMMY_CLASS)]
    expects.append(("/spec/tls", None))
    if rules:
        spec["rules"] = [{**one, "host": host} for one, host in zip(rules, hosts, strict=True)]
        expects += [(f"/spec/rules/{n}/host", host) for n, host in enumerate(hosts)]
    words = f"{', '.join(hosts) or 'no host'}, class {DUMMY_CLASS}, no TLS, no annotations: nobody serves it"
    return Finding(Verb.CHANGE, words, {"metadata": {"annotations": None}, "spec": spec}, expects=tuple(expects))


RULES = (Rule("S13", "placeholders", ("secrets",), _placeholders, stern=True),)
