"""The closed namespace a proof restores into: made, shown to be closed, cleaned, and shown to be gone."""
