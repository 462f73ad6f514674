"""What is done to a sheet's failure in the archive. No Textual in here; every fault comes back in words."""

from __future__ import annotations

from triage.errors import TriageError
from triage.tui.sheets import Sheet


def file_sheet(sheet: Sheet) -> str:
    """Files the sheet's failure as an incident; gives the fault in words, empty where there is none."""
    if sheet.filed or sheet.answer is None:
        return ""
    from triage.environment import origin
    from triage.library import load_library
    from triage.service.filing import file, new_build, open_archive, told

    report, log = sheet.answer.report, sheet.answer.log
    try:
        with open_archive() as archive:
            (filed,) = file(archive, [new_build(report, log, load_library().edition, origin())])
            sheet.answer = sheet.answer._replace(report=told(archive, report, filed), remark="")
    except TriageError as fault:
        return f"It was not filed: {fault}"
    sheet.filed = filed.incidents[0] if filed.incidents else ""
    return ""


def confirm_sheet(sheet: Sheet, cause: str, fix: str | None, words: str | None) -> str:
    """Files the failure where that is still to do, and records its true cause; gives the fault in words."""
    from triage.service import curation
    from triage.service.filing import open_archive

    fault = file_sheet(sheet)
    if fault:
        return fault
    try:
        with open_archive() as archive:
            curation.confirm(archive, sheet.filed, cause, fix, words)
    except TriageError as trouble:
        return str(trouble)
    return ""


def note_sheet(sheet: Sheet, words: str) -> str:
    """Files the failure where that is still to do, and adds a remark; gives the fault in words."""
    from triage.service import curation
    from triage.service.filing import open_archive

    fault = file_sheet(sheet)
    if fault:
        return fault
    try:
        with open_archive() as archive:
            curation.add_note(archive, sheet.filed, words)
    except TriageError as trouble:
        return str(trouble)
    return ""


def undo_last() -> tuple[str, str]:
    """Takes back the last decision of whoever asks; gives what was undone, and the fault."""
    from triage.service import curation
    from triage.service.filing import open_archive

    try:
        with open_archive() as archive:
            done = curation.undo(archive, None)
    except TriageError as fault:
        return "", str(fault)
    return f"Undone: {done['kind']} of {done['group']}; it is {done['state']}, cause {done['cause']}.", ""
