"""`voxelhub tool list` and `voxelhub tool install`: what is on this server, and the environment of a submitted tool's lock."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from sqlalchemy import select

from ..context import Context, make_context
from ..database import reading, writing
from ..errors import Problem
from ..models import ToolVersion
from ..settings import Settings
from . import catalogue, installing
from .environments import environment_of, missing
from .locks import read_lock
from .registry import registry
from .submissions import TAKEN, described
from .versions import order


def add_to(commands: Any, codes: str) -> None:
    listing = commands.add_parser(
        "list", help="the tools and environments of this server", epilog=codes,
        description="Every tool that ships and every submitted version with its state, and what it lacks to run.")
    listing.set_defaults(run=_list)
    install = commands.add_parser(
        "install", help="make the environment that a submitted tool's lock pins; for administrators, on the server", epilog=codes,
        description="Only wheels, each with the SHA-256 that the lock names, from the package registry that pip here is set to. "
                    "Nothing of the tool itself is executed.")
    install.add_argument("name", metavar="NAME")
    install.add_argument("version", metavar="VERSION")
    install.add_argument("--yes", action="store_true", help="do not ask")
    install.set_defaults(run=_install)


def _list(settings: Settings, _wanted: argparse.Namespace) -> int:
    for tool in registry(settings).all():
        print(f"{tool.name:<28} {tool.version:<10} ships      {missing(settings, tool) or tool.environment}")
    for sentence in registry(settings).problems():
        print(f"wrong: {sentence}")
    if (settings.secrets_dir / "audit-key").exists():
        context = make_context(settings)
        try:
            with reading(context.engine) as session:
                rows = session.scalars(select(ToolVersion).where(ToolVersion.state.in_(TAKEN)))
                for row in sorted(rows, key=lambda one: (one.name, order(one.version))):
                    print(f"{row.name:<28} {row.version:<10} {row.state:<10} {_standing(context, row)}")
        finally:
            context.engine.dispose()
    environments = sorted(path.parent.name for path in settings.envs_dir.glob("tool-*/bin"))
    print(f"Environments: {', '.join(environments) or 'none'}")
    return 0


def _standing(context: Context, row: ToolVersion) -> str:
    manifest = catalogue.manifest_of(context, row)
    if manifest is None:
        return "Its files are not those that were submitted."
    who = f"for {', '.join(row.groups)}" if row.groups else f"by {row.owner}"
    return missing(context.settings, manifest) or f"{environment_of(context.settings, manifest).name}, {who}"


def _install(settings: Settings, wanted: argparse.Namespace) -> int:
    if not (settings.secrets_dir / "audit-key").exists():
        raise Problem(404, "no_installation", "There is no installation in this state folder yet.", "`voxelhub up` makes it.")
    context = make_context(settings)
    try:
        return _install_in(context, wanted)
    finally:
        context.engine.dispose()


def _install_in(context: Context, wanted: argparse.Namespace) -> int:
    with reading(context.engine) as session:
        row = session.scalar(select(ToolVersion).where(
            ToolVersion.name == wanted.name, ToolVersion.version == wanted.version, ToolVersion.state.in_(TAKEN)))
    manifest = catalogue.manifest_of(context, row) if row is not None and catalogue.unchanged(context, row) else None
    if row is None or manifest is None:
        raise Problem(404, "not_found", f"There is no submitted tool {wanted.name} {wanted.version}.",
                      "`voxelhub tool list` shows them.")
    if not manifest.lock:
        raise Problem(409, "no_lock", f"{row.name} {row.version} has no lock: it runs in {manifest.environment}.",
                      missing(context.settings, manifest) or "That is installed.")
    target = environment_of(context.settings, manifest)
    if (target / "bin").is_dir():
        print(f"{target.name} is installed already.")
        return 0
    lock = manifest.folder / manifest.lock
    pins, wrong = read_lock(manifest.lock, lock.read_text("utf-8"))
    if wrong:
        raise Problem(422, "bad_lock", wrong[0].sentence, wrong[0].fix)
    print(f"{row.name} {row.version} of {row.owner} wants {len(pins)} packages:")
    print("  " + ", ".join(f"{one.name} {one.version}" for one in pins))
    if not wanted.yes and not _agreed():
        raise Problem(409, "not_agreed", "Nothing was installed.", "Say yes, or use --yes.")
    installing.install(context.settings, lock, target)
    with writing(context.engine) as session:
        context.audit.append(session, "command-line", "tool.install", f"tool:{row.id}", detail={
            **described(row), "environment": target.name, "packages": len(pins)})
    print(f"{target.name} is installed; {row.name} {row.version} can run.")
    return 0


def _agreed() -> bool:
    return sys.stdin.isatty() and input("Install them? [y/N] ").strip().lower() in ("y", "yes")
