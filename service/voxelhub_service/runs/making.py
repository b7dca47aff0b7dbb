"""How tool runs come into being: everything is checked once for one run or for the thousand of a batch, in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from ..context import Context
from ..errors import conflict, invalid, not_found
from ..executors import machine
from ..identity.actor import Actor, personal_project
from ..ledger.budgets import refuse_if_reached
from ..models import Dataset, Entry, Project, Run, new_id, utcnow
from ..policy.authorize import decide, require
from ..projects.quota import human, reserve_each
from ..projects.store import project_by_name
from ..tools import catalogue
from ..tools.environments import NO_RUNS
from ..tools.manifest import ArgumentError, Manifest
from ..tools.matching import Selected, check
from .endings import tell
from .numbers import next_number

RESERVED_FOR = timedelta(days=7)  # an upper bound; the end of the run releases it
WAITS = "Waits for its turn."


@dataclass(frozen=True)
class Recipe:
    """A tool with its arguments, a project that the actor may let the results go into, and how urgent it is."""

    project: Project
    manifest: Manifest
    arguments: dict[str, Any]
    priority: int = 0


@dataclass(frozen=True)
class Order:
    """One run to be: which entries go where. `label` names an item of a batch in what is said to the user."""

    inputs: Mapping[str, Sequence[str]]
    title: str | None = None  # of the result
    label: str = ""
    batch_id: str | None = None
    batch_item: int | None = None
    request_id: str | None = None
    rerun_of: str | None = None

    @property
    def entries(self) -> list[str]:
        return list(dict.fromkeys(one for many in self.inputs.values() for one in many))


def create_tool_run(
    context: Context, session: Session, actor: Actor, *, tool: str, version: str | None, digest: str | None = None, project: str,
    inputs: Mapping[str, Sequence[str]], arguments: Mapping[str, Any], output_title: str | None, request_id: str | None,
    rerun_of: str | None = None, priority: int = 0,
) -> Run:
    """Checks everything and adds the row with its reservation, audit record and event; raises Problem.

    With `digest` it is that very version, retired or not; else the one that is named, or the newest.
    """
    recipe = make_recipe(context, session, actor, tool=tool, version=version, digest=digest, project=project,
                         arguments=arguments, priority=priority)
    order = Order(inputs, output_title, request_id=request_id, rerun_of=rerun_of)
    (run,) = make_runs(context, session, actor, recipe, [order])
    tell(session, run)
    return run


def make_recipe(
    context: Context, session: Session, actor: Actor, *, tool: str, version: str | None, digest: str | None = None, project: str,
    arguments: Mapping[str, Any], priority: int = 0,
) -> Recipe:
    """What all runs of a batch share, checked; raises Problem."""
    target = project_by_name(session, project)
    require(actor, "run.create", target)
    assert target is not None
    if priority > 0:
        require(actor, "run.prioritise", target)
    if context.settings.on_kubernetes:
        raise conflict("no_runs_on_kubernetes", NO_RUNS, "Do it in a notebook until then.")
    offer = (catalogue.again(context, session, actor, tool, version or "", digest) if digest
             else catalogue.wanted(context, session, actor, tool, version))
    _keep_unreviewed_inside(offer, target, actor)
    _fits_the_machine(context, offer.manifest)
    try:
        complete = offer.manifest.with_defaults(arguments)
    except ArgumentError as error:
        raise invalid("arguments_do_not_fit", str(error), field=f"arguments.{error.name}" if error.name else "") from None
    return Recipe(target, offer.manifest, complete, priority)


def make_runs(context: Context, session: Session, actor: Actor, recipe: Recipe, orders: Sequence[Order]) -> list[Run]:
    """A row for each order, with its reservation and audit record; raises Problem, and then there is none of them.

    Tells nobody: a thousand hints at once help no panel.
    """
    target, manifest = recipe.project, recipe.manifest
    refuse_if_reached(context, session, actor.name, target)
    entries = visible_entries(session, actor, list(dict.fromkeys(one for order in orders for one in order.entries)))
    _keep_clinical_inside(session, target, entries.values())
    for order in orders:
        _inputs_fit(manifest, order, entries)
    first = next_number(session, target.id, len(orders))
    runs = [_row(recipe, actor, order, number, entries) for number, order in enumerate(orders, first)]
    session.add_all(runs)
    session.flush()
    sizes = {f"run:{run.id}": _output_size(context, manifest, order, entries) for run, order in zip(runs, orders, strict=True)}
    reserve_each(session, target, sizes, utcnow() + RESERVED_FOR)
    for run, order in zip(runs, orders, strict=True):
        context.audit.append(session, actor, "run.create", f"run:{run.id}", detail={
            "project": target.name, "number": run.number, "tool": manifest.name, "tool_version": manifest.version,
            "tool_digest": manifest.digest, "entries": order.entries}
            | ({"rerun_of": order.rerun_of} if order.rerun_of else {})
            | ({"batch": order.batch_id, "item": order.batch_item} if order.batch_id else {}))
    return runs


def _row(recipe: Recipe, actor: Actor, order: Order, number: int, entries: Mapping[str, Entry]) -> Run:
    manifest = recipe.manifest
    run = Run(
        id=new_id(), number=number, project_id=recipe.project.id, owner=actor.name, kind="tool",
        title=_title(manifest, [entries[one] for one in order.entries]), reason=WAITS, priority=recipe.priority,
        tool=manifest.name, tool_version=manifest.version, tool_digest=manifest.digest,
        cpu=float(manifest.resources.cpu), memory=manifest.resources.memory,
        inputs={name: list(dict.fromkeys(many)) for name, many in order.inputs.items()}, arguments=recipe.arguments,
        batch_id=order.batch_id, batch_item=order.batch_item, request_id=order.request_id, rerun_of=order.rerun_of,
    )
    run.output_dataset = order.title or f"{manifest.title} {run.label}"
    return run


def _inputs_fit(manifest: Manifest, order: Order, entries: Mapping[str, Entry]) -> None:
    chosen = {name: [selected(entries[one]) for one in many] for name, many in order.inputs.items()}
    if reason := check(manifest.inputs, chosen, manifest.combinations):
        named = f"{order.label}: {reason}" if order.label else reason
        raise invalid("inputs_do_not_fit", named, "Change the selection, or choose another tool.")


def _output_size(context: Context, manifest: Manifest, order: Order, entries: Mapping[str, Entry]) -> int:
    size = manifest.resources.output(sum(entries[one].size for one in order.entries))
    return min(size, context.settings.run_max_output)


def _fits_the_machine(context: Context, manifest: Manifest) -> None:
    """A run that could never begin is refused at once. More cores than there are only make it slower."""
    shared = machine.memory(context.settings)
    if manifest.resources.memory > shared:
        raise conflict(
            "machine_too_small",
            f"{manifest.title} needs {human(manifest.resources.memory)} of memory; all tool runs here share {human(shared)}.",
            "Take a tool that needs less, or ask an administrator (VOXELHUB_RUN_MEMORY).",
        )


def visible_entries(session: Session, actor: Actor, ids: Sequence[str]) -> dict[str, Entry]:
    """The entries of these ids, of any version outside the trash.

    An id that does not exist and one that the actor may not see are the same `not_found`.
    """
    found: dict[str, Entry] = {}
    for start in range(0, len(ids), 500):
        some = select(Entry).join(Dataset, Dataset.id == Entry.dataset_id)
        for entry in session.scalars(some.where(Entry.id.in_(ids[start:start + 500]), Dataset.trashed_at.is_(None))):
            found[entry.id] = entry
    project_ids = {entry.project_id for entry in found.values()}
    projects = {one.id: one for one in session.scalars(select(Project).where(Project.id.in_(project_ids)))}
    readable = {key for key, project in projects.items() if decide(actor, "dataset.read", project).allowed}
    if any(one not in found or found[one].project_id not in readable for one in ids):
        raise not_found()
    return found


def selected(entry: Entry) -> Selected:
    return Selected(entry.id, entry.name, entry.data_type, entry.file_format)


def _keep_unreviewed_inside(offer: catalogue.Offer, target: Project, actor: Actor) -> None:
    """What nobody has reviewed writes only into its developer's own project, so it meets no clinical data of others either."""
    own = personal_project(actor.name)
    if offer.state == "submitted" and target.name != own:
        raise conflict("not_reviewed", f"{offer.manifest.title} {offer.manifest.version} is not approved yet: a trial run of it "
                       "writes only into your own project.", f"Let the result go into {own}.")


def _keep_clinical_inside(session: Session, target: Project, entries: Iterable[Entry]) -> None:
    """What is made from clinical data stays in its project: pseudonyms of two projects must not meet, nor leave by a download."""
    sources = session.scalars(select(Project).where(Project.id.in_({entry.project_id for entry in entries})))
    if clinical := next((project for project in sources if not project.open and project.id != target.id), None):
        raise conflict(
            "clinical_inputs",
            f"The selection holds data of the clinical project {clinical.name}; what is made from it stays there.",
            f"Let the result go into {clinical.name}.",
        )


def _title(manifest: Manifest, entries: Sequence[Entry]) -> str:
    if not entries:
        return manifest.title
    more = f" and {len(entries) - 1} more" if len(entries) > 1 else ""
    return f"{manifest.title}: {entries[0].name}{more}"[:200]
