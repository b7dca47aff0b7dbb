"""`voxelhub up`: start everything, print the address, keep it running, end everything."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from dataclasses import replace
from pathlib import Path

from sqlalchemy import inspect, text
from voxelhub_sandbox import bubblewrap
from voxelhub_service import migrations
from voxelhub_service.audit.places import make_place
from voxelhub_service.database import reading
from voxelhub_service.database_place import about, open_database
from voxelhub_service.ledger.budgets import load_budgets
from voxelhub_service.ledger.prices import PricesError, load_prices
from voxelhub_service.secrets import ensure_secrets
from voxelhub_service.settings import Settings, load_settings

from . import children, first_start
from .ports import check_ports
from .refusal import Refusal
from .supervisor import Supervisor, hold_lock, sweep


class CannotStart(Refusal):
    """Something is missing or in the way; the text says what to do."""


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="voxelhub up", description="Start Keycloak, hub, proxy and service; Ctrl-C ends them all. State is kept.")
    parser.add_argument("--no-isolation", action="store_true",
                        help="no bubblewrap around notebook servers and tools: for one single user, who may then read everything")
    parser.add_argument("--credentials-file", type=Path, metavar="FILE",
                        help="write the users and passwords of a first start there (mode 0600) instead of printing them")
    wanted = parser.parse_args(arguments)
    settings = load_settings()
    if wanted.no_isolation:
        settings = replace(settings, isolation=False)
    start(settings, wanted.credentials_file)
    return 0


def start(settings: Settings, credentials_file: Path | None = None) -> None:
    if settings.on_kubernetes:
        raise CannotStart("On Kubernetes the chart starts each part in a pod of its own; `voxelhub up` is for one machine.")
    make_place(settings)  # refuses what can be none
    try:
        load_budgets(settings, load_prices(settings))
    except PricesError as error:
        raise CannotStart(str(error)) from None
    if settings.isolation and (reason := bubblewrap.unavailable()):
        raise CannotStart(f"{reason}\nIf you are the only user of this machine, `--no-isolation` starts without it.")
    settings.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    settings.state_dir.chmod(0o700)
    lock = hold_lock(settings.state_dir)
    try:
        sweep(settings.state_dir)
        check_ports(settings)
        refuse_lost_key(settings)
        ensure_secrets(settings.secrets_dir)
        migrations.upgrade(settings)
        supervisor = Supervisor(settings.state_dir, settings.base_url, children.waves(settings))
        print(f"Starting VoxelHub in {settings.state_dir} …", flush=True)
        asyncio.run(supervisor.run(lambda: announce(settings, credentials_file)))
        print("VoxelHub has ended.", flush=True)
    finally:
        lock.close()


def refuse_lost_key(settings: Settings) -> None:
    """A new audit key would make each older record look forged, and new pseudonyms would split every patient in two."""
    used = bool(about(settings).revision) if settings.database_url else settings.database_file.exists()
    if used and not (settings.secrets_dir / "audit-key").exists():
        raise CannotStart(
            "The audit key is missing, although there is an audit log that it sealed.\n"
            f"Bring {settings.secrets_dir / 'audit-key'} back from a backup, or restore the whole installation."
        )
    if (settings.audit_dir / "keys.jsonl").exists() and not (settings.secrets_dir / "audit-signing-key").exists():
        raise CannotStart(
            "The key that signs the audit log is missing, although the log is signed.\n"
            f"Bring {settings.secrets_dir / 'audit-signing-key'} back from a backup, or restore the whole installation."
        )
    if used and not (settings.secrets_dir / "deid-key").exists() and _has_clinical_uploads(settings):
        raise CannotStart(
            "The key of the pseudonyms is missing, although imports have used it: later ones would not link with them.\n"
            f"Bring {settings.secrets_dir / 'deid-key'} back from a backup. If it is lost for good, "
            "write 64 random hexadecimal digits there."
        )


def _has_clinical_uploads(settings: Settings) -> bool:
    engine = open_database(settings)
    try:
        with reading(engine) as session:
            if "clinical" not in {column["name"] for column in inspect(session.connection()).get_columns("upload")}:
                return False  # the tables of a version without the clinical door
            return session.execute(text("SELECT 1 FROM upload WHERE clinical LIMIT 1")).first() is not None
    finally:
        engine.dispose()


def announce(settings: Settings, credentials_file: Path | None) -> None:
    """Make the first start's users and projects if that was not done, then say where to go."""
    passwords = first_start.people(settings) if first_start.due(settings) else {}
    if passwords and credentials_file:
        write_private(credentials_file, json.dumps({"address": settings.base_url, "users": passwords}))
    print(box(_message(settings, {} if credentials_file else passwords)), flush=True)
    if passwords:
        first_start.done(settings)


def _message(settings: Settings, passwords: dict[str, str]) -> list[str]:
    lines = [f"VoxelHub is ready:  {settings.base_url}", ""]
    if passwords:
        width = max(map(len, passwords))
        lines += ["Users and their passwords, shown this once:", ""]
        lines += [f"    {name:<{width}}   {password}   {first_start.PEOPLE[name].note}" for name, password in passwords.items()]
        lines += [""]
    lines += ["A new password:  ./voxelhub user reset NAME      A new user:  ./voxelhub user add NAME"]
    if not settings.isolation:
        lines += ["", "Isolation is OFF: whoever signs in can read everything that this account can."]
    return [*lines, "Ctrl-C ends everything; the state stays."]


def box(lines: list[str]) -> str:
    width = max(map(len, lines))
    body = "\n".join(f"│ {line:<{width}} │" for line in lines)
    return f"╭{'─' * (width + 2)}╮\n{body}\n╰{'─' * (width + 2)}╯"


def write_private(path: Path, text: str) -> None:
    """A file that only its owner reads, whole or not at all."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    part.replace(path)
