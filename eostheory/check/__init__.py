"""Property-test a loss against the theory: which theorems apply, and do their predictions hold."""
