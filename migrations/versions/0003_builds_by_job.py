"""Builds are found by job: how a failure stands in the history of its job is asked for every failed build."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_builds_job", "builds", ["job", "repository", "at", "branch", "commit", "outcome"])


def downgrade() -> None:
    op.drop_index("ix_builds_job", "builds")
