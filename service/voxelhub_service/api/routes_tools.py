"""Tools: what there is, and which fit a selection."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from ..batches import pairing, planning
from ..batches.pairing import Candidate
from ..context import Context
from ..database import reading
from ..errors import invalid, not_found
from ..identity.actor import Actor
from ..policy.authorize import require
from ..tools import catalogue
from ..tools.catalogue import Offer
from ..tools.environments import missing
from ..tools.matching import Match, match
from ..wire_tools import SelectionIn, ToolInput, ToolList, ToolOut, ToolOutput, ToolResources, TypeFormat
from .deps import CallerDep, ContextDep

router = APIRouter(tags=["tools"])
MAX_SELECTED = 1000
Entries = Annotated[str, Query(
    max_length=MAX_SELECTED * 33, pattern=r"^([0-9a-f]{32}(,[0-9a-f]{32})*)?$",
    description="ids of selected entries, comma-separated")]
ToolName = Annotated[str, Path(max_length=63)]
Version = Annotated[str, Query(max_length=40, description="a particular version")]


@router.get("/tools")
def list_tools(context: ContextDep, actor: CallerDep, entries: Entries = "") -> ToolList:
    """Each tool that the caller may run, in its newest version; with a selection, those that fit it come first."""
    require(actor, "tool.read")
    return _listed(context, actor, _chosen(context, actor, entries))


@router.post("/tools/match")
def match_tools(body: SelectionIn, context: ContextDep, actor: CallerDep) -> ToolList:
    """The same for a selection that is too long for an address; it changes nothing."""
    require(actor, "tool.read")
    with reading(context.engine) as session:
        chosen = planning.candidates(session, actor, body.entries)
    return _listed(context, actor, chosen)


def _listed(context: Context, actor: Actor, chosen: list[Candidate]) -> ToolList:
    with reading(context.engine) as session:
        offers = catalogue.offered(context, session, actor)
    by_name: dict[str, list[Offer]] = {}
    for offer in offers:
        by_name.setdefault(offer.manifest.name, []).append(offer)
    items = [_tool_out(context, newest, versions, chosen) for versions in by_name.values()
             if (newest := catalogue.newest(versions)) is not None]
    return ToolList(items=sorted(items, key=lambda one: (bool(chosen) and not one.eligible, one.title, one.name)))


@router.get("/tools/{name}")
def read_tool(
    name: ToolName, context: ContextDep, actor: CallerDep, entries: Entries = "", version: Version | None = None,
) -> ToolOut:
    """The newest version, or a particular one: also a retired one, so that an old run can be read."""
    require(actor, "tool.read")
    chosen = _chosen(context, actor, entries)
    with reading(context.engine) as session:
        versions = [one for one in catalogue.offered(context, session, actor) if one.manifest.name == name]
        offer = catalogue.known(context, session, actor, name, version) if version else catalogue.newest(versions)
    if offer is None:
        raise not_found()
    return _tool_out(context, offer, versions, chosen)


def _chosen(context: ContextDep, actor: CallerDep, entries: str) -> list[Candidate]:
    ids = list(dict.fromkeys(one for one in entries.split(",") if one))
    if len(ids) > MAX_SELECTED:
        raise invalid("too_many_selected", f"At most {MAX_SELECTED} entries can be selected for a tool.")
    with reading(context.engine) as session:
        return planning.candidates(session, actor, ids)


def _tool_out(context: Context, offer: Offer, versions: list[Offer], chosen: list[Candidate]) -> ToolOut:
    manifest = offer.manifest
    found = match(manifest.inputs, [one.entry for one in chosen], manifest.combinations)
    each = len(pairing.plan(manifest.inputs, chosen, manifest.combinations).items) if len(chosen) > 1 else 0
    if reason := _not_runnable(context, offer):
        found, each = Match(False, reason), 0
    resources = manifest.resources
    return ToolOut(
        name=manifest.name, version=manifest.version, state=offer.state,
        versions=[one.manifest.version for one in versions], title=manifest.title, description=manifest.description,
        keywords=list(manifest.keywords), digest=manifest.digest,
        licence=manifest.licence, citation=manifest.citation, homepage=manifest.homepage,
        authors=[one.name for one in manifest.authors], network=offer.network,
        sends=manifest.security.sends if offer.network and manifest.security else "",
        combinations=[[one.name for one in manifest.inputs if one.name in some] for some in manifest.combinations],
        inputs=[ToolInput(name=one.name, title=one.title, description=one.description, minimum=one.minimum, maximum=one.maximum,
                          accepts=[TypeFormat(data_type=t, file_format=f) for t, f in one.accepts]) for one in manifest.inputs],
        arguments=manifest.arguments,
        outputs=[ToolOutput(name=one.name, title=one.title, file_format=one.file_format,
                            data_type=one.data_type or f"as {one.like}") for one in manifest.outputs],
        resources=ToolResources(cpu=resources.cpu, memory=resources.memory, time=resources.time, gpu=resources.gpu),
        eligible=found.eligible, reason=found.reason, assignment=found.assignment, each=each,
    )


def _not_runnable(context: Context, offer: Offer) -> str:
    """Why no selection would do; "" where one may."""
    if offer.state == "retired":
        return "This version was retired: it starts no new run. Runs that used it can still be run again."
    if reason := missing(context.settings, offer.manifest):
        return f"This tool cannot run yet. {reason}"
    return ""
