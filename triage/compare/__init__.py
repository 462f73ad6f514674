"""Reference against deployed outputs: whether a model equals its source, or another model, within tolerance."""
