"""Hooks in a plan: what is asked for, checked against the pods as they are, and said in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from lazarus_tui.model.plan import Effect, Params, PlanRefused
from lazarus_tui.model.resources import PODS
from lazarus_tui.model.steps import Reader
from lazarus_tui.snapshots.hooks import fsfreeze
from lazarus_tui.snapshots.hooks.commands import running
from lazarus_tui.snapshots.hooks.containers import choose_container, family
from lazarus_tui.snapshots.hooks.recipes import ADVICE, EXPECT, recipe
from lazarus_tui.snapshots.hooks.spec import EXEC, MAX_FREEZE, ONCE, REDIS, SESSION, TIMEOUT, Hooks, PodHook
from lazarus_tui.snapshots.targets import Target

# Seconds a freeze must last longer than one hook may: else it would be ended while a pre hook still runs.
_ROOM = 10.0
ON_ERROR = ("Fail", "Continue")

# How images and operators mark the pod that takes writes.
_PRIMARY_LABELS = (
    "role", "spilo-role", "cnpg.io/instanceRole", "app.kubernetes.io/component", "redis-role",
    "postgres-operator.crunchydata.com/role", "mysql.oracle.com/cluster-role",
)  # fmt: skip
_PRIMARY_WORDS = ("primary", "master", "leader", "PRIMARY")


async def plan_hooks(
    reader: Reader, params: Params, namespace: str, every: Sequence[Target], workload: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """The plan's ``hooks`` ({}: none) and what to say of them. Raises ``PlanRefused``.

    ``params``: ``pre`` and ``post`` (argv; with a recipe that talks to a client ``pre`` is that client), ``recipe``,
    ``hook_container``, ``hook_timeout`` and ``max_freeze`` in seconds, ``on_error`` (Fail, Continue), ``hook_target``
    (all, primary, an ordinal, or label:KEY=VALUE).
    """
    found = _asked(params)
    if found is None:
        return {}, advice(workload)
    names = {target.ordinal: f"{workload['metadata']['name']}-{target.ordinal}" for target in every}
    pods = {name: await reader.get(PODS, name, namespace, type=dict) for name in names.values()}
    label, chosen = _targets(str(params.get("hook_target") or "all"), names, pods)
    hooked: dict[str, PodHook] = {}
    for ordinal in chosen:
        name = names[ordinal]
        pod = pods[name]
        if pod is None:
            raise PlanRefused(f"pod {name} does not exist", where="hook_target", hint="a hook needs its pod to run")
        choice = choose_container(pod, str(params.get("hook_container") or ""), found.recipe)
        if why := running(pod, choice.container):
            raise PlanRefused(f"pod {name} {why}", where="hook_target", hint="a hook needs its pod to run")
        claims = tuple(target.claim for target in every if target.ordinal == ordinal)
        hooked[name] = PodHook(container=choice.container, claims=claims, why=choice.why)
    if found.recipe == fsfreeze.NAME:
        paths = fsfreeze.placed([(pods[name] or {}, one.container, one.claims) for name, one in hooked.items()])
        found = msgspec.structs.replace(found, pre=(*found.pre, *paths), post=(*found.post, *paths))
    frozen = msgspec.structs.replace(found, pods=hooked, label=label)
    data: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(frozen))  # plain JSON, no tuples
    return data, _warnings(frozen, every)


def _asked(params: Params) -> Hooks | None:
    pre, post = _argv(params, "pre"), _argv(params, "post")
    name = str(params.get("recipe") or "")
    if not pre and not post and not name:
        return None
    timeout, budget = _seconds(params, "hook_timeout", TIMEOUT), _seconds(params, "max_freeze", MAX_FREEZE)
    on_error = str(params.get("on_error") or "Fail").capitalize()
    if on_error not in ON_ERROR:
        raise PlanRefused(f"{on_error!r} is no way to go on", where="on_error", hint="Fail or Continue")
    if post and not pre:
        raise PlanRefused("a post hook without a pre hook has nothing to end", where="post", hint="give both")
    if budget < timeout + _ROOM:
        what = f"a freeze of {budget:g} s is too short for hooks of {timeout:g} s"
        raise PlanRefused(what, where="max_freeze", hint=f"at least {timeout + _ROOM:g} s, or a shorter timeout")
    if name:
        found = _with_client(recipe(name, timeout, budget), name, pre, post)
    else:
        found = Hooks(how=EXEC if post else ONCE, pre=pre, post=post, gives="application" if post else "crash")
    return msgspec.structs.replace(found, timeout=timeout, budget=budget, on_error=on_error, recipe=name)


def _with_client(found: Hooks, name: str, client: tuple[str, ...], post: tuple[str, ...]) -> Hooks:
    """A recipe that talks to a client can be given another one: another user, another socket."""
    if post or (client and found.how not in (SESSION, REDIS)):
        raise PlanRefused(f"recipe {name} brings its own hooks", where="recipe", hint="give either, not both")
    return msgspec.structs.replace(found, pre=client) if client else found


def _argv(params: Params, key: str) -> tuple[str, ...]:
    given = params.get(key) or ()
    if isinstance(given, str) or not all(isinstance(word, str) for word in given):
        raise PlanRefused(f"{key} is not a list of words", where=key, hint="argv: the program, then its arguments")
    if given and not given[0]:
        raise PlanRefused(f"{key} names no program", where=key, hint="argv: the program, then its arguments")
    return tuple(given)


def _seconds(params: Params, key: str, usual: float) -> float:
    given = params.get(key)
    try:
        value = usual if given is None else float(given)
    except (TypeError, ValueError):
        raise PlanRefused(f"{given!r} is no number of seconds", where=key) from None
    if not 1 <= value <= 3600:
        raise PlanRefused(f"{value:g} s is out of range", where=key, hint="1 to 3600 seconds")
    return value


def _targets(wanted: str, names: Mapping[int, str], pods: Mapping[str, Any]) -> tuple[str, list[int]]:
    """The label that the pods must still carry when it comes to it, and the ordinals."""
    if wanted == "all":
        return "", sorted(names)
    text = wanted.removeprefix("ordinal:")
    if text.isdigit():
        if int(text) not in names:
            raise PlanRefused(f"there is no replica {text}", where="hook_target", hint=f"0 to {max(names)}")
        return "", [int(text)]
    labels = [wanted.removeprefix("label:")] if wanted.startswith("label:") else []
    if wanted == "primary":
        labels = [f"{key}={word}" for key in _PRIMARY_LABELS for word in _PRIMARY_WORDS]
    elif not labels or "=" not in labels[0]:
        hint = "all, primary, an ordinal, or label:KEY=VALUE"
        raise PlanRefused(f"{wanted!r} names no pods", where="hook_target", hint=hint)
    for label in labels:
        chosen = [ordinal for ordinal, name in sorted(names.items()) if _carries(pods[name], label)]
        if len(chosen) == 1 or (chosen and wanted != "primary"):
            return label, chosen
    what = "no label says which pod is the primary" if wanted == "primary" else f"no pod carries {labels[0]}"
    raise PlanRefused(what, where="hook_target", hint="name its ordinal, or all")


def _carries(pod: Mapping[str, Any] | None, label: str) -> bool:
    key, _, value = label.partition("=")
    return ((pod or {}).get("metadata", {}).get("labels") or {}).get(key) == value


def advice(workload: Mapping[str, Any]) -> list[str]:
    """What to say of the databases whose images a workload without hooks has."""
    containers = (workload["spec"].get("template", {}).get("spec") or {}).get("containers") or ()
    found = {name: one["image"] for one in containers if (name := family(str(one.get("image") or "")))}
    return [f"image {image}: {ADVICE[name]}" for name, image in sorted(found.items())]


def _warnings(hooks: Hooks, every: Sequence[Target]) -> list[str]:
    said = []
    if left := sorted({target.claim for target in every} - {c for one in hooks.pods.values() for c in one.claims}):
        said.append(f"no hook runs for {', '.join(left)}: crash-consistent")
    if hooks.how == EXEC and not hooks.recipe:
        said.append(
            "the post hook may run twice, and runs late when Lazarus and its host die meanwhile: "
            "let the pre hook start a watchdog in the container"
        )
    return said


def hook_effects(hooks: Hooks | None) -> list[Effect]:
    """What the plan shows: where each hook runs, what it does, and what to expect of the set."""
    if hooks is None:
        return []
    what = hooks.recipe or " ".join(hooks.pre)
    after = f", then {' '.join(hooks.post)}" if hooks.post and not hooks.recipe else ""
    bounds = f"{hooks.timeout:g} s each" + (f", {hooks.budget:g} s at most in all" if hooks.holds else "")
    shown = [
        Effect("change", f"pod {pod}, container {one.container} ({one.why})", f"hooks: {what}{after}; {bounds}")
        for pod, one in sorted(hooks.pods.items())
    ]
    expected = EXPECT.get(hooks.recipe) or (
        "application-consistent, as far as the hooks make it so" if hooks.gives == "application"
        else "crash-consistent: nothing is held still at the cut"
    )  # fmt: skip
    return [*shown, Effect("change", "consistency to expect", expected)]
