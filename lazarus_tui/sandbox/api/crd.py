"""CustomResourceDefinitions: their own rules, and the kind each of them defines. They are Established at once."""

from __future__ import annotations

from typing import Any

from lazarus_tui.sandbox.api.causes import invalid_value, unchanged
from lazarus_tui.sandbox.api.errors import Cause
from lazarus_tui.sandbox.api.kinds import Kind, ScalePaths, Version
from lazarus_tui.sandbox.api.structural import approval_causes, structural_causes
from lazarus_tui.sandbox.api.validations import rule_tree, unreadable_rules


def _path(dotted: str) -> str:
    return dotted.removeprefix(".")


def kind_of_definition(obj: dict[str, Any]) -> Kind:
    """The kind a stored (hence valid) definition describes."""
    spec = obj["spec"]
    names = spec["names"]
    served = [version for version in spec["versions"] if version.get("served")]
    storage = next(version for version in spec["versions"] if version.get("storage"))
    subresources = storage.get("subresources") or {}
    scale = subresources.get("scale")
    return Kind(
        spec["group"],
        storage["name"],
        names["plural"],
        names["kind"],
        namespaced=spec["scope"] == "Namespaced",
        versions=tuple(version["name"] for version in sorted(served, key=_version_rank)),
        singular=names.get("singular") or names["kind"].lower(),
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        subresources=tuple(sub for sub in ("scale", "status") if sub in subresources),
        generation=True,
        scale=_scale_paths(scale) if scale else None,
        fields=frozenset(_path(one["jsonPath"]) for one in storage.get("selectableFields") or ()),
        custom=True,
        definitions={version["name"]: _version(spec, version) for version in spec["versions"]},
    )


def _version(spec: dict[str, Any], version: dict[str, Any]) -> Version:
    what = f"{spec['group']}/{version['name']} {spec['names']['kind']} is deprecated"
    deprecated = what if version.get("deprecated") else ""
    schema = (version.get("schema") or {}).get("openAPIV3Schema") or {}
    columns = tuple(version.get("additionalPrinterColumns") or ())
    return Version(schema, columns, rule_tree(schema), version.get("deprecationWarning") or deprecated)


def _scale_paths(scale: dict[str, Any]) -> ScalePaths:
    return ScalePaths(
        _path(scale["specReplicasPath"]), _path(scale["statusReplicasPath"]), _path(scale.get("labelSelectorPath", ""))
    )


def _version_rank(version: dict[str, Any]) -> tuple[int, int, int, str]:
    """Kubernetes version priority: v2 before v1 before v1beta2 before v1alpha1 before anything else."""
    name = version["name"]
    stage_rank = {"": 0, "beta": 1, "alpha": 2}
    for stage in ("beta", "alpha", ""):
        major, found, minor = name.removeprefix("v").partition(stage) if stage else (name.removeprefix("v"), "", "")
        if name.startswith("v") and major.isdigit() and (not stage or (found and (minor.isdigit() or not minor))):
            return (stage_rank[stage], -int(major), -int(minor or 0), name)
    return (3, 0, 0, name)


def fill_definition(obj: dict[str, Any], now: str) -> None:
    """Defaults and the status a controller would give: names accepted, Established."""
    spec = obj["spec"]
    names = spec["names"]
    names.setdefault("singular", names["kind"].lower())
    names.setdefault("listKind", names["kind"] + "List")
    spec.setdefault("conversion", {"strategy": "None"})
    status = obj.get("status") or {}
    conditions = status.get("conditions") or [
        {
            "type": kind,
            "status": "True",
            "lastTransitionTime": now,
            "reason": reason,
            "message": message,
        }
        for kind, reason, message in (
            ("NamesAccepted", "NoConflicts", "no conflicts found"),
            ("Established", "InitialNamesAccepted", "the initial names have been accepted"),
        )
    ]
    storage = next(version["name"] for version in spec["versions"] if version.get("storage"))
    kept = status.get("storedVersions") or []
    obj["status"] = {
        "conditions": conditions,
        "acceptedNames": dict(names),
        "storedVersions": kept if storage in kept else [*kept, storage],
    }


def _definition_changes(spec: dict[str, Any], old: dict[str, Any]) -> list[Cause]:
    """Where objects are found never changes, and versions stay that some of them were stored in."""
    names, before = spec.get("names") or {}, old["spec"]["names"]
    causes = unchanged(spec, old["spec"], "spec", "group", "scope") + unchanged(
        names, before, "spec.names", "plural", "kind"
    )
    listed = [version.get("name") for version in spec.get("versions") or ()]
    for index, name in enumerate((old.get("status") or {}).get("storedVersions") or ()):
        if name not in listed:
            where = f"status.storedVersions[{index}]"
            causes.append(invalid_value(where, name, "must appear in spec.versions"))
    return causes


def definition_causes(obj: dict[str, Any], old: dict[str, Any] | None = None) -> list[Cause]:
    """What is wrong with a definition, and with what became of an ``old`` one."""
    spec = obj.get("spec")
    if not isinstance(spec, dict):
        return [Cause("spec", "Required value", "FieldValueRequired")]
    if old is not None and (causes := _definition_changes(spec, old)):
        return causes
    names, versions = spec.get("names") or {}, spec.get("versions") or []
    causes = [
        Cause(f"spec.names.{part}", "Required value", "FieldValueRequired")
        for part in ("plural", "kind")
        if not names.get(part)
    ]
    if not spec.get("group"):
        causes.append(Cause("spec.group", "Required value", "FieldValueRequired"))
    if spec.get("scope") not in ("Namespaced", "Cluster"):
        causes.append(Cause("spec.scope", 'Unsupported value: supported values: "Cluster", "Namespaced"'))
    name = obj["metadata"].get("name", "")
    if not causes and name != f"{names['plural']}.{spec['group']}":
        causes.append(Cause("metadata.name", f'Invalid value: "{name}": must be spec.names.plural+"."+spec.group'))
    if sum(1 for version in versions if version.get("storage")) != 1:
        causes.append(Cause("spec.versions", "Invalid value: must have exactly one version marked as storage version"))
    for index, version in enumerate(versions):
        field = f"spec.versions[{index}].schema.openAPIV3Schema"
        schema = (version.get("schema") or {}).get("openAPIV3Schema")
        if schema:
            causes += unreadable_rules(schema, field)
            causes += structural_causes(schema, field)
        else:
            causes.append(Cause(field, "Required value: schemas are required", "FieldValueRequired"))
    return causes if old is not None else causes + approval_causes(obj)
