"""Options of hooks: what is run in the pods before the cut and after it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

_RECIPES = ("postgresql", "mysql", "mariadb", "mongodb", "redis", "fsfreeze")
_OPTIONS = (
    click.option("--recipe", type=click.Choice(_RECIPES), help="Hooks known to be right; --pre then names the client."),
    click.option("--pre", multiple=True, metavar="ARGV", help="Before the cut: one quoted command, or a word each."),
    click.option("--post", multiple=True, metavar="ARGV", help="After the cut, whatever happens; written as --pre."),
    click.option("--hook-container", metavar="NAME", help="Where they run; else the pod's default or only container."),
    click.option("--hook-target", metavar="PODS", help="all, primary, an ordinal, or label:KEY=VALUE."),
    click.option("--hook-timeout", type=float, metavar="SECONDS", help="For each hook; 30 if not given."),
    click.option("--max-freeze", type=float, metavar="SECONDS", help="From the first pre hook on; 60 if not given."),
    click.option(
        "--on-error", type=click.Choice(["fail", "continue"]), help="When a pre hook fails; fail if not given."
    ),
)


def hook_options(function: Callable[..., int]) -> Callable[..., int]:
    """The command gets them by their names; ``hook_params`` makes plan parameters of them."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def hook_params(given: Mapping[str, Any]) -> dict[str, Any]:
    """Only those that were given; commands as argv. Raises ``click.BadParameter``."""
    names = ("recipe", "hook_container", "hook_target", "hook_timeout", "max_freeze", "on_error")
    found = {name: given[name] for name in names if given[name] is not None}
    argvs = {name: argv(given[name], f"--{name}") for name in ("pre", "post") if given[name]}
    return {**found, **argvs}


def argv(words: Sequence[str], option: str) -> list[str]:
    """One text is split as a shell would split it, and never run by one; several are words already."""
    if len(words) > 1:
        return list(words)
    try:
        found = shlex.split(words[0])
    except ValueError as error:
        raise click.BadParameter(f"{option}: {error} in {words[0]!r}") from None
    if not found:
        raise click.BadParameter(f"{option} names no program")
    return found
