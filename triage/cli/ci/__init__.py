"""Tell a change why its build failed: as a comment, a check, annotations, a job summary, files.

A failing host never fails the build: what cannot be said in one place is said in the next.
"""

EXAMPLE = """
triage ci wrap --comment -- make engine
triage ci report build.log --out triage-report
triage ci comment --report triage-report
triage ci comment --run 123456789 --dry-run
"""
