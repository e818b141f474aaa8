"""CSI snapshots as external-snapshotter and external-provisioner do them, over directories that are really copied."""
