"""The archive of incidents: list, search, group, confirm, compare, export.

Where it is: TRIAGE_DATABASE_URL, or one SQLite file in your data folder (TRIAGE_DATA_DIR).
"""

EXAMPLE = """
triage archive list cause:profile-missing since:7d
triage archive show i-4kq2m7x2ab3c
triage archive confirm i-4kq2m7x2ab3c --cause profile-missing
"""
