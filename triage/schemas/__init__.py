"""JSON Schemas of what triage writes: one module a format, with ``SCHEMA``."""
