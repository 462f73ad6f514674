"""rules/**.yaml -> checked rule sources. All faults of a folder are reported together.

A rule needs its proof inside the file: at least one hit and, unless it only marks
success, failure or noise, one near miss; every pattern must be used by some hit.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from triage import discovery
from triage.errors import RuleFault
from triage.folders import package_folder
from triage.rulebook.patterns import SHORTEST_LITERAL, SHORTEST_SIDE_LITERAL, compile_line, literals_of

SAYS = ("cause", "end", "hint", "failure", "success", "noise")
NAMES_CAUSE = ("cause", "end", "hint")
STATUSES = ("experimental", "test", "stable", "deprecated")
STAGES = ("export", "convert", "quantize", "build", "load", "run", "serve", "accuracy")
TOOLS = (
    "tensorrt", "onnxruntime", "triton", "torch-export", "onnx", "polygraphy", "torch-tensorrt", "tensorrt-llm",
    "vllm", "llama-cpp", "peft", "transformers", "optimum", "quantization", "other",
)  # fmt: skip
KEYS = frozenset(
    [
        "cause",
        "status",
        "tool",
        "stage",
        "says",
        "match",
        "any",
        "all",
        "needs",
        "unless",
        "then",
        "within",
        "or",
        "when",
        "why",
        "yields_to",
        "hits",
        "misses",
        "notes",
        "title",
        "references",
    ]
)


_GROUP = re.compile(r"\(\?P<(\w+)>")
_HOLE = re.compile(r"\{(\w+)\}")
_WIDE_CLASS = re.compile(r"\[[^\]]*[^\x00-\x7f][^\]]*\]")


class RuleSource(NamedTuple):
    """One rule file, read and proved by its own samples."""

    id: str
    path: str
    cause: str
    status: str
    tool: str
    stage: str | None
    says: str
    patterns: tuple[str, ...]
    needs: tuple[str, ...]
    together: tuple[str, ...]
    unless: tuple[str, ...]
    then: tuple[str, ...]
    within: int
    also: tuple[str, ...]
    when: tuple[Any, ...]
    why: str
    yields_to: tuple[str, ...]
    hits: tuple[str, ...]
    misses: tuple[str, ...]

    def has_conditions(self) -> bool:
        """Whether more than the pattern decides."""
        return bool(self.needs or self.together or self.unless or self.then or self.when)


def read_rules(folder: str, causes: Collection[str] | None = None) -> list[RuleSource]:
    """All rules below a folder, sorted by id; raises RuleFault with every fault found."""
    faults: list[str] = []
    rules: list[RuleSource] = []
    for path in _files(folder):
        rule = read_rule(path, folder, causes, faults)
        if rule:
            rules.append(rule)
    known: set[str] = set()
    for rule in rules:
        if rule.id in known:
            faults.append(f"{rule.path}: the id {rule.id} is taken by a file with the other ending")
        known.add(rule.id)
    for rule in rules:
        for other in rule.yields_to:
            if other not in known:
                faults.append(f"{rule.path}: yields_to names {other!r}, which is no rule")
    if faults:
        raise RuleFault(faults)
    return rules


def _files(folder: str) -> Iterator[str]:
    for base, subfolders, names in os.walk(folder):
        subfolders.sort()
        for name in sorted(names):
            if name.endswith((".yaml", ".yml")):
                yield os.path.join(base, name)


def read_rule(path: str, folder: str, causes: Collection[str] | None, faults: list[str]) -> RuleSource | None:
    """One rule file; appends to ``faults`` and gives None where it must not load."""
    before = len(faults)
    rule_id = os.path.splitext(os.path.relpath(path, folder))[0].replace(os.sep, "/")
    document = _document(path, faults)
    if document is None:
        return None
    unknown = set(document) - KEYS
    if unknown:
        faults.append(
            f"{path}: unknown key {', '.join(sorted(map(str, unknown)))}; known are {', '.join(sorted(KEYS))}"
        )
    if _wrong_types(document, path, faults):
        return None
    rule = _build(rule_id, path, document)
    _check_words(rule, causes, faults)
    if len(faults) == before:
        _check_patterns(rule, faults)
    if len(faults) == before:
        _check_samples(rule, faults)
    return rule if len(faults) == before else None


_SHAPES: tuple[tuple[str, tuple[type, ...], str], ...] = (
    ("match", (str,), "one pattern"),
    ("any", (list,), "a list of patterns"),
    ("all", (list,), "a list of patterns"),
    ("needs", (list, str), "a list of patterns"),
    ("unless", (list, str), "a list of patterns"),
    ("then", (list, str), "a list of patterns"),
    ("or", (list, str), "a list of causes"),
    ("yields_to", (list, str), "a list of rule ids"),
    ("when", (list,), "a list of conditions"),
    ("within", (int,), "a number of lines"),
    ("hits", (list,), "a list of samples"),
    ("misses", (list,), "a list of samples"),
)


def _wrong_types(document: Mapping[str, Any], path: str, faults: list[str]) -> bool:
    """Reports values of the wrong kind."""
    before = len(faults)
    for key, kinds, wanted in _SHAPES:
        if key in document and not isinstance(document[key], kinds):
            faults.append(f"{path}: {key} must be {wanted}, not {document[key]!r:.60}")
    if "match" in document and "any" in document:
        faults.append(f"{path}: has match and any; put all patterns under any")
    if isinstance(document.get("when"), list):
        known = discovery.stems(package_folder("diagnose", "predicates")) if document["when"] else []
        for condition in document["when"]:
            name = condition if isinstance(condition, str) else next(iter(condition), "") if condition else ""
            if name not in known:
                faults.append(f"{path}: when asks for {name!r}, which is no condition; known are {', '.join(known)}")
    return len(faults) > before


def _document(path: str, faults: list[str]) -> Mapping[str, Any] | None:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        with open(path, encoding="utf-8") as stream:
            document = yaml.load(stream, Loader=loader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as fault:
        faults.append(f"{path}: cannot be read as YAML: {' '.join(str(fault).split())}")
        return None
    if not isinstance(document, dict):
        faults.append(f"{path}: must be a mapping with cause, match, hits and misses")
        return None
    return document


def _build(rule_id: str, path: str, raw: Mapping[str, Any]) -> RuleSource:
    together = _texts(raw.get("all"))
    patterns = _texts(raw.get("any")) or _texts(raw.get("match")) or together[:1]
    within = raw.get("within", 12)
    return RuleSource(
        id=rule_id,
        path=path,
        cause=str(raw.get("cause") or "unknown"),
        status=str(raw.get("status", "stable")),
        tool=str(raw.get("tool", "other")),
        stage=str(raw["stage"]) if raw.get("stage") else None,
        says=str(raw.get("says", "cause")),
        patterns=patterns,
        needs=_texts(raw.get("needs")),
        together=together[1:] if together and together[0] in patterns else together,
        unless=_texts(raw.get("unless")),
        then=_texts(raw.get("then")),
        within=within if isinstance(within, int) else 12,
        also=_texts(raw.get("or")),
        when=tuple(raw.get("when") or ()),
        why=" ".join(str(raw.get("why", "")).split()),
        yields_to=_texts(raw.get("yields_to")),
        hits=_samples(raw.get("hits")),
        misses=_samples(raw.get("misses")),
    )


def _texts(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    return tuple(str(item) for item in value)


def _samples(value: Any) -> tuple[str, ...]:
    items = value if isinstance(value, list) else []
    return tuple(str(item.get("text", "")) if isinstance(item, dict) else str(item) for item in items)


def _check_words(rule: RuleSource, causes: Collection[str] | None, faults: list[str]) -> None:
    for what, value, known in (
        ("says", rule.says, SAYS),
        ("status", rule.status, STATUSES),
        ("tool", rule.tool, TOOLS),
        ("stage", rule.stage, (*STAGES, None)),
    ):
        if value not in known:
            faults.append(f"{rule.path}: {what} {value!r} is not known; use one of {', '.join(filter(None, known))}")
    if rule.says in NAMES_CAUSE and causes is not None:
        for cause in (rule.cause, *rule.also):
            if cause not in causes:
                faults.append(f"{rule.path}: {cause!r} is no cause of the catalogue (kb/causes)")
    if not rule.patterns:
        faults.append(f"{rule.path}: has no pattern; add match:, any: or all:")


def _check_holes(rule: RuleSource, faults: list[str]) -> None:
    """Every ``{name}`` of the sentence must be captured by some pattern."""
    names = set(_GROUP.findall(" ".join(rule.patterns)))
    for hole in _HOLE.findall(rule.why):
        if hole not in names and not rule.when:
            faults.append(f"{rule.path}: why speaks of {{{hole}}}, which no pattern captures")


def _check_patterns(rule: RuleSource, faults: list[str]) -> None:
    _check_holes(rule, faults)
    main = [(pattern, SHORTEST_LITERAL) for pattern in rule.patterns]
    side = [(pattern, SHORTEST_SIDE_LITERAL) for pattern in (*rule.needs, *rule.together, *rule.unless, *rule.then)]
    faults.extend(
        f"{rule.path}: pattern {pattern!r}: a class in [] cannot hold letters beyond ASCII; write them as (?:a|b)"
        for pattern, _ in (*main, *side)
        if _WIDE_CLASS.search(pattern)
    )
    for pattern, shortest in (*main, *side):
        try:
            compile_line(pattern)
            literals_of(pattern, shortest)
        except ValueError as fault:
            faults.append(f"{rule.path}: pattern {pattern!r}: {fault}")


def _check_samples(rule: RuleSource, faults: list[str]) -> None:
    if not rule.hits:
        faults.append(f"{rule.path}: has no hit; add under hits: a line that the tool prints")
    if not rule.misses and rule.says in NAMES_CAUSE:
        faults.append(f"{rule.path}: has no near miss; add under misses: a line that looks alike and must not match")
    programs = [compile_line(pattern) for pattern in rule.patterns]
    for text in rule.hits:
        if not _any_line(programs, text):
            faults.append(f"{rule.path}: hit does not match: {text[:120]!r}")
    for pattern, program in zip(rule.patterns, programs, strict=True):
        if not any(_any_line([program], text) for text in rule.hits):
            faults.append(f"{rule.path}: no hit uses the pattern {pattern!r}; add a line for it or remove it")
    if not rule.has_conditions():
        for text in rule.misses:
            if _any_line(programs, text):
                faults.append(f"{rule.path}: near miss matches: {text[:120]!r}")


def _any_line(programs: Sequence[Any], text: str) -> bool:
    return any(program.search(line) for line in text.encode().split(b"\n") for program in programs)
