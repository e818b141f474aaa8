"""Proofs of one small application, one after the other and all at once: nothing stays, nothing grows."""
