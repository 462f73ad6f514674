"""Folders of models and checkpoints: what lies in them, read without torch and without running anything."""
