"""Applications whose copy would reach out of its quarantine: plain manifests, to judge here or to create for real.

Each is a namespace's objects with what the rules have to say about them. ``Application.definitions`` are the custom
resources that a cluster must know before the objects can be created.
"""

from tests.prove.hostile.build import Application, namespaced, resource_of
from tests.prove.hostile.network import ways_in
from tests.prove.hostile.pods import pods, storage
from tests.prove.hostile.running import by_itself, identities
from tests.prove.hostile.wide import controllers, whole_cluster

APPLICATIONS: tuple[Application, ...] = tuple(
    one for group in (ways_in, pods, by_itself, whole_cluster, identities, controllers, storage) for one in group()
)

__all__ = ["APPLICATIONS", "Application", "namespaced", "resource_of"]
