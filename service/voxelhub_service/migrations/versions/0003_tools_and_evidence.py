"""Tools and evidence: submitted tools, batches, priorities, the environment of a run."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "batch",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("project_id", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("tool", sa.Text(), nullable=False),
        sa.Column("tool_version", sa.Text(), nullable=False),
        sa.Column("tool_digest", sa.Text(), nullable=False),
        sa.Column("arguments", sa.JSON(), nullable=False),
        sa.Column("items", sa.JSON(), nullable=False),
        sa.Column("joined", sa.BigInteger(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("request_id"),
    )
    for column in ("created_at", "owner", "project_id"):
        op.create_index(op.f(f"ix_batch_{column}"), "batch", [column], unique=False)
    op.create_table(
        "tool_version",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("attempt", sa.BigInteger(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("manifest", sa.JSON(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("groups", sa.JSON(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("findings", sa.JSON(), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at", sa.DateTime(), nullable=True),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("n_files", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name", "version", "attempt"),
    )
    for column in ("owner", "state"):
        op.create_index(op.f(f"ix_tool_version_{column}"), "tool_version", [column], unique=False)
    # The default only fills the rows that exist; new ones are given by the service.
    with op.batch_alter_table("run") as table:
        table.add_column(sa.Column("priority", sa.BigInteger(), nullable=False, server_default="0"))
        table.add_column(sa.Column("batch_id", sa.Text(), nullable=True))
        table.add_column(sa.Column("batch_item", sa.BigInteger(), nullable=True))
        table.add_column(sa.Column("environment_digest", sa.Text(), nullable=True))
        table.add_column(sa.Column("cpu", sa.Double(), nullable=False, server_default="0"))
        table.add_column(sa.Column("memory", sa.BigInteger(), nullable=False, server_default="0"))
        table.create_foreign_key("fk_run_batch", "batch", ["batch_id"], ["id"])
        table.create_index(op.f("ix_run_batch_id"), ["batch_id"], unique=False)
    with op.batch_alter_table("run") as table:
        table.alter_column("priority", existing_type=sa.BigInteger(), existing_nullable=False, server_default=None)
        table.alter_column("cpu", existing_type=sa.Double(), existing_nullable=False, server_default=None)
        table.alter_column("memory", existing_type=sa.BigInteger(), existing_nullable=False, server_default=None)
    with op.batch_alter_table("audit_event") as table:
        table.add_column(sa.Column("key", sa.Text(), nullable=True))
        table.add_column(sa.Column("signature", sa.Text(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("audit_event") as table:
        table.drop_column("signature")
        table.drop_column("key")
    with op.batch_alter_table("run") as table:
        table.drop_index(op.f("ix_run_batch_id"))
        table.drop_constraint("fk_run_batch", type_="foreignkey")
        for name in ("memory", "cpu", "environment_digest", "batch_item", "batch_id", "priority"):
            table.drop_column(name)
    op.drop_table("tool_version")
    op.drop_table("batch")
