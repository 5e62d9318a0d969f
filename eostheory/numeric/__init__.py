"""Real dynamics in float64: losses, derivatives by autograd, steps and flows."""
