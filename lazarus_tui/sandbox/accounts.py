"""A kubeconfig for a service account of a running sandbox: what somebody with fewer rights would hold."""

from __future__ import annotations

import base64
import json
import ssl
import urllib.error
import urllib.request
from pathlib import Path

import yaml

from lazarus_tui.sandbox.api.kubeconfig import kubeconfig
from lazarus_tui.sandbox.process import SandboxFailed
from lazarus_tui.sandbox.process import kubeconfig as administrators

TOKEN_SECONDS = 24 * 3600
"""How long the token lets its holder in."""

HOME = "default"
"""The namespace of accounts that are named without one."""

# Seconds; one that answers takes milliseconds, and one that the machine holds up answers all the same.
_TIMEOUT = 30.0


def kubeconfig_as(root: Path, account: str) -> str:
    """YAML whose one context is named after the account, ``NAME`` or ``NAMESPACE/NAME``; it holds a fresh token.

    ``LookupError`` when there is no such account, ``FileNotFoundError`` before the first start, ``SandboxFailed`` when
    the sandbox does not answer.
    """
    namespace, _, name = account.rpartition("/")
    namespace = namespace or HOME
    config = yaml.safe_load(administrators(root))
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    authority = base64.b64decode(cluster["certificate-authority-data"])
    request = urllib.request.Request(
        f"{cluster['server']}/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token",
        data=json.dumps({"spec": {"expirationSeconds": TOKEN_SECONDS}}).encode(),
        headers={"authorization": f"Bearer {user['token']}", "content-type": "application/json"},
    )
    trust = urllib.request.HTTPSHandler(context=ssl.create_default_context(cadata=authority.decode()))
    direct = urllib.request.ProxyHandler({})  # a proxy of the environment is not meant for this machine
    try:
        with urllib.request.build_opener(direct, trust).open(request, timeout=_TIMEOUT) as answer:
            token = json.load(answer)["status"]["token"]
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 404:
                raise LookupError(f"there is no service account {name} in the namespace {namespace}") from None
            raise SandboxFailed(f"the sandbox refuses a token ({error.code})") from None
    except OSError as error:
        raise SandboxFailed(f"the sandbox does not answer: {error}") from None
    return kubeconfig(cluster["server"], authority, token, name)
