"""The file systems of a pod's volumes, frozen for the cut: for what writes plain files (reference: data §3.1).

The freeze outlives whoever asked for it, so a watchdog in the container ends it. Only a file system of its own is
frozen: a volume that is a folder of the node's disk, or a subPath of another one, would take others along.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lazarus_tui.model.plan import PlanRefused
from lazarus_tui.snapshots.hooks.spec import EXEC, STILL, Hooks
from lazarus_tui.snapshots.hooks.watchdog import ending, guarded

NAME = "fsfreeze"

# The long options are those that util-linux and busybox share. The fourth field of mountinfo is the folder of the file
# system that is mounted: / for a whole one; the third is its device.
_FREEZE = """\
whole() {
  found= ; node=
  while read -r _ _ device root at _; do
    if [ "$at" = "$1" ]; then found=$root:$device; fi
    if [ "$at" = / ]; then node=$device; fi
  done </proc/self/mountinfo
  case "$found" in
    "") echo "$1 is no mount point in this container" >&2; return 1 ;;
    "/:$node") echo "$1 is on the file system of the container itself" >&2; return 1 ;;
    /:*) return 0 ;;
    *) echo "$1 is a folder (${found%:*:*}) of a file system that holds more: it is not frozen" >&2; return 1 ;;
  esac
}
for path; do whole "$path" || exit 1; done
for path; do fsfreeze --freeze "$path" || exit 1; done
"""
# One that was thawed meanwhile, or never frozen, is no error: it is as it should be, and nothing is proven by it.
_THAW = """\
code=0 still=1
for path; do
  said=$(LC_ALL=C fsfreeze --unfreeze "$path" 2>&1) && continue
  still=0
  case "$said" in *"Invalid argument"*) ;; *) echo "$said" >&2; code=1 ;; esac
done
if [ $still = 1 ]; then echo LAZARUS_STILL_LOCKED; fi
exit $code
"""


def fsfreeze(timeout: float, budget: float) -> Hooks:
    """Without the mount points, which ``placed`` tells. A clean file system is no consistent application."""
    return Hooks(how=EXEC, pre=guarded(_FREEZE, _THAW, budget), post=ending(_THAW), proof=STILL, gives="crash")


def placed(pods: Iterable[tuple[Mapping[str, Any], str, tuple[str, ...]]]) -> tuple[str, ...]:
    """Where the claims are mounted in (pod, container, claims); raises ``PlanRefused`` when that is not one answer."""
    found = {_mounts(pod, container, claims) for pod, container, claims in pods}
    if len(found) != 1:
        raise PlanRefused(
            "its pods mount their volumes at different places", where="recipe", hint="wait for the rollout"
        )
    [paths] = found
    if not paths:
        raise PlanRefused("the container mounts no volume of the set", where="hook_container", hint="name another one")
    return paths


def _mounts(pod: Mapping[str, Any], container: str, claims: tuple[str, ...]) -> tuple[str, ...]:
    spec = pod.get("spec") or {}
    names = {
        volume["name"] for volume in spec.get("volumes") or ()
        if (volume.get("persistentVolumeClaim") or {}).get("claimName") in claims
    }  # fmt: skip
    every = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
    mounts = next((one.get("volumeMounts") or () for one in every if one.get("name") == container), ())
    return tuple(sorted(str(mount["mountPath"]).rstrip("/") for mount in mounts if mount.get("name") in names))
