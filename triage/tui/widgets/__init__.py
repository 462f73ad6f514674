"""Widgets of the desk, one module each."""
