"""A message -> its parts: words that the tool prints, and holes of a kind.

The kinds are those of the masks; what no mask takes but looks like a name
(``ArgMax``, ``token_embd.weight``) is an *identifier*: it may be the tool's or the
user's, which only several messages side by side can tell.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from triage.linear import Program
from triage.masks import NOISE

LITERAL = frozenset({"word", "mark"})
NAME_KINDS = frozenset({"name", "identifier", "scoped", "numbered", "item", "path", "file", "dtype"})
_WORDS_OF_TYPES = """
    float double half int bool string long short char uint byte float16 float32 float64 bfloat16 fp16 fp32 fp64 fp8
    bf16 tf32 int4 int8 int16 int32 int64 uint8 uint16 uint32 uint64 complex64 complex128 nvfp4 fp4 kfloat khalf kint8
    kint32 kint64 kbool float8 qint8 quint8 w8a8 w4a16
"""
DTYPES = frozenset(_WORDS_OF_TYPES.split())
# nouns after which a name may follow; the second column is the term that reports use
NOUNS = {
    "op": "op", "operator": "op", "operation": "op", "op_type": "op", "optype": "op", "node": "node", "layer": "layer",
    "tensor": "tensor", "weight": "tensor", "initializer": "tensor", "parameter": "tensor", "input": "input",
    "inputs": "input", "output": "output", "outputs": "output", "module": "module", "symbol": "symbol",
    "attribute": "attribute", "key": "key", "option": "option", "flag": "flag", "argument": "argument",
    "package": "package", "distribution": "package", "library": "library", "model": "model", "models": "model",
    "architecture": "model", "architectures": "model", "provider": "provider", "providers": "provider",
    "backend": "backend", "plugin": "plugin", "shape": "shape", "dims": "shape", "dimensions": "shape",
    "dtype": "dtype", "datatype": "dtype", "precision": "dtype", "type": "dtype", "data-type": "dtype",
    "file": "path", "directory": "path", "folder": "path", "path": "path", "device": "device", "binding": "tensor",
    "domain": "domain", "function": "function", "method": "function",
}  # fmt: skip
_WORDS_OF_BRANDS = """
    TensorRT PyTorch LoRA LoRAs cuDNN cuBLAS cuBLASLt OpenVINO DirectML CoreML ONNXRuntime NumPy TorchScript
    TensorFlow vLLM SGLang OpenCV DeepSpeed OpenCL OpenMP QLoRA HuggingFace GitHub ProtoBuf BitsAndBytes NaN
    FlashAttention PaddlePaddle CUDAGraph TensorRT-LLM
"""
_OWNED = frozenset({"node", "operator", "op", "layer", "plugin", "operation"})
_OWNING = frozenset({"tensor", "node", "operator", "op", "layer", "initializer", "plugin", "attribute", "symbol"})
_WORDS_AFTER_NOUNS = """
    has have is are was were be been with without in into of for not cannot can could must may might will would should
    does do did type types name names named called shape shapes shaped data dtype index number count size failed fails
    from to at and or on by which that requires required require needs dimensions dimension dim rank value values
    version list info information library libraries creator registry method file files must missing found does input
    output inputs outputs tensor tensors node nodes layer layers format formats attribute attributes already only
    set sets mismatch error errors fusion memory the a an as but than while when where after before because if has
    ranges range expects expected got given there here it its this these those no none both all any each every
    allocation implementation definition domain parameter parameters operand operands kernel kernels element elements
    descriptor descriptors table lookup parallel parallelism core cores norm names' versions exists exist
