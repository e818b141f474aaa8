"""The rehearsal: a real application is backed up, lost, restored and checked, with every loss counted.

Scenario *namespace-deleted*: the shop takes orders; a backup is taken, and a newer one without volumes; twenty more
orders come in; the namespace is deleted; the newest usable point is chosen by the one rule, restored and checked. It
destroys, so it refuses to run anywhere but in the sandbox.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from lazarus_tui.drill.rehearse_steps import BackedUp, Count, Decoy, Lose, MoreOrders, TakingOrders
from lazarus_tui.model.clock import Clock, rfc3339
from lazarus_tui.model.objects import Namespace
from lazarus_tui.model.plan import Danger, Effect, Params, Plan, PlanRefused
from lazarus_tui.model.resources import NAMESPACES, STATEFULSETS
from lazarus_tui.model.steps import Catalog, Reader, Step

KIND = "rehearse"
SCENARIO = "namespace-deleted"
SANDBOX_CONTEXT = "lazarus-sandbox"
SHOP = "shop"
IMAGE = "lazarus.dev/orders:"  # an image that exists in the sandbox only
MORE_ORDERS = 20
SETTLE_SECONDS = 1.0


async def plan(reader: Reader, params: Params, clock: Clock) -> Plan:
    """Params {scenario, workload, velero}; raises ``PlanRefused`` outside the sandbox."""
    scenario = str(params.get("scenario") or SCENARIO)
    if scenario != SCENARIO:
        raise PlanRefused(f"there is no scenario {scenario!r}", where="scenario", hint=f"there is: {SCENARIO}")
    shop = str(params.get("workload") or SHOP)
    await _only_in_the_sandbox(reader, shop)
    velero = str(params.get("velero") or "velero")
    name, decoy = f"rehearse-{shop}-{clock.now():%Y%m%d%H%M%S}", f"rehearse-{shop}-config-{clock.now():%Y%m%d%H%M%S}"
    return Plan(
        kind=KIND,
        context=reader.context,
        cluster_uid=await reader.cluster_uid(),
        target=shop,
        title=f"Rehearse the loss of namespace {shop}",
        danger=Danger.DESTROYS,
        params={
            "scenario": scenario, "workload": shop, "velero": velero, "more_orders": MORE_ORDERS,
            "backup": name, "decoy": decoy,
        },
        steps=(),
        effects=(
            Effect("create", f"backups.velero.io/{name}", shop),
            Effect("create", f"backups.velero.io/{decoy}", "newer, without volumes: the choice must pass over it"),
            Effect("delete", f"namespace {shop}", "with its volume and every order since the backup"),
            Effect("create", f"namespace {shop}", "from the newest usable point"),
        ),
        losses=(f"all orders placed in {shop} after the backup: at least {MORE_ORDERS}",),
        warnings=("this is the sandbox: nothing outside of it is touched",),
        made=rfc3339(clock.now()),
    )  # fmt: skip


async def _only_in_the_sandbox(reader: Reader, shop: str) -> None:
    """A context's name can be copied, so the shop's image must be the sandbox's own too."""
    if reader.context != SANDBOX_CONTEXT:
        raise PlanRefused(
            "a rehearsal deletes a namespace: it runs in the sandbox only",
            where=reader.context,
            hint="lazarus --sandbox rehearse",
            code="refused",
        )
    if await reader.get(NAMESPACES, shop, type=Namespace) is None:
        raise PlanRefused(f"there is no namespace {shop}", hint="lazarus sandbox reset brings the shop back")
    orders: dict[str, Any] | None = await reader.get(STATEFULSETS, "orders", shop, type=dict)
    template = (((orders or {}).get("spec") or {}).get("template") or {}).get("spec") or {}
    images = [str(container.get("image", "")) for container in template.get("containers") or ()]
    if not any(image.startswith(IMAGE) for image in images):
        raise PlanRefused(f"namespace {shop} does not hold the sandbox's shop", hint="lazarus sandbox reset")


def steps(plan: Plan, catalog: Catalog) -> Sequence[Step]:
    """The drill's own steps around those of Velero and of the checks."""
    params = plan.params
    shop = str(params["workload"])
    backup = {
        "velero": params["velero"],
        "name": params["backup"],
        "spec": {
            "includedNamespaces": [shop],
            "storageLocation": "default",
            "ttl": "72h0m0s",
            "defaultVolumesToFsBackup": True,
        },
        "settle": SETTLE_SECONDS,
    }
    restore = {
        "velero": params["velero"],
        "spec": {"includedNamespaces": [shop]},
        "targets": [shop],
        "sources": {shop: shop},
        "settle": SETTLE_SECONDS,
        "checks": False,
    }

    def part(kind: str, values: dict[str, Any]) -> Sequence[Step]:
        return catalog.steps(kind, msgspec.structs.replace(plan, kind=kind, params=values))

    return (
        TakingOrders(shop),
        *part("velero.backup", backup),
        BackedUp(shop),
        Decoy(shop, str(params["velero"]), str(params["decoy"])),
        MoreOrders(shop, int(params["more_orders"])),
        Lose(shop),
        *part("velero.choose", {"velero": params["velero"], "namespace": shop}),
        *part("velero.restore", restore),
        *part("prove.checks", {"sources": {shop: shop}, "evidence": False}),
        Count(shop, int(params["more_orders"]), str(params["backup"])),
    )
