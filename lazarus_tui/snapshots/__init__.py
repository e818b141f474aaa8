"""CSI snapshot sets and the restore of StatefulSets (design.md §3)."""
