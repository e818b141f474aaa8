"""All controllers of a cluster, in the order in which they start."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from lazarus_tui.model.clock import Clock
from lazarus_tui.model.resources import Resource
from lazarus_tui.sandbox.controllers.autoscalers import AutoscalerController
from lazarus_tui.sandbox.controllers.base import Controller
from lazarus_tui.sandbox.controllers.claims import ClaimController
from lazarus_tui.sandbox.controllers.cordons import CordonController
from lazarus_tui.sandbox.controllers.cronjobs import CronJobController
from lazarus_tui.sandbox.controllers.daemonsets import DaemonSetController
from lazarus_tui.sandbox.controllers.deployments import DeploymentController
from lazarus_tui.sandbox.controllers.disruptions import DisruptionController
from lazarus_tui.sandbox.controllers.endpoints import EndpointsController
from lazarus_tui.sandbox.controllers.endpointslices import EndpointSliceController
from lazarus_tui.sandbox.controllers.ephemeral import EphemeralController
from lazarus_tui.sandbox.controllers.events import EventSweeper
from lazarus_tui.sandbox.controllers.fighters import KedaScaler, SelfHealer
from lazarus_tui.sandbox.controllers.garbage import GarbageCollector
from lazarus_tui.sandbox.controllers.jobs import JobController
from lazarus_tui.sandbox.controllers.namespaces import NamespaceController
from lazarus_tui.sandbox.controllers.nodes import NamespaceFurniture, NodeController
from lazarus_tui.sandbox.controllers.protection import ClaimProtection, VolumeProtection
from lazarus_tui.sandbox.controllers.quotas import QuotaController
from lazarus_tui.sandbox.controllers.replicasets import ReplicaSetController
from lazarus_tui.sandbox.controllers.roles import RoleAggregation
from lazarus_tui.sandbox.controllers.scheduling import Scheduler
from lazarus_tui.sandbox.controllers.statefulsets import StatefulSetController
from lazarus_tui.sandbox.controllers.volumes import VolumeController
from lazarus_tui.sandbox.dataplane.volumes import VolumeStore
from lazarus_tui.sandbox.snapshots.driver import DirectoryDriver

if TYPE_CHECKING:
    from lazarus_tui.sandbox.api.local import LocalApi


def roster(
    api: LocalApi,
    clock: Clock,
    *,
    volumes: VolumeStore,
    kinds: Callable[[], Iterable[Resource]],
    ca: str = "",
    driver: DirectoryDriver | None = None,
) -> list[Controller]:
    """Everything but the node's own part (``Kubelet``, ``ServiceProxy``). ``ca`` is the cluster's CA in PEM."""
    return [
        NodeController(api, clock),
        NamespaceFurniture(api, clock, ca),
        RoleAggregation(api, clock),
        GarbageCollector(api, clock),
        NamespaceController(api, clock, kinds),
        QuotaController(api, clock, kinds),
        ClaimProtection(api, clock),
        VolumeProtection(api, clock),
        ClaimController(api, clock, driver or DirectoryDriver(api, clock, volumes)),
        VolumeController(api, clock, volumes),
        EphemeralController(api, clock),
        Scheduler(api, clock),
        CordonController(api, clock),
        StatefulSetController(api, clock),
        DeploymentController(api, clock),
        ReplicaSetController(api, clock),
        DaemonSetController(api, clock),
        CronJobController(api, clock),
        JobController(api, clock),
        EndpointsController(api, clock),
        EndpointSliceController(api, clock),
        DisruptionController(api, clock),
        AutoscalerController(api, clock),
        SelfHealer(api, clock),
        KedaScaler(api, clock),
        EventSweeper(api, clock),
    ]
