"""A bundle's file -> its content, proved whole before anybody may use it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from typing import IO, Any, Protocol, TypeVar

from triage.archive.bundles import lines
from triage.archive.bundles import manifest as made
from triage.archive.bundles.lines import BuildLine, ConfirmationLine, GroupLine, HistoryLine, LogLine
from triage.archive.bundles.rules import LARGEST_RULE
from triage.archive.bundles.sealed import Part, Reader
from triage.archive.schema import revisions
from triage.errors import InputError

LARGEST_LOG = 64 << 20
Line = TypeVar("Line")


class Content(Protocol):
    """What can be taken into an archive. Lines are given anew each time they are asked for."""

    @property
    def checksum(self) -> str:
        """Names the content."""

    @property
    def origin(self) -> str:
        """Where it comes from, in words."""

    def groups(self) -> Iterator[GroupLine]:
        """The groups."""

    def builds(self) -> Iterator[BuildLine]:
        """The builds with their incidents."""

    def confirmations(self) -> Iterator[ConfirmationLine]:
        """People's verdicts."""

    def history(self) -> Iterator[HistoryLine]:
        """What happened there."""

    def logs(self) -> Iterator[dict[str, Any]]:
        """The logs that travel, as rows of the archive."""


class Bundle:
    """A bundle whose every byte was checked. It stays open while it is read."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        with self._broken(made.NAME):
            self.manifest = made.read_manifest(_small(reader, made.NAME, made.LARGEST), revisions()[-1])
        _Proof(self, reader).run()

    @property
    def checksum(self) -> str:
        """Names the content."""
        return self.manifest.checksum

    @property
    def origin(self) -> str:
        """Who made it, where and why."""
        return self.manifest.origin.words()

    def groups(self) -> Iterator[GroupLine]:
        """The groups, by id."""
        return self._read(made.GROUPS, lines.group_line)

    def builds(self) -> Iterator[BuildLine]:
        """The builds with their incidents, by key."""
        return self._read(made.INCIDENTS, lines.build_line)

    def confirmations(self) -> Iterator[ConfirmationLine]:
        """People's verdicts, oldest first."""
        return self._read(made.CONFIRMATIONS, lines.confirmation_line)

    def history(self) -> Iterator[HistoryLine]:
        """What happened there, oldest first."""
        return self._read(made.HISTORY, lines.history_line)

    def logs(self) -> Iterator[dict[str, Any]]:
        """The logs that travel, as rows of the archive."""
        for line in self.log_lines():
            yield {**line.row, "body": self.packed(line)}

    def log_lines(self) -> Iterator[LogLine]:
        """What is said of the logs that travel."""
        return self._read(made.LOGS, lines.log_line)

    def packed(self, line: LogLine) -> bytes:
        """The bytes of a log, as the archive stores them."""
        return b"".join(self._reader.bites(f"logs/{line.row['digest']}.zst", Part(line.sha256, line.bytes)))

    def rules(self) -> dict[str, bytes]:
        """The rule files that travel: name of the part -> file."""
        names = [name for name in self.manifest.parts if made.RULE_FILE.fullmatch(name)]
        return {name: _small(self._reader, name, LARGEST_RULE, self.manifest.parts[name]) for name in names}

    def _read(self, name: str, shape: Callable[[Mapping[str, Any]], Line]) -> Iterator[Line]:
        if name not in self.manifest.parts:
            return
        for number, line in enumerate(self._reader.lines(name, self.manifest.parts[name]), 1):
            with self._broken(f"{name}, line {number}"):
                found = shape(lines.parse(line))
            yield found

    @contextmanager
    def _broken(self, where: str) -> Iterator[None]:
        try:
            yield
        except ValueError as fault:
            raise InputError(f"{self._reader.name}: {where}: {fault}. Nothing of it was taken in.") from fault


@contextmanager
def open_bundle(file: IO[bytes], name: str) -> Iterator[Bundle]:
    """A bundle that was proved whole: seal, manifest, every checksum, every line and every reference.

    Args:
        file: the file, open for reading and able to seek.
        name: what to call it in messages.

    Raises:
        InputError: says what is wrong; nothing was written anywhere.
    """
    with Reader(file, name) as reader:
        yield Bundle(reader)


