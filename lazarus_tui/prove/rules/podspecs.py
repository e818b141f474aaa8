"""Pods and what makes pods: the host, privileges, priority (S3, S18), what runs by itself (S6), consumers (S15)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lazarus_tui.prove.points import Item
from lazarus_tui.prove.rules.finding import Finding, Rule, Scene, Verb
from lazarus_tui.prove.rules.patching import at, nested, pointer

_TEMPLATE = ("spec", "template")
_PLACES: Mapping[str, tuple[str, ...]] = {
    "pods": (),
    "replicationcontrollers": _TEMPLATE,
    "deployments.apps": _TEMPLATE,
    "statefulsets.apps": _TEMPLATE,
    "daemonsets.apps": _TEMPLATE,
    "replicasets.apps": _TEMPLATE,
    "jobs.batch": _TEMPLATE,
    "cronjobs.batch": ("spec", "jobTemplate", "spec", "template"),
    "podtemplates": ("template",),
}
RESOURCES = tuple(_PLACES)
SCALED = ("deployments.apps", "statefulsets.apps")
CONTAINERS = ("initContainers", "containers", "ephemeralContainers")
# Pod Security Standards, level baseline (kubernetes.io/docs/concepts/security/pod-security-standards).
_CAPABILITIES = frozenset({
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP",
    "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
})  # fmt: skip
_SYSCTLS = frozenset({
    "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range", "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
})  # fmt: skip
_SELINUX = frozenset({"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"})
# What keeps a pod from starting: no node has this label.
PARK = "lazarus.io/held"
# Velero's own init container: the first of a pod whose volumes it fills by files. Those of the backup it takes out.
WAIT = "restore-wait"
_CONSUMER = ("lazarus/role", "lazarus.io/role")
# Where a container has the kubelet call a host: from the node, where no policy of the quarantine holds.
_CALLS = (
    ("livenessProbe",), ("readinessProbe",), ("startupProbe",), ("lifecycle", "postStart"), ("lifecycle", "preStop"),
)  # fmt: skip


def template(item: Item) -> tuple[str, ...]:
    """The path of the pod template's metadata; () where the object is no template."""
    place = _PLACES.get(item.resource)
    return (*place, "metadata") if place else ()


def spec_path(item: Item) -> tuple[str, ...]:
    return (*_PLACES[item.resource], "spec")


def containers(pod: Mapping[str, Any]) -> Iterable[tuple[str, Mapping[str, Any]]]:
    """Field and container, for every container of a pod spec."""
    for field in CONTAINERS:
        for one in pod.get(field) or ():
            if isinstance(one, Mapping) and one.get("name"):
                yield field, one


def _host(item: Item, scene: Scene) -> Iterable[Finding]:
    """What a pod may not have at level baseline, taken away where the list of its parts merges by name."""
    path = spec_path(item)
    pod = at(item.body, path)
    if not isinstance(pod, Mapping):
        return
    patch: dict[str, Any] = {field: None for field in ("hostNetwork", "hostPID", "hostIPC") if pod.get(field)}
    said, expects = sorted(patch), [(pointer((*path, field)), None) for field in sorted(patch)]
    context = _context(pod.get("securityContext"))
    if context:
        patch["securityContext"] = context
        said.append("securityContext")
        expects += _hopes(path, {"securityContext": context})
    for field, one in containers(pod):
        change = {} if (item.resource, one["name"]) == ("pods", WAIT) else _container(one)
        if change:
            name = str(one["name"])
            patch.setdefault(field, []).append({"name": name, **change})
            said.append(f"{name}: {', '.join(_named(change))}")
            expects += _hopes((*path, field, f"name={name}"), change)
    if patch:
        words = f"{'; '.join(said)}: not allowed in the quarantine (Pod Security baseline)"
        yield Finding(Verb.CHANGE, words, nested(path, patch), strategic=True, expects=tuple(expects))


