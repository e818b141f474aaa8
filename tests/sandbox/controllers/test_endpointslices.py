"""EndpointSlices: the same as Endpoints say, with more of it."""

from __future__ import annotations

from lazarus_tui.model.resources import ENDPOINTS, PODS, SERVICES, SLICES
from lazarus_tui.sandbox.controllers.endpointslices import MANAGED_BY, SERVICE_NAME


def service(rig, **spec):
    wanted = {"selector": {"app": "orders"}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]} | spec
    return rig.api.create(SERVICES, {"metadata": {"name": "orders"}, "spec": wanted}, "shop")


def slices(rig):
    return rig.api.list(SLICES, "shop")


def agreement(rig):
    """Ready addresses by both."""
    old = [a["ip"] for one in rig.get(ENDPOINTS, "orders").get("subsets") or () for a in one.get("addresses") or ()]
    new = [e["addresses"][0] for one in slices(rig) for e in one["endpoints"] if e["conditions"]["ready"]]
    return sorted(old), sorted(new)


async def test_a_slice_names_its_service_its_pods_and_their_ports(rig):
    made = service(rig, clusterIP="None")
    rig.statefulset(replicas=2)
    await rig.settle()
    (one,) = slices(rig)
    labels = one["metadata"]["labels"]
    assert labels[SERVICE_NAME] == "orders"
    assert labels[MANAGED_BY] == "endpointslice-controller.k8s.io"
    assert labels["service.kubernetes.io/headless"] == ""
    assert one["metadata"]["ownerReferences"][0]["uid"] == made["metadata"]["uid"]
    assert one["metadata"]["name"].startswith("orders-")
    assert (one["addressType"], one["ports"]) == ("IPv4", [{"name": "http", "port": 8080, "protocol": "TCP"}])
    first = one["endpoints"][0]
    assert first["conditions"] == {"ready": True, "serving": True, "terminating": False}
    assert first["targetRef"]["uid"] == rig.get(PODS, "orders-0")["metadata"]["uid"]
    assert first["hostname"] == "orders-0"
    old, new = agreement(rig)
    assert old == new
    assert len(old) == 2


async def test_it_follows_the_pods_and_goes_with_the_service(rig):
    service(rig)
    rig.statefulset(replicas=2)
    await rig.settle()
    name = slices(rig)[0]["metadata"]["name"]
    rig.scale("orders", 1)
    await rig.settle()
    (one,) = slices(rig)
    assert (one["metadata"]["name"], len(one["endpoints"])) == (name, 1)
    assert agreement(rig)[0] == agreement(rig)[1]
    rig.scale("orders", 0)
    await rig.settle()
    (one,) = slices(rig)  # a service is never without
    assert (one["metadata"]["name"], one["endpoints"], one["ports"]) == (name, [], [])
    rig.scale("orders", 1)
    await rig.settle()
    (one,) = slices(rig)
    assert (one["metadata"]["name"], len(one["endpoints"]), len(one["ports"])) == (name, 1, 1)
    rig.api.delete(SERVICES, "orders", "shop")
    await rig.settle()
    assert slices(rig) == []


async def test_a_pod_that_is_not_ready_serves_nobody_unless_the_service_wants_it(rig):
    service(rig)
    rig.pod("orders-0", image="example.com/unknown:1")
    rig.api.patch(PODS, "orders-0", {"metadata": {"labels": {"app": "orders"}}}, "shop")
    await rig.settle()
    (endpoint,) = slices(rig)[0]["endpoints"]
    assert endpoint["conditions"] == {"ready": False, "serving": False, "terminating": False}
    rig.api.patch(SERVICES, "orders", {"spec": {"publishNotReadyAddresses": True}}, "shop")
    await rig.settle()
    (endpoint,) = slices(rig)[0]["endpoints"]
    assert endpoint["conditions"] == {"ready": True, "serving": False, "terminating": False}
    assert agreement(rig)[0] == agreement(rig)[1] != []


async def test_no_slice_has_more_than_a_hundred_addresses(rig):
    await rig.loop.stop()  # pods as a node would tell of them, without one
    service(rig)
    for number in range(130):
        name = f"orders-{number:03}"
        pod = {
            "metadata": {"name": name, "labels": {"app": "orders"}},
            "spec": {"containers": [{"name": "c", "image": "x"}]},
        }
        made = rig.api.create(PODS, pod, "shop")
        ready = {"type": "Ready", "status": "True"}
        status = {"phase": "Running", "podIP": f"10.0.0.{number}", "conditions": [ready]}
        rig.api.update_status(PODS, {**made, "status": status})
    controller = next(one for one in rig.loop.controllers if one.name == "endpointslice")
    await controller.reconcile(("shop", "orders"))
    assert sorted(len(one["endpoints"]) for one in slices(rig)) == [30, 100]
    await controller.reconcile(("shop", "orders"))
    assert len(slices(rig)) == 2


async def test_addresses_written_by_hand_are_mirrored(rig):
    rig.api.create(SERVICES, {"metadata": {"name": "orders"}, "spec": {"ports": [{"port": 80}]}}, "shop")
    subset = {"addresses": [{"ip": "192.0.2.7"}], "ports": [{"port": 5432}]}
    rig.api.create(ENDPOINTS, {"metadata": {"name": "orders"}, "subsets": [subset]}, "shop")
    await rig.settle()
    (one,) = slices(rig)
    assert one["metadata"]["labels"][MANAGED_BY] == "endpointslicemirroring-controller.k8s.io"
    assert one["endpoints"] == [{"addresses": ["192.0.2.7"], "conditions": {"ready": True}}]
    assert one["ports"][0]["port"] == 5432
