"""A LazarusRestoreTest as a file: what it asks of ``lazarus prove run``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lazarus_tui.cli.policy_file import understood
from lazarus_tui.cli.session import Refused, Session, say
from lazarus_tui.link.protocol import Fault
from lazarus_tui.model.proof_policies import ProofPolicy

if TYPE_CHECKING:
    from lazarus_tui.prove.policies import ProofWish


def meaning(text: bytes) -> ProofPolicy | ProofWish:
    """What a file means; raises ``Refused``."""
    from lazarus_tui.prove.policies import read

    return understood(read, text)


def wanted(session: Session, text: bytes) -> dict[str, Any]:
    """The planner's parameters; mistakes of the file are told before anything is connected. Raises ``Refused``."""
    from lazarus_tui.view.sanitise import LINE_LIMIT, clean

    if isinstance(meaning(text), ProofPolicy):
        raise Refused(Fault("usage", "a ProofPolicy is stored, not run", "-f", "lazarus policy apply -f FILE"))
    request = {"context": session.context(), "text": text.decode(errors="replace")}
    found = session.call("proof.test", request, dict[str, Any])
    for note in found["notes"]:
        say(clean(f"note: {note}", LINE_LIMIT))
    return dict(found["params"])
