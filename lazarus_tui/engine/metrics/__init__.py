"""What the engine tells Prometheus, made from its records each time it is asked; see docs/metrics.md."""
