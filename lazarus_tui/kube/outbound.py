"""Which proxy leads to an API server: the kubeconfig's, else the environment's as Go programs read it."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit
from urllib.request import getproxies_environment

from lazarus_tui.kube.contexts import Context, is_loopback


def proxy_for(context: Context, environ: Mapping[str, str] | None = None) -> str | None:
    """proxy-url, else the environment's proxy; loopback never goes through the environment's."""
    cluster = context.cluster
    if cluster.proxy_url or is_loopback(cluster.server):
        return cluster.proxy_url or None
    url = urlsplit(cluster.server)
    proxies = getproxies_environment() if environ is None else _proxies(environ)
    host, excluded = url.hostname or "", proxies.get("no", "")
    found = proxies.get(url.scheme)
    return found if found and not _bypassed(host, excluded) else None


def _proxies(environ: Mapping[str, str]) -> dict[str, str]:
    lower = {key.lower(): value for key, value in environ.items() if value}
    return {name: lower[f"{name}_proxy"] for name in ("http", "https", "no") if f"{name}_proxy" in lower}


def _bypassed(host: str, excluded: str) -> bool:
    """NO_PROXY as Go reads it: names with their subdomains, addresses, networks, ``*``."""
    for part in (word.strip().lower() for word in excluded.split(",")):
        name = part.lstrip(".")
        if part == "*" or (name and (host == name or host.endswith(f".{name}"))):
            return True
        try:
            if "/" in part and ipaddress.ip_address(host) in ipaddress.ip_network(part, strict=False):
                return True
        except ValueError:
            continue
    return False
