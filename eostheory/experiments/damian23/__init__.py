"""The experiments of damian23, *Self-Stabilization*."""
