"""JUnit XML, as GitLab, Jenkins and GitHub reporters read it: one suite a log, one case a failure.

GitLab shows ``classname``, ``name`` and the text of ``failure``; Jenkins shows its ``message`` too. Of cases with the
same name only the first is read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from triage.records import Report
from triage.remedy import Remediation
from triage.reports._failures import Failure, about, clean, failures, harmless
from triage.reports._places import place_of
from triage.reports._words import explained, headline

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

MEDIA_TYPE = "application/xml"
FILE = "junit.xml"
WHOLE = True
_NO_XML = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(reports: Sequence[Report], colour: bool = False, width: int = 100) -> str:
    """One document; a log without a failure is a case that passed."""
    from xml.etree.ElementTree import Element

    root = Element("testsuites", name="triage")
    for report in reports:
        _suite(root, report)
    return _document(root)


def repair(done: Remediation, report: Report | None, colour: bool = False, width: int = 100) -> str:
    """A repair as a case: it passed where the cure was found."""
    from xml.etree.ElementTree import Element, SubElement

    root = Element("testsuites", name="triage")
    suite = SubElement(root, "testsuite", name="triage fix")
    case = SubElement(suite, "testcase", classname="triage.fix", name=_legal(done.cause or "build"), time="0")
    if done.status != "cured":
        _failed(case, _legal(done.why), done.status, done.why)
    else:
        SubElement(case, "system-out").text = _legal(done.why)
    return _document(root)


def settled(text: str) -> int:
    """Nothing stands before all reports are in."""
    return 0


def _suite(root: Element, report: Report) -> None:
    from xml.etree.ElementTree import SubElement

    source = _legal(report.source)
    suite = SubElement(root, "testsuite", name=source)
    found = failures([report])
    names: dict[str, int] = {}
    for one in found:
        name = _legal(headline(one))
        names[name] = names.get(name, 0) + 1
        place = place_of(one.cause)
        case = SubElement(
            suite, "testcase", classname=_legal(about(one.incident)),
            name=name if names[name] == 1 else f"{name} ({names[name]})", time="0",
        )  # fmt: skip
        if place:
            case.set("file", _legal(place.path))
            case.set("line", str(place.line))
        _failed(case, _legal(f"{headline(one)} {one.cause.why}"), one.cause.id, _text(one))
    if not found:
        SubElement(suite, "testcase", classname="triage", name=f"no failure in {source}", time="0")


def _text(failure: Failure) -> str:
    return "\n".join(explained(failure))


def _failed(case: Element, message: str, kind: str, text: str) -> None:
    from xml.etree.ElementTree import SubElement

    failure = SubElement(case, "failure", message=message, type=_legal(kind))
    failure.text = harmless(_NO_XML.sub("", text))


def _legal(text: str) -> str:
    return _NO_XML.sub("", clean(text, 600))


def _document(root: Element) -> str:
    """Counts, indents and writes."""
    from xml.etree.ElementTree import indent, tostring

    for suite in (*root, root):
        suite.set("tests", str(len(suite.findall(".//testcase"))))
        suite.set("failures", str(len(suite.findall(".//failure"))))
        suite.set("errors", "0")
        suite.set("skipped", "0")
        suite.set("time", "0")
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"
