"""Repairs and what they tried."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

DATA = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "repairs",
        sa.Column("id", SERIAL, nullable=False),
        sa.Column("uid", sa.String(length=16), nullable=False),
        sa.Column("incident_id", SERIAL, nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("verified", sa.Boolean(), nullable=True),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("cause", sa.String(length=200), nullable=True),
        sa.Column("recipe", DATA, nullable=False),
        sa.Column("output", sa.Text(), nullable=True),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incidents.id"], name=op.f("fk_repairs_incident_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_repairs")),
        sa.UniqueConstraint("uid", name=op.f("uq_repairs_uid")),
    )
    op.create_index(op.f("ix_repairs_at"), "repairs", ["at"])
    op.create_index(op.f("ix_repairs_incident_id"), "repairs", ["incident_id"])
    op.create_table(
        "attempts",
        sa.Column("repair_id", SERIAL, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("parent", sa.Integer(), nullable=False),
        sa.Column("fix", sa.String(length=200), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("safety", sa.String(length=16), nullable=False),
        sa.Column("parameters", DATA, nullable=False),
        sa.Column("result", sa.String(length=16), nullable=False),
        sa.Column("helped", sa.Boolean(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("cause_before", sa.String(length=200), nullable=True),
        sa.Column("cause_after", sa.String(length=200), nullable=True),
        sa.Column("signature_before", sa.String(length=16), nullable=True),
        sa.Column("signature_after", sa.String(length=16), nullable=True),
        sa.Column("exit_code", sa.Integer(), nullable=True),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["repair_id"], ["repairs.id"], name=op.f("fk_attempts_repair_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("repair_id", "number", name=op.f("pk_attempts")),
    )
    op.create_index("ix_attempts_signature_before", "attempts", ["signature_before", "helped"])
    op.create_index(op.f("ix_attempts_fix"), "attempts", ["fix"])


def downgrade() -> None:
    op.drop_table("attempts")
    op.drop_table("repairs")
