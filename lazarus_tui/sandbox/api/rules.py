"""What the server refuses in built-in kinds: required fields, consistency, and what may not change.

Rules by path, not full types: those a restore or an operator's hand can run into.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from lazarus_tui.sandbox.api import (
    rules_data,
    rules_network,
    rules_pods,
    rules_rights,
    rules_storage,
    rules_workloads,
)
from lazarus_tui.sandbox.api.causes import Causes, Object
from lazarus_tui.sandbox.api.errors import bad_request
from lazarus_tui.sandbox.api.kinds import Kind
from lazarus_tui.sandbox.api.store import Store

_RBAC = "rbac.authorization.k8s.io"
_NETWORK = "networking.k8s.io"
_STORAGE = "storage.k8s.io"

# What an object must be like whenever it is written.
_CONTENT: Mapping[str, Callable[[Object], Causes]] = {
    "deployments.apps": rules_workloads.deployment,
    "statefulsets.apps": rules_workloads.stateful_set,
    "replicasets.apps": rules_workloads.workload,
    "daemonsets.apps": rules_workloads.daemon_set,
    "controllerrevisions.apps": rules_workloads.controller_revision,
    "replicationcontrollers": rules_workloads.replication_controller,
    "jobs.batch": rules_workloads.job,
    "cronjobs.batch": rules_workloads.cron_job,
    "horizontalpodautoscalers.autoscaling": rules_workloads.autoscaler,
    "poddisruptionbudgets.policy": rules_workloads.budget,
    "configmaps": rules_data.config_map,
    "secrets": rules_data.secret,
    "leases.coordination.k8s.io": rules_data.lease,
    "events": rules_data.event,
    "services": rules_network.service,
    "endpointslices.discovery.k8s.io": rules_network.endpoint_slice,
    f"networkpolicies.{_NETWORK}": rules_network.network_policy,
    f"ingresses.{_NETWORK}": rules_network.ingress,
    "persistentvolumes": rules_storage.volume,
    f"storageclasses.{_STORAGE}": rules_storage.storage_class,
    f"roles.{_RBAC}": rules_rights.role,
    f"clusterroles.{_RBAC}": rules_rights.cluster_role,
    f"rolebindings.{_RBAC}": rules_rights.role_binding,
    f"clusterrolebindings.{_RBAC}": rules_rights.cluster_role_binding,
    "resourcequotas": rules_rights.quota,
    "limitranges": rules_rights.limit_range,
    "priorityclasses.scheduling.k8s.io": rules_rights.priority_class,
    "apiservices.apiregistration.k8s.io": rules_rights.api_service,
    "runtimeclasses.node.k8s.io": rules_rights.runtime_class,
    "certificatesigningrequests.certificates.k8s.io": rules_rights.certificate_request,
}

# What only a new object is held to.
_CREATE: Mapping[str, Callable[[Object, Store], Causes]] = {
    "pods": lambda obj, store: rules_pods.pod_create(obj),
    "services": rules_network.service_create,
    "persistentvolumeclaims": lambda obj, store: rules_storage.claim(obj),
}

_UPDATE: Mapping[str, Callable[[Object, Object], Causes]] = {
    "pods": rules_pods.pod_update,
    "deployments.apps": rules_workloads.selector_kept,
    "statefulsets.apps": rules_workloads.stateful_set_update,
    "replicasets.apps": rules_workloads.selector_kept,
    "daemonsets.apps": rules_workloads.selector_kept,
    "controllerrevisions.apps": rules_workloads.controller_revision_update,
    "jobs.batch": rules_workloads.job_update,
    "services": rules_network.service_update,
    "endpointslices.discovery.k8s.io": rules_network.endpoint_slice_update,
    f"ingressclasses.{_NETWORK}": rules_network.ingress_class_update,
    "persistentvolumeclaims": rules_storage.claim_update,
    "persistentvolumes": rules_storage.volume_update,
    f"storageclasses.{_STORAGE}": rules_storage.storage_class_update,
    f"csidrivers.{_STORAGE}": rules_storage.csi_driver_update,
    f"volumeattachments.{_STORAGE}": rules_storage.attachment_update,
    "configmaps": rules_data.frozen,
    "secrets": rules_data.secret_update,
    f"rolebindings.{_RBAC}": rules_rights.binding_update,
    f"clusterrolebindings.{_RBAC}": rules_rights.binding_update,
    "resourcequotas": rules_rights.quota_update,
    "priorityclasses.scheduling.k8s.io": rules_rights.priority_class_update,
    "runtimeclasses.node.k8s.io": rules_rights.runtime_class_update,
    "certificatesigningrequests.certificates.k8s.io": rules_rights.certificate_request_update,
}


def create_causes(kind: Kind, obj: Object, store: Store) -> Causes:
    """What is wrong with a new object."""
    content, check = _CONTENT.get(kind.group_resource), _CREATE.get(kind.group_resource)
    return _guarded(kind, lambda: (content(obj) if content else []) + (check(obj, store) if check else []))


def update_causes(kind: Kind, obj: Object, old: Object) -> Causes:
    """What is wrong with a changed object; what has not changed but its status is not looked at again."""
    content, check = _CONTENT.get(kind.group_resource), _UPDATE.get(kind.group_resource)
    if (content is None and check is None) or _same_but_status(obj, old):
        return []
    return _guarded(kind, lambda: (content(obj) if content else []) + (check(obj, old) if check else []))


def _same_but_status(obj: Object, old: Object) -> bool:
    return obj.keys() == old.keys() and all(
        value == old[field] for field, value in obj.items() if field not in ("status", "metadata")
    )


def _guarded(kind: Kind, check: Callable[[], Causes]) -> Causes:
    try:
        return check()
    except (AttributeError, TypeError) as error:
        raise bad_request(f"{kind.kind} cannot be handled: a field has the wrong type ({error})") from None
