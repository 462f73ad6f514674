"""Hits to findings, findings to a diagnosis."""
