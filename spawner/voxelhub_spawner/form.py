"""The page on which a user chooses a profile: cards that are radio buttons, readable without JavaScript or colour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from voxelhub_sandbox.profiles import Profile, default_profile, gib

STYLE = """<style>
.vh-profiles { border: 0; margin: 0 0 1rem; padding: 0; display: grid; gap: .9rem;
  grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); }
.vh-profiles legend { font-size: 1rem; margin-bottom: .75rem; color: var(--bs-secondary-color, inherit); grid-column: 1 / -1; }
.vh-profile { position: relative; display: flex; flex-direction: column; gap: .5rem; cursor: pointer; padding: 1.1rem 1.2rem;
  border: 1px solid var(--bs-border-color, #8886); border-radius: .8rem; background: var(--bs-body-bg, transparent);
  transition: border-color .12s, box-shadow .12s; }
.vh-profile:hover { border-color: var(--vh-accent, #0b7285); }
.vh-profile:has(:checked) { border-color: var(--vh-accent, #0b7285); box-shadow: 0 0 0 2px var(--vh-accent, #0b7285); }
.vh-profile:has(:focus-visible) { outline: 3px solid var(--vh-accent, #0b7285); outline-offset: 3px; }
.vh-profile input { position: absolute; inset-block-start: 1.25rem; inset-inline-end: 1.2rem; width: 1.1rem; height: 1.1rem;
  accent-color: var(--vh-accent, #0b7285); }
.vh-profile strong { font-size: 1.15rem; padding-inline-end: 2rem; }
.vh-profile p { margin: 0; color: var(--bs-secondary-color, inherit); }
.vh-profile dl { margin: auto 0 0; display: grid; grid-template-columns: auto 1fr; gap: .15rem .8rem;
  font-variant-numeric: tabular-nums; }
.vh-profile dt { font-weight: 400; color: var(--bs-secondary-color, inherit); }
.vh-left { text-align: center; font-variant-numeric: tabular-nums; color: var(--bs-secondary-color, inherit); }
.vh-spent { padding: .8rem 1rem; border-radius: .6rem; border: 1px solid var(--bs-danger, #c92a2a); }
.vh-why { padding-block-start: .5rem; border-block-start: 1px solid var(--bs-border-color, #8886); }
.vh-profile:has(:disabled) { cursor: not-allowed; }
.vh-projects { border: 0; margin: 0 0 1rem; padding: 0; display: grid; gap: .4rem; }
.vh-projects legend { font-size: 1rem; color: var(--bs-secondary-color, inherit); }
.vh-projects label { display: flex; gap: .6rem; align-items: baseline; cursor: pointer; }
.vh-projects input { accent-color: var(--vh-accent, #0b7285); }
.vh-profile dd { margin: 0; text-align: end; font-weight: 600; }
</style>"""


@dataclass(frozen=True)
class Note:
    """What is to be said of a profile now: how many of its GPUs are free, and why it cannot start at once, or at all."""

    free: str = ""  # as "1 of 2"
    why: str = ""
    blocked: bool = False  # a start would be refused


@dataclass(frozen=True)
class Choice:
    """A project that a server may be of, and what that means."""

    name: str
    meaning: str


def options_form(profiles: Sequence[Profile], chosen: str = "", budgets: Sequence[str] = (), refused: str = "", *,
                 notes: Mapping[str, Note] | None = None, projects: Sequence[Choice] = (), project: str = "") -> str:
    """HTML for the hub's spawn page. `chosen` and `project` are those of the last time, when there was one.

    `budgets` are sentences of what is left, `refused` why nothing may start now.
    """
    if not profiles:
        return '<p role="alert">There is no server profile for you here. Ask an administrator for one.</p>'
    notes = notes or {}
    offered = [p for p in profiles if not notes.get(p.name, Note()).blocked]
    first = next((p for p in offered if p.name == chosen), default_profile(offered))
    cards = "\n".join(_card(p, p is first, notes.get(p.name, Note())) for p in profiles)
    legend = "<legend>How large should your notebook server be?</legend>"
    return (f'{STYLE}\n{_spent(budgets, refused)}<fieldset class="vh-profiles">{legend}\n{cards}\n</fieldset>'
            f"{_projects(projects, project)}")


def _projects(projects: Sequence[Choice], chosen: str) -> str:
    if not projects:
        return ""
    rows = "\n".join(
        f'<label><input type="radio" name="project" value="{escape(one.name)}"{" checked" if one.name == chosen else ""}>'
        f"<span><strong>{escape(one.name or 'None')}</strong> {escape(one.meaning)}</span></label>" for one in projects)
    if chosen not in {one.name for one in projects}:
        rows = rows.replace('value="">', 'value="" checked>', 1)
    return f'\n<fieldset class="vh-projects"><legend>For which project?</legend>\n{rows}\n</fieldset>'


def _spent(budgets: Sequence[str], refused: str) -> str:
    if refused:
        return f'<p class="vh-spent" role="alert">{escape(refused)} Ask an administrator, or wait for the next month.</p>\n'
    return f'<p class="vh-left">{escape("; ".join(budgets))}.</p>\n' if budgets else ""


def _card(profile: Profile, checked: bool, note: Note) -> str:
    rows = [("CPU", f"{profile.cpu:g} core{'' if profile.cpu == 1 else 's'}"), ("Memory", gib(profile.memory))]
    if profile.gpu_count:
        rows.append(("GPU", f"{profile.gpu_count} × {profile.gpu_kind or 'any'}{slice_of(profile.gpu_resource)}"))
    if note.free:
        rows.append(("Free now", note.free))
    if profile.price_per_hour:
        rows.append(("Price", f"{profile.price_per_hour:.2f} {profile.currency} an hour"))
    facts = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in rows)
    description = f"<p>{escape(profile.description)}</p>" if profile.description else ""
    why = f'<p class="vh-why">{escape(note.why)}</p>' if note.why else ""
    mark = " checked" if checked else " disabled" if note.blocked else ""
    return (
        f'<label class="vh-profile"><input type="radio" name="profile" value="{escape(profile.name)}"{mark}>'
        f"<strong>{escape(profile.title)}</strong>{description}<dl>{facts}</dl>{why}</label>"
    )


def slice_of(resource: str) -> str:
    """The part of a card that a MIG resource is, as people write it."""
    _, mig, size = resource.partition("/mig-")
    return f" ({size})" if mig else ""
