"""Indexed candidates for twins: which of a million groups are worth comparing with.

A tantivy index of the groups' texts in the cache folder, four letters a term. It is
derived: it follows the database by the highest group id it holds, may be deleted at any
time, and is never needed for a right answer. What it cannot say (groups after its last,
an index that is broken, locked or gone) the caller compares one by one.

Several processes may use one folder. One writes at a time, by tantivy's own lock, which
ends with its process; readers take the last commit and never wait. A killed writer leaves
the last commit. A damaged index is put aside and built again.

    found = index.search(text)                  # ids, complete up to found.watermark
    near = [*rows_of(found.ids), *rows_after(found.watermark)]
    index.follow(rows_after(found.watermark))   # when these are many, after the answer is out
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any, NamedTuple

FEW = 5_000  # with so many groups or fewer reading all texts costs no more than the index, and is exact
TAIL = 1_000  # so many groups after the watermark are worth a commit
CANDIDATES = 500
_FORMAT = 2
_GRAM = 4
_TERMS = 48
_BATCH = 50_000  # rows a commit: what a killed build loses at most
_HEAP = 64 << 20  # bytes of memory of one writing thread
_KEPT = 8  # indexes of other databases and versions that stay in the folder


class Found(NamedTuple):
    """Group ids, most promising first, of the groups up to ``watermark``; 0 says that there is no index."""

    ids: tuple[int, ...]
    watermark: int


class _Commit(NamedTuple):
    """A commit that is open; what stands in it does not change."""

    seen: tuple[int, int]  # its file, so that a later one is noticed
    index: Any
    watermark: int


class CandidateIndex:
    """The index of one database.

    Args:
        folder: where indexes are kept; made when missing.
        database: what the database and its texts are, such as its id with the version of
            the signatures. Another string is another index, so a change of all texts needs no more.
    """

    def __init__(self, folder: str, database: str) -> None:
        self.path = os.path.join(folder, f"twins-{_key(database)}")
        self._commit: _Commit | None = None

    @property
    def watermark(self) -> int:
        """The highest group id in the index, 0 when it is empty or cannot be used."""
        with self._guarded():
            return self._last().watermark
        return 0

    def search(self, text: str, limit: int = CANDIDATES) -> Found:
        """The groups that share most with a text, rare parts counting more.

        Ids of groups that were merged away or deleted since may be among them: the caller
        reads the texts from the database anyway and drops what is not there.
        """
        with self._guarded():
            commit = self._last()
            return Found(_ids(commit.index, text, limit) if commit.watermark else (), commit.watermark)
        return Found((), 0)

    def follow(self, rows: Iterable[tuple[int, str, str]]) -> int:
        """Adds groups (id, tool, text), in order of their ids; those at or below the watermark are skipped.

        Ids must not appear below the watermark later: where transactions may commit out of
        order the caller withholds the youngest groups. The tool is no part of the index,
        since another tool may tell the same failure. Returns how many were added; it stops
        early when another process writes or the folder cannot be written.
        """
        source = iter(rows)
        added = 0
        while batch := list(islice(source, _BATCH)):  # read outside the guard: the caller's errors stay the caller's
            count = self._added(batch)
            if count is None:
                break
            added += count
        return added

    def _added(self, batch: list[tuple[int, str, str]]) -> int | None:
        with self._guarded():
            return self._write(batch)
        return None

    def rebuild(self) -> None:
        """Forgets everything: the next `follow` starts from the first group."""
        self._commit = None
        _put_aside(self.path)

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Without a usable index the caller gets nothing; a damaged one is put aside."""
        try:
            yield
        except OSError:
            self._commit = None
        except BaseException as fault:
            if not _is_of_index(fault):
                raise
            if "LockBusy" not in str(fault):
                self.rebuild()

    def _last(self) -> _Commit:
        """The last commit of any process."""
        import tantivy

        try:
            status = os.stat(os.path.join(self.path, "meta.json"))
        except FileNotFoundError:
            self._commit = None
            return _Commit((0, 0), None, 0)
        seen = (status.st_ino, status.st_mtime_ns)
        commit = self._commit
        if commit is None or seen != commit.seen:
            index = _opened(tantivy.Index.open(self.path))
            highest = index.searcher().aggregate(tantivy.Query.all_query(), {"id": {"max": {"field": "id"}}})
            commit = self._commit = _Commit(seen, index, int(highest["id"]["value"] or 0))
        return commit

    def _write(self, batch: list[tuple[int, str, str]]) -> int:
        import tantivy

        if self._last().index is None:
            self._make()
        writer = self._last().index.writer(_HEAP, 1)
        watermark = self._last().watermark  # asked for again: another process may have written before the lock was ours
        new = [row for row in batch if row[0] > watermark]
        for row in new:
            writer.add_document(tantivy.Document(id=row[0], grams=_padded(row[2])))
        if new:
            writer.commit()
        writer.wait_merging_threads()
        return len(new)

    def _make(self) -> None:
        """Makes an empty index, or takes the one that another process has just made."""
        import tantivy

        _forget(os.path.dirname(self.path))
        os.makedirs(self.path, exist_ok=True)
        schema = tantivy.SchemaBuilder()
        schema.add_integer_field("id", fast=True)
        schema.add_text_field("grams", tokenizer_name="grams", index_option="basic")
        tantivy.Index(schema.build(), path=self.path)


