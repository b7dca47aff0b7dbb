"""Tools: what there is, and which fit a selection."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from ..database import reading
from ..errors import invalid, not_found
from ..policy.authorize import require
from ..runs.store import selected, visible_entries
from ..tools.manifest import Manifest
from ..tools.matching import Selected, match
from ..tools.registry import registry
from ..wire import ToolInput, ToolList, ToolOut, ToolOutput, ToolResources, TypeFormat
from .deps import CallerDep, ContextDep

router = APIRouter(tags=["tools"])
MAX_SELECTED = 1000
Entries = Annotated[str, Query(
    max_length=MAX_SELECTED * 33, pattern=r"^([0-9a-f]{32}(,[0-9a-f]{32})*)?$",
    description="ids of selected entries, comma-separated")]
ToolName = Annotated[str, Path(max_length=63)]


@router.get("/tools")
def list_tools(context: ContextDep, actor: CallerDep, entries: Entries = "") -> ToolList:
    """All tools; with a selection, those that fit it come first, the others say why they do not."""
    require(actor, "tool.read")
    chosen = _chosen(context, actor, entries)
    items = [_tool_out(manifest, chosen) for manifest in registry(context.settings).all()]
    return ToolList(items=sorted(items, key=lambda one: (bool(chosen) and not one.eligible, one.title, one.name)))


@router.get("/tools/{name}")
def read_tool(name: ToolName, context: ContextDep, actor: CallerDep, entries: Entries = "") -> ToolOut:
    require(actor, "tool.read")
    manifest = registry(context.settings).get(name)
    if manifest is None:
        raise not_found()
    return _tool_out(manifest, _chosen(context, actor, entries))


def _chosen(context: ContextDep, actor: CallerDep, entries: str) -> list[Selected]:
    ids = list(dict.fromkeys(one for one in entries.split(",") if one))
    if len(ids) > MAX_SELECTED:
        raise invalid("too_many_selected", f"At most {MAX_SELECTED} entries can be selected for a tool.")
    with reading(context.engine) as session:
        found = visible_entries(session, actor, ids)
        return [selected(found[one]) for one in ids]


def _tool_out(manifest: Manifest, chosen: list[Selected]) -> ToolOut:
    found = match(manifest.inputs, chosen)
    resources = manifest.resources
    return ToolOut(
        name=manifest.name, version=manifest.version, title=manifest.title, description=manifest.description,
        keywords=list(manifest.keywords), digest=manifest.digest,
        inputs=[ToolInput(name=one.name, title=one.title, description=one.description, minimum=one.minimum, maximum=one.maximum,
                          accepts=[TypeFormat(data_type=t, file_format=f) for t, f in one.accepts]) for one in manifest.inputs],
        arguments=manifest.arguments,
        outputs=[ToolOutput(name=one.name, title=one.title, file_format=one.file_format,
                            data_type=one.data_type or f"as {one.like}") for one in manifest.outputs],
        resources=ToolResources(cpu=resources.cpu, memory=resources.memory, time=resources.time, gpu=resources.gpu),
        eligible=found.eligible, reason=found.reason, assignment=found.assignment,
    )