def _waiting(item: Item, scene: Scene) -> Iterable[Finding]:
    """What waits for the volumes gets the security context of the pod's first container
    (pkg/restore/actions/pod_volume_restore_action.go), and with it what the quarantine refuses the pod for."""
    every = [(field, one, _context(one.get("securityContext"))) for field, one in containers(item.spec)]
    own = next((found for _, one, found in every if one["name"] == WAIT), None)
    first = next((found for field, _, found in every if field == "containers"), {})
    change = {**(own or {}), **first}
    if change and (scene.by_files or own is not None):
        patch = {"spec": {"initContainers": [{"name": WAIT, "securityContext": change}]}}
        words = f"{WAIT}: {', '.join(sorted(change))}: not allowed in the quarantine (Pod Security baseline)"
        yield Finding(Verb.CHANGE, words, patch, strategic=True, where=(("/spec/initContainers/0/name", WAIT),))


def _container(one: Mapping[str, Any]) -> dict[str, Any]:
    change: dict[str, Any] = {}
    context = _context(one.get("securityContext"))
    if context:
        change["securityContext"] = context
    ports = [port for port in one.get("ports") or () if isinstance(port, Mapping)]
    if any(port.get("hostPort") or port.get("hostIP") for port in ports):
        kept = [{key: value for key, value in port.items() if key not in ("hostPort", "hostIP")} for port in ports]
        change["ports"] = [{"$patch": "replace"}, *kept]
    for call in _calls(one):
        change.setdefault(call[0], {}).update(nested((*call[1:], "host"), None))
    return change


