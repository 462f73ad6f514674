"""What is done to a sheet's failure in the archive. No Textual in here; every fault comes back in words."""

from __future__ import annotations

from typing import Any

from triage.errors import TriageError
from triage.tui.decisions import decide
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


def decide_sheet(sheet: Sheet, what: str, *arguments: Any) -> str:
    """Files the failure where that is still to do, and makes a decision about it; gives the fault in words."""
    fault = file_sheet(sheet)
    if fault:
        return fault
    try:
        decide(what, sheet.filed, *arguments)
    except TriageError as trouble:
        return str(trouble)
    return ""
