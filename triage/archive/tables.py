"""The tables of the archive, and nothing else. Queries stand beside them in this package.

Times are aware datetimes in UTC, stored as microseconds since 1970. Ids that people see
(``uid``) are derived from content, so that filing or importing twice finds the same row.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    BigInteger,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Moment(TypeDecorator[datetime]):
    """An aware datetime as microseconds since 1970: sorts and compares the same everywhere."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Microseconds; a time without a zone is refused, since nobody knows when it was."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time needs its zone")
        return round(value.timestamp() * 1_000_000)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        """The time in UTC."""
        return None if value is None else datetime.fromtimestamp(value / 1_000_000, UTC)


Data = JSON().with_variant(JSONB(), "postgresql")
Serial = BigInteger().with_variant(Integer(), "sqlite")  # SQLite counts by itself only in INTEGER
Uid = String(16)
Digest = String(64)
Word = String(200)
CASCADE = "CASCADE"


class Base(DeclarativeBase):
    """Constraints are named by one pattern, so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {datetime: Moment, dict[str, Any]: Data, str: Word}


class Meta(Base):
    """Facts about the archive itself: ``identity`` (a uuid) and when it was made."""

    __tablename__ = "meta"
    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str] = mapped_column(Text)


class Log(Base):
    """A raw log: secrets masked, zstd-compressed, once per content. ``cut`` says what was left out."""

    __tablename__ = "logs"
    digest: Mapped[str] = mapped_column(Digest, primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)
    lines: Mapped[int] = mapped_column(BigInteger)
    stored: Mapped[int] = mapped_column(BigInteger)
    cut: Mapped[dict[str, Any] | None]
    body: Mapped[bytes] = mapped_column(LargeBinary)


class Environment(Base):
    """A fingerprint of machine and packages, once per content."""

    __tablename__ = "environments"
    digest: Mapped[str] = mapped_column(Digest, primary_key=True)
    data: Mapped[dict[str, Any]]


class Build(Base):
    """One run that was seen, failed or good: what ran, where, and its log."""

    __tablename__ = "builds"
    __table_args__ = (
        Index("ix_builds_baseline", "model", "stage", "target", "outcome", "at"),
        Index("ix_builds_outcome_at", "outcome", "at"),
        Index("ix_builds_job", "job", "repository", "at", "branch", "commit", "outcome"),
        Index("ix_builds_environment_digest", "environment_digest", sqlite_where=text("environment_digest IS NOT NULL"),
              postgresql_where=text("environment_digest IS NOT NULL")),
    )  # fmt: skip
    id: Mapped[int] = mapped_column(Serial, primary_key=True)
    key: Mapped[str] = mapped_column(Digest, unique=True)
    at: Mapped[datetime] = mapped_column(index=True)
    outcome: Mapped[str] = mapped_column(String(16))
    source: Mapped[str] = mapped_column(Text)
    model: Mapped[str | None]
    stage: Mapped[str | None]
    target: Mapped[str | None]
    command: Mapped[dict[str, Any] | None]
    parameters: Mapped[dict[str, Any] | None]
    seconds: Mapped[float | None]
    exit_code: Mapped[int | None]
    log_digest: Mapped[str | None] = mapped_column(ForeignKey("logs.digest"), index=True)
    environment_digest: Mapped[str | None] = mapped_column(ForeignKey("environments.digest"))
    prints: Mapped[bytes | None] = mapped_column(LargeBinary)
    host: Mapped[str | None]
    ci: Mapped[str | None]
    repository: Mapped[str | None]
    branch: Mapped[str | None]
    commit: Mapped[str | None]
    run_url: Mapped[str | None] = mapped_column(Text)
    job: Mapped[str | None]


class Group(Base):
    """Incidents of one signature, and what people decided about them.

    ``merged_into`` is set while a group is merged away; its signatures then lead to the other group.
    """

    __tablename__ = "groups"
    id: Mapped[int] = mapped_column(Serial, primary_key=True)
    uid: Mapped[str] = mapped_column(Uid, unique=True)
    tool: Mapped[str] = mapped_column(index=True)
    stage: Mapped[str | None]
    template: Mapped[str] = mapped_column(Text)
    text: Mapped[str] = mapped_column(Text)
    cause: Mapped[str] = mapped_column(index=True)
    verdict: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(16), index=True)
    owner: Mapped[str | None] = mapped_column(index=True)
    first_seen: Mapped[datetime]
    last_seen: Mapped[datetime] = mapped_column(index=True)
    count: Mapped[int] = mapped_column(BigInteger)
    merged_into: Mapped[int | None] = mapped_column(ForeignKey("groups.id"), index=True)
    confirmed_cause: Mapped[str | None] = mapped_column(index=True)
    confirmed_fix: Mapped[str | None]
    note: Mapped[str | None] = mapped_column(Text)
    verified_at: Mapped[datetime | None]


class GroupSignature(Base):
    """Which group a signature belongs to now, and which it made (``home``): what a merge can take back."""

    __tablename__ = "signatures"
    version: Mapped[str] = mapped_column(Uid, primary_key=True)
    hash: Mapped[str] = mapped_column(Uid, primary_key=True)
    group_id: Mapped[int] = mapped_column(ForeignKey("groups.id", ondelete=CASCADE), index=True)
    home_id: Mapped[int] = mapped_column(ForeignKey("groups.id", ondelete=CASCADE), index=True)


def _where_known(name: str) -> Index:
    """An index that costs nothing for rows where the column is empty."""
    known = text(f'"{name}" IS NOT NULL')
    return Index(f"ix_incidents_{name}", name, "at", sqlite_where=known, postgresql_where=known)


class Incident(Base):
    """One failure of one build: what lists, filters and facets read. The rest is in ``Detail``."""

    __tablename__ = "incidents"
    __table_args__ = (
        UniqueConstraint("build_id", "position"),
        Index("ix_incidents_group", "group_id", "at", "build_id"),
        Index("ix_incidents_signature", "signature_hash", "signature_version"),
        *(Index(f"ix_incidents_{name}", name, "at") for name in ("cause", "verdict", "tool", "rule")),
        *(_where_known(name) for name in (
            "tool_key", "engine_key", "stage", "component", "model", "precision", "host", "ci", "repository", "branch",
            "commit", "log_digest",
        )),
    )  # fmt: skip
    id: Mapped[int] = mapped_column(Serial, primary_key=True)
    uid: Mapped[str] = mapped_column(Uid, unique=True)
    build_id: Mapped[int] = mapped_column(ForeignKey("builds.id", ondelete=CASCADE))
    position: Mapped[int]
    group_id: Mapped[int] = mapped_column(ForeignKey("groups.id"))
    log_digest: Mapped[str | None] = mapped_column(ForeignKey("logs.digest"))
    at: Mapped[datetime] = mapped_column(index=True)
    tool: Mapped[str]
    tool_version: Mapped[str | None]
    tool_key: Mapped[int | None] = mapped_column(BigInteger)
    engine_version: Mapped[str | None]
    engine_key: Mapped[int | None] = mapped_column(BigInteger)
    stage: Mapped[str | None]
    component: Mapped[str | None]
    model: Mapped[str | None]
    precision: Mapped[str | None]
    cause: Mapped[str]
    verdict: Mapped[str] = mapped_column(String(16))
    rule: Mapped[str]
    rules_version: Mapped[str] = mapped_column(Digest)
    signature_version: Mapped[str] = mapped_column(Uid)
    signature_hash: Mapped[str] = mapped_column(Uid)
    line: Mapped[int] = mapped_column(BigInteger)
    host: Mapped[str | None]
    ci: Mapped[str | None]
    repository: Mapped[str | None]
    branch: Mapped[str | None]
    commit: Mapped[str | None]


class Detail(Base):
    """The incident as the report has it (JSON, zstd), and its words, split alike for every database."""

    __tablename__ = "details"
    incident_id: Mapped[int] = mapped_column(ForeignKey("incidents.id", ondelete=CASCADE), primary_key=True)
    body: Mapped[bytes] = mapped_column(LargeBinary)
    words: Mapped[str] = mapped_column(Text)


class Confirmation(Base):
    """A person's verdict on an incident. ``agreed`` says whether the rule's cause was right."""

    __tablename__ = "confirmations"
    id: Mapped[int] = mapped_column(Serial, primary_key=True)
    incident_id: Mapped[int] = mapped_column(ForeignKey("incidents.id", ondelete=CASCADE), index=True)
    group_id: Mapped[int] = mapped_column(ForeignKey("groups.id", ondelete=CASCADE), index=True)
    at: Mapped[datetime] = mapped_column(index=True)
    actor: Mapped[str]
    cause: Mapped[str]
    fix: Mapped[str | None]
    note: Mapped[str | None] = mapped_column(Text)
    rule: Mapped[str] = mapped_column(index=True)
    agreed: Mapped[bool]
    withdrawn: Mapped[bool]


class History(Base):
    """What happened to an incident or a group, who did it, and what it was before. Never deleted by hand."""

    __tablename__ = "history"
    id: Mapped[int] = mapped_column(Serial, primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    actor: Mapped[str]
    kind: Mapped[str] = mapped_column(String(32), index=True)
    group_id: Mapped[int | None] = mapped_column(ForeignKey("groups.id", ondelete=CASCADE), index=True)
    incident_id: Mapped[int | None] = mapped_column(ForeignKey("incidents.id", ondelete=CASCADE), index=True)
    data: Mapped[dict[str, Any]]
    undone: Mapped[bool]


class Separation(Base):
    """Two groups that a person took apart for good; ``low_id`` < ``high_id``."""

    __tablename__ = "separations"
    low_id: Mapped[int] = mapped_column(ForeignKey("groups.id", ondelete=CASCADE), primary_key=True)
    high_id: Mapped[int] = mapped_column(ForeignKey("groups.id", ondelete=CASCADE), primary_key=True)
    at: Mapped[datetime]
    actor: Mapped[str]


class Import(Base):
    """A bundle that was taken in; its checksum makes a second import a no-op."""

    __tablename__ = "imports"
    checksum: Mapped[str] = mapped_column(Digest, primary_key=True)
    at: Mapped[datetime]
    actor: Mapped[str]
    origin: Mapped[str] = mapped_column(Text)
    counts: Mapped[dict[str, Any]]


class Reanalysis(Base):
    """A run of today's rules over stored logs; ``cursor`` is the last incident done, where a killed run goes on."""

    __tablename__ = "reanalyses"
    id: Mapped[int] = mapped_column(Serial, primary_key=True)
    started: Mapped[datetime]
    finished: Mapped[datetime | None]
    rules_version: Mapped[str] = mapped_column(Digest, index=True)
    filter: Mapped[str] = mapped_column(Text)
    cursor: Mapped[int] = mapped_column(BigInteger)
    done: Mapped[int] = mapped_column(BigInteger)
    moved: Mapped[int] = mapped_column(BigInteger)