def _calls(one: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Probes and hooks that name a host; without one they go to the pod itself."""
    ways = [(*place, way) for place in _CALLS for way in ("httpGet", "tcpSocket")]
    return [way for way in ways if at(one, (*way, "host"))]


def _context(found: Any) -> dict[str, Any]:
    """What of a securityContext has to go or to be narrowed."""
    if not isinstance(found, Mapping):
        return {}
    change: dict[str, Any] = {"privileged": None} if found.get("privileged") else {}
    adds = [str(one) for one in (found.get("capabilities") or {}).get("add") or ()]
    allowed = [one for one in adds if one.removeprefix("CAP_") in _CAPABILITIES]
    if allowed != adds:
        change["capabilities"] = {"add": allowed or None}
    if found.get("procMount") not in (None, "", "Default"):
        change["procMount"] = None
    for field in ("seccompProfile", "appArmorProfile"):
        if (found.get(field) or {}).get("type") == "Unconfined":
            change[field] = None
    selinux = found.get("seLinuxOptions") or {}
    if str(selinux.get("type") or "") not in _SELINUX or selinux.get("user") or selinux.get("role"):
        change["seLinuxOptions"] = None
    if (found.get("windowsOptions") or {}).get("hostProcess"):
        change["windowsOptions"] = None
    calls = [one for one in found.get("sysctls") or () if isinstance(one, Mapping)]
    kept = [one for one in calls if one.get("name") in _SYSCTLS]
    if len(kept) != len(calls):
        change["sysctls"] = kept or None
    return change


def _named(change: Mapping[str, Any]) -> list[str]:
    names = ["hostPort"] if "ports" in change else []
    names += [f"host of {place[-1]}" for place in _CALLS if at(change, place) is not None]
    return names + sorted(change.get("securityContext") or ())


def _hopes(place: tuple[str, ...], change: Mapping[str, Any]) -> list[tuple[str, Any]]:
    hopes: list[tuple[str, Any]] = []
    for key, value in (change.get("securityContext") or {}).items():
        if key == "capabilities":
            hopes.append((pointer((*place, "securityContext", key, "add")), value["add"]))
        else:
            hopes.append((pointer((*place, "securityContext", key)), value))
    for n in range(len(change.get("ports") or ()) - 1):
        hopes.append((pointer((*place, "ports", str(n), "hostPort")), None))
    for call in _CALLS:
        hopes += [(pointer((*place, *call, way, "host")), None) for way in at(change, call) or ()]
    return hopes


_PRIORITY = ("priorityClassName", "priority", "preemptionPolicy")


def _priority(item: Item, scene: Scene) -> Iterable[Finding]:
    """A copy's pods have the class of copies, or, where there is none, no class of their own."""
    path = spec_path(item)
    pod = at(item.body, path)
    if not isinstance(pod, Mapping):
        return
    own = [key for key in _PRIORITY if pod.get(key)]
    where = pointer((*path, "priorityClassName"))
    said = f"priority {pod.get('priorityClassName') or pod.get('priority') or 'of no class'}"
    if scene.priority:
        patch = {**dict.fromkeys(_PRIORITY), "priorityClassName": scene.priority}
        words = f"{said} → {scene.priority}: a copy pushes nothing away"
        yield Finding(Verb.CHANGE, words, nested(path, patch), expects=((where, scene.priority),))
    elif own:
        words = f"{said}: a copy pushes nothing away"
        yield Finding(Verb.CHANGE, words, nested(path, dict.fromkeys(own)), expects=((where, None),))


def _scheduled(item: Item, scene: Scene) -> Iterable[Finding]:
    if (item.body.get("status") or {}).get("completionTime"):
        yield Finding(Verb.LEFT, "it is complete: it is not restored")
    elif item.spec.get("suspend") is not True:
        yield Finding(
            Verb.SUSPEND, "it would run again", {"spec": {"suspend": True}}, expects=(("/spec/suspend", True),)
        )


def consumes(item: Item) -> bool:
    return "consumer" in {item.marks("labels").get(key) for key in _CONSUMER}


def _consumer(item: Item, scene: Scene) -> Iterable[Finding]:
    if not consumes(item) or item.spec.get("replicas") == 0:
        return
    if {f"{item.kind}/{item.name}", "/".join(item.owner)} & set(scene.busy):
        words = "its files come back in its own pod, so it has to run; nothing of it leaves the quarantine"
        yield Finding(Verb.KEEP, words)
        return
    yield Finding(Verb.SUSPEND, "a consumer of messages stays at zero", {"spec": {"replicas": 0}},
                  expects=(("/spec/replicas", 0),))  # fmt: skip


def _of_a_job(item: Item, scene: Scene) -> Iterable[Finding]:
    """A suspended Job does not help against its own pod, which is restored as it was."""
    if item.owner[0] != "Job" or PARK in (item.spec.get("nodeSelector") or {}):
        return
    if item.name in scene.contents.filled_pods:
        yield Finding(Verb.BLOCK, "its files come back only while it runs, and it is a job that would run again")
        return
    yield Finding(Verb.SUSPEND, "a pod of a job would run again", {"spec": {"nodeSelector": {PARK: "true"}}},
                  expects=(("/spec/nodeSelector/lazarus.io~1held", "true"),))  # fmt: skip


def _ended(item: Item, scene: Scene) -> Iterable[Finding]:
    if (item.body.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        yield Finding(Verb.LEFT, "it is complete: it is not restored")
    elif "kubernetes.io/config.mirror" in item.marks("annotations"):
        yield Finding(Verb.LEFT, "a mirror of a static pod: it is not restored")


RULES = (
    Rule("S3", "the host", RESOURCES, _host, stern=True),
    Rule("S3", "what waits for volumes", ("pods",), _waiting, stern=True),
    Rule("S6", "what runs by itself", ("cronjobs.batch", "jobs.batch"), _scheduled),
    Rule("S6", "what has ended", ("pods",), _ended),
    Rule("S6", "pods of jobs", ("pods",), _of_a_job),
    Rule("S15", "consumers", (*SCALED, "replicasets.apps", "replicationcontrollers"), _consumer),
    Rule("S18", "priority", RESOURCES, _priority),
)  # fmt: skip
