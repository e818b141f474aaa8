"""The safety rules of restore tests (requirements §4, S2–S19) as one table of small pure rules."""

from lazarus_tui.prove.rules.judging import item_of, judge
from lazarus_tui.prove.rules.options import Allowed, Options, allowed
from lazarus_tui.prove.rules.patching import holds, resolve
from lazarus_tui.prove.rules.ruling import Line, Ruling

__all__ = ["Allowed", "Line", "Options", "Ruling", "allowed", "holds", "item_of", "judge", "resolve"]
