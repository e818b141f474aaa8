"""A Velero look-alike: the same kinds, phases, bucket layout and limits, moving real objects and real bytes."""
