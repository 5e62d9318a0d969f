"""The experiments of lyu22, *Understanding the Generalization Benefit of Normalization Layers*."""
