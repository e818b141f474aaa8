"""Kinds that make pods: deployments, sets, jobs, schedules, autoscalers, budgets (upstream validation)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from lazarus_tui.model.cron import CronError
from lazarus_tui.model.cron import parse as parse_cron
from lazarus_tui.sandbox.api.causes import (
    Causes,
    Object,
    chosen,
    forbidden,
    immutable,
    invalid_value,
    not_negative,
    part,
    required,
    spec_of,
    unchanged,
    unsupported,
)
from lazarus_tui.sandbox.api.errors import bad_request
from lazarus_tui.sandbox.api.rules_pods import pod_spec_causes
from lazarus_tui.sandbox.api.selectors import from_selector

_SET_MUTABLE = (
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
)
# Upstream appends 11 characters to the name of a CronJob for its jobs.
_MAX_CRON_NAME = 52
_JOB_RESTARTS = ("OnFailure", "Never")


def _replicas(spec: Object) -> Causes:
    replicas = spec.get("replicas", 0)
    if isinstance(replicas, bool) or not isinstance(replicas, int):
        raise bad_request("json: cannot unmarshal into Go struct field spec.replicas of type int32")
    return not_negative(spec, "spec", "replicas", "minReadySeconds", "revisionHistoryLimit")


def workload(obj: Object, *, claims: Collection[str] | None = ()) -> Causes:
    """Everything with a selector and a template of pods that always restart."""
    spec = spec_of(obj)
    causes = _replicas(spec)
    template = part(spec, "template")
    selector = spec.get("selector")
    if selector is None:
        causes.append(required("spec.selector"))
    elif not selector.get("matchLabels") and not selector.get("matchExpressions"):
        text = f"empty selector is invalid for {obj['kind'].lower()}"
        causes.append(invalid_value("spec.selector", selector, text))
    else:
        labels = part(part(template, "metadata"), "labels")
        if not from_selector(selector).matches(labels):
            text = "`selector` does not match template `labels`"
            causes.append(invalid_value("spec.template.metadata.labels", labels, text))
    pods = part(template, "spec")
    if pods.get("restartPolicy") not in (None, "Always"):
        causes.append(unsupported("spec.template.spec.restartPolicy", pods["restartPolicy"], ("Always",)))
    return causes + pod_spec_causes(pods, "spec.template.spec", claims=claims)


def deployment(obj: Object) -> Causes:
    spec = spec_of(obj)
    causes = workload(obj)
    strategy = part(spec, "strategy")
    causes += chosen(strategy, "spec.strategy", type=("Recreate", "RollingUpdate"))
    rolling = part(strategy, "rollingUpdate")
    if strategy.get("type") == "Recreate" and rolling:
        text = "may not be specified when strategy `type` is 'Recreate'"
        causes.append(forbidden("spec.strategy.rollingUpdate", text))
    if rolling and all(rolling.get(one) in (0, "0%") for one in ("maxUnavailable", "maxSurge")):
        text = "may not be 0 when `maxSurge` is 0"
        causes.append(invalid_value("spec.strategy.rollingUpdate.maxUnavailable", rolling["maxUnavailable"], text))
    deadline, ready = spec.get("progressDeadlineSeconds"), spec.get("minReadySeconds") or 0
    if isinstance(deadline, int) and deadline <= ready:
        causes.append(invalid_value("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds"))
    return causes


def stateful_set(obj: Object) -> Causes:
    spec = spec_of(obj)
    causes = workload(obj, claims=None)
    causes += chosen(spec, "spec", podManagementPolicy=("OrderedReady", "Parallel"))
    causes += chosen(part(spec, "updateStrategy"), "spec.updateStrategy", type=("RollingUpdate", "OnDelete"))
    causes += not_negative(part(spec, "ordinals"), "spec.ordinals", "start")
    policy = part(spec, "persistentVolumeClaimRetentionPolicy")
    choices = ("Retain", "Delete")
    return causes + chosen(policy, "spec.persistentVolumeClaimRetentionPolicy", whenDeleted=choices, whenScaled=choices)


def daemon_set(obj: Object) -> Causes:
    strategy = part(spec_of(obj), "updateStrategy")
    return workload(obj) + chosen(strategy, "spec.updateStrategy", type=("RollingUpdate", "OnDelete"))


def replication_controller(obj: Object) -> Causes:
    spec = spec_of(obj)
    causes = _replicas(spec)
    if not spec.get("selector"):
        causes.append(required("spec.selector"))
    if not spec.get("template"):
        return [*causes, required("spec.template")]
    return causes + pod_spec_causes(part(part(spec, "template"), "spec"), "spec.template.spec")


def selector_kept(obj: Object, old: Object) -> Causes:
    return unchanged(spec_of(obj), spec_of(old), "spec", "selector")


def stateful_set_update(obj: Object, old: Object) -> Causes:
    new, before = spec_of(obj), spec_of(old)
    if all(new.get(key) == before.get(key) for key in new.keys() | before.keys() if key not in _SET_MUTABLE):
        return []
    listed = ", ".join(f"'{field}'" for field in _SET_MUTABLE[:-1])
    text = f"updates to statefulset spec for fields other than {listed} and 'minReadySeconds' are forbidden"
    return [forbidden("spec", text)]


def job(obj: Object) -> Causes:
    return job_spec_causes(spec_of(obj), "spec")


def job_spec_causes(spec: Object, where: str) -> Causes:
    causes = not_negative(
        spec,
        where,
        "parallelism",
        "completions",
        "backoffLimit",
        "backoffLimitPerIndex",
        "maxFailedIndexes",
        "activeDeadlineSeconds",
        "ttlSecondsAfterFinished",
    )
    causes += chosen(spec, where, completionMode=("NonIndexed", "Indexed"))
    if spec.get("completionMode") == "Indexed" and spec.get("completions") is None:
        causes.append(required(f"{where}.completions", "when completion mode is Indexed"))
    pods = part(part(spec, "template"), "spec")
    causes += pod_spec_causes(pods, f"{where}.template.spec")
    if pods.get("restartPolicy") in (None, "Always"):
        causes.append(required(f"{where}.template.spec.restartPolicy", 'valid values: "OnFailure", "Never"'))
    if spec.get("podFailurePolicy") and pods.get("restartPolicy") == "OnFailure":
        text = 'only "Never" is supported when podFailurePolicy is specified'
        causes.append(invalid_value(f"{where}.template.spec.restartPolicy", "OnFailure", text))
    return causes


def job_update(obj: Object, old: Object) -> Causes:
    new, before = spec_of(obj), spec_of(old)
    causes = unchanged(
        new,
        before,
        "spec",
        "selector",
        "completionMode",
        "podFailurePolicy",
        "successPolicy",
        "backoffLimitPerIndex",
        "managedBy",
        "manualSelector",
    )
    elastic = new.get("completionMode") == "Indexed" and new.get("completions") == new.get("parallelism")
    if new.get("completions") != before.get("completions") and not elastic:
        causes.append(immutable("spec.completions", new.get("completions")))
    waiting = before.get("suspend") and not part(old, "status").get("startTime")
    if _template_core(new, loose=bool(waiting)) != _template_core(before, loose=bool(waiting)):
        causes.append(immutable("spec.template", part(new, "template")))
    return causes


def _template_core(spec: Object, *, loose: bool) -> Object:
    """A job's template without what may be changed while the job has not begun: where its pods go."""
    template = part(spec, "template")
    if not loose:
        return template
    meta = {key: value for key, value in part(template, "metadata").items() if key not in ("labels", "annotations")}
    placing = ("nodeSelector", "tolerations", "affinity", "schedulingGates")
    pods = {key: value for key, value in part(template, "spec").items() if key not in placing}
    return template | {"metadata": meta, "spec": pods}


