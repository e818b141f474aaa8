"""Which admission webhooks of the cluster will see the objects of a quarantine (S24)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from lazarus_tui.kube.errors import Forbidden, NotFound
from lazarus_tui.model.objects import LabelSelector, Meta, Wire
from lazarus_tui.model.resources import Resource
from lazarus_tui.model.scope import selects
from lazarus_tui.model.steps import Reader

_GROUP = "admissionregistration.k8s.io"
_KINDS = (
    Resource(_GROUP, "v1", "mutatingwebhookconfigurations", "MutatingWebhookConfiguration", namespaced=False),
    Resource(_GROUP, "v1", "validatingwebhookconfigurations", "ValidatingWebhookConfiguration", namespaced=False),
)


class _Rule(Wire, frozen=True):
    api_groups: list[str] | None = None
    resources: list[str] | None = None
    operations: list[str] | None = None


class _Webhook(Wire, frozen=True):
    name: str = ""
    failure_policy: str = ""
    namespace_selector: LabelSelector | None = None
    rules: list[_Rule] | None = None


class _Configuration(Wire, frozen=True):
    metadata: Meta = msgspec.field(default_factory=Meta)
    webhooks: list[_Webhook] | None = None


async def seen_by(reader: Reader, labels: Mapping[str, str], resources: Iterable[str]) -> list[str]:
    """One sentence for each webhook that will see objects of these kinds (``plural[.group]``) in a namespace with
    these labels; what may not be read is said too."""
    resources, found = sorted(resources), []
    for kind in _KINDS:
        try:
            every = await reader.list(kind, type=_Configuration)
        except (Forbidden, NotFound):
            found.append(f"{kind.plural} cannot be read: whether the copy is changed on its way in is not known")
            continue
        changes = kind is _KINDS[0]
        for configuration in every:
            for hook in configuration.webhooks or ():
                concerned = _concerned(hook, labels, resources)
                if concerned:
                    name = f"{configuration.metadata.name} ({hook.name})"
                    found.append(f"webhook {name} {_does(changes, hook)}: {', '.join(concerned[:4])}")
    return found


def _does(changes: bool, hook: _Webhook) -> str:
    if changes:
        return "may change what is restored"
    return "may refuse what is restored" + ("" if hook.failure_policy == "Ignore" else ", also when it does not answer")


def _concerned(hook: _Webhook, labels: Mapping[str, str], resources: Iterable[str]) -> list[str]:
    if hook.namespace_selector is not None and selects(hook.namespace_selector, labels) is False:
        return []
    return [one for one in resources if any(_takes(rule, one) for rule in hook.rules or ())]


def _takes(rule: _Rule, resource: str) -> bool:
    plural, _, group = resource.partition(".")
    operations: Any = rule.operations or ()
    return (
        bool({"*", "CREATE"} & set(operations))
        and bool({"*", group} & set(rule.api_groups or ()))
        and bool({"*", "*/*", plural} & set(rule.resources or ()))
    )