def _ids(index: Any, text: str, limit: int) -> tuple[int, ...]:
    from tantivy import Occur, Query

    searcher, schema = index.searcher(), index.schema
    terms = _telling(_padded(text), lambda term: searcher.doc_freq("grams", term))
    query = Query.boolean_query(
        [(Occur.Should, Query.term_query(schema, "grams", term, index_option="basic")) for term in terms]
    )
    places = [place for _, place in searcher.search(query, limit, count=False).hits]
    return tuple(int(key) for key in searcher.fast_field_values("id", places))


def _key(database: str) -> str:
    """Name of the index: another database, library or layout has another."""
    from hashlib import sha256

    import tantivy

    library: Any = tantivy  # its stubs leave the version out
    return sha256(f"{_FORMAT}\n{library.__version__}\n{database}".encode()).hexdigest()[:16]


def _opened(index: Any) -> Any:
    from tantivy import TextAnalyzerBuilder, Tokenizer

    grams = TextAnalyzerBuilder(Tokenizer.ngram(_GRAM, _GRAM)).build()
    index.register_tokenizer("grams", grams)
    index.config_reader("manual")  # the default keeps a thread that watches the folder
    index.reload()
    return index


def _padded(text: str) -> str:
    """Blanks around, so that the shortest text has a term; only what UTF-8 can hold."""
    return f"  {text.lower()}  ".encode("utf-8", "replace").decode()


def _telling(text: str, count: Callable[[str], int]) -> list[str]:
    """The terms to ask for: the rarest known one of each stretch of the text.

    The rarest alone would be faster, and blind to all but the oddest name in the text.
    """
    terms = [text[start : start + _GRAM] for start in range(len(text) - _GRAM + 1)]
    known = {term: number for term in dict.fromkeys(terms) if (number := count(term))}
    step = max(1.0, len(terms) / _TERMS)
    chosen: dict[str, None] = {}
    start = 0.0
    while start < len(terms):
        stretch = [term for term in terms[int(start) : int(start + step)] if term in known]
        if stretch:
            chosen[min(stretch, key=known.__getitem__)] = None
        start += step
    return list(chosen)


def _is_of_index(fault: BaseException) -> bool:
    """Whether tantivy raised it: it reports by ValueError, and panics where it trusted damaged bytes."""
    return isinstance(fault, ValueError | RuntimeError) or type(fault).__name__ == "PanicException"


def _put_aside(path: str) -> None:
    """Renames the folder first, so that no process opens one that is half deleted."""
    from shutil import rmtree

    aside = f"{path}.{os.getpid()}.old"
    try:
        os.rename(path, aside)
    except OSError:
        return
    rmtree(aside, ignore_errors=True)


def _forget(folder: str) -> None:
    """Deletes the indexes that were not written for longest, and what a killed process put aside."""
    from shutil import rmtree

    if not os.path.isdir(folder):
        return
    entries = [entry for entry in os.scandir(folder) if entry.name.startswith("twins-") and entry.is_dir()]
    entries.sort(key=lambda entry: entry.stat().st_mtime, reverse=True)
    live = [entry for entry in entries if not entry.name.endswith(".old")]
    for entry in (*live[_KEPT:], *(entry for entry in entries if entry not in live)):
        rmtree(entry.path, ignore_errors=True)
