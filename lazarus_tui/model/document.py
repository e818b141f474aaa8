"""YAML that somebody else may have written: bounded, plain data only, and every value knows its line.

The limits are those of reliability §5.10. Scalars are read as YAML 1.2 reads them: ``no`` and ``on`` are words,
``12:30`` is text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from lazarus_tui.model.plan import PlanRefused

MAX_BYTES, MAX_DEPTH, MAX_NODES = 256 * 1024, 32, 20_000

Path = tuple[str | int, ...]
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


@dataclass
class Document:
    """``data`` is plain data; ``lines`` gives the line (from 1) of every key and item by its path."""

    data: Any = None
    lines: dict[Path, int] = field(default_factory=dict)

    def line(self, path: Path) -> int:
        """The line of ``path``, or of the nearest thing around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def refused(what: str, line: int, name: str = "", hint: str = "") -> PlanRefused:
    return PlanRefused(what, where=f"line {line}" + (f", {name}" if name else ""), hint=hint, code="usage")


def document(text: bytes) -> Document:
    """One YAML document; raises ``PlanRefused`` with the line."""
    if len(text) > MAX_BYTES:
        raise refused(f"the file has {len(text)} bytes; a policy has at most {MAX_BYTES}", 1)
    try:
        shown = text.decode("utf-8-sig")
        _scan(shown)
        root = yaml.compose(shown, Loader=_LOADER)
    except UnicodeDecodeError:
        raise refused("the file is not text (UTF-8)", 1) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise refused(f"not YAML: {error.problem or 'unreadable'}", mark.line + 1 if mark else 1) from None
    except (yaml.YAMLError, ValueError) as error:
        raise refused(f"not YAML: {str(error).splitlines()[0]}", 1) from None
    found = Document()
    if root is not None:
        found.data = _value(root, (), found)
    if not isinstance(found.data, dict):
        raise refused("a policy is a mapping of names to values", 1, hint="see docs/ for examples")
    return found


def _scan(text: str) -> None:
    """Refuses, before anything is built, what could cost much or mean more than it shows."""
    depth = nodes = documents = 0
    for event in yaml.parse(text, Loader=_LOADER):
        line = _line(event)
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise refused("there is a second document in the file", line, hint="write one policy a file")
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise refused("anchors and aliases are not read", line, hint="write the value out")
        if tag := getattr(event, "tag", None):
            raise refused(f"the tag {tag} is not read", line, hint="leave it out")
        if isinstance(event, yaml.NodeEvent):
            nodes += 1
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        if isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH or nodes > MAX_NODES:
            raise refused("it is nested too deeply" if depth > MAX_DEPTH else "it has too many values", line)


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _value(node: yaml.Node, path: Path, found: Document) -> Any:
    found.lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, (*path, n), found) for n, item in enumerate(node.value)]
    if not isinstance(node, yaml.MappingNode):
        return _scalar(node)
    values: dict[str, Any] = {}
    for key, item in node.value:
        name = key.value if isinstance(key, yaml.ScalarNode) else None
        line = key.start_mark.line + 1
        if not isinstance(name, str) or name == "<<":
            raise refused("a name must be plain text", line)
        if name in values:
            raise refused(f"{name} is given twice", line, ".".join(map(str, (*path, name))))
        found.lines[(*path, name)] = line
        values[name] = _value(item, (*path, name), found)
    return values


def _scalar(node: yaml.Node) -> Any:
    text = str(node.value)
    if getattr(node, "style", None):  # quoted, or a block: text
        return text
    if text in ("", "~", "null"):
        return None
    if text in ("true", "false"):
        return text == "true"
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else text
