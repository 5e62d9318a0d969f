"""Hypothesis strategies for losses, points, directions, step sizes and data sets."""