"""
_AFTER_NOUNS = frozenset(_WORDS_AFTER_NOUNS.split())
_BRANDS = frozenset(_WORDS_OF_BRANDS.split())
_AFTER_QUOTES = [name for name, _ in NOISE].index("scoped")
_ROWS: tuple[tuple[str, str], ...] = (
    ("secret", r"\[[a-z ]{3,40} masked\]@?"),
    *NOISE[:_AFTER_QUOTES],
    ("name", r"`[^`\n]+`"),
    *NOISE[_AFTER_QUOTES:],
)
_ESCAPED_QUOTE = re.compile(r"\\{1,2}[\"'`]")
_CURLED = str.maketrans({0x2018: "'", 0x2019: "'", 0x201C: '"', 0x201D: '"'})
_APOSTROPHE = re.compile(r"(?<=[A-Za-z])'(?=(?:s|t|d|m|re|ve|ll)\b)")
_PIECE = re.compile(r"--?[A-Za-z][\w-]*|[^\W\d_][\w$]*(?:(?:\.|::|-)[\w$]+)*|[\w$]+|[^\w\s]")
_PLAIN = re.compile(r"[^\W\d_][^\W\dA-Z_]*(?:-[^\W\d_]{2,})*")
CAPITALS = re.compile(r"[A-Z]{2,}(?:_[A-Z]+)*")
RAISED = re.compile(r"(?:\w+\.)*[A-Z]\w*(?:Error|Exception|Warning|Failure|Interrupt)")
_HIDDEN = "\x1a"
_OPENING = {"[": "]", "{": "}", "(": ")"}


class Part(NamedTuple):
    """A literal (kind word or mark) or a hole; ``values`` is what stood there, ``blanks`` how many stood before it."""

    kind: str
    values: tuple[str, ...]
    blanks: frozenset[int]

    @property
    def literal(self) -> bool:
        """Whether the tool always prints it."""
        return self.kind in LITERAL

    @property
    def text(self) -> str:
        """What stood there in the first message."""
        return self.values[0]


def parts_of(text: str, vocabulary: Collection[str] = ()) -> list[Part]:
    """The parts of one line.

    A plain word after a noun that takes a name ("input images") is taken for a name where
    ``vocabulary`` (lower-case words that tools print) is given and does not hold it.
    """
    line = _APOSTROPHE.sub(_HIDDEN, _ESCAPED_QUOTE.sub("'", text.translate(_CURLED)).replace("\n", " "))
    found = list(_split(line))
    return _collapsed(_names_found(found, vocabulary))


def spoken(parts: Sequence[Part]) -> str:
    """The parts as a text again, each with its first value."""
    return "".join(" " * min(max(part.blanks), 1) + part.text for part in parts).strip()


def _split(line: str) -> Iterator[Part]:
    data = line.encode("utf-8", "replace")
    position = 0
    for spans in _program().every(data):
        start, end = spans[0]
        kind = _ROWS[next(i for i, (begin, _) in enumerate(spans[1:]) if begin >= 0)][0]
        yield from _plain(data[position:start].decode("utf-8", "replace"), _blanks(data, position))
        value = data[start:end].decode("utf-8", "replace").replace(_HIDDEN, "'")
        yield from _hole(kind, value, _blanks(data, start))
        position = end
    yield from _plain(data[position:].decode("utf-8", "replace"), _blanks(data, position))


_programs: list[Program] = []


def _program() -> Program:
    if not _programs:
        _programs.append(Program("|".join(f"({pattern})" for _, pattern in _ROWS).encode()))
    return _programs[0]


def _blanks(data: bytes, end: int) -> int:
    """How many blanks stand before a place: 0, 1, or 2 for more."""
    before = data[max(0, end - 2) : end]
    if before[-1:] == b"\t" or before == b"  ":
        return 2
    return 1 if before[-1:] == b" " else 0


def _part(kind: str, text: str, blanks: int) -> Part:
    return Part(kind, (text,), frozenset({blanks}))


def _plain(text: str, blanks: int) -> Iterator[Part]:
    """Parts of a stretch that no mask took; ``blanks`` stood before it."""
    end = 0
    for match in _PIECE.finditer(text.replace(_HIDDEN, "'")):
        gap = text[end : match.start()]
        count = 2 if len(gap) > 1 or "\t" in gap else len(gap)
        end = match.end()
        piece = match.group()
        yield _part(_kind(piece), piece, count if match.start() else blanks)


def _kind(piece: str) -> str:
    if not (piece[0].isalnum() or piece[0] in "_$") and not (len(piece) > 1 and piece[0] == "-"):
        return "mark"
    if piece.lower() in DTYPES:
        return "dtype"
    if _PLAIN.fullmatch(piece) or CAPITALS.fullmatch(piece) or piece in _BRANDS or RAISED.fullmatch(piece):
        return "word"
    return "word" if piece in {"e.g", "i.e"} else "identifier"


def _hole(kind: str, value: str, blanks: int) -> Iterator[Part]:
    """A masked stretch: quotes stay as marks, and prose in quotes is prose."""
    if kind == "name":
        inner = list(_split(value[1:-1]))
        trailing = 0
        yield _part("mark", value[0], blanks)
        if sum(part.kind == "word" for part in inner) >= 3 and value.count(" ") >= 2:
            yield from inner
            inside = value[1:-1].encode()
            trailing = _blanks(inside, len(inside))
        elif len(inner) == 1 and inner[0].text == value[1:-1] and inner[0].kind not in {"word", "mark", "identifier"}:
            yield inner[0]
        else:
            yield _part("name", value[1:-1], 0)
        yield _part("mark", value[-1], trailing)
    elif kind == "scoped" and re.fullmatch(r"[A-Za-z]+/[A-Za-z]+", value):
        yield _part("identifier", value, blanks)  # and/or, CPU/GPU, or a node of a graph
    else:
        yield _part(kind, value, blanks)


def _names_found(parts: list[Part], vocabulary: Collection[str]) -> list[Part]:
    """``operator Relu``: a capital after a noun, or a word unknown to the vocabulary, is a name; so is ``Relu(13)``."""
    for index, part in enumerate(parts):
        if part.kind == "word" and (_follows_noun(parts, index, vocabulary) or _has_version(parts, index)):
            parts[index] = part._replace(kind="identifier")
    return parts


def _follows_noun(parts: Sequence[Part], index: int, vocabulary: Collection[str]) -> bool:
    """A name behind its noun, or a capital in the middle of a sentence before one."""
    word, noun = parts[index].text, parts[index - 1]
    if not index:
        return False
    capital = word[0].isupper() and word not in _BRANDS and not CAPITALS.fullmatch(word) and not RAISED.fullmatch(word)
    if capital and noun.kind == "word" and index + 1 < len(parts) and parts[index + 1].text in _OWNED:
        return True
    strange = bool(vocabulary) and word.lower() not in vocabulary
    named = index > 1 and noun.text == ":" and parts[index - 2].text.lower() in _OWNING
    if named and index + 1 in {len(parts), _sentence_end(parts, index)}:
        return not CAPITALS.fullmatch(word)
    if noun.text == "for":
        return capital or (strange and index + 1 == len(parts))
    if noun.kind != "word" or noun.text.lower() not in NOUNS:
        return False
    owned = noun.text.lower() in _OWNING and word.lower() not in _AFTER_NOUNS and not CAPITALS.fullmatch(word)
    return owned or strange or (capital and not noun.text[0].isupper())


def _sentence_end(parts: Sequence[Part], index: int) -> int:
    """The place behind the word where a full stop ends the sentence, else -1."""
    stops = index + 1 < len(parts) and parts[index + 1].text in {".", ",", ";", "!"}
    return index + 1 if stops else -1


def _has_version(parts: Sequence[Part], index: int) -> bool:
    """A capitalised word with a number in parentheses, nothing between."""
    word, behind = parts[index].text, parts[index + 1 : index + 4]
    if [part.text for part in behind[::2]] != ["(", ")"] or behind[1].kind != "number" or CAPITALS.fullmatch(word):
        return False
    return word[0].isupper() and behind[0].blanks == {0}


def _collapsed(parts: list[Part]) -> list[Part]:
    """Lists of names or numbers have any length, so each is one hole."""
    out: list[Part] = []
    index = 0
    while index < len(parts):
        part = parts[index]
        closing = _OPENING.get(part.text) if part.kind == "mark" else None
        end = _list_end(parts, index + 1, closing) if closing else _run_end(parts, index)
        first = index + bool(closing)
        if end > first + 1:
            out += parts[index:first]
            inside = parts[first:end]
            out.append(Part("list", (spoken(inside),), inside[0].blanks))
            index = end
        else:
            out.append(part)
            index += 1
    return out


def _list_end(parts: Sequence[Part], start: int, closing: str) -> int:
    """Where the closing bracket stands when only names, numbers and commas are before it, else 0."""
    commas = holes = 0
    for index in range(start, len(parts)):
        part = parts[index]
        if part.kind == "mark" and part.text == closing:
            return index if commas and holes > 1 else 0
        if not part.literal:
            holes += 1
        elif part.kind == "word" or part.text not in ",'\"`:":
            return 0
        commas += part.text == ","
    return 0


def _run_end(parts: Sequence[Part], start: int) -> int:
    """The end of ``4096, 32001, 1`` or ``'a', 'b'`` that starts here, else 0."""
    end, items = start, 0
    while width := _item_width(parts, end):
        end, items = end + width, items + 1
        if end + 1 >= len(parts) or parts[end].text not in {",", "x"} or not _item_width(parts, end + 1):
            break
        end += 1
    return end if items > 1 else 0


def _item_width(parts: Sequence[Part], index: int) -> int:
    """1 for a number, 3 for a name in quotes, else 0."""
    if index < len(parts) and parts[index].kind == "number":
        return 1
    quoted = parts[index : index + 3]
    if len(quoted) < 3 or quoted[0].text not in {"'", '"', "`"}:
        return 0
    return 3 if quoted[2].text == quoted[0].text and not quoted[1].literal else 0
