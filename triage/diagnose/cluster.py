"""Incidents that nobody could name -> clusters of near messages, the most promising for a rule first.

Greedy leaders: templates come in order of how often they were seen; each joins the most
similar cluster whose first template shares its rarest words, or founds its own. So the
work grows with the number of templates, not with its square.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from rapidfuzz import fuzz, process
from rapidfuzz.distance import LCSseq

NEAR = 78.0
SHARED_WORDS = 0.7
RAREST = 5
CANDIDATES = 64
LABELLED = 12
_WORD = re.compile(r"<\w+>|[^\W\d_]{2,}")
# what a logger puts in front: time, place, level, component in brackets
_PREFIX = re.compile(
    r"(?:\S*<(?:time|source|number|address)>[\])]?:?\s+|\[[^\]\s]{1,12}\]:?\s+|[EWIF]\d{4}\s+)+(?=\S+\s+\S)"
)
_MASK = re.compile(r"<\w+>")


class Unknown(NamedTuple):
    """One archived message without a cause.

    ``template`` is the masked message, ``text`` one message as it was printed, ``incidents`` how
    many incidents have this template, ``sources`` where they came from (models, repositories).
    """

    key: str
    tool: str
    template: str
    text: str
    incidents: int = 1
    last_seen: str = ""
    sources: tuple[str, ...] = ()


class Cluster(NamedTuple):
    """Messages that read alike.

    ``label`` is what all share, with ``…`` where they differ; ``incidents`` of ``total`` belong here;
    ``spread`` counts distinct sources, or distinct templates where no source is known;
    ``promise`` is incidents times spread: what one rule would be worth.
    """

    label: str
    tool: str
    members: tuple[Unknown, ...]
    incidents: int
    total: int
    spread: int
    last_seen: str

    @property
    def promise(self) -> int:
        """What one rule for it would be worth."""
        return self.incidents * self.spread

    @property
    def size(self) -> int:
        """How many distinct templates it holds."""
        return len(self.members)


def clusters(items: Sequence[Unknown]) -> tuple[Cluster, ...]:
    """All items in clusters, the most promising first; the order of the items does not matter."""
    total = sum(item.incidents for item in items)
    ordered = sorted(items, key=lambda item: (item.tool, -item.incidents, item.template, item.key))
    groups = [group for tool in _by_tool(ordered) for group in _grouped(tool)]
    found = [_cluster(group, total) for group in groups]
    return tuple(sorted(found, key=lambda c: (-c.promise, -c.incidents, c.tool, c.label, c.members[0].key)))


def _by_tool(items: Sequence[Unknown]) -> list[list[Unknown]]:
    tools: dict[str, list[Unknown]] = defaultdict(list)
    for item in items:
        tools[item.tool].append(item)
    return list(tools.values())


def _grouped(items: Sequence[Unknown]) -> list[list[Unknown]]:
    """Groups of one tool, by their leaders."""
    texts = [" ".join(_without_prefix(item.template).lower().split()) for item in items]
    words = [sorted(set(_WORD.findall(text))) for text in texts]
    frequency = Counter(word for row in words for word in row)
    groups: list[list[Unknown]] = []
    leaders: list[tuple[str, frozenset[str]]] = []
    exact: dict[str, int] = {}
    holding: dict[str, list[int]] = defaultdict(list)
    for item, text, row in zip(items, texts, words, strict=True):
        place = exact.get(text)
        if place is None:
            rare = sorted((w for w in row if not _MASK.fullmatch(w)), key=lambda w: (frequency[w], w))
            place = _leader(text, rare, holding, leaders)
            if place is None:
                place = len(groups)
                groups.append([])
                leaders.append((text, frozenset(rare)))
                for word in rare:
                    holding[word].append(place)
            exact[text] = place
        groups[place].append(item)
    return groups


def _without_prefix(template: str) -> str:
    """The message without what its logger put in front; the whole where nothing else is left."""
    found = _PREFIX.match(template)
    return template[found.end() :] if found else template


def _leader(
    text: str, rare: Sequence[str], holding: dict[str, list[int]], leaders: Sequence[tuple[str, frozenset[str]]]
) -> int | None:
    """The most similar leader among those that share words, rare words first; None: none is near."""
    shared: Counter[int] = Counter()
    taken = 0
    for word in rare:
        places = holding.get(word)
        if places and len(shared) < CANDIDATES:
            shared.update(places[:CANDIDATES])
            taken += 1
        if taken >= RAREST:
            break
    candidates = sorted(shared, key=lambda place: (-shared[place], place))[:CANDIDATES]
    own = frozenset(rare)
    options = {
        place: leaders[place][0]
        for place in candidates
        if 2 * len(own & leaders[place][1]) >= SHARED_WORDS * (len(own) + len(leaders[place][1]))
    }
    best = process.extractOne(text, options, scorer=fuzz.ratio, score_cutoff=NEAR) if options else None
    return None if best is None else int(best[2])


def _cluster(members: Sequence[Unknown], total: int) -> Cluster:
    sources = {source for member in members for source in member.sources}
    return Cluster(
        label=label_of([member.template for member in members]),
        tool=members[0].tool,
        members=tuple(members),
        incidents=sum(member.incidents for member in members),
        total=total,
        spread=len(sources) or len({member.template for member in members}),
        last_seen=max(member.last_seen for member in members),
    )


def label_of(templates: Sequence[str]) -> str:
    """The words that all templates share, in order; ``…`` stands where they differ."""
    common: list[str] = templates[0].split()
    for template in list(dict.fromkeys(templates))[1:LABELLED]:
        words = template.split()
        shared: list[str] = []
        a = b = 0
        for block in LCSseq.opcodes(common, words):
            if block.tag != "equal":
                continue
            if (block.src_start > a or block.dest_start > b) and shared[-1:] != ["…"]:
                shared.append("…")
            a, b = block.src_end, block.dest_end
            shared += [word for word in common[block.src_start : a] if word != "…" or shared[-1:] != ["…"]]
        if (a < len(common) or b < len(words)) and shared[-1:] != ["…"]:
            shared.append("…")
        common = shared
    return " ".join(common)
