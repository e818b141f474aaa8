"""Documents that are made from the product stay equal to it; what they tell a person to type is there."""

from __future__ import annotations

import re
import runpy
from collections.abc import Iterator
from pathlib import Path

import click

from lazarus_tui.cli.root import root

DOCS = Path(__file__).parent.parent / "docs"
PAGES = {page.name: page.read_text(encoding="utf-8") for page in [*DOCS.glob("*.md"), DOCS.parent / "README.md"]}
CONTEXT = click.Context(root)
# Options of other programs that the documents name: kubectl, kube-state-metrics, pip and what tests are run with.
OTHERS = {"--as", "--as-group", "--metric-annotations-allowlist", "--crds-only", "--lang"}
GLOBAL = {"--sandbox": 1, "--context": 2, "--kubeconfig": 2}


def test_the_keys_page_is_made_from_the_action_table() -> None:
    made = runpy.run_path(str(DOCS / "make_keys.py"))["text"]()
    assert PAGES["keys.md"] == made, "run: python docs/make_keys.py"


def slug(heading: str) -> str:
    """As the servers that show Markdown make it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def test_every_link_between_documents_leads_somewhere() -> None:
    anchors = {name: {slug(one) for one in re.findall(r"^#+ (.*)$", text, re.M)} for name, text in PAGES.items()}
    broken = []
    for name, text in PAGES.items():
        for target in re.findall(r"\]\(([^):]+)\)", text):
            file, _, anchor = target.partition("#")
            page = (DOCS if name != "README.md" else DOCS.parent) / file if file else DOCS / name
            if not page.exists() or (anchor and anchor not in anchors.get(page.name, set())):
                broken.append((name, target))
    assert broken == []


def test_what_the_product_sends_a_person_to_is_there() -> None:
    """Hints and help name documents and files of this repository; Velero's Deployment is kubectl's."""
    missing = set()
    for package in ("lazarus_tui", "screens", "widgets"):
        for source in (DOCS.parent / package).rglob("*.py"):
            named = re.findall(rb"(?<![\w./])(?:docs/[\w-]+\.md|deploy/[\w./-]*\w)", source.read_bytes())
            missing |= {(source.name, one.decode()) for one in named if not (DOCS.parent / one.decode()).exists()}
    assert {one for one in missing if one[1] != "deploy/velero"} == set()


Place = tuple[click.Command, tuple[str, ...]]


def below(place: Place, word: str) -> Place | None:
    command, path = place
    if not isinstance(command, click.Group) or word not in command.list_commands(CONTEXT):
        return None
    found = command.get_command(CONTEXT, word)
    return (found, (*path, word)) if found is not None else None


def resolved(words: list[str], start: Place) -> tuple[Place, list[str]]:
    """The command that words lead to, and what is left of them."""
    place = start
    while words and (words[0] in GLOBAL or (found := below(place, words[0])) is not None):
        if words[0] in GLOBAL:
            words = words[GLOBAL[words[0]] :]
        else:
            assert found is not None
            place, words = found, words[1:]
    return place, words


def options(command: click.Command) -> set[str]:
    return {"--help", "-h", *(name for one in command.params for name in (*one.opts, *one.secondary_opts))}


def typed(text: str) -> Iterator[str]:
    """What follows ``lazarus`` in code, inline or in a block, up to where the shell or a remark goes on."""
    blocks = re.findall(r"^```[a-z]*\n(.*?)^```", text, re.M | re.S)
    lines = [line for block in blocks for line in block.splitlines()]
    rest = re.sub(r"^```[a-z]*\n.*?^```", "", text, flags=re.M | re.S)
    for code in [*lines, *(re.sub(r"\s+", " ", one) for one in re.findall(r"`([^`]+)`", rest))]:
        for found in re.findall(r"(?:^|[$<]\(|\s)lazarus ((?:--)?[a-z][^#>)]*)", code):
            yield re.split(r" \| |; | && ", found)[0]


def wrong(words: list[str]) -> str:
    """What of a command line is not there, "" when all of it is."""
    (command, path), rest = resolved(words, (root, ()))
    if isinstance(command, click.Group) and rest and re.fullmatch(r"[a-z][a-z-]*", rest[0]):
        return f"{' '.join(path)} has no {rest[0]}"
    given = [word.strip("[],.:;").partition("=")[0] for word in rest if re.match(r"\[?--?[a-z]", word)]
    return next((f"{' '.join(path)} has no {one}" for one in given if one not in options(command)), "")


def test_every_command_line_of_a_document_is_one() -> None:
    lines = [(name, line) for name, text in PAGES.items() for line in typed(text)]
    assert len(lines) > 120, "they are looked for where they are"
    assert [(name, line, why) for name, line in lines if (why := wrong(line.split()))] == []
    assert wrong(["prove", "run", "--workload", "shop", "--nonsense"])
    assert wrong(["policy", "forget", "NAME"])


def test_every_option_that_a_document_names_alone_is_one() -> None:
    there = {name for command, _ in every((root, ())) for name in options(command)}
    named = {
        (page, word.partition("=")[0])
        for page, text in PAGES.items()
        for word in re.findall(r"`(--[a-z-]+)[^`]*`", text)
    }
    assert len(named) > 40, "they are looked for where they are"
    assert {one for one in named if one[1] not in there | OTHERS} == set()


def every(place: Place) -> Iterator[Place]:
    command, _ = place
    yield place
    if isinstance(command, click.Group):
        for name in command.list_commands(CONTEXT):
            found = below(place, name)
            assert found is not None
            yield from every(found)


def listed() -> Iterator[tuple[str, ...]]:
    """The commands in the table of the usage page: after the first of a cell, others are named from where it is."""
    table = PAGES["usage.md"].partition("## Commands\n")[2].partition("\n###")[0]
    for line in (one for one in table.splitlines() if one.startswith("| `lazarus ")):
        first: Place = (root, ())
        last = first
        for cell in re.findall(r"`([^`]+)`", line.removeprefix("| ").partition(" | ")[0]):
            words = cell.removeprefix("lazarus ").split()
            starts = [(root, ())] if cell.startswith("lazarus ") else [last, first, (root, ())]
            paths = (path for start in starts if (path := resolved(words, start)[0][1]) != start[1])
            path = next(paths, ())
            assert path, f"{cell} in {line}"
            holder, _ = resolved(list(path[:-1]), (root, ()))
            first, last = (holder, holder) if cell.startswith("lazarus ") else (first, holder)
            yield path


def test_every_command_stands_in_the_table_of_the_usage_page() -> None:
    commands = {path for command, path in every((root, ())) if not isinstance(command, click.Group)}
    found = set(listed())
    assert len(found) > 60, "they are looked for where they are"
    assert {path for path in commands if not any(path[: len(one)] == one for one in found)} == set()