def cron_job(obj: Object) -> Causes:
    spec = spec_of(obj)
    causes: Causes = []
    name = obj["metadata"].get("name", "")
    if len(name) > _MAX_CRON_NAME:
        causes.append(invalid_value("metadata.name", name, f"must be no more than {_MAX_CRON_NAME} characters"))
    causes += _schedule_causes(spec)
    causes += chosen(spec, "spec", concurrencyPolicy=("Allow", "Forbid", "Replace"))
    causes += not_negative(
        spec, "spec", "startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit"
    )
    inner = part(part(spec, "jobTemplate"), "spec")
    if inner.get("manualSelector"):
        causes.append(unsupported("spec.jobTemplate.spec.manualSelector", True, ("nil", "false")))
    return causes + job_spec_causes(inner, "spec.jobTemplate.spec")


def _schedule_causes(spec: Object) -> Causes:
    schedule = spec.get("schedule") or ""
    if not schedule:
        return [required("spec.schedule")]
    if "TZ" in schedule:
        text = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
        return [invalid_value("spec.schedule", schedule, text)]
    try:
        parse_cron(schedule, rule="kubernetes", zone="UTC")
    except CronError as error:
        return [invalid_value("spec.schedule", schedule, str(error))]
    zone = spec.get("timeZone")
    if zone is None:
        return []
    try:
        parse_cron(schedule, rule="kubernetes", zone=zone)
    except CronError:
        return [invalid_value("spec.timeZone", zone, f"unknown time zone {zone}")]
    return []


