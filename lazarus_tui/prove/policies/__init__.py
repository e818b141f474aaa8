"""Files that say what is proven: Lazarus's ProofPolicy, and LazarusRestoreTest, read strictly."""

from lazarus_tui.prove.policies.reading import read, read_object, repaired
from lazarus_tui.prove.policies.shipped import shipped
from lazarus_tui.prove.policies.testing import ProofWish
from lazarus_tui.prove.policies.wording import words

__all__ = ["ProofWish", "read", "read_object", "repaired", "shipped", "words"]
