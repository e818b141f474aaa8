"""Taking a manifest: the tables of a live workload are counted and hashed in read-only sessions, and kept by backup."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from lazarus_tui.kube.errors import KubeError
from lazarus_tui.model.clock import Clock, listened, rfc3339
from lazarus_tui.model.counting import how_many
from lazarus_tui.model.plan import Danger, Params, Plan, PlanRefused
from lazarus_tui.model.stepping import BaseStep
from lazarus_tui.model.steps import Catalog, Observation, Reader, Seen, Step, StepContext, StepStopped
from lazarus_tui.prove.checks import data
from lazarus_tui.prove.checks.manifests import SCHEMA, Manifest, Taken, name_of
from lazarus_tui.prove.checks.outcome import Attempt, CouldNot, Wrong
from lazarus_tui.prove.definitions import parse
from lazarus_tui.prove.wanted_data import DataCheck, Recorded, RedisCheck, Table

KIND = "prove.manifest"
KEYS = "keys"  # the one table of a Redis


async def plan(reader: Reader, params: Params, clock: Clock) -> Plan:
    """Record what the live tables hold; params {backup, namespaces: [one], checks: {checks: […]}}."""
    backup, names = str(params.get("backup") or ""), list(params.get("namespaces") or ())
    if not backup:
        raise PlanRefused("which backup is it taken for?", where="backup")
    if len(names) != 1:
        raise PlanRefused("a manifest is of one namespace", where="namespaces")
    sources = {name: name for name in names}
    wanted = parse({"checks": params.get("checks"), "sources": sources}, reader.context)
    taken = [check for check in wanted.checks if isinstance(check, DataCheck) and check.manifest is not None]
    if not taken:
        raise PlanRefused("no check has a manifest", where="checks", hint="write manifest: {} in a check of a database")
    return Plan(
        kind=KIND,
        context=reader.context,
        cluster_uid=await reader.cluster_uid(),
        target=names[0],
        title=f"Record the tables of {names[0]} for backup {backup}",
        danger=Danger.SAFE,
        params={"backup": backup, "sources": sources, "checks": msgspec.to_builtins(wanted)},
        steps=(),
        warnings=("every row of the tables is read, in the live database",),
        made=rfc3339(clock.now()),
    )


def steps(plan: Plan, catalog: Catalog) -> Sequence[Step]:
    wanted = parse(plan.params, plan.context)
    checks = [check for check in wanted.checks if isinstance(check, DataCheck) and check.manifest is not None]
    return (Take(checks, str(plan.params["backup"])),)


class Take(BaseStep):
    """Facts: ``manifest`` (its path) and ``manifest.tables`` (how many)."""

    name, title = "manifest.take", "Count and hash the tables"

    def __init__(self, checks: Sequence[DataCheck], backup: str) -> None:
        self.checks, self.backup = checks, backup
        self.limit = sum(check.timeout for check in checks) + 60.0

    async def observe(self, context: StepContext) -> Observation:
        path = context.facts.get("manifest")
        if not path:
            return Observation(Seen.ABSENT)
        return Observation(Seen.DONE, f"{how_many(int(context.facts.get('manifest.tables') or 0), 'table')}; {path}")

    async def act(self, context: StepContext) -> None:
        began = rfc3339(context.clock.now(), micro=True)
        checks = {check.title: await self._take(context, check) for check in self.checks}
        manifest = Manifest(
            schema=SCHEMA, backup=self.backup, context=context.plan.context, cluster_uid=context.plan.cluster_uid,
            taken=began, checks=checks,
        )  # fmt: skip
        path = await context.keep(name_of(manifest.context, self.backup), msgspec.to_builtins(manifest))
        count = sum(len(one.tables) for one in checks.values())
        await context.remember(**{"manifest": path, "manifest.tables": count})

    async def _take(self, context: StepContext, check: DataCheck) -> Taken:
        try:
            return Taken(kind=check.kind, tables=await listened(check.timeout, recorded(context, check)))
        except TimeoutError:
            raise StepStopped(f"{check.title}: not within {check.timeout:g} s", hint="raise its timeout") from None
        except (Wrong, CouldNot, KubeError, OSError) as error:
            raise StepStopped(f"{check.title} could not be recorded: {error}", hint="see docs/checks.md") from None


async def recorded(context: StepContext, check: DataCheck) -> dict[str, Recorded]:
    """Rows, and where it can be had and is wanted the fingerprint, of every table of ``check``."""
    hashes = check.manifest is None or check.manifest.fingerprints
    found: dict[str, Recorded] = {}
    async with data.session(context, check, Attempt(context.clock)) as (database, _):
        if isinstance(check, RedisCheck):
            return {KEYS: Recorded(rows=await database.rows(KEYS) or 0)}
        for one in check.tables:
            table = Table(name=one) if isinstance(one, str) else one
            rows = await database.rows(table.name)
            if rows is None:
                raise Wrong(f"there is no table {table.name}")
            value, method = await database.fingerprint(table.name, table.without) if hashes else ("", "")
            found[table.name] = Recorded(rows=rows, fingerprint=value, method=method)
    return found