def autoscaler(obj: Object) -> Causes:
    spec = spec_of(obj)
    causes: Causes = []
    target = part(spec, "scaleTargetRef")
    causes += [required(f"spec.scaleTargetRef.{field}") for field in ("kind", "name") if not target.get(field)]
    least, most = spec.get("minReplicas"), spec.get("maxReplicas", 0)
    if isinstance(least, int) and least < 1:
        causes.append(invalid_value("spec.minReplicas", least, "must be greater than or equal to 1"))
    if not isinstance(most, int) or most < 1:
        causes.append(invalid_value("spec.maxReplicas", most, "must be greater than 0"))
    elif isinstance(least, int) and most < least:
        causes.append(invalid_value("spec.maxReplicas", most, "must be greater than or equal to `minReplicas`"))
    for index, metric in enumerate(spec.get("metrics") or ()):
        causes += _metric_causes(metric, f"spec.metrics[{index}]")
    return causes


def _metric_causes(metric: Object, where: str) -> Causes:
    kinds = ("ContainerResource", "External", "Object", "Pods", "Resource")
    kind: Any = metric.get("type")
    if not kind:
        return [required(f"{where}.type", "must specify a metric source type")]
    if kind not in kinds:
        return [unsupported(f"{where}.type", kind, kinds)]
    source = kind[:1].lower() + kind[1:]
    if not metric.get(source):
        text = "must populate information for the given metric source"
        return [required(f"{where}.{source}", text)]
    if not part(metric[source], "target").get("type"):
        return [required(f"{where}.{source}.target.type", "must specify a metric target type")]
    return []


def budget(obj: Object) -> Causes:
    spec = spec_of(obj)
    if spec.get("minAvailable") is not None and spec.get("maxUnavailable") is not None:
        return [invalid_value("spec", spec, "minAvailable and maxUnavailable cannot be both set")]
    causes = not_negative(spec, "spec", "minAvailable", "maxUnavailable")
    for field in ("minAvailable", "maxUnavailable"):
        value = spec.get(field)
        if isinstance(value, str) and not (value.endswith("%") and value[:-1].isdecimal()):
            text = "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', "
            causes.append(invalid_value(f"spec.{field}", value, f"{text}regex used for validation is '[0-9]+%')"))
    policy = ("IfHealthyBudget", "AlwaysAllow")
    return causes + chosen(spec, "spec", unhealthyPodEvictionPolicy=policy)


def controller_revision(obj: Object) -> Causes:
    revision = obj.get("revision", 0)
    return [invalid_value("revision", revision, "must be greater than or equal to 0")] if revision < 0 else []


def controller_revision_update(obj: Object, old: Object) -> Causes:
    return unchanged(obj, old, "", "data")
