"""Posture: per workload, what would be lost now, what is proven, and what is wrong with its protection."""

from lazarus_tui.posture.overview import workload_rows
from lazarus_tui.posture.proofs import Proof, proofs_of
from lazarus_tui.posture.unread import worth_reading

__all__ = ["Proof", "proofs_of", "workload_rows", "worth_reading"]
