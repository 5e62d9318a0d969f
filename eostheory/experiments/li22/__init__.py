"""The experiments of li22, *Analyzing Sharpness along GD Trajectory*."""
