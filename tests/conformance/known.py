"""Where the sandbox is known to answer otherwise than a real server: case → reason.

Each entry is asserted to differ still, so it goes when the sandbox is mended; on a real cluster the case must hold.
"""

from __future__ import annotations

from collections.abc import Mapping

KNOWN: Mapping[str, str] = {
    "lists/a-list-says-what-it-is": "items of built-in lists carry kind and apiVersion, which a real server leaves out",
    "objects/references-and-finalizers-are-checked": "form of owner references and of finalizers' names is not checked",
    "patches/field-twice-strictly": "a body is decoded by a library that takes the last of two equal fields",
    "patches/scale-is-read-and-written": "a scale to zero says replicas 0, which a real server leaves out",
    "patches/unknown-fields-are-warned-of": "unknown fields are dropped as asked for, but no warning header is sent",
    "rules/a-lease-lasts-for-some-time": "numbers in the spec of a lease are not checked",
    "rules/job-template-never-changes": "of a job only the selector is held, not its template and completions",
    "rules/keys-are-checked": "the keys of config maps and secrets are not checked",
    "rules/values-of-a-list-are-checked": "restart policies of pods and types of services are taken as they come",
}
