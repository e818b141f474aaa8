"""What a fresh sandbox holds: kinds, manifests and history."""
