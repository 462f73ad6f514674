"""kb/** -> the catalogue of causes and the tables of version facts.

The catalogue is the folder ``kb/causes``: one Markdown article a cause, front
matter plus four headings. ``kb/compat`` holds tables, one YAML file each, with a
source and a date per row.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from triage.errors import KnowledgeFault, UnknownName
from triage.records import Fix

HEADINGS = ("What it means", "How to tell", "How to cure", "When it is something else")
FRONT_KEYS = (
    "title", "covers", "explained-by", "confused-with", "fixes", "references", "evidence-needed", "classifier-only",
    "blame", "blame-unless", "transient", "transient-unless",
)  # fmt: skip
BLAMES = ("infrastructure",)
SAFETIES = ("safe", "unsafe", "manual")


class Article(NamedTuple):
    """One cause of the catalogue. ``explained_by`` are the deeper causes that win over it.

    ``blame`` is infrastructure where the machine, the network or a service is to blame and not the change;
    ``transient`` says that trying again can help with nothing changed. Where the decisive lines have one of the words
    of ``blame_unless``, neither holds; with one of ``transient_unless`` trying again does not help.
    """

    id: str
    group: str
    title: str
    covers: str
    explained_by: tuple[str, ...]
    confused_with: tuple[str, ...]
    fixes: tuple[Fix, ...]
    references: tuple[str, ...]
    evidence_needed: str
    path: str
    blame: str = ""
    transient: bool = False
    blame_unless: tuple[str, ...] = ()
    transient_unless: tuple[str, ...] = ()


class Knowledge:
    """The catalogue and the tables, from their compiled lines."""

    def __init__(self, compiled: bytes) -> None:
        lines = compiled.split(b"\n")
        header = json.loads(lines[0])
        self._articles: dict[str, bytes] = dict(zip(header["causes"], lines[1:], strict=False))
        start = 1 + len(header["causes"])
        self._tables: dict[str, bytes] = dict(zip(header["tables"], lines[start:], strict=False))
        self._deeper: dict[str, frozenset[str]] = {key: frozenset(ids) for key, ids in header["deeper"].items()}
        self._parsed: dict[str, Any] = {}

    def ids(self) -> list[str]:
        """Every cause id, in catalogue order."""
        return list(self._articles)

    def tables(self) -> list[str]:
        """Every table name."""
        return list(self._tables)

    def deeper(self, cause: str) -> frozenset[str]:
        """Causes that, named in the same log, are the reason of this one."""
        return self._deeper.get(cause, frozenset())

    def article(self, cause: str) -> Article:
        """One cause's front matter; raises UnknownName."""
        if cause not in self._articles:
            raise UnknownName("cause", cause, self._articles)
        row = json.loads(self._articles[cause])
        return Article(
            row["id"], row["group"], row["title"], row["covers"], tuple(row["explained-by"]),
            tuple(row["confused-with"]), tuple(Fix(*fix) for fix in row["fixes"]), tuple(row["references"]),
            row["evidence-needed"], row["path"], row["blame"], row["transient"], tuple(row["blame-unless"]),
            tuple(row["transient-unless"]),
        )  # fmt: skip

    def table(self, name: str) -> list[dict[str, Any]]:
        """Rows of one table; raises UnknownName."""
        if name not in self._parsed:
            if name not in self._tables:
                raise UnknownName("table", name, self._tables)
            self._parsed[name] = json.loads(self._tables[name])
        rows: list[dict[str, Any]] = self._parsed[name]
        return rows


def compile_knowledge(folder: str) -> bytes:
    """Reads and checks ``kb/``; raises KnowledgeFault with every fault found."""
    faults: list[str] = []
    articles = list(_articles(os.path.join(folder, "causes"), faults))
    tables = dict(_tables(os.path.join(folder, "compat"), faults))
    known = {article["id"] for article in articles}
    for article in articles:
        for key in ("explained-by", "confused-with"):
            for other in article[key]:
                if other not in known:
                    faults.append(f"{article['path']}: {key} names {other!r}, which is no cause")
    if faults:
        raise KnowledgeFault(faults)
    deeper = {a["id"]: a["explained-by"] for a in articles}
    header = {"causes": [a["id"] for a in articles], "tables": list(tables), "deeper": deeper}
    rows: list[Any] = [header, *articles, *tables.values()]
    return "\n".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows).encode()


