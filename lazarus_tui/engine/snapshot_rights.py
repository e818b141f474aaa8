"""What taking, restoring and removing snapshot sets needs, asked when a context is connected: hints for the console.

A right in all namespaces settles a question at once. One that is missing there may still be given in a single
namespace, so it is asked again for each; where that would be too many questions nothing is said.
"""

from __future__ import annotations

from collections.abc import Mapping

from lazarus_tui.kube.access import Question
from lazarus_tui.kube.cluster import Cluster
from lazarus_tui.kube.errors import KubeError
from lazarus_tui.model import resources as r
from lazarus_tui.model.objects import Namespace
from lazarus_tui.model.snapshots import CONTENTS, SNAPSHOTS

# More namespaces than this are not asked one by one.
MOST_NAMESPACES = 40
WIDE = (Question("patch", CONTENTS), Question("create", CONTENTS), Question("patch", r.VOLUMES))
NAMED = (
    Question("create", SNAPSHOTS), Question("delete", SNAPSHOTS), Question("patch", r.STATEFULSETS),
    Question("create", r.CLAIMS), Question("delete", r.CLAIMS),
)  # fmt: skip


async def refusals(cluster: Cluster) -> tuple[str, ...]:
    """``patch persistentvolumes``, and ``delete volumesnapshots.snapshot.storage.k8s.io in shop``, for each right that
    the API said is missing; what it would not say is not there."""
    answers = await _ask(cluster, *WIDE, *NAMED)
    missing = [str(question) for question in WIDE if answers.get(question) is False]
    doubtful = [question for question in NAMED if answers.get(question) is False]
    if doubtful and (names := await _namespaces(cluster)):
        each = [Question(one.verb, one.resource, name) for one in doubtful for name in names]
        answers = await _ask(cluster, *each)
        missing += [f"{one} in {one.namespace}" for one in each if answers.get(one) is False]
    return tuple(missing)


async def _ask(cluster: Cluster, *questions: Question) -> Mapping[Question, bool | None]:
    try:
        return await cluster.can_i_all(questions)
    except* KubeError:
        pass  # a hint, no more
    return {}


async def _namespaces(cluster: Cluster) -> list[str]:
    try:
        found = [one.metadata.name for one in await cluster.list(r.NAMESPACES, type=Namespace)]
    except KubeError:
        return []
    return found if len(found) <= MOST_NAMESPACES else []
