"""The archive's database: upgrade, current, backup, check."""

EXAMPLE = """
triage db current
triage db upgrade
triage db backup archive-2026-11-21.db
"""
