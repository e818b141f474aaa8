"""Resource modifiers of a restore: JSON, merge and strategic patches from a ConfigMap, failing open as Velero's do.

A patch that fails leaves the object unchanged by that rule and records an error; the object is restored all the same.
A failing JSON ``test`` skips the rule without an error.
"""

from __future__ import annotations

import copy
import fnmatch
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from lazarus_tui.sandbox.api.errors import ApiError
from lazarus_tui.sandbox.api.patches import merge
from lazarus_tui.sandbox.api.strategic import strategic_merge
from lazarus_tui.sandbox.velero import labels

_RULE_KEYS = {"conditions", "patches", "mergePatches", "strategicPatches"}
_CONDITION_KEYS = {"groupResource", "namespaces", "resourceNameRegex", "labelSelector", "matches"}
_PATCH_KINDS = ("patches", "mergePatches", "strategicPatches")


class ModifierError(Exception):
    """The ConfigMap cannot be used; the text is the restore's validation error."""


class PatchFailed(Exception):
    """A patch does not fit the object."""


class TestFailed(PatchFailed):
    """A JSON ``test`` operation did not hold: the rule does not apply."""

    __test__ = False


@dataclass(frozen=True, slots=True)
class Rule:
    conditions: Mapping[str, Any]
    patches: tuple[Mapping[str, Any], ...]
    merges: tuple[Any, ...]
    strategic: tuple[Any, ...] = ()

    def applies(self, group_resource: str, namespace: str, body: Mapping[str, Any]) -> bool:
        """``namespace`` is the original one. Conditions are about the object as it was before any rule."""
        wanted = self.conditions
        if not _glob(group_resource, str(wanted.get("groupResource", ""))):
            return False
        spaces = wanted.get("namespaces") or ()
        if spaces and namespace and not any(fnmatch.fnmatchcase(namespace, pattern) for pattern in spaces):
            return False
        meta = body.get("metadata") or {}
        pattern = wanted.get("resourceNameRegex")
        if pattern and not re.search(pattern, str(meta.get("name", ""))):
            return False
        if not labels.matches(wanted.get("labelSelector"), meta.get("labels") or {}):
            return False
        return all(_equal(body, match) for match in wanted.get("matches") or ())


def _glob(name: str, pattern: str) -> bool:
    """A glob whose ``*`` does not cross a dot."""
    parts, wanted = name.split("."), pattern.split(".")
    if wanted[-1] == "**":
        return len(parts) >= len(wanted) - 1 and all(map(fnmatch.fnmatchcase, parts, wanted[:-1]))
    return len(parts) == len(wanted) and all(fnmatch.fnmatchcase(p, w) for p, w in zip(parts, wanted, strict=True))


def _equal(body: Any, match: Mapping[str, Any]) -> bool:
    try:
        return bool(_resolve(body, str(match["path"])) == _value(match.get("value", "")))
    except (PatchFailed, KeyError):
        return False


def parse(configmap: Mapping[str, Any], reference: str) -> list[Rule]:
    """The rules of a ConfigMap; ``reference`` is ``namespace/name`` for the messages."""
    data = configmap.get("data") or {}
    if len(data) != 1:
        raise ModifierError(f"illegal resource modifiers {reference} configmap")
    try:
        document = yaml.safe_load(next(iter(data.values())))
    except yaml.YAMLError as error:
        raise ModifierError(
            f"Error in parsing resource modifiers provided in configmap {reference}: {error}"
        ) from error
    problem = _problem(document)
    if problem:
        raise ModifierError(f"Validation error in resource modifiers provided in configmap {reference}: {problem}")
    return [
        Rule(
            rule["conditions"],
            tuple(rule.get("patches") or ()),
            _patch_data(rule, "mergePatches"),
            _patch_data(rule, "strategicPatches"),
        )
        for rule in document["resourceModifierRules"]
    ]


def _patch_data(rule: Mapping[str, Any], kind: str) -> tuple[Any, ...]:
    """The patches as read; what cannot be read stays a text, which fails when it is applied, as in Velero."""
    found: list[Any] = []
    for patch in rule.get(kind) or ():
        text = str(patch.get("patchData", ""))
        try:
            found.append(yaml.safe_load(text))
        except yaml.YAMLError:
            found.append(text)
    return tuple(found)


def _problem(document: Any) -> str:
    if not isinstance(document, dict) or set(document) - {"version", "resourceModifierRules"}:
        return "unknown field in the document"
    if str(document.get("version", "")).lower() != "v1":
        return f"unsupported resource modifier version {document.get('version', '')}"
    rules = document.get("resourceModifierRules")
    if not isinstance(rules, list) or not rules:
        return "resource modifier rules cannot be empty"
    return next((problem for rule in rules if (problem := _rule_problem(rule))), "")


