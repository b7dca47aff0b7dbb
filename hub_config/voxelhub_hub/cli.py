"""`voxelhub`: a neutral dispatcher. Each room brings its subcommand as a module with `main(arguments) -> int`."""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass

import voxelhub_service
from voxelhub_service.settings import SettingsError

from .refusal import Refusal


@dataclass(frozen=True)
class Command:
    module: str
    help: str
    first: tuple[str, ...] = ()  # arguments before those given


COMMANDS = {
    "up": Command("voxelhub_hub.up", "start everything; Ctrl-C ends it"),
    "status": Command("voxelhub_hub.status", "what runs, where (--json)"),
    "doctor": Command("voxelhub_hub.doctor", "what this machine can do and what is missing (--settings lists all settings)"),
    "user": Command("voxelhub_hub.users", "add, reset, disable, enable, list, join, leave"),
    "project": Command("voxelhub_hub.projects_cli", "add, list, set NAME --open | --clinical"),
    "realm": Command("voxelhub_hub.realm_cli", "print what a Keycloak of your own must have, as JSON to import"),
    "tool": Command("voxelhub_service.tools.cli", "new, test, run, check, submit, list, install, import-openvre: tools"),
    "deid": Command("voxelhub_service.deid.cli", "IN OUT: remove what identifies a person from files (--what-if)"),
    "plan": Command("voxelhub_hub.planner_cli", "PRICES WORK: where fragments of slides run, within limits (--study)", ("plan",)),
    "split": Command("voxelhub_hub.planner_cli", "SLIDE OUT: cut a slide into fragments, and say what each shows", ("split",)),
    "seal": Command("voxelhub_hub.planner_cli", "write fragments as bare pixels under opaque names (--dummies)", ("seal",)),
    "open": Command("voxelhub_hub.planner_cli", "put results back in their places (--check only looks)", ("open",)),
    "attack": Command("voxelhub_hub.planner_cli", "play the nodes' owners on a slide of your own", ("attack",)),
    "calibrate": Command("voxelhub_hub.planner_cli", "measure how fast a node is, for the price list", ("calibrate",)),
    "fsck": Command("voxelhub_service.fsck.cli", "prove that every row has its file and every file its row (--deep, --repair)"),
    "audit": Command("voxelhub_service.audit.cli", "verify, show, prove, export, checkpoint, rotate-key"),
    "backup": Command("voxelhub_hub.backup", "write the whole state to one file"),
    "restore": Command("voxelhub_hub.restore", "read a backup into an empty state folder"),
    "bundle": Command("voxelhub_hub.bundle", "an archive of all that `make up` needs, for a machine without internet"),
    "kernel": Command("voxelhub_hub.kernels_cli", "add imaging-torch: further kernels, their size said first"),
}


def main(arguments: list[str] | None = None) -> int:
    """Exit code: 0 done, 1 refused with a sentence, 2 wrong usage."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments or arguments[0] in {"-h", "--help", "help"}:
        print(usage())
        return 0 if arguments else 2
    if arguments[0] == "--version":
        print(f"voxelhub {voxelhub_service.__version__}")
        return 0
    command = COMMANDS.get(arguments[0])
    if command is None:
        print(f"voxelhub: there is no command {arguments[0]!r}.\n\n{usage()}", file=sys.stderr)
        return 2
    try:
        return int(importlib.import_module(command.module).main([*command.first, *arguments[1:]]))
    except (Refusal, SettingsError) as error:
        print(f"voxelhub {arguments[0]}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def usage() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}   {command.help}" for name, command in COMMANDS.items()]
    return "\n".join(["usage: voxelhub COMMAND …", "", *lines, "", "`voxelhub COMMAND --help` says more."])


if __name__ == "__main__":
    sys.exit(main())
