"""Ways in, names, policies."""

from __future__ import annotations

from collections.abc import Iterable

from tests.prove.hostile.build import (
    Application,
    service,
    thing,
)


def ways_in() -> Iterable[Application]:
    yield Application(
        "ingress",
        (thing("networking.k8s.io/v1", "Ingress", "shop", spec={"rules": [{"host": "shop.example.com"}]}), service()),
        (("S8", "skip", "ingresses.networking.k8s.io/shop"),),
    )
    yield Application(
        "http-route",
        (thing("gateway.networking.k8s.io/v1", "HTTPRoute", "shop", spec={"hostnames": ["shop.example.com"]}),),
        (("S8", "skip", "httproutes.gateway.networking.k8s.io/shop"),),
    )
    yield Application(
        "virtual-service",
        (thing("networking.istio.io/v1", "VirtualService", "shop", spec={"hosts": ["shop.example.com"]}),),
        (("S8", "skip", "virtualservices.networking.istio.io/shop"),),
    )
    yield Application(
        "load-balancer",
        (service(type="LoadBalancer", loadBalancerIP="203.0.113.9", loadBalancerClass="cloud.example/nlb",
                 externalTrafficPolicy="Local", healthCheckNodePort=31000,
                 ports=[{"port": 80, "nodePort": 30080, "protocol": "TCP"}]),),
        (("S7", "change", "services/web"),),
    )  # fmt: skip
    yield Application(
        "node-port",
        (service(type="NodePort", ports=[{"port": 80, "nodePort": 30081, "protocol": "TCP"}]),),
        (("S7", "change", "services/web"),),
    )
    yield Application("external-ips", (service(externalIPs=["198.51.100.7"]),), (("S7", "change", "services/web"),))
    yield Application(
        "external-name",
        (thing("v1", "Service", "bank", spec={"type": "ExternalName", "externalName": "bank.example.com"}),),
        (("S7", "change", "services/bank"),),
    )
    yield Application(
        "endpoints-of-production",
        (
            thing("v1", "Service", "db", spec={"ports": [{"port": 5432, "protocol": "TCP"}]}),
            thing("v1", "Endpoints", "db", subsets=[{"addresses": [{"ip": "10.0.0.5"}], "ports": [{"port": 5432}]}]),
        ),
        (("S14", "skip", "endpoints/db"),),
    )
    yield Application(
        "open-policy",
        (thing("networking.k8s.io/v1", "NetworkPolicy", "open",
               spec={"podSelector": {}, "policyTypes": ["Egress", "Ingress"], "egress": [{}], "ingress": [{}]}),),
        (("S2", "skip", "networkpolicies.networking.k8s.io/open"),),
    )  # fmt: skip
    yield Application(
        "cilium-policy",
        (thing("cilium.io/v2", "CiliumNetworkPolicy", "open", spec={"egress": [{"toEntities": ["all"]}]}),),
        (("S2", "skip", "ciliumnetworkpolicies.cilium.io/open"),),
    )
    everybody = {"subject": {"namespaces": {}}, "priority": 1}
    yield Application(
        "admin-policy",
        (thing("policy.networking.k8s.io/v1alpha1", "AdminNetworkPolicy", "open", spec={
            **everybody, "egress": [{"action": "Allow", "to": [{"networks": ["0.0.0.0/0"]}]}]}),),
        (("S2", "skip", "adminnetworkpolicies.policy.networking.k8s.io/open"),),
    )  # fmt: skip
    yield Application(
        "global-policy",
        (thing("crd.projectcalico.org/v1", "GlobalNetworkPolicy", "open", spec={"egress": [{"action": "Allow"}]}),),
        (("S2", "skip", "globalnetworkpolicies.crd.projectcalico.org/open"),),
    )
    yield Application(
        "external-dns",
        (service(notes={"external-dns.alpha.kubernetes.io/hostname": "shop.example.com"}),),
        (("S8", "strip", "services/web"),),
    )
    yield Application(
        "dns-endpoint",
        (thing("externaldns.k8s.io/v1alpha1", "DNSEndpoint", "shop", spec={"endpoints": []}),),
        (("S10", "skip", "dnsendpoints.externaldns.k8s.io/shop"),),
    )
    yield Application(
        "certificates",
        (
            thing("cert-manager.io/v1", "Certificate", "shop", spec={"dnsNames": ["shop.example.com"]}),
            thing("acme.cert-manager.io/v1", "Order", "shop-1", spec={"dnsNames": ["shop.example.com"]}),
            thing("v1", "Secret", "shop-tls", type="kubernetes.io/tls",
                  notes={"cert-manager.io/issuer-name": "production"}, data={"tls.crt": "", "tls.key": ""}),
        ),
        (
            ("S8", "skip", "certificates.cert-manager.io/shop"),
            ("S8", "skip", "orders.acme.cert-manager.io/shop-1"),
            ("S8", "strip", "secrets/shop-tls"),
        ),
    )  # fmt: skip