def _articles(folder: str, faults: list[str]) -> Iterator[dict[str, Any]]:
    seen: dict[str, str] = {}
    for base, subfolders, names in os.walk(folder):
        subfolders.sort()
        for name in sorted(names):
            if not name.endswith(".md"):
                continue
            path = os.path.join(base, name)
            article = _article(path, os.path.relpath(path, folder), faults)
            if article and article["id"] in seen:
                faults.append(f"{path}: the cause {article['id']} is already described in {seen[article['id']]}")
            elif article:
                seen[article["id"]] = path
                yield article


def _article(path: str, relative: str, faults: list[str]) -> dict[str, Any] | None:
    import yaml

    with open(path, encoding="utf-8") as stream:
        parts = stream.read().split("---\n", 2)
    if len(parts) != 3 or parts[0]:
        faults.append(f"{path}: must start with front matter between two lines of ---")
        return None
    try:
        front = yaml.load(parts[1], Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as fault:
        faults.append(f"{path}: front matter is no YAML: {' '.join(str(fault).split())}")
        return None
    if not isinstance(front, dict) or not front.get("title") or not front.get("covers"):
        faults.append(f"{path}: front matter needs title and covers")
        return None
    for key in front:
        if key not in FRONT_KEYS:
            faults.append(f"{path}: front matter has an unknown key {key!r}; known are {', '.join(FRONT_KEYS)}")
    for key in ("explained-by", "confused-with", "fixes", "references", "blame-unless", "transient-unless"):
        if not isinstance(front.get(key) or [], list):
            faults.append(f"{path}: {key} must be a list, not {front[key]!r:.60}")
            return None
    found = tuple(line[3:].strip() for line in parts[2].split("\n") if line.startswith("## "))
    if found != HEADINGS:
        faults.append(f"{path}: headings must be {' · '.join(HEADINGS)}; found {' · '.join(found) or 'none'}")
        return None
    return _front(front, path, relative, faults)


def _front(front: Mapping[str, Any], path: str, relative: str, faults: list[str]) -> dict[str, Any]:
    fixes = []
    for fix in front.get("fixes") or ():
        if not isinstance(fix, dict) or fix.get("safety") not in SAFETIES or not fix.get("id"):
            faults.append(f"{path}: each fix needs id, title and safety ({', '.join(SAFETIES)})")
            continue
        fixes.append([str(fix["id"]), str(fix.get("title", "")), str(fix["safety"])])
    if front.get("blame", "") not in ("", *BLAMES) or not isinstance(front.get("transient", False), bool):
        faults.append(f"{path}: blame must be {' or '.join(BLAMES)}, transient yes or no")
    group, _, stem = relative.replace(os.sep, "/").rpartition("/")
    return {
        "id": stem.removesuffix(".md"),
        "group": group,
        "title": str(front["title"]),
        "covers": str(front["covers"]),
        "explained-by": [str(x) for x in front.get("explained-by") or ()],
        "confused-with": [str(x) for x in front.get("confused-with") or ()],
        "fixes": fixes,
        "references": [str(x) for x in front.get("references") or ()],
        "evidence-needed": str(front.get("evidence-needed") or ""),
        "path": relative.replace(os.sep, "/"),
        "blame": str(front.get("blame") or ""),
        "transient": bool(front.get("transient")),
        "blame-unless": [str(x).lower() for x in front.get("blame-unless") or ()],
        "transient-unless": [str(x).lower() for x in front.get("transient-unless") or ()],
    }


def _tables(folder: str, faults: list[str]) -> Iterator[tuple[str, list[Any]]]:
    import yaml

    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
        if not name.endswith(".yaml"):
            continue
        path = os.path.join(folder, name)
        try:
            with open(path, encoding="utf-8") as stream:
                document = yaml.load(stream, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        except (yaml.YAMLError, UnicodeDecodeError) as fault:
            faults.append(f"{path}: is no YAML: {' '.join(str(fault).split())}")
            continue
        rows = document.get("rows") if isinstance(document, dict) else None
        if not isinstance(rows, list) or document.get("table") != name[:-5]:
            faults.append(f"{path}: needs table: {name[:-5]} and rows:")
            continue
        for row in rows:
            if not isinstance(row, dict) or not row.get("source") or not row.get("date"):
                faults.append(f"{path}: every row needs a source and a date: {row!r:.80}")
                break
        bare = [{k: str(v) if k == "date" else v for k, v in row.items()} for row in rows if isinstance(row, dict)]
        yield name[:-5], bare


def article_body(folder: str, path: str) -> str:
    """Markdown of one article below its front matter; ``path`` as the article gives it."""
    with open(os.path.join(folder, "causes", *path.split("/")), encoding="utf-8") as stream:
        return stream.read().split("---\n", 2)[2].strip() + "\n"
