"""alembic runs this; the connection and its transaction belong to migrations.upgrade()."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext

from voxelhub_service.models import Base, PlainText, UtcDateTime


def render_item(kind: str, item: Any, _context: AutogenContext) -> str | Literal[False]:
    """A migration stands for itself: it imports nothing of ours that may change later."""
    ours = {PlainText: "sa.Text()", UtcDateTime: "sa.DateTime()"}
    return ours.get(type(item), False) if kind == "type" else False


context.configure(
    connection=context.config.attributes["connection"], target_metadata=Base.metadata, render_item=render_item,
    transactional_ddl=True,
)
context.run_migrations()
