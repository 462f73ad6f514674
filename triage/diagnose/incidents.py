"""Ranked findings -> incidents with facts, evidence, signature: the diagnosis."""

from __future__ import annotations

from collections.abc import Sequence

from triage.diagnose.match import Finding, Matched, model_of
from triage.diagnose.rank import Ranked
from triage.ingest.facts import Facts
from triage.ingest.loud import loud_lines
from triage.ingest.scan import RawHit
from triage.ingest.text import shown
from triage.ingest.wrappers import peel
from triage.library import Library
from triage.records import Cause, Diagnosis, Evidence, Incident, RuledOut
from triage.signature import sign

EVIDENCE_LINES = 6
KEY_LINE = 40
ENVIRONMENT = ("tensorrt", "onnxruntime", "triton", "torch", "onnx", "transformers", "vllm", "numpy", "python",
               "cuda", "cudnn", "driver", "gpu", "cc", "container", "protobuf")  # fmt: skip
_SUBJECTS = ("op", "node", "tensor", "input", "output", "layer", "plugin", "shape", "expected", "got", "profile",
             "library", "module", "package", "symbol", "provider", "device", "backend", "dtype", "flag",
             "option")  # fmt: skip
_STAGE_OF_GROUP = {"export": "export", "model": "load", "build": "build", "load": "load", "run": "run",
                   "accuracy": "accuracy", "environment": "load", "none": None}  # fmt: skip


def build_diagnosis(
    matched: Matched,
    ranked: Ranked,
    library: Library,
    lines: int,
    size: int,
    encoding: str,
    tail: tuple[bytes, int] | None = None,
) -> Diagnosis:
    """The record that reports draw. ``tail`` is the log's end and its first line's number, for an unknown failure."""
    facts = matched.facts
    environment = {name: facts.first(name) for name in ENVIRONMENT if facts.first(name)}
    if encoding != "utf-8":
        environment["encoding"] = encoding
    if not ranked.failed:
        return Diagnosis("no-failure", False, None, (), environment, None, lines, size)
    incidents = _incidents(matched, ranked, library, tail)
    verdict = incidents[0].causes[0].verdict if incidents[0].causes else "unknown"
    return Diagnosis(verdict, True, 0, tuple(incidents), environment, None, lines, size)


def _incidents(matched: Matched, ranked: Ranked, library: Library, tail: tuple[bytes, int] | None) -> list[Incident]:
    if not ranked.roots:
        return [_unknown(matched, library, tail)]
    facts = matched.facts
    groups = _group(ranked.roots, facts)
    runs = facts.marks.get("run", ())
    first = groups[0]
    incidents = [_incident(first, matched, ranked, library, None)]
    for group in groups[1:]:
        independent = any(first[0].line < run <= group[0].line for run in runs) or _other_model(first, group, facts)
        incidents.append(_incident(group, matched, ranked, library, None if independent else 0))
    seen = {group[0].rule.cause for group in groups}
    for finding, _ in ranked.consequences:
        if finding.rule.cause not in seen:
            seen.add(finding.rule.cause)
            incidents.append(_incident([finding], matched, ranked, library, 0))
    return incidents


def _group(roots: Sequence[Finding], facts: Facts) -> list[list[Finding]]:
    """Findings of one cause belong together; order of rank is kept, but a stated cause leads its group."""
    groups: list[list[Finding]] = []
    for finding in roots:
        home = next((group for group in groups if _same_failure(group, finding, facts)), None)
        if home is None:
            groups.append([finding])
        else:
            home.append(finding)
    return [sorted(group, key=lambda finding: finding.says != "cause") for group in groups]


def _same_failure(group: Sequence[Finding], finding: Finding, facts: Facts) -> bool:
    """The same cause of the same model; a line that names no model belongs to the first."""
    if group[0].rule.cause != finding.rule.cause:
        return False
    model = model_of(finding.captures, finding.line, facts)
    named = {model_of(other.captures, other.line, facts) for other in group} - {None}
    return model is None or not named or model in named


