"""Commands that the engine names, as they are typed here: the sandbox has an engine and a journal of its own."""

from __future__ import annotations

import re

_VERBS = (
    "undo", "resume", "park", "watch", "release", "operation", "snapshot", "restore", "doctor", "engine", "backup",
    "evidence", "policy", "prove", "schedule",
)  # fmt: skip
# A command of Lazarus in a sentence, not the word: a verb follows it. "lazarus --sandbox" is left as it is.
_COMMAND = re.compile(rf"\blazarus (?=(?:{'|'.join(_VERBS)}) )")


def typed(text: str, *, sandbox: bool) -> str:
    """``text`` with its commands as a person types them for the sandbox, or unchanged."""
    return _COMMAND.sub("lazarus --sandbox ", text) if sandbox else text
