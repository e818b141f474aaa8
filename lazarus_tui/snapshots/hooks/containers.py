"""In which container of a pod a hook runs (reference: data §2.8)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lazarus_tui.model.plan import PlanRefused

DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"

# Families of database images, by the name of the recipe; the word an image's name begins with or ends in.
FAMILIES: Mapping[str, tuple[str, ...]] = {
    "postgresql": ("postgres", "postgresql", "timescaledb", "postgis"),
    "mysql": ("mysql", "percona"),
    "mariadb": ("mariadb",),
    "mongodb": ("mongo", "mongodb"),
    "redis": ("redis", "valkey"),
}
# What stands beside a database and is named after it.
_BESIDE = ("exporter", "proxy", "router", "operator", "backup", "agent", "metrics", "sentinel", "express", "init",
           "commander", "insight", "shell", "client", "tools")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Choice:
    """``why`` in words, for the plan."""

    container: str
    why: str
    image: str = ""


def family(image: str) -> str:
    """The recipe whose database this image holds; "" when that is not clear from its name."""
    words = image.partition("@")[0].rpartition("/")[2].partition(":")[0].lower().replace("_", "-").split("-")
    if any(part in word for word in words for part in _BESIDE):
        return ""
    found = [name for name, known in FAMILIES.items() if any(word in known for word in words)]
    return found[0] if len(found) == 1 else ""


def candidates(pod: Mapping[str, Any]) -> dict[str, str]:
    """Images of the containers that run as long as the pod, by name: regular ones and restartable init containers."""
    spec = pod.get("spec") or {}
    lasting = [one for one in spec.get("initContainers") or () if one.get("restartPolicy") == "Always"]
    return {one["name"]: str(one.get("image") or "") for one in [*(spec.get("containers") or ()), *lasting]}


def choose_container(pod: Mapping[str, Any], wanted: str = "", recipe: str = "") -> Choice:
    """Explicit, then the pod's annotation, then the only container, then the one with a database image of ``recipe``
    ("": of any known one). Raises ``PlanRefused``; the first container of several is never a guess."""
    found = candidates(pod)
    name = pod["metadata"]["name"]
    marked = str((pod["metadata"].get("annotations") or {}).get(DEFAULT_CONTAINER) or "")
    for asked, why in ((wanted, "named"), (marked, "the pod's default container")):
        if asked and asked in found:
            return Choice(asked, why, found[asked])
        if asked:
            what = _missing(pod, asked) + (
                "" if asked == wanted else f", which its annotation {DEFAULT_CONTAINER} names"
            )
            raise PlanRefused(f"{name}: {what}", where="hook_container", hint=_known(found))
    regular = [one["name"] for one in (pod.get("spec") or {}).get("containers") or ()]
    if len(regular) == 1:
        return Choice(regular[0], "the only container", found[regular[0]])
    fitting = [one for one, image in found.items() if family(image) and recipe in ("", family(image))]
    if len(fitting) == 1:
        return Choice(fitting[0], f"its image is {found[fitting[0]]}", found[fitting[0]])
    what = "several containers fit" if fitting else "it is not clear in which container"
    raise PlanRefused(f"{name}: {what} a hook is to run", where="hook_container", hint=_known(found))


def _missing(pod: Mapping[str, Any], asked: str) -> str:
    inits = [one["name"] for one in (pod.get("spec") or {}).get("initContainers") or ()]
    if asked in inits:
        return f"{asked!r} is an init container that ends before the pod runs"
    return f"there is no container {asked!r}"


def _known(found: Iterable[str]) -> str:
    return f"name one: {', '.join(sorted(found)) or 'the pod has none'}"