class Repair(Base):
    """One run of ``triage fix``: what was asked for and what came of it. ``recipe`` is enough to do it again."""

    __tablename__ = "repairs"
    id: Mapped[int] = mapped_column(Serial, primary_key=True)
    uid: Mapped[str] = mapped_column(Uid, unique=True)
    incident_id: Mapped[int | None] = mapped_column(ForeignKey("incidents.id", ondelete=CASCADE), index=True)
    at: Mapped[datetime] = mapped_column(index=True)
    actor: Mapped[str]
    status: Mapped[str] = mapped_column(String(16))
    verified: Mapped[bool | None]
    why: Mapped[str] = mapped_column(Text)
    cause: Mapped[str | None]
    recipe: Mapped[dict[str, Any]]
    output: Mapped[str | None] = mapped_column(Text)
    seconds: Mapped[float]


class Attempt(Base):
    """One thing that a repair tried. ``helped`` says that it is part of the way to where the repair ended."""

    __tablename__ = "attempts"
    __table_args__ = (Index("ix_attempts_signature_before", "signature_before", "helped"),)
    repair_id: Mapped[int] = mapped_column(ForeignKey("repairs.id", ondelete=CASCADE), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    parent: Mapped[int]
    fix: Mapped[str] = mapped_column(index=True)
    what: Mapped[str] = mapped_column(Text)
    safety: Mapped[str] = mapped_column(String(16))
    parameters: Mapped[dict[str, Any]]
    result: Mapped[str] = mapped_column(String(16))
    helped: Mapped[bool]
    why: Mapped[str] = mapped_column(Text)
    cause_before: Mapped[str | None]
    cause_after: Mapped[str | None]
    signature_before: Mapped[str | None] = mapped_column(Uid)
    signature_after: Mapped[str | None] = mapped_column(Uid)
    exit_code: Mapped[int | None]
    seconds: Mapped[float]