def _rule_problem(rule: Any) -> str:
    if not isinstance(rule, dict) or set(rule) - _RULE_KEYS or not isinstance(rule.get("conditions"), dict):
        return "unknown or missing field in a rule"
    conditions = rule["conditions"]
    if set(conditions) - _CONDITION_KEYS:
        return f"unknown field {sorted(set(conditions) - _CONDITION_KEYS)[0]} in conditions"
    if not conditions.get("groupResource"):
        return "group resource cannot be empty in resource modifier"
    try:
        re.compile(conditions.get("resourceNameRegex") or "")
    except re.error as error:
        return f"error in compiling regex: {error}"
    if sum(bool(rule.get(kind)) for kind in _PATCH_KINDS) > 1:
        return "only one of patches, mergePatches, strategicPatches can be specified"
    return ""


def apply(
    rules: list[Rule], group_resource: str, namespace: str, body: dict[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """The object after all rules that apply, and the errors of those that failed."""
    errors: list[str] = []
    result = body
    for rule in [rule for rule in rules if rule.applies(group_resource, namespace, body)]:
        try:
            result = _patched(rule, result)
        except TestFailed:
            continue
        except PatchFailed as error:
            errors.append(str(error))
    return result, errors


def _patched(rule: Rule, body: dict[str, Any]) -> dict[str, Any]:
    changed = copy.deepcopy(body)
    for patch in rule.patches:
        _json_patch(changed, patch)
    for patches, merged in ((rule.merges, merge), (rule.strategic, _strategic)):
        for data in patches:
            if not isinstance(data, dict):
                raise PatchFailed("error in applying merge patch: the patch is not an object")
            changed = merged(changed, data)
    return changed


def _strategic(body: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
    """Velero knows the lists of built-in kinds only."""
    if "." in str(body.get("apiVersion", "")).partition("/")[0] and not _built_in(body):
        raise PatchFailed(f"error in applying strategic patch: no kind {body.get('kind', '')} is registered")
    try:
        return strategic_merge(body, data)
    except ApiError as error:
        raise PatchFailed(f"error in applying strategic patch: {error.message}") from error


def _built_in(body: Mapping[str, Any]) -> bool:
    return str(body["apiVersion"]).partition("/")[0].endswith(".k8s.io")


def _value(text: Any) -> Any:
    """Velero splices the string into JSON when it reads as a number, boolean, null, object, array or quoted string."""
    if not isinstance(text, str):
        return text
    stripped = text.strip()
    if stripped in ("true", "false", "null") or (stripped and stripped[0] in '-0123456789{["'):
        try:
            return json.loads(stripped)
        except json.JSONDecodeError:
            return text
    return text


def _tokens(pointer: str) -> list[str]:
    if not pointer.startswith("/"):
        raise PatchFailed(f"error in applying JSON Patch: invalid path {pointer!r}")
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer[1:].split("/")]


def _step(node: Any, token: str, pointer: str) -> Any:
    if isinstance(node, dict) and token in node:
        return node[token]
    if isinstance(node, list) and token.isdigit() and int(token) < len(node):
        return node[int(token)]
    raise PatchFailed(f"error in applying JSON Patch: doc is missing path: {pointer}: missing value")


def _resolve(node: Any, pointer: str) -> Any:
    for token in _tokens(pointer):
        node = _step(node, token, pointer)
    return node


def _json_patch(body: dict[str, Any], patch: Mapping[str, Any]) -> None:
    operation, path = str(patch.get("operation", "")), str(patch.get("path", ""))
    if operation == "test":
        try:
            held = _resolve(body, path) == _value(patch.get("value", ""))
        except PatchFailed as error:
            raise TestFailed(str(error)) from error
        if not held:
            raise TestFailed(f"testing value {path} failed")
        return
    if operation in ("copy", "move"):
        value = copy.deepcopy(_resolve(body, str(patch.get("from", ""))))
        if operation == "move":
            _change(body, str(patch.get("from", "")), "remove", None)
        _change(body, path, "add", value)
        return
    if operation not in ("add", "replace", "remove"):
        raise PatchFailed(f"error in applying JSON Patch: unexpected kind: {operation}")
    _change(body, path, operation, _value(patch.get("value", "")))


def _change(body: dict[str, Any], pointer: str, operation: str, value: Any) -> None:
    *parents, last = _tokens(pointer)
    node: Any = body
    for token in parents:
        node = _step(node, token, pointer)
    if operation != "add":
        _step(node, last, pointer)
    if isinstance(node, dict):
        if operation == "remove":
            del node[last]
        else:
            node[last] = value
    elif isinstance(node, list):
        _change_list(node, last, operation, value, pointer)
    else:
        raise PatchFailed(f"error in applying JSON Patch: doc is missing path: {pointer}: missing value")


def _change_list(node: list[Any], token: str, operation: str, value: Any, pointer: str) -> None:
    if operation == "add":
        if token != "-" and not (token.isdigit() and int(token) <= len(node)):
            raise PatchFailed(f"error in applying JSON Patch: invalid index referenced: {pointer}")
        node.insert(len(node) if token == "-" else int(token), value)
    elif operation == "remove":
        del node[int(token)]
    else:
        node[int(token)] = value
