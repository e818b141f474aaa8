"""Side-by-side measurements: every script prints ratios against a peer or a floor measured in the same run."""
