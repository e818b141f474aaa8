"""``lazarus sandbox fault``: what the sandbox does to its clients on demand."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from lazarus_tui.cli.output import emit, grid, output_option
from lazarus_tui.cli.session import Refused, say_error
from lazarus_tui.link.protocol import Fault as Failure
from lazarus_tui.model.counting import how_many
from lazarus_tui.model.paths import StateRoot

if TYPE_CHECKING:
    from lazarus_tui.sandbox.faults.model import Fault, Told
    from lazarus_tui.sandbox.faults.parameters import Kind, Parameter

F = TypeVar("F", bound=Callable[..., Any])

DOWN = 4
"""Exit code of ``lazarus sandbox status`` when nothing runs, and of these commands."""


@click.group("fault")
def fault() -> None:
    """Faults on demand, seeded and repeatable; they end with the sandbox at the latest."""


@fault.command("list")
@output_option
def list_faults(output: str) -> int:
    """Say which faults are active."""
    return _run(_told, output, _table)


@fault.command("log")
@click.option("--fault", "name", default="", metavar="ID", help="Only this fault's.")
@output_option
def log(name: str, output: str) -> int:
    """Say what was hit, oldest first."""

    def table(told: Told) -> str:
        rows = [(hit.at, hit.fault, hit.target, hit.done) for hit in told.log]
        lost = f"\n({told.dropped} older ones are not kept)" if told.dropped else ""
        return grid(["TIME", "FAULT", "TARGET", "DONE"], rows) + lost

    def asked() -> Told:
        from msgspec.structs import replace

        told = _told()
        return replace(told, log=[hit for hit in told.log if name in ("", hit.fault)])

    return _run(asked, output, table, lambda told: told.log, lambda hit: hit.fault)


@fault.command("clear")
@click.argument("name", metavar="[ID]", default="")
@output_option
def clear(name: str, output: str) -> int:
    """End one fault, or all."""
    from lazarus_tui.sandbox.faults import client

    return _run(lambda: client.clear(_root(), name), output, _table)


class _Kinds(click.Group):
    """One command for each kind of fault, made of the table of kinds."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        from lazarus_tui.sandbox.faults.kinds import KINDS

        return [kind.name for kind in KINDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        from lazarus_tui.sandbox.faults.kinds import kind_named
        from lazarus_tui.sandbox.faults.model import FaultRefused

        try:
            return _command(kind_named(cmd_name))
        except FaultRefused as error:
            raise click.UsageError(str(error), ctx) from None


@fault.group("add", cls=_Kinds)
def add() -> None:
    """Begin a fault of some kind; --help after the kind says what it takes."""


def _command(kind: Kind) -> click.Command:
    options: list[click.Parameter] = [_option(one) for one in kind.parameters]
    options += _filters(kind) if kind.requests else []
    options.append(click.Option(["--for", "lasts"], metavar="TIME", help="End it after this long: 90s, 5m, 1h30m."))
    options.append(click.Option(["--seed"], type=int, default=0, show_default=True, help="Same seed, same hits."))
    command = click.Command(
        kind.name,
        params=options,
        callback=lambda **given: _add(kind, given),
        help=f"{kind.summary}\n\n\b\nExample:\n  lazarus sandbox fault add {kind.example}",
        short_help=kind.summary,
    )
    return output_option(command)


def _option(one: Parameter) -> click.Option:
    name = f"--{one.name}"
    if one.type == "flag":
        both = f"{name}/--no-{one.name}" if one.default else name
        return click.Option([both, one.name.replace("-", "_")], is_flag=True, default=one.default, help=one.help)
    shown = {"seconds": "TIME", "number": "N", "text": "TEXT", "choice": "|".join(one.choices)}[one.type]
    default = f"  [default: {one.default:g}]" if isinstance(one.default, int | float) else ""
    if isinstance(one.default, str):
        default = f"  [default: {one.default}]"
    return click.Option([name], metavar=shown, required=one.default is None, help=one.help + default)


def _filters(kind: Kind) -> list[click.Parameter]:
    from lazarus_tui.sandbox.faults.model import VERBS

    usual = f" [default: {', '.join(kind.usual)}]" if kind.usual else ""
    verbs = click.Choice(kind.verbs or VERBS)
    return [
        click.Option(["--verb", "verbs"], multiple=True, type=verbs, help=f"Only these verbs.{usual}"),
        click.Option(["--resource", "resources"], multiple=True, metavar="NAME",
                     help="Only these: pods, pods/log, backups.velero.io, *.velero.io."),
        click.Option(["--namespace", "namespaces"], multiple=True, metavar="NAME", help="Only in these namespaces."),
        click.Option(["--name", "names"], multiple=True, metavar="NAME", help="Only objects of these names."),
        click.Option(["--user-agent"], metavar="TEXT", help="Only clients that say this of themselves."),
        click.Option(["--rate"], metavar="RATE", help="Share of these requests: 0.2 or 20%.  [default: all]"),
        click.Option(["--times"], type=click.IntRange(min=1), metavar="N", help="End it after so many hits."),
    ]  # fmt: skip


def _add(kind: Kind, given: dict[str, Any]) -> int:
    from lazarus_tui.sandbox.faults import client
    from lazarus_tui.sandbox.faults.kinds import check
    from lazarus_tui.sandbox.faults.model import FaultRefused, Match, Wanted
    from lazarus_tui.sandbox.faults.parameters import seconds

    output = given.pop("output")
    named = {one.name: given[one.name.replace("-", "_")] for one in kind.parameters}
    try:
        match = Match(
            verbs=tuple(given.get("verbs", ())),
            resources=tuple(given.get("resources", ())),
            namespaces=tuple(given.get("namespaces", ())),
            names=tuple(given.get("names", ())),
            user_agent=given.get("user_agent") or "",
        )
        lasts = given["lasts"]
        wanted = check(
            Wanted(
                kind.name,
                {name: value for name, value in named.items() if value is not None},
                match,
                _rate(given.get("rate")),
                given.get("times"),
                seconds(lasts, "--for") if lasts is not None else None,
                given["seed"],
            )
        )
    except FaultRefused as error:
        raise click.UsageError(str(error)) from None
    return _run(lambda: client.add(_root(), wanted), output, _table)


def _rate(text: str | None) -> float:
    from lazarus_tui.sandbox.faults.model import FaultRefused

    if text is None:
        return 1.0
    try:
        return float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        raise FaultRefused(f"the rate is a share like 0.2 or 20%, not {text!r}") from None


def _root() -> Any:
    return StateRoot(sandbox=True).cluster


def _told() -> Told:
    from lazarus_tui.sandbox.faults import client

    return client.told(_root())


def _table(told: Told) -> str:
    rows = [(one.id, _parameters(one), _target(one), _limits(one), str(one.hits)) for one in told.faults]
    return grid(["ID", "PARAMETERS", "DONE TO", "LIMITS", "HITS"], rows)


def _parameters(one: Fault) -> str:
    return " ".join(f"{name}={value}" for name, value in one.parameters.items()) or "-"


def _target(one: Fault) -> str:
    from lazarus_tui.sandbox.faults.kinds import kind_named

    if not kind_named(one.kind).requests:
        return "-"
    match = one.match
    parts = (match.verbs, match.resources, match.namespaces, match.names, (match.user_agent,) * bool(match.user_agent))
    return " ".join(",".join(part) for part in parts if part) or "everything"


def _limits(one: Fault) -> str:
    parts = [f"rate {one.probability:g}"] if one.probability < 1 else []
    parts += [how_many(one.times, "time")] if one.times is not None else []
    parts += [f"until {one.until}"] if one.until else []
    return ", ".join(parts) or "-"


def _run(
    ask: Callable[[], Told],
    output: str,
    table: Callable[[Told], str],
    records: Callable[[Told], Any] = lambda told: told.faults,
    name: Callable[[Any], str] = lambda one: str(one.id),
) -> int:
    from lazarus_tui.sandbox.faults.client import SandboxDown
    from lazarus_tui.sandbox.faults.model import FaultRefused

    try:
        told = ask()
    except SandboxDown:
        say_error("the sandbox is down, so it can have no faults")
        say_error("next: lazarus sandbox up")
        return DOWN
    except OSError as error:
        what = f"the sandbox does not answer: {error}"
        raise Refused(Failure("unreachable", what, "", "lazarus sandbox down, then up")) from None
    except FaultRefused as error:
        raise Refused(Failure("usage", str(error), "", "lazarus sandbox fault list says which are active")) from None
    found = records(told)
    emit(found, output, names=[name(one) for one in found], table=lambda: table(told))
    return 0
