"""Where the sandbox is known to answer otherwise than a real server: case → reason.

Each entry is asserted to differ still, so it goes when the sandbox is mended; on a real cluster the case must hold.
"""

from __future__ import annotations

from collections.abc import Mapping

KNOWN: Mapping[str, str] = {
    "objects/references-and-finalizers-are-checked": "form of owner references and of finalizers' names is not checked",
    "rules/a-lease-lasts-for-some-time": "numbers in the spec of a lease are not checked",
    "rules/job-template-never-changes": "of a job only the selector is held, not its template and completions",
    "rules/keys-are-checked": "the keys of config maps and secrets are not checked",
    "rules/values-of-a-list-are-checked": "restart policies of pods and types of services are taken as they come",
}
