"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

DATA = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
# one full-text index per database, kept in step with the table ``texts``
ADD = "INSERT INTO details_fts(rowid, words) VALUES (new.incident_id, new.words);"
DROP = "INSERT INTO details_fts(details_fts, rowid, words) VALUES ('delete', old.incident_id, old.words);"
SQLITE_SEARCH = (
    (
        "CREATE VIRTUAL TABLE details_fts USING"
        " fts5(words, content='details', content_rowid='incident_id', tokenize='unicode61')"
    ),
    f"CREATE TRIGGER details_fts_add AFTER INSERT ON details BEGIN {ADD} END",
    f"CREATE TRIGGER details_fts_drop AFTER DELETE ON details BEGIN {DROP} END",
    f"CREATE TRIGGER details_fts_change AFTER UPDATE ON details BEGIN {DROP} {ADD} END",
)
POSTGRES_SEARCH = ("CREATE INDEX ix_details_words ON details USING gin (to_tsvector('simple', words))",)


def upgrade() -> None:
    op.create_table(
        "environments",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("data", DATA, nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_environments")),
    )
    op.create_table(
        "groups",
        sa.Column("id", SERIAL, nullable=False),
        sa.Column("uid", sa.String(length=16), nullable=False),
        sa.Column("tool", sa.String(length=200), nullable=False),
        sa.Column("stage", sa.String(length=200), nullable=True),
        sa.Column("template", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("cause", sa.String(length=200), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("owner", sa.String(length=200), nullable=True),
        sa.Column("first_seen", sa.BigInteger(), nullable=False),
        sa.Column("last_seen", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("merged_into", SERIAL, nullable=True),
        sa.Column("confirmed_cause", sa.String(length=200), nullable=True),
        sa.Column("confirmed_fix", sa.String(length=200), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("verified_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["merged_into"], ["groups.id"], name=op.f("fk_groups_merged_into")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_groups")),
        sa.UniqueConstraint("uid", name=op.f("uq_groups_uid")),
    )
    with op.batch_alter_table("groups", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_groups_cause"), ["cause"], unique=False)
        batch_op.create_index(batch_op.f("ix_groups_confirmed_cause"), ["confirmed_cause"], unique=False)
        batch_op.create_index(batch_op.f("ix_groups_last_seen"), ["last_seen"], unique=False)
        batch_op.create_index(batch_op.f("ix_groups_merged_into"), ["merged_into"], unique=False)
        batch_op.create_index(batch_op.f("ix_groups_owner"), ["owner"], unique=False)
        batch_op.create_index(batch_op.f("ix_groups_state"), ["state"], unique=False)
        batch_op.create_index(batch_op.f("ix_groups_tool"), ["tool"], unique=False)

    op.create_table(
        "imports",
        sa.Column("checksum", sa.String(length=64), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("counts", DATA, nullable=False),
        sa.PrimaryKeyConstraint("checksum", name=op.f("pk_imports")),
    )
    op.create_table(
        "logs",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("lines", sa.BigInteger(), nullable=False),
        sa.Column("stored", sa.BigInteger(), nullable=False),
        sa.Column("cut", DATA, nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_logs")),
    )
    op.create_table(
        "meta",
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_meta")),
    )
    op.create_table(
        "reanalyses",
        sa.Column("id", SERIAL, nullable=False),
        sa.Column("started", sa.BigInteger(), nullable=False),
        sa.Column("finished", sa.BigInteger(), nullable=True),
        sa.Column("rules_version", sa.String(length=64), nullable=False),
        sa.Column("filter", sa.Text(), nullable=False),
        sa.Column("cursor", sa.BigInteger(), nullable=False),
        sa.Column("done", sa.BigInteger(), nullable=False),
        sa.Column("moved", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reanalyses")),
    )
    with op.batch_alter_table("reanalyses", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_reanalyses_rules_version"), ["rules_version"], unique=False)

    op.create_table(
        "builds",
        sa.Column("id", SERIAL, nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("model", sa.String(length=200), nullable=True),
        sa.Column("stage", sa.String(length=200), nullable=True),
        sa.Column("target", sa.String(length=200), nullable=True),
        sa.Column("command", DATA, nullable=True),
        sa.Column("parameters", DATA, nullable=True),
        sa.Column("seconds", sa.Double(), nullable=True),
        sa.Column("exit_code", sa.Integer(), nullable=True),
        sa.Column("log_digest", sa.String(length=64), nullable=True),
        sa.Column("environment_digest", sa.String(length=64), nullable=True),
        sa.Column("prints", sa.LargeBinary(), nullable=True),
        sa.Column("host", sa.String(length=200), nullable=True),
        sa.Column("ci", sa.String(length=200), nullable=True),
        sa.Column("repository", sa.String(length=200), nullable=True),
        sa.Column("branch", sa.String(length=200), nullable=True),
        sa.Column("commit", sa.String(length=200), nullable=True),
        sa.Column("run_url", sa.Text(), nullable=True),
        sa.Column("job", sa.String(length=200), nullable=True),
        sa.ForeignKeyConstraint(
            ["environment_digest"], ["environments.digest"], name=op.f("fk_builds_environment_digest")
        ),
        sa.ForeignKeyConstraint(["log_digest"], ["logs.digest"], name=op.f("fk_builds_log_digest")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_builds")),
        sa.UniqueConstraint("key", name=op.f("uq_builds_key")),
    )
    with op.batch_alter_table("builds", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_builds_at"), ["at"], unique=False)
        batch_op.create_index("ix_builds_baseline", ["model", "stage", "target", "outcome", "at"], unique=False)
        batch_op.create_index(
            "ix_builds_environment_digest",
            ["environment_digest"],
            unique=False,
            sqlite_where=sa.text("environment_digest IS NOT NULL"),
            postgresql_where=sa.text("environment_digest IS NOT NULL"),
        )
        batch_op.create_index(batch_op.f("ix_builds_log_digest"), ["log_digest"], unique=False)
        batch_op.create_index("ix_builds_outcome_at", ["outcome", "at"], unique=False)

    op.create_table(
        "separations",
        sa.Column("low_id", SERIAL, nullable=False),
        sa.Column("high_id", SERIAL, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(["high_id"], ["groups.id"], name=op.f("fk_separations_high_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["low_id"], ["groups.id"], name=op.f("fk_separations_low_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("low_id", "high_id", name=op.f("pk_separations")),
    )
    op.create_table(
        "signatures",
        sa.Column("version", sa.String(length=16), nullable=False),
        sa.Column("hash", sa.String(length=16), nullable=False),
        sa.Column("group_id", SERIAL, nullable=False),
        sa.Column("home_id", SERIAL, nullable=False),
        sa.ForeignKeyConstraint(["group_id"], ["groups.id"], name=op.f("fk_signatures_group_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["home_id"], ["groups.id"], name=op.f("fk_signatures_home_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("version", "hash", name=op.f("pk_signatures")),
    )
    with op.batch_alter_table("signatures", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_signatures_group_id"), ["group_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_signatures_home_id"), ["home_id"], unique=False)

    op.create_table(
        "incidents",
        sa.Column("id", SERIAL, nullable=False),
        sa.Column("uid", sa.String(length=16), nullable=False),
        sa.Column("build_id", SERIAL, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("group_id", SERIAL, nullable=False),
        sa.Column("log_digest", sa.String(length=64), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("tool", sa.String(length=200), nullable=False),
        sa.Column("tool_version", sa.String(length=200), nullable=True),
        sa.Column("tool_key", sa.BigInteger(), nullable=True),
        sa.Column("engine_version", sa.String(length=200), nullable=True),
        sa.Column("engine_key", sa.BigInteger(), nullable=True),
        sa.Column("stage", sa.String(length=200), nullable=True),
        sa.Column("component", sa.String(length=200), nullable=True),
        sa.Column("model", sa.String(length=200), nullable=True),
        sa.Column("precision", sa.String(length=200), nullable=True),
        sa.Column("cause", sa.String(length=200), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("rule", sa.String(length=200), nullable=False),
        sa.Column("rules_version", sa.String(length=64), nullable=False),
        sa.Column("signature_version", sa.String(length=16), nullable=False),
        sa.Column("signature_hash", sa.String(length=16), nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=False),
        sa.Column("host", sa.String(length=200), nullable=True),
        sa.Column("ci", sa.String(length=200), nullable=True),
        sa.Column("repository", sa.String(length=200), nullable=True),
        sa.Column("branch", sa.String(length=200), nullable=True),
        sa.Column("commit", sa.String(length=200), nullable=True),
        sa.ForeignKeyConstraint(["build_id"], ["builds.id"], name=op.f("fk_incidents_build_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["group_id"], ["groups.id"], name=op.f("fk_incidents_group_id")),
        sa.ForeignKeyConstraint(["log_digest"], ["logs.digest"], name=op.f("fk_incidents_log_digest")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incidents")),
        sa.UniqueConstraint("build_id", "position", name=op.f("uq_incidents_build_id_position")),
        sa.UniqueConstraint("uid", name=op.f("uq_incidents_uid")),
    )
    with op.batch_alter_table("incidents", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_incidents_at"), ["at"], unique=False)
        batch_op.create_index(
            "ix_incidents_branch",
            ["branch", "at"],
            unique=False,
            sqlite_where=sa.text('"branch" IS NOT NULL'),
            postgresql_where=sa.text('"branch" IS NOT NULL'),
        )
        batch_op.create_index("ix_incidents_cause", ["cause", "at"], unique=False)
        batch_op.create_index(
            "ix_incidents_ci",
            ["ci", "at"],
            unique=False,
            sqlite_where=sa.text('"ci" IS NOT NULL'),
            postgresql_where=sa.text('"ci" IS NOT NULL'),
        )
        batch_op.create_index(
            "ix_incidents_commit",
            ["commit", "at"],
            unique=False,
            sqlite_where=sa.text('"commit" IS NOT NULL'),
            postgresql_where=sa.text('"commit" IS NOT NULL'),
        )
        batch_op.create_index(
            "ix_incidents_component",
            ["component", "at"],
            unique=False,
            sqlite_where=sa.text('"component" IS NOT NULL'),
            postgresql_where=sa.text('"component" IS NOT NULL'),
        )
        batch_op.create_index(
            "ix_incidents_engine_key",
            ["engine_key", "at"],
            unique=False,
            sqlite_where=sa.text('"engine_key" IS NOT NULL'),
            postgresql_where=sa.text('"engine_key" IS NOT NULL'),
        )
        batch_op.create_index("ix_incidents_group", ["group_id", "at", "build_id"], unique=False)
        batch_op.create_index(
            "ix_incidents_host",
            ["host", "at"],
            unique=False,
            sqlite_where=sa.text('"host" IS NOT NULL'),
            postgresql_where=sa.text('"host" IS NOT NULL'),
        )
        batch_op.create_index(
            "ix_incidents_log_digest",
            ["log_digest", "at"],
            unique=False,
            sqlite_where=sa.text('"log_digest" IS NOT NULL'),
            postgresql_where=sa.text('"log_digest" IS NOT NULL'),
        )
        batch_op.create_index(
            "ix_incidents_model",
            ["model", "at"],
            unique=False,
            sqlite_where=sa.text('"model" IS NOT NULL'),
            postgresql_where=sa.text('"model" IS NOT NULL'),
        )
        batch_op.create_index(
            "ix_incidents_precision",
            ["precision", "at"],
            unique=False,
            sqlite_where=sa.text('"precision" IS NOT NULL'),
            postgresql_where=sa.text('"precision" IS NOT NULL'),
        )
        batch_op.create_index(
            "ix_incidents_repository",
            ["repository", "at"],
            unique=False,
            sqlite_where=sa.text('"repository" IS NOT NULL'),
            postgresql_where=sa.text('"repository" IS NOT NULL'),
        )
        batch_op.create_index("ix_incidents_rule", ["rule", "at"], unique=False)
        batch_op.create_index("ix_incidents_signature", ["signature_hash", "signature_version"], unique=False)
        batch_op.create_index(
            "ix_incidents_stage",
            ["stage", "at"],
            unique=False,
            sqlite_where=sa.text('"stage" IS NOT NULL'),
            postgresql_where=sa.text('"stage" IS NOT NULL'),
        )
        batch_op.create_index("ix_incidents_tool", ["tool", "at"], unique=False)
        batch_op.create_index(
            "ix_incidents_tool_key",
            ["tool_key", "at"],
            unique=False,
            sqlite_where=sa.text('"tool_key" IS NOT NULL'),
            postgresql_where=sa.text('"tool_key" IS NOT NULL'),
        )
        batch_op.create_index("ix_incidents_verdict", ["verdict", "at"], unique=False)

    op.create_table(
        "confirmations",
        sa.Column("id", SERIAL, nullable=False),
        sa.Column("incident_id", SERIAL, nullable=False),
        sa.Column("group_id", SERIAL, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("cause", sa.String(length=200), nullable=False),
        sa.Column("fix", sa.String(length=200), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("rule", sa.String(length=200), nullable=False),
        sa.Column("agreed", sa.Boolean(), nullable=False),
        sa.Column("withdrawn", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["group_id"], ["groups.id"], name=op.f("fk_confirmations_group_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incidents.id"], name=op.f("fk_confirmations_incident_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_confirmations")),
    )
    with op.batch_alter_table("confirmations", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_confirmations_at"), ["at"], unique=False)
        batch_op.create_index(batch_op.f("ix_confirmations_group_id"), ["group_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_confirmations_incident_id"), ["incident_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_confirmations_rule"), ["rule"], unique=False)

    op.create_table(
        "details",
        sa.Column("incident_id", SERIAL, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incidents.id"], name=op.f("fk_details_incident_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("incident_id", name=op.f("pk_details")),
    )
    op.create_table(
        "history",
        sa.Column("id", SERIAL, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("group_id", SERIAL, nullable=True),
        sa.Column("incident_id", SERIAL, nullable=True),
        sa.Column("data", DATA, nullable=False),
        sa.Column("undone", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["group_id"], ["groups.id"], name=op.f("fk_history_group_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incidents.id"], name=op.f("fk_history_incident_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_history")),
    )
    with op.batch_alter_table("history", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_history_at"), ["at"], unique=False)
        batch_op.create_index(batch_op.f("ix_history_group_id"), ["group_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_history_incident_id"), ["incident_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_history_kind"), ["kind"], unique=False)
    for statement in SQLITE_SEARCH if op.get_bind().dialect.name == "sqlite" else POSTGRES_SEARCH:
        op.execute(statement)


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TABLE details_fts")
    with op.batch_alter_table("history", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_history_kind"))
        batch_op.drop_index(batch_op.f("ix_history_incident_id"))
        batch_op.drop_index(batch_op.f("ix_history_group_id"))
        batch_op.drop_index(batch_op.f("ix_history_at"))

    op.drop_table("history")
    op.drop_table("details")
    with op.batch_alter_table("confirmations", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_confirmations_rule"))
        batch_op.drop_index(batch_op.f("ix_confirmations_incident_id"))
        batch_op.drop_index(batch_op.f("ix_confirmations_group_id"))
        batch_op.drop_index(batch_op.f("ix_confirmations_at"))

    op.drop_table("confirmations")
    with op.batch_alter_table("incidents", schema=None) as batch_op:
        batch_op.drop_index("ix_incidents_verdict")
        batch_op.drop_index(
            "ix_incidents_tool_key",
            sqlite_where=sa.text('"tool_key" IS NOT NULL'),
            postgresql_where=sa.text('"tool_key" IS NOT NULL'),
        )
        batch_op.drop_index("ix_incidents_tool")
        batch_op.drop_index(
            "ix_incidents_stage",
            sqlite_where=sa.text('"stage" IS NOT NULL'),
            postgresql_where=sa.text('"stage" IS NOT NULL'),
        )
        batch_op.drop_index("ix_incidents_signature")
        batch_op.drop_index("ix_incidents_rule")
        batch_op.drop_index(
            "ix_incidents_repository",
            sqlite_where=sa.text('"repository" IS NOT NULL'),
            postgresql_where=sa.text('"repository" IS NOT NULL'),
        )
        batch_op.drop_index(
            "ix_incidents_precision",
            sqlite_where=sa.text('"precision" IS NOT NULL'),
            postgresql_where=sa.text('"precision" IS NOT NULL'),
        )
        batch_op.drop_index(
            "ix_incidents_model",
            sqlite_where=sa.text('"model" IS NOT NULL'),
            postgresql_where=sa.text('"model" IS NOT NULL'),
        )
        batch_op.drop_index(
            "ix_incidents_log_digest",
            sqlite_where=sa.text('"log_digest" IS NOT NULL'),
            postgresql_where=sa.text('"log_digest" IS NOT NULL'),
        )
        batch_op.drop_index(
            "ix_incidents_host",
            sqlite_where=sa.text('"host" IS NOT NULL'),
            postgresql_where=sa.text('"host" IS NOT NULL'),
        )
        batch_op.drop_index("ix_incidents_group")
        batch_op.drop_index(
            "ix_incidents_engine_key",
            sqlite_where=sa.text('"engine_key" IS NOT NULL'),
            postgresql_where=sa.text('"engine_key" IS NOT NULL'),
        )
        batch_op.drop_index(
            "ix_incidents_component",
            sqlite_where=sa.text('"component" IS NOT NULL'),
            postgresql_where=sa.text('"component" IS NOT NULL'),
        )
        batch_op.drop_index(
            "ix_incidents_commit",
            sqlite_where=sa.text('"commit" IS NOT NULL'),
            postgresql_where=sa.text('"commit" IS NOT NULL'),
        )
        batch_op.drop_index(
            "ix_incidents_ci", sqlite_where=sa.text('"ci" IS NOT NULL'), postgresql_where=sa.text('"ci" IS NOT NULL')
        )
        batch_op.drop_index("ix_incidents_cause")
        batch_op.drop_index(
            "ix_incidents_branch",
            sqlite_where=sa.text('"branch" IS NOT NULL'),
            postgresql_where=sa.text('"branch" IS NOT NULL'),
        )
        batch_op.drop_index(batch_op.f("ix_incidents_at"))

    op.drop_table("incidents")
    with op.batch_alter_table("signatures", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_signatures_home_id"))
        batch_op.drop_index(batch_op.f("ix_signatures_group_id"))

    op.drop_table("signatures")
    op.drop_table("separations")
    with op.batch_alter_table("builds", schema=None) as batch_op:
        batch_op.drop_index("ix_builds_outcome_at")
        batch_op.drop_index(batch_op.f("ix_builds_log_digest"))
        batch_op.drop_index(
            "ix_builds_environment_digest",
            sqlite_where=sa.text("environment_digest IS NOT NULL"),
            postgresql_where=sa.text("environment_digest IS NOT NULL"),
        )
        batch_op.drop_index("ix_builds_baseline")
        batch_op.drop_index(batch_op.f("ix_builds_at"))

    op.drop_table("builds")
    with op.batch_alter_table("reanalyses", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_reanalyses_rules_version"))

    op.drop_table("reanalyses")
    op.drop_table("meta")
    op.drop_table("logs")
    op.drop_table("imports")
    with op.batch_alter_table("groups", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_groups_tool"))
        batch_op.drop_index(batch_op.f("ix_groups_state"))
        batch_op.drop_index(batch_op.f("ix_groups_owner"))
        batch_op.drop_index(batch_op.f("ix_groups_merged_into"))
        batch_op.drop_index(batch_op.f("ix_groups_last_seen"))
        batch_op.drop_index(batch_op.f("ix_groups_confirmed_cause"))
        batch_op.drop_index(batch_op.f("ix_groups_cause"))

    op.drop_table("groups")
    op.drop_table("environments")
