"""Snapshot sets are taken: all claims of all replicas under one id, together or as close together as can be."""
