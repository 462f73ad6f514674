"""The rules behind an answer: list, show, test, draft, statistics."""

EXAMPLE = """
triage rules list --cause profile-missing
triage rules test
"""