def _other_model(first: Sequence[Finding], group: Sequence[Finding], facts: Facts) -> bool:
    """Both name their model, and not the same one."""
    ours, theirs = (model_of(f.captures, f.line, facts) for f in (first[0], group[0]))
    return bool(ours and theirs and ours != theirs and ours not in theirs and theirs not in ours)


def _incident(
    group: Sequence[Finding], matched: Matched, ranked: Ranked, library: Library, consequence_of: int | None
) -> Incident:
    lead = group[0]
    rule, facts = lead.rule, matched.facts
    tool = _tool(lead, matched)
    evidence = _evidence(group)
    causes = _causes(lead, evidence, library)
    captures = lead.captures
    stage = rule.stage or _STAGE_OF_GROUP.get(library.knowledge.article(rule.cause).group)
    engine = facts.near(_version_fact(tool), lead.line)
    model = captures.get("model") or facts.near("model", lead.line)
    kept = {name: captures[name] for name in _SUBJECTS if captures.get(name)}
    last = max(line.line for line in evidence)
    follow = sorted({f.line for f, reason in ranked.consequences if reason in group} - {e.line for e in evidence})
    return Incident(
        tool=tool,
        tool_version=engine,
        stage=stage,
        component=_component(lead),
        model=model,
        precision=facts.near("precision", lead.line),
        engine_version=facts.near("tensorrt", lead.line) or engine,
        facts={**{name: facts.near(name, lead.line) for name in facts.names()}, **kept},
        signature=sign(tool, stage, shown(matched.levels.message(lead.hits[0].text))),
        span=(evidence[0].line, last),
        consequence_of=consequence_of,
        causes=causes if consequence_of is None else causes[:1],
        ruled_out=_ruled_out(lead, matched, ranked, library) if consequence_of is None else (),
        consequences=tuple(follow),
        needed=None if causes[0].verdict == "named" else library.knowledge.article(rule.cause).evidence_needed,
    )


def _tool(lead: Finding, matched: Matched) -> str:
    if lead.rule.tool != "other":
        return lead.rule.tool
    return matched.levels.tool(lead.hits[0].text) or "other"


def _version_fact(tool: str) -> str:
    """Name of the fact that holds a tool's version; the exporters are part of torch."""
    return "torch" if tool == "torch-export" else tool.replace("-", "_")


def _component(lead: Finding) -> str | None:
    topic = lead.rule.id.rpartition("/")[2]
    return lead.captures.get("component") or topic.partition("-")[0]


def _causes(lead: Finding, evidence: tuple[Evidence, ...], library: Library) -> tuple[Cause, ...]:
    rule = lead.rule
    sure = lead.says == "cause" and not rule.also
    ids = [rule.cause, *rule.also]
    return tuple(
        Cause(
            id=cause,
            verdict="named" if sure else "likely",
            by=f"rule:{rule.id}",
            evidence=evidence,
            captures={name: value for name, value in lead.captures.items() if name != "fact"},
            why=_why(lead) or library.knowledge.article(cause).covers,
            fixes=library.knowledge.article(cause).fixes,
        )
        for cause in ids
    )


def _why(lead: Finding) -> str:
    """The rule's sentence, and the fact that a table added to it."""
    from triage.diagnose.words import fill

    return f"{fill(lead.rule.why, lead.captures)} {lead.captures.get('fact', '')}".strip()


def _evidence(group: Sequence[Finding]) -> tuple[Evidence, ...]:
    chosen: dict[int, Evidence] = {}
    for finding in group:
        for hit in finding.hits[:3]:
            if hit.line not in chosen and len(chosen) < EVIDENCE_LINES:
                chosen[hit.line] = evidence_of(hit, with_neighbours=not chosen)
    lead = group[0].hits[0].line
    return (chosen.pop(lead), *(chosen[line] for line in sorted(chosen)))