class _Proof:
    """Reads everything once and checks that it fits together."""

    def __init__(self, bundle: Bundle, reader: Reader) -> None:
        self._bundle = bundle
        self._reader = reader
        self._counts: Counter[str] = Counter()
        self._groups: dict[str, str | None] = {}
        self._incidents: set[str] = set()

    def run(self) -> None:
        """Raises InputError at the first thing that does not fit."""
        self._names()
        self._prove_groups()
        self._prove_builds()
        self._prove_people()
        self._prove_logs()
        self._counts["rules"] = len(self._bundle.rules())
        for kind, said in self._bundle.manifest.counts.items():
            if said != self._counts[kind]:
                self._refuse(f"says that it holds {said:,} {kind}, and holds {self._counts[kind]:,}")

    def _refuse(self, why: str) -> None:
        raise InputError(f"{self._reader.name} {why}. Nothing of it was taken in.")

    def _names(self) -> None:
        names = {name for name in self._reader.names() if not made.LOG_FILE.fullmatch(name)}
        strange = sorted(names - set(self._bundle.manifest.parts) - {made.NAME})
        missing = sorted(set(self._bundle.manifest.parts) - names)
        if strange:
            self._refuse(f"has a part that its manifest does not name: {strange[0]!r:.80}")
        if missing:
            self._refuse(f"lacks the part {missing[0]}")

    def _prove_groups(self) -> None:
        signs: set[tuple[str, str]] = set()
        homes: set[str] = set()
        for line in self._bundle.groups():
            if line.row["uid"] in self._groups:
                self._refuse(f"has the group {line.row['uid']} twice")
            self._groups[line.row["uid"]] = line.merged_into
            for sign in line.signatures:
                if sign[:2] in signs:
                    self._refuse(f"leads the signature {sign.hash} to two groups")
                signs.add(sign[:2])
                homes.add(sign.home)
        self._known(homes | set(filter(None, self._groups.values())), self._groups, "group")
        for uid in self._groups:
            self._prove_end(uid)
        self._counts["groups"] = len(self._groups)

    def _prove_end(self, uid: str) -> None:
        """What a group was merged into must end somewhere."""
        passed: set[str] = set()
        following: str | None = uid
        while following is not None:
            if following in passed:
                self._refuse(f"merges the group {uid} into itself")
            passed.add(following)
            following = self._groups[following]

    def _prove_builds(self) -> None:
        keys: set[str] = set()
        for line in self._bundle.builds():
            if line.row["key"] in keys:
                self._refuse(f"has the build {line.row['key']} twice")
            keys.add(line.row["key"])
            for incident in line.incidents:
                if incident.row["uid"] in self._incidents:
                    self._refuse(f"has the incident {incident.row['uid']} twice")
                self._incidents.add(incident.row["uid"])
                self._known({incident.group}, self._groups, "group")
        self._counts["builds"] = len(keys)
        self._counts["incidents"] = len(self._incidents)

    def _prove_people(self) -> None:
        for line in self._bundle.confirmations():
            self._known({line.incident}, self._incidents, "incident")
            self._counts["confirmations"] += 1
        for told in self._bundle.history():
            self._known({told.group} - {None}, self._groups, "group")
            self._known({told.incident} - {None}, self._incidents, "incident")
            self._counts["history"] += 1

    def _known(self, asked: Any, known: Any, kind: str) -> None:
        for uid in asked:
            if uid not in known:
                self._refuse(f"speaks of the {kind} {uid}, which is not in it")

    def _prove_logs(self) -> None:
        there = {match[1] for match in map(made.LOG_FILE.fullmatch, self._reader.names()) if match}
        for line in self._bundle.log_lines():
            digest = line.row["digest"]
            if digest not in there:
                self._refuse(f"lacks the log {digest}, or has it twice")
            there.discard(digest)
            self._prove_log(line)
            self._counts["logs"] += 1
        if there:
            self._refuse(f"has a log that nothing speaks of: {min(there)}")

    def _prove_log(self, line: LogLine) -> None:
        import zstandard

        if self._reader.size(f"logs/{line.row['digest']}.zst") > LARGEST_LOG:
            self._refuse(f"has a log of more than {LARGEST_LOG >> 20} MB")
        try:
            body = self._bundle.packed(line)
            if not 0 <= zstandard.frame_content_size(body) <= LARGEST_LOG:
                self._refuse(f"has a log of more than {LARGEST_LOG >> 20} MB, or of unknown size")
            text = zstandard.ZstdDecompressor().decompress(body)
        except zstandard.ZstdError as fault:
            raise InputError(
                f"{self._reader.name}: the log {line.row['digest']} cannot be unpacked: {fault}."
            ) from fault
        if sha256(text).hexdigest() != line.row["digest"] or len(text) != line.row["stored"]:
            self._refuse(f"has a log that is not the one it is called after: {line.row['digest']}")


def _small(reader: Reader, name: str, largest: int, said: Part | None = None) -> bytes:
    """A part that is small enough for memory."""
    with reader.faults():
        size = reader.size(name)
    if size > largest:
        raise InputError(f"{reader.name}: {name} has {size:,} bytes; {largest:,} are allowed.")
    return b"".join(reader.bites(name, said))
