"""What the sandbox's objects stand for: pods are local processes, volumes are directories."""