def evidence_of(hit: RawHit, *, with_neighbours: bool = True) -> Evidence:
    """A hit as it is shown: clean text, the matched part marked, its neighbours."""
    text = shown(hit.text)
    start = len(shown(hit.text[: hit.start]))
    end = len(shown(hit.text[: hit.end]))
    before = _neighbours(hit.before) if with_neighbours and hit.before else ()
    after = _neighbours(hit.after.rstrip()) if with_neighbours and hit.after.strip() else ()
    frames = tuple(shown(line, 400) for line in hit.frames.split(b"\n")) if hit.frames else ()
    return Evidence(hit.line, text, min(start, len(text)), min(end, len(text)), before, after, frames)


def _neighbours(lines: bytes) -> tuple[str, ...]:
    return tuple(_neighbour(shown(peel(line), 400)) for line in lines.split(b"\n"))


def _neighbour(text: str) -> str:
    """A context line; one that is, or behind a prefix ends with, the body of a key is masked."""
    before, _, last = text.rpartition(" ")
    if len(last) >= KEY_LINE and last.rstrip("=").replace("+", "a").replace("/", "a").isalnum():
        dense = any(c.isdigit() for c in last) and last.lower() != last != last.upper()  # a digest or a path is neither
        if not before or dense:
            return f"{before} [key material masked]".lstrip()
    return text


def _ruled_out(lead: Finding, matched: Matched, ranked: Ranked, library: Library) -> tuple[RuledOut, ...]:
    out: dict[str, str] = {}
    for finding, reason in ranked.consequences:
        out.setdefault(
            finding.rule.cause, f"line {finding.line} follows from {reason.rule.cause} on line {reason.line}"
        )
    for finding in ranked.roots:
        if finding.rule.cause != lead.rule.cause:
            out.setdefault(finding.rule.cause, f"line {finding.line} comes after the first failure on line {lead.line}")
    for finding in ranked.silent:
        out.setdefault(finding.rule.cause, f"line {finding.line} also stands in logs of successful runs")
    for rule, why in matched.blocked:
        if rule.cause != "unknown":
            out.setdefault(rule.cause, why)
    out.pop(lead.rule.cause, None)
    for cause in lead.rule.also:
        out.pop(cause, None)
    return tuple(RuledOut(cause, why) for cause, why in list(out.items())[:12])


def _unknown(matched: Matched, library: Library, tail: tuple[bytes, int] | None) -> Incident:
    ends = [f.hits[0] for f in matched.findings if f.says != "hint"]
    ends = list({hit.line: hit for hit in sorted([*matched.marks.failure, *ends], key=lambda hit: -hit.line)}.values())
    ends.sort(key=lambda hit: (hit.text.lstrip().startswith(b"Traceback "), hit.line))
    told = frozenset(hit.line for finding in matched.findings if finding.says == "end" for hit in finding.hits)
    loud = loud_lines(*tail, matched.levels, told) if tail else []
    hits = [*loud, *(hit for hit in ends if hit.line not in {other.line for other in loud})]
    evidence = tuple(evidence_of(hit) for hit in ([*hits[: len(loud) or 1], *hits[-3:]] if len(hits) > 6 else hits))
    tool = next((t for t in (matched.levels.tool(hit.text) for hit in hits) if t), "other")
    facts = matched.facts
    why = "The log shows a failure, but no line of it supports a cause of the catalogue."
    needed = library.knowledge.article("unknown").evidence_needed or "the log from its start, at verbose level"
    return Incident(
        tool=tool,
        tool_version=facts.first(_version_fact(tool)),
        stage=None,
        component=None,
        model=facts.first("model"),
        precision=facts.first("precision"),
        engine_version=facts.first("tensorrt"),
        facts={name: facts.first(name) for name in facts.names()},
        signature=sign(tool, None, shown(matched.levels.message(hits[0].text))),
        span=(min(line.line for line in evidence), max(line.line for line in evidence)),
        consequence_of=None,
        causes=(Cause("unknown", "unknown", "none", evidence, {}, why),),
        ruled_out=tuple(RuledOut(rule.cause, why) for rule, why in matched.blocked[:8] if rule.cause != "unknown"),
        needed=needed,
    )
