"""Triton model repositories: config.pbtxt, folders, and what the models in them have."""
