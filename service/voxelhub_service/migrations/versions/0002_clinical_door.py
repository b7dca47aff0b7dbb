"""The clinical door: quarantine, and what an upload is for."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Defaults only fill the rows that exist; new ones are given by the service.
    with op.batch_alter_table("upload") as table:
        table.add_column(sa.Column("mode", sa.Text(), nullable=False, server_default="replace"))
        table.add_column(sa.Column("clinical", sa.Boolean(), nullable=False, server_default=sa.false()))
        table.add_column(sa.Column("origin", sa.Text(), nullable=False, server_default=""))
    with op.batch_alter_table("upload") as table:
        for name, kind in (("mode", sa.Text()), ("clinical", sa.Boolean()), ("origin", sa.Text())):
            table.alter_column(name, existing_type=kind, existing_nullable=False, server_default=None)
    op.create_table(
        "quarantine_item",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("findings", sa.JSON(), nullable=False),
        sa.Column("releasable", sa.Boolean(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at", sa.DateTime(), nullable=True),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("release_run_id", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"]),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    for column in ("created_at", "project_id", "release_run_id", "run_id", "state"):
        op.create_index(op.f(f"ix_quarantine_item_{column}"), "quarantine_item", [column], unique=False)


def downgrade() -> None:
    op.drop_table("quarantine_item")
    with op.batch_alter_table("upload") as table:
        for name in ("mode", "clinical", "origin"):
            table.drop_column(name)
