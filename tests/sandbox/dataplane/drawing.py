"""A small cluster as an atlas reads it: two pods with networks of their own, one in the machine's, three services."""

from __future__ import annotations

from typing import Any

from lazarus_tui.model.resources import ENDPOINTS, NAMESPACES, NETWORKPOLICIES, PODS, SERVICES, Resource
from lazarus_tui.sandbox.dataplane.atlas import Atlas

Object = dict[str, Any]


def pod(name: str, *, port: int = 0, **spec: Any) -> Object:
    ports = [{"name": "http", "containerPort": port}] if port else []
    meta = {"name": name, "namespace": "shop", "uid": name, "labels": {"app": name}}
    return {"metadata": meta, "spec": {"containers": [{"ports": ports}], **spec}, "status": {"podIP": "127.42.0.99"}}


def service(name: str, address: str, port: int) -> Object:
    return {"metadata": {"name": name, "namespace": "shop"}, "spec": {"clusterIP": address, "ports": [{"port": port}]}}


class Objects:
    def __init__(self) -> None:
        self.kept: dict[Resource, list[Object]] = {
            NAMESPACES: [{"metadata": {"name": "shop"}}],
            PODS: [pod("web", port=8080), pod("orders", port=8081), pod("bare", port=9100, hostNetwork=True)],
            SERVICES: [
                service("orders", "127.43.0.1", 80),
                service("empty", "127.43.0.2", 80),
                service("db", "None", 1),
            ],
            ENDPOINTS: [
                {
                    "metadata": {"name": "orders", "namespace": "shop"},
                    "subsets": [{"addresses": [{"ip": "127.42.0.3"}], "ports": [{"port": 8081}]}],
                }
            ],
            NETWORKPOLICIES: [],
        }

    def get(self, resource: Resource, name: str, namespace: str | None = None) -> Object | None:
        return next((one for one in self.kept[resource] if one["metadata"]["name"] == name), None)

    def list(self, resource: Resource, namespace: str | None = None) -> list[Object]:
        return self.kept[resource]

    def policy(self, **spec: Any) -> None:
        self.kept[NETWORKPOLICIES].append({"metadata": {"name": "p", "namespace": "shop"}, "spec": spec})

    def atlas(self, **options: Any) -> Atlas:
        return Atlas(self, {"web": "127.42.0.2", "orders": "127.42.0.3"}, **options)
