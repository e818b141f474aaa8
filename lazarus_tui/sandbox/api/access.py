"""Who is asking and what they may do: the token's holder is an administrator, so reviews allow everything."""

from __future__ import annotations

from typing import Any

from lazarus_tui.sandbox.api.kinds import Kind

# The identity behind the kubeconfig's token.
USER = {"username": "lazarus-admin", "groups": ["system:masters", "system:authenticated"]}


def review(kind: Kind, obj: dict[str, Any], api_version: str) -> dict[str, Any]:
    """The answered review; it is not stored."""
    answered = {
        "kind": kind.kind,
        "apiVersion": api_version,
        "metadata": obj.get("metadata") or {},
        "spec": obj.get("spec") or {},
    }
    if kind.kind == "SelfSubjectReview":
        return answered | {"status": {"userInfo": USER}}
    if kind.kind == "SelfSubjectRulesReview":
        status = {
            "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
            "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
            "incomplete": False,
        }
        return answered | {"status": status}
    return answered | {"status": {"allowed": True, "reason": "the sandbox's administrator"}}
