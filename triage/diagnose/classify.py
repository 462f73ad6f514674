"""The classifier's word on a failure that no rule names: a cause and why, or nothing.

A model is a skops file: arrays and a few known types, no pickle. Any other type in it is
refused before a byte of it is turned into an object.
"""

from __future__ import annotations

import json
import zipfile
from typing import Any, NamedTuple

from triage.diagnose import features, normal
from triage.diagnose.features import expand, length
from triage.diagnose.normal import incident_text
from triage.errors import InputError
from triage.records import Incident

# all that a model file may hold
TYPES = frozenset(
    {
        "builtins.dict", "builtins.list", "builtins.str", "builtins.int", "builtins.float", "builtins.tuple",
        "builtins.bool", "builtins.NoneType", "builtins.type", "numpy.ndarray", "numpy.float64", "numpy.float32",
        "scipy.sparse._csr.csr_matrix", "scipy.sparse._csr.csr_array", "scipy.sparse._dia.dia_array",
        "scipy.sparse._dia.dia_matrix", "sklearn.feature_extraction.text.HashingVectorizer",
        "sklearn.feature_extraction.text.TfidfTransformer", "sklearn.pipeline.FeatureUnion",
        "sklearn.pipeline.Pipeline",
    }
)  # fmt: skip
LARGEST = 400 << 20  # bytes that a model may unpack to
_TERMS = 3
_QUOTED = 100


class Vote(NamedTuple):
    """The cause that the classifier would name, why in words, and the model's id."""

    cause: str
    why: str
    model: str


class Model:
    """A loaded classifier. Reads ``incident_text``; a vote takes some milliseconds."""

    def __init__(self, state: dict[str, Any]) -> None:
        self.id: str = state["id"]
        self.lead: float = state["lead"]
        self.causes: list[str] = state["causes"]
        self._union = state["union"]
        self._weights = state["weights"]

    def vote(self, failure: Incident | str) -> Vote | None:
        """The cause of an incident or of its stored text; None where the model is not sure."""
        text = failure if isinstance(failure, str) else incident_text(failure)
        plain = expand(text)
        best, lead = self._best(plain)
        if lead < self.lead:
            return None
        return Vote(self.causes[best], self._why(plain, text, best), self.id)

    def closest(self, failure: Incident | str, most: int = 3) -> list[str]:
        """The causes whose words are nearest, best first, however unsure: a place to look, no answer."""
        text = failure if isinstance(failure, str) else incident_text(failure)
        scores = (self._union.transform([expand(text)]) @ self._weights).toarray()[0]
        return [self.causes[place] for place in scores.argsort(kind="stable")[::-1][:most] if scores[place] > 0]

    def lead_of(self, text: str) -> tuple[str, float]:
        """The best cause of a stored text and its lead over the next one, enough to speak or not."""
        best, lead = self._best(expand(text))
        return self.causes[best], lead

    def _best(self, plain: str) -> tuple[int, float]:
        scores = (self._union.transform([plain]) @ self._weights).toarray()[0]
        second, first = scores.argsort(kind="stable")[-2:]
        return int(first), float(scores[first] - scores[second]) * length(plain)

    def _why(self, plain: str, text: str, cause: int) -> str:
        """Names the words that weigh most, and the line that holds the first of them."""
        terms = self._strongest(plain, cause)
        shown = ", ".join(f"“{term}”" for term in terms)
        why = f"No rule knows this message. Its words {shown} are those of known {self.causes[cause]} failures"
        line = _line_with(terms[0], text) if terms else None
        return f"{why}; most of all in the line: {line}" if line else f"{why}."

    def _strongest(self, plain: str, cause: int) -> list[str]:
        from sklearn.utils import murmurhash3_32

        pipeline = dict(self._union.transformer_list)["words"]
        hashed, weighted = pipeline.steps[0][1], pipeline.steps[1][1]
        terms = sorted({term for term in hashed.build_analyzer()(plain) if not term.startswith(("+", "tool="))})
        column = self._weights[: hashed.n_features, [cause]].toarray()[:, 0]
        worth = {}
        for term in terms:
            bucket = abs(murmurhash3_32(term, seed=0)) % hashed.n_features
            if "+" not in term and "tool=" not in term and any(letter.isalpha() for letter in term):
                worth[term] = float(column[bucket] * weighted.idf_[bucket])
        chosen: list[str] = []
        for term in sorted(worth, key=lambda term: (-worth[term], term)):
            if worth[term] > 0 and not any(set(term.split()) & set(other.split()) for other in chosen):
                chosen.append(term)
            if len(chosen) == _TERMS:
                break
        return chosen


def load_model(path: str) -> Model:
    """The model of one ``model.skops``.

    Raises:
        InputError: no such file, a broken one, one with types that a model does not have,
            or one that reads texts another way than this version of triage writes them.
    """
    _refuse_foreign(path)
    from skops.io import load
    from skops.io.exceptions import UntrustedTypesFoundException

    try:
        state = load(path, trusted=["scipy.sparse._csr.csr_matrix"])
    except (UntrustedTypesFoundException, zipfile.BadZipFile, ValueError, KeyError, TypeError, OSError) as fault:
        raise InputError(f"{path}: is no model of triage: {fault}. Train one anew: triage learn") from None
    if not isinstance(state, dict) or not {"id", "lead", "causes", "union", "weights"} <= set(state):
        raise InputError(f"{path}: is no model of triage: parts are missing. Train one anew: triage learn")
    if (state.get("normal"), state.get("features")) != (normal.VERSION, features.VERSION):
        raise InputError(f"{path}: was made for another version of triage. Train it anew: triage learn")
    return Model(state)


def _refuse_foreign(path: str) -> None:
    """Reads only the list of what is in the file, and refuses what a model never holds."""
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
            if size > LARGEST:
                raise InputError(f"{path}: would unpack to {size >> 20} MB; no model of triage is that large")
            schema = json.loads(archive.read("schema.json"))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as fault:
        raise InputError(f"{path}: cannot be read as a model: {fault}. Train one anew: triage learn") from None
    foreign = sorted(_types(schema) - TYPES)
    if foreign:
        raise InputError(f"{path}: holds {', '.join(foreign[:3])}, which no model of triage needs; it is not loaded")


def _types(schema: Any) -> set[str]:
    found: set[str] = set()
    waiting = [schema]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            if "__class__" in node:
                found.add(f"{node.get('__module__')}.{node['__class__']}")
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)
    return found


def _line_with(term: str, text: str) -> str | None:
    """The masked line of a stored text that holds a term."""
    for line in text.split("\n"):
        if f" {term} " in f" {expand(line)} ":
            return line if len(line) <= _QUOTED else line[:_QUOTED] + "…"
    return None
