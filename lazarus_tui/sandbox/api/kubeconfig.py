"""The kubeconfig that leads to a sandbox."""

from __future__ import annotations

import base64

import yaml

NAME = "lazarus-sandbox"
USER = "lazarus-admin"


def kubeconfig(url: str, ca_pem: bytes, token: str, account: str = "") -> str:
    """YAML with one cluster, one user, one context. It holds the token: keep it in a 0600 file.

    User and context of somebody else than the administrator are named after their ``account``.
    """
    context, user = account or NAME, account or USER
    cluster = {"server": url, "certificate-authority-data": base64.b64encode(ca_pem).decode()}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": context,
        "clusters": [{"name": NAME, "cluster": cluster}],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": context, "context": {"cluster": NAME, "user": user, "namespace": "shop"}}],
    }
    text: str = yaml.safe_dump(document, sort_keys=False)
    return text
